"""True range and its average: how far a price moves in one bar, gaps included.

Source: Wilder (1978), "New Concepts in Technical Trading Systems"; as TA-Lib's TRANGE and ATR. The first row has no
close before it and so no true range.

NaN rule: a row is NaN where its bar or the close before it has a NaN; the average waits.
"""

import math

from trading.indicators.moving_average import Wilder, wilder
from trading.indicators.rolling import FloatArray
from trading.indicators.shift import delayed


def true_range(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Return the greatest of `high - low` and the distances of both from the last close. Warm-up: 1 row.

    Parameters
    ----------
    high, low, close : (time, instrument)

    Returns
    -------
    (time, instrument)
        In the unit of the prices.
    """
    xp = close.__array_namespace__()
    before = delayed(close, 1)
    reach = xp.maximum(xp.abs(high - before), xp.abs(low - before))
    span: FloatArray = xp.where(xp.isnan(close), xp.nan, xp.maximum(high - low, reach))
    return span


class TrueRange:
    """`true_range`, one bar at a time."""

    __slots__ = ("_close",)

    def __init__(self) -> None:
        self._close = math.nan

    def update(self, high: float, low: float, close: float) -> float:
        """Return the true range of this bar."""
        before, self._close = self._close, close
        if math.isnan(high + low + close + before):
            return math.nan
        return max(high - low, abs(high - before), abs(low - before))


def atr(high: FloatArray, low: FloatArray, close: FloatArray, period: int = 14) -> FloatArray:
    """Return Wilder's average of the true range. Warm-up: `period` rows.

    Parameters
    ----------
    high, low, close : (time, instrument)

    Returns
    -------
    (time, instrument)
        In the unit of the prices.
    """
    return wilder(true_range(high, low, close), period)


class Atr:
    """`atr`, one bar at a time."""

    __slots__ = ("_average", "_range")

    def __init__(self, period: int = 14) -> None:
        self._range, self._average = TrueRange(), Wilder(period)

    def update(self, high: float, low: float, close: float) -> float:
        """Return the average after this bar."""
        return self._average.update(self._range.update(high, low, close))
