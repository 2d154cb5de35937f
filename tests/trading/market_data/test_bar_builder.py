"""Bars built tick by tick are those that a plain loop over all ticks finds."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.identifiers import InstrumentId
from trading.market_data.bar_builder import BarBuilder

A, B = InstrumentId("A.X"), InstrumentId("B.X")
INTERVAL = 60
TICK = st.tuples(
    st.sampled_from((A, B)),
    st.integers(0, 10 * INTERVAL - 1),
    st.integers(1, 50).map(float),
    st.integers(0, 9).map(float),
)


def naive(ticks, interval):
    """Return (close, instrument) to (open, high, low, close, volume), from all ticks at once."""
    found = {}
    for place, (key, at, price, size) in enumerate(ticks):
        close_at = at // interval * interval + interval
        found.setdefault((close_at, key), []).append((at, place, price, size))
    bars = {}
    for where, group in found.items():
        group.sort(key=lambda each: each[:2])
        prices = [price for _, _, price, _ in group]
        volume = sum(size for _, _, _, size in group)
        bars[where] = (prices[0], max(prices), min(prices), prices[-1], volume)
    return bars


def numbers(bar):
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)


@settings(deadline=None, max_examples=200)
@given(st.lists(TICK, max_size=60), st.integers(1, 4))
def test_when_ticks_come_in_any_order_bars_are_those_of_a_plain_loop(ticks, stride):
    builder = BarBuilder(INTERVAL)
    assert all(builder.add(*tick) for tick in ticks)
    built = {}
    for boundary in [*range(INTERVAL, 10 * INTERVAL, stride * INTERVAL), 10 * INTERVAL]:
        for close_at, bars in builder.close(boundary):
            assert close_at <= boundary
            built |= {(close_at, bar.instrument_id): bar for bar in bars}
    expected = naive(ticks, INTERVAL)
    assert {where: numbers(bar) for where, bar in built.items()} == expected
    assert all(bar.ts_event == close_at for (close_at, _), bar in built.items())


@settings(deadline=None, max_examples=100)
@given(st.lists(TICK, max_size=60))
def test_when_bars_close_while_ticks_come_late_ticks_are_refused_and_change_nothing(ticks):
    builder, taken, built = BarBuilder(INTERVAL), [], {}
    closed_until = 0
    for tick in ticks:
        is_late = tick[1] // INTERVAL * INTERVAL + INTERVAL <= closed_until
        assert builder.add(*tick) is not is_late
        if not is_late:
            taken.append(tick)
        boundary = tick[1] // INTERVAL * INTERVAL  # the newest tick closes what is before it
        if boundary > closed_until:
            closed_until = boundary
            for close_at, bars in builder.close(boundary):
                built |= {(close_at, bar.instrument_id): numbers(bar) for bar in bars}
    for close_at, bars in builder.close(100 * INTERVAL):
        built |= {(close_at, bar.instrument_id): numbers(bar) for bar in bars}
    assert built == naive(taken, INTERVAL)


def test_when_a_tick_falls_on_the_boundary_it_belongs_to_the_next_bar():
    builder = BarBuilder(INTERVAL)
    builder.add(A, INTERVAL - 1, 1.0, 1.0)
    builder.add(A, INTERVAL, 2.0, 1.0)
    ((first, (bar,)),) = builder.close(INTERVAL)
    assert (first, bar.close) == (INTERVAL, 1.0)
    ((second, (bar,)),) = builder.close(2 * INTERVAL)
    assert (second, bar.open) == (2 * INTERVAL, 2.0)


def test_when_an_interval_has_no_tick_it_has_no_bar():
    builder = BarBuilder(INTERVAL)
    builder.add(A, 0, 1.0, 1.0)
    builder.add(A, 5 * INTERVAL, 1.0, 1.0)
    assert [close_at for close_at, _ in builder.close(10 * INTERVAL)] == [INTERVAL, 6 * INTERVAL]
    assert builder.close(20 * INTERVAL) == []


def test_when_cleared_nothing_is_left_of_the_ticks():
    builder = BarBuilder(INTERVAL)
    builder.add(A, 0, math.pi, 1.0)
    builder.clear()
    assert builder.close(INTERVAL) == []
