from collections.abc import Iterator
from typing import Any

import pytest

from trading.book.shard import RESNAPSHOT_RETRY_NS, BookShard
from trading.book.tracked_book import WAITING_DELTAS_MAX
from trading.commands import RequestBook
from trading.data import Bar, BarSlice, BookDelta, BookSnapshot, BookTop, QuoteTick, TradeTick
from trading.effects import Effect, Publish, Send
from trading.identifiers import InstrumentId, MachineName, Venue
from trading.instruments import Instrument
from trading.machine import Machine
from trading.messages import Message
from trading.outcomes import Started
from trading.values import BookAction, OrderSide

BUY, SELL = OrderSide.BUY, OrderSide.SELL
ABC, XYZ = InstrumentId("ABC.PAPER"), InstrumentId("XYZ.PAPER")
FEED = MachineName("feed:paper")
ASKER = MachineName("strategy:one")


def make_shard() -> BookShard:
    instruments = [Instrument(instrument_id=key) for key in (ABC, XYZ)]
    return BookShard(Venue("paper"), instruments, FEED)


@pytest.fixture
def shard() -> Iterator[BookShard]:
    machine = make_shard()
    yield machine
    machine.validate()


def stamps(sequence: int) -> dict[str, Any]:
    return {
        "ts_event": sequence * 10,
        "ts_init": sequence * 100,
        "correlation_id": f"feed:paper/{sequence}",
        "sequence": sequence,
    }


def snapshot(sequence: int, bid: float = 9.0, ask: float = 11.0, **changes: Any) -> BookSnapshot:
    fields = stamps(sequence) | {"instrument_id": ABC} | changes
    return BookSnapshot(bids=((bid, 3.0), (bid - 1, 5.0)), asks=((ask, 1.0),), **fields)


def delta(sequence: int, side: OrderSide, price: float, size: float, **changes: Any) -> BookDelta:
    fields = stamps(sequence) | {"instrument_id": ABC, "action": BookAction.UPDATE} | changes
    return BookDelta(side=side, price=price, size=size, **fields)


def quote(sequence: int, bid: float, ask: float, **changes: Any) -> QuoteTick:
    fields = stamps(sequence) | {"instrument_id": ABC, "bid_size": 1.0, "ask_size": 1.0} | changes
    return QuoteTick(bid_px=bid, ask_px=ask, **fields)


def request(reply_to: MachineName = ASKER, instrument_id: InstrumentId = ABC) -> RequestBook:
    return RequestBook(correlation_id="ask/1", instrument_id=instrument_id, reply_to=reply_to)


def feed_all(shard: BookShard, *messages: Message, now: int = 0) -> list[Effect]:
    return [effect for message in messages for effect in shard.handle(message, now)]


def tops(effects: list[Effect]) -> list[BookTop]:
    messages = [e.message for e in effects if isinstance(e, Publish)]
    return [message for message in messages if isinstance(message, BookTop)]


def requests(effects: list[Effect]) -> list[RequestBook]:
    messages = [e.message for e in effects if isinstance(e, Send) and e.to == FEED]
    return [message for message in messages if isinstance(message, RequestBook)]


def counts(shard: BookShard, instrument_id: InstrumentId = ABC) -> dict[str, Any]:
    view: dict[str, Any] = shard.view()["books"][instrument_id]
    return view


def test_shard_is_a_machine_that_follows_the_data_of_its_venue(shard: BookShard) -> None:
    machine: Machine = shard
    assert machine.name == "book:paper"
    assert machine.stream is None
    assert machine.follows == ()
    assert machine.subscribes == ("data.paper.",)


# -- tops


def test_snapshot_publishes_a_top_with_the_stamps_of_its_cause(shard: BookShard) -> None:
    assert shard.handle(snapshot(7), now=999) == [
        Publish(
            f"book.paper.{ABC}",
            BookTop(
                **stamps(7) | {"causation_id": "feed:paper/7"},
                instrument_id=ABC,
                bid_px=9.0,
                ask_px=11.0,
                bid_size=3.0,
                ask_size=1.0,
                microprice=10.5,
                imbalance=0.5,
            ),
        )
    ]


