"""The data guard of a live feed: market time is the host's, and old data is no data."""

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.guard import FUTURE_NS_MAX, DataGuard, GuardConfig
from trading.data import Bar, BarSlice, QuoteTick
from trading.identifiers import InstrumentId, MachineName, Venue
from trading.outcomes import Started, TimerFired

A = InstrumentId("A.X")
SECOND, HOUR = 10**9, 3_600 * 10**9
NOW = 1_700_000_000 * SECOND
LAG, SILENCE = 10 * SECOND, 5 * SECOND


def guard():
    config = GuardConfig(
        venue=Venue("alpha"),
        source=MachineName("market:alpha"),
        instruments=frozenset({A}),
        max_silence_ns=SILENCE,
        is_replay=False,
    )
    return DataGuard(config)


def quote(at, **more):
    return QuoteTick(
        ts_event=at, instrument_id=A, bid_px=10.0, ask_px=10.1, bid_size=1.0, ask_size=1.0, **more
    )


def slice_of(at):
    bar = Bar(ts_event=at, instrument_id=A, open=1.0, high=1.0, low=1.0, close=1.0)
    return BarSlice(ts_event=at, sequence=at // SECOND, bars=(bar,))


def test_when_the_first_quote_is_old_already_it_is_refused():
    machine = guard()
    assert machine.handle(quote(NOW - LAG - 1), NOW) == []
    assert machine.view()["rejected"] == {"TOO_OLD": 1}
    assert machine.handle(quote(NOW - LAG), NOW) != []


def test_when_a_quote_is_ahead_of_the_clock_it_is_refused_and_ages_nobody():
    machine = guard()
    assert machine.handle(quote(NOW + FUTURE_NS_MAX + 1), NOW) == []
    assert machine.view()["rejected"] == {"FROM_THE_FUTURE": 1}
    assert machine.handle(quote(NOW), NOW) != []


def test_when_a_slice_closed_a_while_ago_it_passes_until_an_hour_is_over():
    assert guard().handle(slice_of(NOW - HOUR), NOW) != []
    assert guard().handle(slice_of(NOW - HOUR - 1), NOW) == []


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(1, 4 * SILENCE), min_size=1, max_size=30))
def test_whenever_data_stops_the_feed_is_stale_exactly_when_the_limit_is_over(pauses):
    """The timer is the only clock: it always fires at the moment that matters."""
    machine = guard()
    now = NOW
    (timer,) = machine.handle(Started(epoch=0), now)
    heard_at = now
    for pause in pauses:
        until = now + pause
        while timer.at <= until:
            (timer,) = machine.handle(TimerFired(key=timer.key), timer.at)
        assert machine.view()["stale"] is (until - heard_at >= SILENCE)
        now = heard_at = until
        assert machine.handle(quote(now), now) != []
        assert machine.view()["stale"] is False
