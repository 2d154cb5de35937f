"""The gateway between a venue's stream and the data guard, one message at a time."""

import pytest

from tests.trading.market_data.gateway_rig import (
    ASKER,
    MINUTE,
    NAMES,
    NOW,
    SECOND,
    SILENCE,
    A,
    B,
    Gateway,
    config,
    delta,
    quote,
    snapshot,
    trade,
)
from trading.commands import RequestBook
from trading.data import BookSnapshot, QuoteTick, TradeTick
from trading.effects import FetchBook, SubscribeFeed
from trading.identifiers import InstrumentId
from trading.outcomes import (
    BookFetched,
    FeedAskFailed,
    TimerFired,
    VenueConnected,
    VenueDisconnected,
)
from trading.values import DataKind

# -- config


@pytest.mark.parametrize(
    "changes",
    [
        {"bar_interval_ns": 0},
        {"history_bars": 0},
        {"bars_from": DataKind.BOOKS},
        {"kinds": frozenset({DataKind.TRADES, DataKind.BARS})},
    ],
)
def test_when_the_settings_make_no_sense_they_are_refused(changes):
    with pytest.raises(ValueError, match=r".+"):
        config(**changes)


def test_what_is_subscribed_is_what_is_needed():
    wanted = config(
        kinds=frozenset({DataKind.QUOTES, DataKind.BARS}), bars_from=DataKind.TRADES
    ).subscriptions
    assert {(each.instrument_id, each.kind, each.interval_ns) for each in wanted} == {
        (name, kind, 0) for name in NAMES for kind in (DataKind.QUOTES, DataKind.TRADES)
    }
    bars = config(bars_from=DataKind.BARS).subscriptions
    assert {each.interval_ns for each in bars if each.kind is DataKind.BARS} == {MINUTE}


# -- the connection


def test_when_started_it_subscribes_and_again_at_every_connection():
    gateway = Gateway()
    gateway.say(VenueConnected())
    gateway.say(VenueDisconnected(reason="reset"))
    gateway.say(VenueConnected())
    assert [type(ask) for ask in gateway.asks] == [SubscribeFeed] * 3


def test_when_disconnected_nothing_is_published():
    gateway = Gateway()
    assert gateway.say(quote(NOW)) == []
    gateway.ready()
    assert gateway.say(quote(NOW)) != []
    gateway.say(VenueDisconnected(reason="reset"))
    assert gateway.say(quote(NOW + 1)) == []
    assert gateway.view()["while_disconnected"] == 2
    assert gateway.view()["reason"] == "reset"


def test_when_the_subscription_fails_it_is_asked_again_more_and_more_slowly():
    gateway = Gateway(max_silence_ns=3_600 * SECOND)
    gateway.say(VenueConnected())
    gateway.asks.clear()
    waits = []
    for _ in range(7):
        gateway.say(FeedAskFailed(question="SubscribeFeed", reason="busy"))
        waits.append(gateway.timers["subscribe"] - gateway.now)
        gateway.say(TimerFired(key="subscribe"), at=gateway.timers.pop("subscribe"))
    assert waits == [SECOND * s for s in (1, 2, 4, 8, 16, 30, 30)]
    assert len(gateway.asks) == 7
    gateway.say(FeedAskFailed(question="SubscribeFeed", reason="no right", is_final=True))
    assert gateway.timers["subscribe"] - gateway.now == 30 * SECOND


def test_when_a_connection_is_mute_it_subscribes_once_more_and_waits():
    gateway = Gateway().ready()
    gateway.asks.clear()
    gateway.pass_to(NOW + 4 * SILENCE)
    subscribed = [ask for ask in gateway.asks if isinstance(ask, SubscribeFeed)]
    assert len(subscribed) == 1
    assert gateway.view()["mute"] is True
    gateway.say(quote(gateway.now))
    gateway.pass_to(gateway.now + 3 * SILENCE)
    assert gateway.view()["mutes"] == 2


def test_when_disconnected_silence_is_no_muteness():
    gateway = Gateway()
    gateway.asks.clear()
    gateway.pass_to(NOW + 20 * SILENCE)
    assert gateway.asks == []
    assert gateway.view()["mute"] is False


# -- ticks


def test_quotes_and_trades_carry_sequences_that_rise_by_one_per_instrument_and_kind():
    gateway = Gateway().ready()
    for step in range(3):
        gateway.say(quote(NOW + step))
        gateway.say(trade(NOW + step))
        gateway.say(quote(NOW + step, B))
    for topic, kind in (
        ("market.alpha.A.X", QuoteTick),
        ("market.alpha.A.X", TradeTick),
        ("market.alpha.B.X", QuoteTick),
    ):
        found = [m.sequence for t, m in gateway.published if t == topic and type(m) is kind]
        assert found == [found[0], found[0] + 1, found[0] + 2]