def test_next_delta_publishes_the_changed_top(shard: BookShard) -> None:
    effects = feed_all(shard, snapshot(1), delta(2, BUY, 9.5, 2.0), delta(3, SELL, 11.0, 4.0))
    assert [(t.sequence, t.bid_px, t.ask_size) for t in tops(effects)] == [
        (1, 9.0, 1.0),
        (2, 9.5, 1.0),
        (3, 9.5, 4.0),
    ]
    assert counts(shard)["updates"] == 3


def test_books_of_two_instruments_count_alone(shard: BookShard) -> None:
    effects = feed_all(
        shard,
        snapshot(1),
        snapshot(50, instrument_id=XYZ),
        delta(2, BUY, 9.5, 1.0),
        delta(51, BUY, 9.6, 1.0, instrument_id=XYZ),
    )
    assert [(t.instrument_id, t.bid_px) for t in tops(effects)][2:] == [(ABC, 9.5), (XYZ, 9.6)]
    assert requests(effects) == []


def test_book_with_one_side_is_valid_but_has_no_top(shard: BookShard) -> None:
    effects = feed_all(shard, snapshot(1), delta(2, SELL, 11.0, 0.0))
    assert len(tops(effects)) == 1
    assert counts(shard)["is_valid"]
    assert counts(shard)["ask_px"] is None


def test_bar_slice_passes_through_unchanged(shard: BookShard) -> None:
    bar = Bar(instrument_id=ABC, open=1.0, high=2.0, low=0.5, close=1.5)
    bar_slice = BarSlice(**stamps(4), bars=(bar,))
    assert shard.handle(bar_slice, now=0) == [Publish("book.paper.slice", bar_slice)]


def test_unknown_instrument_is_counted_and_ignored(shard: BookShard) -> None:
    other = InstrumentId("NEW.PAPER")
    messages = (snapshot(1, instrument_id=other), request(instrument_id=other))
    assert feed_all(shard, *messages) == []
    assert shard.view()["unknown"] == 2


def test_other_market_data_has_no_effect(shard: BookShard) -> None:
    assert shard.handle(TradeTick(instrument_id=ABC, price=1.0, size=1.0), now=0) == []


# -- quotes


def test_quote_makes_a_book_of_one_level(shard: BookShard) -> None:
    effects = feed_all(shard, quote(1, 9.0, 9.5), quote(5, 9.1, 9.6))
    assert [(t.bid_px, t.ask_px) for t in tops(effects)] == [(9.0, 9.5), (9.1, 9.6)]
    assert [t.sequence for t in tops(effects)] == [1, 5]
    assert requests(effects) == []


def test_quotes_beside_depth_do_not_replace_it(shard: BookShard) -> None:
    feed_all(shard, snapshot(1))
    before = shard.state_hash()
    assert shard.handle(quote(2, 9.1, 9.2), now=0) == []
    assert shard.state_hash() == before


def test_repeated_quote_is_ignored_and_counted(shard: BookShard) -> None:
    effects = feed_all(shard, quote(2, 9.0, 9.5), quote(2, 9.0, 9.5), quote(1, 8.0, 8.5))
    assert len(tops(effects)) == 1
    assert counts(shard)["duplicates"] == 2


# -- sequence


def test_gap_silences_the_book_and_asks_once(shard: BookShard) -> None:
    feed_all(shard, snapshot(1))
    effects = feed_all(
        shard,
        delta(3, BUY, 9.5, 1.0),
        delta(4, BUY, 9.6, 1.0),
        delta(5, BUY, 9.7, 1.0),
        now=77,
    )
    asked = RequestBook(
        ts_event=30,
        ts_init=77,
        correlation_id="feed:paper/3",
        causation_id="feed:paper/3",
        instrument_id=ABC,
        reply_to=shard.name,
    )
    assert effects == [Send(FEED, asked)]
    assert counts(shard)["gaps"] == 1
    assert not counts(shard)["is_valid"]
    assert counts(shard)["bid_px"] is None


def test_gap_in_one_book_leaves_the_other_alone(shard: BookShard) -> None:
    feed_all(shard, snapshot(1), snapshot(1, instrument_id=XYZ), delta(9, BUY, 9.5, 1.0))
    assert len(tops(shard.handle(delta(2, BUY, 9.5, 1.0, instrument_id=XYZ), now=0))) == 1


