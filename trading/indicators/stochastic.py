"""Stochastic oscillator: where the close stands between the lowest low and the highest high, 0 to 100.

Source: Lane (1984), "Lane's Stochastics"; as TA-Lib's STOCHF and STOCH with simple averages: 0 where high and low of
the window are the same. TA-Lib hides %K until %D is there; here it shows as soon as it is known.

NaN rule: a row is NaN where a NaN is in one of its windows or is its close.
"""

from dataclasses import dataclass

from trading.indicators.moving_average import Sma, sma
from trading.indicators.ratio import ratio, ratio_of_numbers
from trading.indicators.rolling import FloatArray
from trading.indicators.windows import MovingRange, moving_max, moving_min


@dataclass(frozen=True, slots=True, eq=False)
class StochasticLines:
    """From 0 to 100.

    Attributes
    ----------
    k : (time, instrument)
    d : (time, instrument)
        Moving mean of `k`.
    """

    k: FloatArray
    d: FloatArray


def fast_stochastic(
    high: FloatArray, low: FloatArray, close: FloatArray, window: int = 5, d_window: int = 3
) -> StochasticLines:
    """Return fast %K and %D. Warm-up: `window - 1` rows, and `d_window - 1` more for %D.

    Parameters
    ----------
    high, low, close : (time, instrument)
    """
    bottom = moving_min(low, window)
    k = 100.0 * ratio(close - bottom, moving_max(high, window) - bottom, 0.0)
    return StochasticLines(k, sma(k, d_window))


def slow_stochastic(
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    window: int = 5,
    k_window: int = 3,
    d_window: int = 3,
) -> StochasticLines:
    """Return slow %K, the mean of the fast one, and %D.

    Warm-up: `window + k_window - 2` rows, and `d_window - 1` more for %D.

    Parameters
    ----------
    high, low, close : (time, instrument)
    """
    k = fast_stochastic(high, low, close, window, k_window).d
    return StochasticLines(k, sma(k, d_window))


class FastStochastic:
    """`fast_stochastic`, one bar at a time."""

    __slots__ = ("_d", "_range")

    def __init__(self, window: int = 5, d_window: int = 3) -> None:
        self._range, self._d = MovingRange(window), Sma(d_window)

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Return (%K, %D) after this bar."""
        top, bottom = self._range.update(high, low)
        k = 100.0 * ratio_of_numbers(close - bottom, top - bottom, 0.0)
        return k, self._d.update(k)


class SlowStochastic:
    """`slow_stochastic`, one bar at a time."""

    __slots__ = ("_d", "_fast")

    def __init__(self, window: int = 5, k_window: int = 3, d_window: int = 3) -> None:
        self._fast, self._d = FastStochastic(window, k_window), Sma(d_window)

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Return (%K, %D) after this bar."""
        _, k = self._fast.update(high, low, close)
        return k, self._d.update(k)