def test_sequences_go_on_in_the_next_life():
    first, second = Gateway().ready(), Gateway(now=NOW + SECOND).ready()
    for step in range(100):
        first.say(quote(NOW + step))
    second.say(quote(NOW + SECOND))
    assert second.published[0][1].sequence > first.published[-1][1].sequence


def test_when_quotes_come_out_of_their_order_or_twice_they_are_refused_and_counted():
    gateway = Gateway().ready()
    gateway.say(quote(NOW + 5, sequence=5))
    gateway.say(quote(NOW + 5, sequence=5))
    gateway.say(quote(NOW + 4, sequence=6))
    gateway.say(quote(NOW + 5, sequence=4))
    gateway.say(trade(NOW, sequence=1))
    gateway.say(trade(NOW, sequence=1))
    gateway.say(quote(NOW, InstrumentId("ZZZ.X")))
    assert len(gateway.published) == 2
    assert gateway.view()["ticks"]["refused"] == {
        "duplicate": 2,
        "out_of_order": 2,
        "unknown_instrument": 1,
    }


def test_when_the_source_counts_anew_younger_messages_pass():
    gateway = Gateway().ready()
    for at, sequence in ((NOW, 2**62), (NOW + 1, 1), (NOW + 2, 2)):
        gateway.say(quote(at, sequence=sequence))
        gateway.say(trade(at, sequence=sequence))
    assert len(gateway.published) == 6


def test_when_a_trade_is_reported_late_it_passes():
    gateway = Gateway().ready()
    gateway.say(trade(NOW, sequence=1))
    gateway.say(trade(NOW - SECOND, sequence=2))
    assert len(gateway.published) == 2


def test_when_a_quote_claims_to_be_from_the_future_those_behind_it_still_pass():
    gateway = Gateway().ready()
    gateway.say(quote(NOW + 3_600 * SECOND))  # the guard refuses it
    gateway.say(quote(NOW))
    assert len(gateway.published) == 2


def test_when_a_field_is_no_number_the_message_is_counted_and_nothing_raises():
    gateway = Gateway().ready()
    gateway.say(quote("now"))
    gateway.say(trade(NOW, price="ten"))
    gateway.say(quote(NOW))
    assert gateway.view()["malformed"] == 2


# -- books


def books(**more):
    return Gateway(kinds=frozenset({DataKind.BOOKS}), bars_from=DataKind.QUOTES, **more).ready()


def test_changes_of_a_book_and_snapshots_share_one_sequence():
    gateway = books()
    for message in (snapshot(NOW), delta(NOW + 1), delta(NOW + 2), snapshot(NOW + 3)):
        gateway.say(message)
    sequences = [message.sequence for _, message in gateway.published]
    assert sequences == list(range(sequences[0], sequences[0] + 4))


def test_when_a_change_is_missing_there_is_a_gap_and_the_book_is_asked_for():
    gateway = books()
    gateway.say(snapshot(NOW, sequence=1))
    gateway.say(delta(NOW + 1, sequence=2))
    gateway.say(delta(NOW + 4, sequence=5))
    gateway.say(delta(NOW + 4, sequence=5))
    gateway.say(delta(NOW + 5, sequence=6))
    first, second, beyond, last = [message.sequence for _, message in gateway.published]
    assert (second, beyond, last) == (first + 1, first + 3, first + 4)
    assert [ask for ask in gateway.asks if isinstance(ask, FetchBook)] == [FetchBook(A)]


def test_when_a_book_comes_on_request_newer_changes_are_made_again_on_top():
    gateway = books()
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER))
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER))
    assert gateway.asks.count(FetchBook(A)) == 1
    gateway.say(delta(NOW + 1, price=9.0))
    gateway.say(delta(NOW + 3, price=9.5))
    gateway.published.clear()
    gateway.say(BookFetched(snapshot=snapshot(NOW + 2)))
    (_, whole), (_, again) = gateway.published
    assert isinstance(whole, BookSnapshot)
    assert (again.price, again.sequence) == (9.5, whole.sequence + 1)


def test_when_the_stream_begins_the_book_again_the_answer_is_of_no_use():
    gateway = books()
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER))
    gateway.say(snapshot(NOW + 5))
    gateway.published.clear()
    gateway.say(BookFetched(snapshot=snapshot(NOW + 2)))
    assert gateway.published == []


def test_when_a_book_is_not_given_it_can_be_asked_for_again():
    gateway = books()
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER))
    gateway.say(FeedAskFailed(question="FetchBook", reason="busy", instrument_id=A))
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER))
    assert gateway.asks.count(FetchBook(A)) == 2


def test_when_the_venue_has_no_books_a_new_quote_answers_and_an_old_one_does_not():
    gateway = Gateway().ready()
    gateway.say(quote(NOW))
    gateway.published.clear()
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER), at=NOW + SECOND)
    assert [message.bid_px for _, message in gateway.published] == [10.0]
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER), at=NOW + SECOND + 1)
    assert len(gateway.published) == 1
    assert not any(isinstance(ask, FetchBook) for ask in gateway.asks)