def test_snapshot_after_a_gap_ends_the_silence_and_takes_the_waiting_deltas(
    shard: BookShard,
) -> None:
    feed_all(shard, snapshot(1), delta(3, BUY, 9.3, 1.0), delta(4, BUY, 9.4, 1.0))
    effects = feed_all(shard, delta(5, BUY, 9.5, 1.0), snapshot(3, bid=9.3))
    assert [(t.sequence, t.bid_px) for t in tops(effects)] == [(5, 9.5)]
    effects = feed_all(shard, delta(6, BUY, 9.6, 1.0))
    assert [(t.sequence, t.bid_px) for t in tops(effects)] == [(6, 9.6)]
    assert counts(shard)["gaps"] == 1


def test_snapshot_too_old_for_the_waiting_deltas_is_a_gap_again(shard: BookShard) -> None:
    effects = feed_all(shard, snapshot(1), delta(5, BUY, 9.5, 1.0), snapshot(2), now=0)
    assert len(requests(effects)) == 1
    assert not counts(shard)["is_valid"]
    later = feed_all(shard, delta(6, BUY, 9.6, 1.0), now=RESNAPSHOT_RETRY_NS)
    assert len(requests(later)) == 1
    assert len(tops(feed_all(shard, snapshot(4)))) == 1


def test_unanswered_request_is_repeated_after_the_retry_time(shard: BookShard) -> None:
    feed_all(shard, snapshot(1), delta(3, BUY, 9.5, 1.0), now=0)
    early = shard.handle(delta(4, BUY, 9.5, 1.0), now=RESNAPSHOT_RETRY_NS - 1)
    late = shard.handle(delta(5, BUY, 9.5, 1.0), now=RESNAPSHOT_RETRY_NS)
    assert (len(requests(early)), len(requests(late))) == (0, 1)


def test_second_gap_after_recovery_asks_at_once(shard: BookShard) -> None:
    messages = (snapshot(1), delta(3, BUY, 9.5, 1.0), snapshot(3), delta(5, BUY, 9.5, 1.0))
    assert len(requests(feed_all(shard, *messages, now=0))) == 2


def test_repeated_and_old_deltas_are_ignored_and_counted(shard: BookShard) -> None:
    feed_all(shard, snapshot(1), delta(2, BUY, 9.5, 1.0))
    before = shard.state_hash()
    assert feed_all(shard, delta(2, BUY, 9.5, 7.0), delta(1, SELL, 10.0, 1.0)) == []
    assert shard.state_hash() == before
    assert counts(shard)["duplicates"] == 2


def test_repeated_snapshot_does_not_turn_the_book_back(shard: BookShard) -> None:
    effects = feed_all(shard, snapshot(1), delta(2, BUY, 9.5, 1.0), snapshot(1))
    assert len(tops(effects)) == 2
    assert counts(shard)["bid_px"] == 9.5
    assert counts(shard)["duplicates"] == 1


def test_snapshot_of_a_restarted_source_is_taken_although_it_counts_from_one(
    shard: BookShard,
) -> None:
    effects = feed_all(shard, snapshot(500), snapshot(1, bid=8.0, ts_init=60_000))
    assert [t.bid_px for t in tops(effects)] == [9.0, 8.0]


def test_more_waiting_deltas_than_the_bound_are_a_gap(shard: BookShard) -> None:
    waiting = [delta(k, BUY, 9.5, 1.0) for k in range(3, 4 + WAITING_DELTAS_MAX)]
    feed_all(shard, snapshot(1), *waiting)
    feed_all(shard, snapshot(2))
    assert not counts(shard)["is_valid"]
    assert counts(shard)["gaps"] == 2


# -- corruption


@pytest.mark.parametrize("price", [11.0, 11.5])
def test_crossed_book_is_silent_until_a_snapshot(shard: BookShard, price: float) -> None:
    feed_all(shard, snapshot(1))
    effects = feed_all(shard, delta(2, BUY, price, 1.0), delta(3, BUY, price, 0.0))
    assert tops(effects) == []
    assert len(requests(effects)) == 1
    assert counts(shard)["crossed"] == 1
    assert len(tops(feed_all(shard, snapshot(3)))) == 1


