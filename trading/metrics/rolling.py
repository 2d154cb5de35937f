"""Figures over a moving window: row t holds the last `window` bars. All are (time,).

NaN where the window reaches before the first bar, holds a NaN, or has nothing to divide by.
"""

import numpy as np

from trading.indicators.rolling import FloatArray, rolling_mean, rolling_std
from trading.metrics.quotient import FLAT


def rolling_volatility(returns: FloatArray, window: int, periods_per_year: float) -> FloatArray:
    """Return the sample deviation of the window per year (fraction).

    Parameters
    ----------
    window : int
        Bars (>= 2).
    """
    annual: FloatArray = rolling_std(returns[:, None], window)[:, 0] * periods_per_year**0.5
    return annual


def rolling_sharpe(returns: FloatArray, window: int, periods_per_year: float) -> FloatArray:
    """Return the Sharpe ratio of the window, per year.

    Parameters
    ----------
    window : int
        Bars (>= 2).
    """
    mean = rolling_mean(returns[:, None], window)[:, 0]
    deviation = rolling_std(returns[:, None], window)[:, 0]
    moving = np.where(deviation > FLAT * np.abs(mean), deviation, np.nan)
    ratio: FloatArray = mean / moving * periods_per_year**0.5
    return ratio


def rolling_beta(returns: FloatArray, benchmark: FloatArray, window: int) -> FloatArray:
    """Return the slope of the returns on the benchmark's in the window.

    Parameters
    ----------
    returns, benchmark : (time,)
        Simple returns of the same bars.
    window : int
        Bars (>= 2).
    """
    own_mean = rolling_mean(returns[:, None], window)[:, 0]
    mean = rolling_mean(benchmark[:, None], window)[:, 0]
    deviation = rolling_std(benchmark[:, None], window)[:, 0]
    beta = np.full(returns.shape, np.nan)
    rows = returns.size - window + 1
    if rows < 1:
        return beta
    tail = slice(window - 1, None)
    together = np.zeros(rows)
    for offset in range(window):
        span = slice(offset, offset + rows)
        together += (returns[span] - own_mean[tail]) * (benchmark[span] - mean[tail])
    moving = np.where(deviation > FLAT * np.abs(mean), deviation, np.nan)[tail]
    beta[tail] = together / (window - 1) / moving**2
    return beta
