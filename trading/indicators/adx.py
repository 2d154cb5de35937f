"""Directional movement: how strongly a price goes one way.

Source: Wilder (1978), "New Concepts in Technical Trading Systems"; as TA-Lib's PLUS_DI, MINUS_DI and ADX, which begin
Wilder's running sums with `period - 1` values. Where nothing has moved in any direction yet, all are 0.

NaN rule: a row is NaN where its bar or the bar before it has a NaN; the averages wait.
"""

import math
from dataclasses import dataclass

from trading.indicators.atr import TrueRange, true_range
from trading.indicators.moving_average import Wilder, wilder
from trading.indicators.ratio import ratio, ratio_of_numbers
from trading.indicators.recursion import Smoothing, smoothed
from trading.indicators.rolling import FloatArray
from trading.indicators.shift import change
from trading.indicators.windows import require_rows


@dataclass(frozen=True, slots=True, eq=False)
class DirectionalLines:
    """All from 0 to 100.

    Attributes
    ----------
    adx : (time, instrument)
        Strength of the trend, either way.
    plus_di, minus_di : (time, instrument)
        Share of upward and of downward movement in the true range.
    """

    adx: FloatArray
    plus_di: FloatArray
    minus_di: FloatArray


def adx(high: FloatArray, low: FloatArray, close: FloatArray, period: int = 14) -> DirectionalLines:
    """Return ADX, +DI and -DI. Warm-up: `2 period - 1` rows for ADX, `period` for the others.

    Parameters
    ----------
    high, low, close : (time, instrument)
    period : int
        Rows (>= 2).
    """
    kept = _kept(period)
    xp = close.__array_namespace__()
    span, up, down = true_range(high, low, close), change(high), -change(low)
    unknown = (span + up + down) * 0.0  # NaN or 0: the three averages must count the same rows
    plus = xp.where((up > down) & (up > 0), up, 0.0) + unknown
    minus = xp.where((down > up) & (down > 0), down, 0.0) + unknown
    mean_span, mean_plus, mean_minus = (
        smoothed(each, period, 1.0 / period, kept=kept) for each in (span + unknown, plus, minus)
    )
    plus_di = 100.0 * ratio(mean_plus, mean_span, 0.0)
    minus_di = 100.0 * ratio(mean_minus, mean_span, 0.0)
    strength = 100.0 * ratio(xp.abs(plus_di - minus_di), plus_di + minus_di, 0.0)
    return DirectionalLines(wilder(strength, period), plus_di, minus_di)


class Adx:
    """`adx`, one bar at a time."""

    __slots__ = ("_adx", "_high", "_low", "_minus", "_plus", "_range", "_span")

    def __init__(self, period: int = 14) -> None:
        kept = _kept(period)
        self._span, self._plus, self._minus = (
            Smoothing(period, 1.0 / period, kept=kept) for _ in range(3)
        )
        self._range, self._adx = TrueRange(), Wilder(period)
        self._high = self._low = math.nan

    def update(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        """Return (ADX, +DI, -DI) after this bar."""
        span = self._range.update(high, low, close)
        up, down = high - self._high, self._low - low
        self._high, self._low = high, low
        if math.isnan(span + up + down):
            return math.nan, math.nan, math.nan
        mean_span = self._span.update(span)
        mean_plus = self._plus.update(up if up > down and up > 0 else 0.0)
        mean_minus = self._minus.update(down if down > up and down > 0 else 0.0)
        plus_di = 100.0 * ratio_of_numbers(mean_plus, mean_span, 0.0)
        minus_di = 100.0 * ratio_of_numbers(mean_minus, mean_span, 0.0)
        strength = 100.0 * ratio_of_numbers(abs(plus_di - minus_di), plus_di + minus_di, 0.0)
        return self._adx.update(strength), plus_di, minus_di


def _kept(period: int) -> float:
    """A sum over `period - 1` values has lost a `period`-th before the next value comes."""
    require_rows("period", period, 2)
    return 1.0 - 1.0 / period
