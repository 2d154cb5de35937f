"""SuperTrend: a stop some average true ranges from the middle of the bar, that only tightens until it is broken.

Source: Seban's indicator as in TradingView's `ta.supertrend`, whose direction has the other sign. Not in TA-Lib;
the ATR is TA-Lib's (TradingView counts the first bar's high - low as a true range). It begins in a
downtrend, as there.

NaN rule: a row is NaN where its bar or the close before it has a NaN; bands, direction and averages wait.
"""

import math
from dataclasses import dataclass

from trading.indicators.atr import Atr, atr
from trading.indicators.recursion import ratchet
from trading.indicators.rolling import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SuperTrendLines:
    """The stop and the side it is on.

    Attributes
    ----------
    line : (time, instrument)
        Below the price in an uptrend, above it in a downtrend.
    direction : (time, instrument)
        1 up, -1 down.
    """

    line: FloatArray
    direction: FloatArray


def supertrend(
    high: FloatArray, low: FloatArray, close: FloatArray, period: int = 10, width: float = 3.0
) -> SuperTrendLines:
    """Return line and direction. Warm-up: `period` rows.

    Parameters
    ----------
    high, low, close : (time, instrument)
    period : int
        Rows of the average true range.
    width : float
        Average true ranges from the middle of a bar to its bands.
    """
    middle = (high + low) / 2.0
    reach = width * atr(high, low, close, period)
    return SuperTrendLines(*ratchet(middle + reach, middle - reach, close))


class SuperTrend:
    """`supertrend`, one bar at a time."""

    __slots__ = ("_atr", "_ceiling", "_close", "_direction", "_floor", "_width")

    def __init__(self, period: int = 10, width: float = 3.0) -> None:
        self._atr, self._width = Atr(period), width
        self._ceiling, self._floor = math.inf, -math.inf
        self._close, self._direction = 0.0, -1.0

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Return (line, direction) after this bar."""
        middle = (high + low) / 2.0
        reach = self._width * self._atr.update(high, low, close)
        if math.isnan(middle + reach + close):
            return math.nan, math.nan
        is_first = math.isinf(self._ceiling)
        if not middle + reach >= self._ceiling >= self._close:
            self._ceiling = middle + reach
        if not middle - reach <= self._floor <= self._close:
            self._floor = middle - reach
        if self._direction > 0:
            self._direction = -1.0 if close < self._floor else 1.0
        elif close > self._ceiling and not is_first:
            self._direction = 1.0
        self._close = close
        return (self._floor if self._direction > 0 else self._ceiling), self._direction
