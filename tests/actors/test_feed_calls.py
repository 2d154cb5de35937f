"""Whatever a connection does with a question, exactly one outcome comes of it, and nothing is raised."""

import asyncio

import pytest

from actors.feed_calls import ask_feed
from tests.actors.feed_port import MINUTE, SECOND, Market, PlayedPort
from trading.data import BookSnapshot
from trading.effects import AskFeed, FetchBars, FetchBook, SubscribeFeed
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.identifiers import InstrumentId
from trading.outcomes import BarsFetched, BookFetched, FeedAskFailed, FeedSubscribed
from trading.ports import Subscription
from trading.values import DataKind

A = InstrumentId("A.X")
NOW = 1_700_000_040 * SECOND // MINUTE * MINUTE
SUBSCRIBE = SubscribeFeed((Subscription(A, DataKind.QUOTES),))
BARS = FetchBars(A, MINUTE, NOW - 2 * MINUTE, NOW)
BOOK = FetchBook(A)


def asked(body, *, timeout_ns=SECOND, **changes):
    port = PlayedPort(Market((A,), {A: SECOND}), lambda: NOW, **changes)
    outcome = asyncio.run(ask_feed(port, AskFeed(body, timeout_ns), lambda: NOW))
    return port, outcome


def test_when_the_venue_answers_the_outcome_is_its_answer():
    port, outcome = asked(SUBSCRIBE)
    assert isinstance(outcome, FeedSubscribed)
    assert port.calls == [("subscribe", SUBSCRIBE.subscriptions)]
    _, outcome = asked(BARS)
    assert isinstance(outcome, BarsFetched)
    assert [bar.ts_event for bar in outcome.bars] == [NOW - 2 * MINUTE, NOW - MINUTE, NOW]
    assert (outcome.start, outcome.end) == (BARS.start, BARS.end)
    book = BookSnapshot(instrument_id=A, bids=((1.0, 1.0),), asks=())
    _, outcome = asked(BOOK, books={A: book})
    assert outcome == BookFetched(ts_event=NOW, ts_init=NOW, snapshot=book)


@pytest.mark.parametrize("body", [SUBSCRIBE, BARS, BOOK])
@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (VenueUnreachable("down"), False),
        (OutcomeUnknown("half an answer"), False),
        (VenueRefused("403", "no right"), True),
        (RuntimeError("a bug of the adapter"), False),
        (KeyError("x"), False),
    ],
)
def test_when_the_venue_fails_the_outcome_says_what_and_whether_it_is_final(body, error, is_final):
    _, outcome = asked(body, errors=[error])
    assert isinstance(outcome, FeedAskFailed)
    assert outcome.is_final is is_final
    assert outcome.question == type(body).__name__
    assert outcome.instrument_id == (None if body is SUBSCRIBE else A)
    assert (outcome.start, outcome.end) == ((BARS.start, BARS.end) if body is BARS else (0, 0))
    assert outcome.reason


def test_when_the_venue_does_not_answer_in_time_the_question_failed():
    class Silent(PlayedPort):
        async def book(self, instrument_id):
            await asyncio.Event().wait()

    port = Silent(Market((A,), {A: SECOND}), lambda: NOW)
    outcome = asyncio.run(ask_feed(port, AskFeed(BOOK, SECOND // 100), lambda: NOW))
    assert isinstance(outcome, FeedAskFailed)
    assert "0.01 s" in outcome.reason
