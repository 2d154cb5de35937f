"""Bars at the gateway: built from ticks, the venue's own, and those of the history."""

import msgspec
import pytest

from tests.trading.market_data.gateway_rig import (
    ASKER,
    MINUTE,
    NAMES,
    NOW,
    SECOND,
    A,
    B,
    Gateway,
    bar,
    quote,
    trade,
)
from trading.commands import RequestBars
from trading.effects import FetchBars
from trading.identifiers import InstrumentId
from trading.outcomes import (
    FeedAskFailed,
    FeedOverran,
    VenueDisconnected,
)
from trading.values import DataKind

# -- bars that are built


def test_when_a_whole_interval_was_watched_its_slice_is_published_after_the_grace():
    gateway = Gateway().ready()
    gateway.say(trade(NOW + 1, 10.0))
    gateway.say(trade(NOW + 30 * SECOND, 12.0, 2.0))
    gateway.say(trade(NOW + MINUTE, 99.0))  # of the next bar
    gateway.say(trade(NOW + MINUTE - 1, 11.0))  # late, and within the grace
    gateway.pass_to(NOW + MINUTE + SECOND)
    (slice_,) = gateway.slices()
    assert (slice_.ts_event, slice_.sequence) == (NOW + MINUTE, NOW // MINUTE + 1)
    (only,) = slice_.bars
    assert (only.open, only.high, only.low, only.close, only.volume) == (
        10.0,
        12.0,
        10.0,
        11.0,
        4.0,
    )
    gateway.say(trade(NOW + MINUTE - 1, 500.0))
    assert gateway.view()["bars"]["late_ticks"] == 1


def test_when_nothing_traded_there_is_no_slice():
    gateway = Gateway().ready()
    gateway.pass_to(NOW + 10 * MINUTE)
    assert gateway.slices() == []


def test_when_prices_cannot_be_they_make_no_bar():
    gateway = Gateway().ready()
    for price in (float("nan"), float("inf"), 0.0, -1.0, 1e308):
        gateway.say(trade(NOW + 1, price))
    gateway.say(trade(NOW + 2, size=float("nan")))
    gateway.say(trade(NOW + 3, 7.0))
    gateway.pass_to(NOW + MINUTE + SECOND)
    ((only,),) = [slice_.bars for slice_ in gateway.slices()]
    assert (only.high, only.low) == (7.0, 7.0)


def test_bars_from_quotes_are_of_the_middle_and_crossed_quotes_make_none():
    gateway = Gateway(kinds=frozenset({DataKind.QUOTES}), bars_from=DataKind.QUOTES).ready()
    gateway.say(quote(NOW + 1, bid=10.0))
    crossed = msgspec.structs.replace(quote(NOW + 2, bid=30.0), ask_px=20.0)
    gateway.say(crossed)
    gateway.pass_to(NOW + MINUTE + SECOND)
    ((only,),) = [slice_.bars for slice_ in gateway.slices()]
    assert (only.open, only.high, only.volume) == (10.05, 10.05, 0.0)


def test_when_connected_in_the_middle_of_a_bar_its_slice_comes_from_the_history():
    gateway = Gateway(now=NOW + 20 * SECOND)
    gateway.history = {name: [bar(NOW, 9.0, name)] for name in NAMES}
    gateway.ready()
    gateway.say(trade(NOW + 40 * SECOND, 50.0))
    gateway.pass_to(NOW + MINUTE + SECOND)
    assert gateway.slices() == []
    gateway.history = {name: [bar(NOW + MINUTE, 11.0, name)] for name in NAMES}
    gateway.answer()
    (slice_,) = gateway.slices()
    assert [one.close for one in slice_.bars] == [11.0, 11.0]
    assert slice_.ts_event == NOW + MINUTE
    gateway.say(trade(NOW + MINUTE + 2 * SECOND, 12.0))
    gateway.pass_to(NOW + 2 * MINUTE + SECOND)
    assert [one.sequence for one in gateway.slices()] == [NOW // MINUTE + 1, NOW // MINUTE + 2]


def test_when_the_history_is_late_the_bar_is_asked_for_again_until_it_is_there():
    gateway = Gateway(now=NOW + 20 * SECOND).ready()
    gateway.pass_to(NOW + MINUTE + SECOND)
    gateway.answer()
    assert gateway.slices() == []
    gateway.history = {name: [bar(NOW + MINUTE, 11.0, name)] for name in NAMES}
    gateway.pass_to(NOW + MINUTE + 3 * SECOND)
    gateway.answer()
    assert [len(slice_.bars) for slice_ in gateway.slices()] == [2]


def test_when_trades_were_lost_the_slice_comes_from_the_history():
    gateway = Gateway().ready()
    gateway.say(trade(NOW + 1, 10.0))
    gateway.say(FeedOverran(trades=7, conflated=3))
    gateway.history = {name: [bar(NOW + MINUTE, 11.0, name)] for name in NAMES}
    gateway.pass_to(NOW + MINUTE + SECOND)
    gateway.answer()
    ((first, second),) = [slice_.bars for slice_ in gateway.slices()]
    assert (first.close, second.close) == (11.0, 11.0)
    assert gateway.view()["lost_trades"] == 7
    assert gateway.view()["conflated"] == 3


def test_when_disconnected_over_boundaries_only_the_newest_slice_is_published_and_none_is_missing():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW, 9.0, name)] for name in NAMES}
    gateway.ready()
    gateway.say(trade(NOW + 1, 10.0))
    gateway.pass_to(NOW + MINUTE + SECOND)
    gateway.say(VenueDisconnected(reason="reset"))
    gateway.pass_to(NOW + 4 * MINUTE + 10 * SECOND)
    assert len(gateway.slices()) == 1
    gateway.history = {
        name: [bar(NOW + n * MINUTE, float(n), name) for n in (1, 2, 3, 4)] for name in NAMES
    }
    gateway.connect()
    assert {ask.start for ask in gateway.asks if isinstance(ask, FetchBars)} == {NOW + MINUTE + 1}
    gateway.answer()
    assert [slice_.ts_event for slice_ in gateway.slices()] == [NOW + MINUTE, NOW + 4 * MINUTE]
    gateway.say(RequestBars(count=10, reply_to=ASKER))
    ((_, history),) = gateway.sent
    assert [one.sequence - NOW // MINUTE for one in history.slices] == [0, 1, 2, 3, 4]
    assert history.slices[1].bars[0].close == 10.0  # as it was published


def test_when_missed_bars_are_not_given_they_are_asked_for_at_the_next_connection():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW, 9.0, name)] for name in NAMES}
    gateway.ready()
    for at in (NOW + 2 * MINUTE + SECOND, NOW + 3 * MINUTE + SECOND):
        gateway.say(VenueDisconnected(reason="reset"))
        gateway.connect(at)
        asked = [ask for ask in gateway.asks if isinstance(ask, FetchBars)]
        gateway.asks.clear()
        assert {ask.start for ask in asked} == {NOW + 1}
        for ask in asked:
            refused = FeedAskFailed(
                question="FetchBars",
                reason="no",
                is_final=True,
                instrument_id=ask.instrument_id,
                start=ask.start,
                end=ask.end,
            )
            gateway.say(refused)


