"""Realised volatility of bars of any length: sample deviation of simple returns, per year.

The same as `returns.realised_volatility` for daily bars, in far fewer passes for a long window, within rounding.

NaN rule: a row is NaN where a NaN is among its `window` + 1 closes.
"""

import math

from trading.indicators.returns import TRADING_DAYS_PER_YEAR
from trading.indicators.rolling import FloatArray
from trading.indicators.shift import delayed
from trading.indicators.windows import MovingDeviation, moving_mean_and_deviation


def rolling_volatility(
    close: FloatArray, window: int, bars_per_year: float = TRADING_DAYS_PER_YEAR
) -> FloatArray:
    """Return the volatility. Warm-up: `window` rows.

    Parameters
    ----------
    close : (time, instrument)
        Prices (> 0).
    window : int
        Returns (>= 2).
    bars_per_year : float
        252 for daily bars, 252 * 390 for the minutes of US stocks.

    Returns
    -------
    (time, instrument)
        Fraction per year (0.2 is 20 %).
    """
    returns = close / delayed(close, 1) - 1.0
    _, deviation = moving_mean_and_deviation(returns, window, ddof=1)
    return deviation * math.sqrt(bars_per_year)


class RollingVolatility:
    """`rolling_volatility`, one close at a time."""

    __slots__ = ("_close", "_moments", "_scale")

    def __init__(self, window: int, bars_per_year: float = TRADING_DAYS_PER_YEAR) -> None:
        self._moments = MovingDeviation(window, ddof=1)
        self._scale, self._close = math.sqrt(bars_per_year), math.nan

    def update(self, close: float) -> float:
        """Return the volatility after `close`."""
        before, self._close = self._close, close
        return self._moments.update(close / before - 1.0)[1] * self._scale
