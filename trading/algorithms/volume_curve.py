"""How much the market trades at each time of the day: what VWAP slices are measured by."""

from collections.abc import Iterable
from decimal import Decimal

from trading.data import Bar
from trading.values import NANOS_PER_DAY, ZERO

_STEP = Decimal("0.000001")


def volume_curve(
    bars: Iterable[Bar], *, start: int, window_ns: int, slices: int, bar_ns: int
) -> tuple[Decimal, ...]:
    """Return the average volume of each slice of a daily window (units), over the days that bars cover.

    A bar's volume counts as spread evenly over its time. The window keeps its time of day in UTC: give bars
    of one season where clocks change.

    Parameters
    ----------
    bars : iterable of Bar
        Of one instrument; `ts_event` is the close.
    start : int
        A moment (ns UTC) at which the window begins; its time of day counts.
    window_ns : int
        At most a day.
    bar_ns : int
        Length of a bar, at most a day.

    Raises
    ------
    ValueError
        If a length is not as said, or no bar falls into the window.
    """
    if not (0 < window_ns <= NANOS_PER_DAY and 0 < bar_ns <= NANOS_PER_DAY and slices > 0):
        raise ValueError(
            "window and bars must be longer than 0 and at most a day, slices at least 1"
        )
    totals = [ZERO] * slices
    days = set()
    for bar in bars:
        volume, begin = Decimal(repr(bar.volume)), bar.ts_event - bar_ns
        for day in range(
            (begin - start) // NANOS_PER_DAY, (bar.ts_event - start) // NANOS_PER_DAY + 1
        ):
            opened = start + day * NANOS_PER_DAY
            for index in range(slices):
                low = max(begin, opened + window_ns * index // slices)
                high = min(bar.ts_event, opened + window_ns * (index + 1) // slices)
                if high > low:
                    days.add(day)
                    totals[index] += volume * (high - low) / bar_ns
    if not days:
        raise ValueError("no bar falls into the window: give bars of its time of day")
    return tuple((total / len(days)).quantize(_STEP) for total in totals)