def test_when_reconnected_within_the_same_bar_nothing_needs_to_be_asked():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW, 9.0, name)] for name in NAMES}
    gateway.ready()
    gateway.say(VenueDisconnected(reason="reset"))
    gateway.connect(NOW + 10 * SECOND)
    assert not any(isinstance(ask, FetchBars) for ask in gateway.asks)


def test_when_the_newest_slice_is_old_it_is_history_alone():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW - 2 * MINUTE, 9.0, name)] for name in NAMES}
    gateway.connect()
    gateway.answer()
    gateway.pass_to(NOW + 10 * SECOND)
    gateway.answer()
    assert gateway.slices() == []
    assert gateway.view()["bars"]["newest_close"] == NOW - 2 * MINUTE


# -- the venue's own bars


def own_bars(**more):
    return Gateway(bars_from=DataKind.BARS, **more)


def test_when_all_bars_of_a_boundary_are_there_their_slice_is_published_at_once():
    gateway = own_bars().ready()
    gateway.say(bar(NOW + MINUTE, name=B), at=NOW + MINUTE + SECOND)
    assert gateway.slices() == []
    gateway.say(bar(NOW + MINUTE, name=A))
    (slice_,) = gateway.slices()
    assert [one.instrument_id for one in slice_.bars] == [A, B]
    assert slice_.sequence == NOW // MINUTE + 1


