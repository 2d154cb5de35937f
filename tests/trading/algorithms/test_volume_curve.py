"""The volume of a day, by its time."""

from decimal import Decimal

import pytest

from trading.algorithms.volume_curve import volume_curve
from trading.data import Bar
from trading.identifiers import InstrumentId
from trading.values import NANOS_PER_DAY, NANOS_PER_SECOND

HOUR = 3_600 * NANOS_PER_SECOND
START = 20_000 * NANOS_PER_DAY + 14 * HOUR


def bar(day: int, hour: float, volume: float) -> Bar:
    """A bar of an hour that closes `hour` hours into the window of `day`."""
    close = START + day * NANOS_PER_DAY + int(hour * HOUR)
    key = InstrumentId("A.X")
    return Bar(
        ts_event=close, instrument_id=key, open=1.0, high=1.0, low=1.0, close=1.0, volume=volume
    )


def curve(bars: list[Bar], slices: int = 2) -> tuple[Decimal, ...]:
    return volume_curve(bars, start=START, window_ns=2 * HOUR, slices=slices, bar_ns=HOUR)


def test_days_are_averaged_slice_by_slice() -> None:
    bars = [bar(-1, 1, 100), bar(-1, 2, 300), bar(-3, 1, 200), bar(-3, 2, 100), bar(-3, 3, 999)]
    assert curve(bars) == (Decimal(150), Decimal(200))


def test_a_bar_that_spans_slices_is_spread_over_them() -> None:
    assert curve([bar(0, 1.5, 100)]) == (Decimal(50), Decimal(50))
    assert curve([bar(0, 1, 90)], slices=6) == (Decimal(30),) * 3 + (Decimal(0),) * 3
    assert curve([bar(0, 0.5, 80)]) == (Decimal(40), Decimal(0))


def test_no_bar_in_the_window_is_an_error() -> None:
    with pytest.raises(ValueError, match="no bar falls into the window"):
        curve([bar(0, 5, 100)])
    with pytest.raises(ValueError, match="at most a day"):
        volume_curve([], start=0, window_ns=0, slices=1, bar_ns=1)