def test_crossed_snapshot_is_no_answer_and_cannot_make_requests_spin(shard: BookShard) -> None:
    feed_all(shard, snapshot(1), delta(3, BUY, 9.5, 1.0), now=0)
    effects = feed_all(shard, *(snapshot(k, bid=12.0) for k in range(3, 30)), now=1)
    assert effects == []
    assert counts(shard)["crossed"] == 27


def test_crossed_quote_is_silent_until_a_good_one(shard: BookShard) -> None:
    effects = feed_all(shard, quote(1, 9.0, 9.5), quote(2, 9.6, 9.5), quote(3, 9.0, 9.5))
    assert [t.sequence for t in tops(effects)] == [1, 3]
    assert len(requests(effects)) == 1


BAD_NUMBERS = [float("nan"), float("inf"), -float("inf"), 1e308, -1e308]


@pytest.mark.parametrize("bad", BAD_NUMBERS)
def test_impossible_numbers_are_counted_and_never_published(shard: BookShard, bad: float) -> None:
    effects = feed_all(
        shard,
        snapshot(1),
        delta(2, BUY, bad, 1.0),
        snapshot(3),
        delta(4, BUY, 9.0, bad),
        snapshot(5, bid=bad),
        quote(1, bad, 9.0, instrument_id=XYZ),
    )
    assert [t.sequence for t in tops(effects)] == [1, 3]
    assert counts(shard)["malformed"] == 3
    assert counts(shard, XYZ)["malformed"] == 1


# -- asking


def test_start_asks_for_every_book_that_is_not_valid(shard: BookShard) -> None:
    feed_all(shard, snapshot(1))
    asked = requests(shard.handle(Started(epoch=0), now=5))
    assert [each.instrument_id for each in asked] == [XYZ]
    assert requests(shard.handle(Started(epoch=0), now=6)) == []


def test_request_is_answered_with_the_whole_book(shard: BookShard) -> None:
    feed_all(shard, snapshot(1), delta(2, BUY, 9.5, 2.0))
    answer = BookSnapshot(
        **stamps(2) | {"causation_id": "ask/1"},
        instrument_id=ABC,
        bids=((9.5, 2.0), (9.0, 3.0), (8.0, 5.0)),
        asks=((11.0, 1.0),),
    )
    assert shard.handle(request(), now=0) == [Send(ASKER, answer)]


def test_request_for_an_invalid_book_is_answered_once_it_is_valid(shard: BookShard) -> None:
    assert feed_all(shard, request(), request(), request(MachineName("risk:DEMO"))) == []
    sent = [each.to for each in feed_all(shard, snapshot(1)) if isinstance(each, Send)]
    assert sent == [ASKER, "risk:DEMO"]
    assert [e for e in feed_all(shard, delta(2, BUY, 9.5, 1.0)) if isinstance(e, Send)] == []


def test_answer_to_a_request_builds_the_same_book_elsewhere(shard: BookShard) -> None:
    feed_all(shard, snapshot(1), delta(2, BUY, 9.5, 2.0))
    (answer,) = shard.handle(request(), now=0)
    assert isinstance(answer, Send)
    other = make_shard()
    other.handle(answer.message, now=0)
    assert other.state_hash() == shard.state_hash()


# -- age


def test_book_is_stale_when_its_last_change_is_older_than_the_limit(shard: BookShard) -> None:
    feed_all(shard, snapshot(1))
    assert not shard.is_stale(ABC, now=150, limit_ns=50)
    assert shard.is_stale(ABC, now=151, limit_ns=50)


def test_book_without_valid_data_is_stale(shard: BookShard) -> None:
    feed_all(shard, snapshot(1), delta(3, BUY, 9.5, 1.0))
    assert shard.is_stale(ABC, now=300, limit_ns=10**9)
    assert shard.is_stale(XYZ, now=0, limit_ns=10**9)
    assert shard.is_stale(InstrumentId("NEW.PAPER"), now=0, limit_ns=10**9)
