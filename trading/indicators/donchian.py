"""Donchian channel: the highest high and the lowest low of some rows, and their mean.

Source: Donchian (1960), "Trend-following Methods in Commodity Price Analysis". Not in TA-Lib; the bands are its MAX of
the highs and MIN of the lows. The current row counts: who looks for a break-out compares with the row before.

NaN rule: a row is NaN where a NaN is in its window; the upper band asks the highs alone, the lower one the lows.
"""

from trading.indicators.bands import Bands
from trading.indicators.rolling import FloatArray
from trading.indicators.windows import MovingRange, moving_max, moving_min


def donchian(high: FloatArray, low: FloatArray, window: int = 20) -> Bands:
    """Return the channel. Warm-up: `window - 1` rows.

    Parameters
    ----------
    high, low : (time, instrument)
    """
    upper, lower = moving_max(high, window), moving_min(low, window)
    return Bands(upper, (upper + lower) / 2.0, lower)


class Donchian:
    """`donchian`, one bar at a time."""

    __slots__ = ("_range",)

    def __init__(self, window: int = 20) -> None:
        self._range = MovingRange(window)

    def update(self, high: float, low: float) -> tuple[float, float, float]:
        """Return (upper, middle, lower) after this bar."""
        upper, lower = self._range.update(high, low)
        return upper, (upper + lower) / 2.0, lower