def test_when_a_bar_is_missing_the_slice_waits_for_the_grace_and_a_later_bar_is_late():
    gateway = own_bars().ready()
    gateway.say(bar(NOW + MINUTE), at=NOW + MINUTE + SECOND)
    gateway.pass_to(gateway.now + SECOND)
    gateway.say(bar(NOW + MINUTE, name=B))
    assert [len(slice_.bars) for slice_ in gateway.slices()] == [1]
    assert gateway.view()["bars"]["late_bars"] == 1


def test_when_a_bar_is_corrected_before_its_slice_closes_the_newer_counts():
    gateway = own_bars().ready()
    gateway.say(bar(NOW + MINUTE, 10.0), at=NOW + MINUTE + SECOND)
    gateway.say(bar(NOW + MINUTE, 11.0))
    gateway.pass_to(gateway.now + SECOND)
    assert gateway.slices()[0].bars[0].close == 11.0


def test_when_a_newer_slice_is_complete_the_one_before_it_goes_first():
    gateway = own_bars().ready()
    gateway.say(bar(NOW + MINUTE), at=NOW + 2 * MINUTE)
    gateway.say(bar(NOW + 2 * MINUTE))
    gateway.say(bar(NOW + 2 * MINUTE, name=B))
    assert [slice_.sequence - NOW // MINUTE for slice_ in gateway.slices()] == [1, 2]


@pytest.mark.parametrize(
    "bad",
    [
        bar(NOW + 100 * MINUTE),
        bar(NOW + MINUTE, float("nan")),
        bar(NOW + MINUTE, -1.0),
        bar(NOW + MINUTE, name=InstrumentId("ZZZ.X")),
    ],
)
def test_when_a_bar_cannot_be_it_is_counted_and_those_behind_it_pass(bad):
    gateway = own_bars().ready()
    gateway.say(bad, at=NOW + MINUTE)
    gateway.say(bar(NOW + MINUTE))
    gateway.say(bar(NOW + MINUTE, name=B))
    assert len(gateway.slices()) == 1
    assert gateway.view()["bars"]["bad_bars"] == 1


def test_when_connected_while_bars_of_a_boundary_come_its_slice_is_whole_all_the_same():
    gateway = own_bars()
    gateway.connect(NOW + SECOND)
    gateway.say(bar(NOW))  # the other one came before the connection
    gateway.answer()
    gateway.pass_to(NOW + 3 * SECOND)
    assert gateway.slices() == []
    gateway.history = {name: [bar(NOW, 10.0, name)] for name in NAMES}
    gateway.answer()
    assert [len(slice_.bars) for slice_ in gateway.slices()] == [2]


def test_when_bars_were_lost_they_are_asked_for():
    gateway = own_bars().ready()
    gateway.pass_to(NOW + MINUTE + SECOND)
    gateway.history = {name: [bar(NOW + MINUTE, 11.0, name)] for name in NAMES}
    gateway.say(FeedOverran(bars=2))
    gateway.answer()
    assert [len(slice_.bars) for slice_ in gateway.slices()] == [2]


# -- history


def test_when_bars_are_asked_for_before_they_are_there_the_question_waits():
    gateway = Gateway()
    gateway.history = {
        name: [bar(NOW - n * MINUTE, 1.0, name) for n in range(20)] for name in NAMES
    }
    gateway.say(RequestBars(count=5, reply_to=ASKER))
    gateway.connect()
    gateway.answer(only=A)
    assert gateway.sent == []
    gateway.answer()
    ((to, history),) = gateway.sent
    assert to == ASKER
    assert [one.ts_event for one in history.slices] == [NOW - n * MINUTE for n in (4, 3, 2, 1, 0)]
    assert history.sequence == NOW // MINUTE
    assert all(len(one.bars) == 2 for one in history.slices)
    gateway.say(RequestBars(count=50, reply_to=ASKER))
    assert len(gateway.sent[1][1].slices) == 10  # what is kept


def test_when_history_is_refused_for_one_instrument_the_others_are_answered():
    gateway = Gateway()
    gateway.history[B] = [bar(NOW - n * MINUTE, 1.0, B) for n in range(20)]
    gateway.say(RequestBars(count=5, reply_to=ASKER))
    gateway.connect()
    asked = next(ask for ask in gateway.asks if getattr(ask, "instrument_id", None) == A)
    gateway.asks.remove(asked)
    refused = FeedAskFailed(
        question="FetchBars",
        reason="no right",
        is_final=True,
        instrument_id=A,
        start=asked.start,
        end=asked.end,
    )
    gateway.say(refused)
    gateway.answer()
    assert [len(one.bars) for one in gateway.sent[0][1].slices] == [1] * 5
    assert gateway.view()["bars"]["without_history"] == {A: "no right"}


def test_when_the_venue_answers_no_question_for_history_it_is_asked_again_a_minute_later():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW, 9.0, name)] for name in NAMES}
    gateway.ready()
    gateway.say(VenueDisconnected(reason="reset"))
    gateway.pass_to(NOW + 3 * MINUTE + 20 * SECOND)
    gateway.connect()
    for _ in range(5):
        for ask in [ask for ask in gateway.asks if isinstance(ask, FetchBars)]:
            gateway.asks.remove(ask)
            down = FeedAskFailed(
                question="FetchBars",
                reason="down",
                instrument_id=ask.instrument_id,
                start=ask.start,
                end=ask.end,
            )
            gateway.say(down)
        gateway.pass_to(gateway.timers.get("backfill", gateway.now))
    assert gateway.view()["bars"]["without_history"] == dict.fromkeys(NAMES, "down")
    gateway.history = {
        name: [bar(NOW + n * MINUTE, float(n), name) for n in (1, 2, 3)] for name in NAMES
    }
    gateway.pass_to(gateway.now + 61 * SECOND)
    gateway.answer()
    gateway.say(RequestBars(count=10, reply_to=ASKER))
    assert [one.sequence - NOW // MINUTE for one in gateway.sent[-1][1].slices] == [0, 1, 2, 3]


def test_when_history_holds_what_cannot_be_it_is_left_out():
    gateway = Gateway()
    gateway.history[A] = [bar(NOW, float("nan")), bar(NOW - MINUTE, 5.0), bar(NOW + MINUTE, 5.0)]
    gateway.connect()
    gateway.answer()
    assert gateway.view()["bars"]["kept"] == 1


def test_when_the_connection_breaks_while_bars_are_fetched_they_are_fetched_at_the_next():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW, 1.0, name)] for name in NAMES}
    gateway.say(RequestBars(count=5, reply_to=ASKER))
    gateway.connect()
    gateway.say(VenueDisconnected(reason="reset"))
    gateway.answer()  # of the connection before: heard, and not enough
    assert gateway.sent == []
    gateway.connect(NOW + 5 * SECOND)
    gateway.answer()
    assert len(gateway.sent) == 1
