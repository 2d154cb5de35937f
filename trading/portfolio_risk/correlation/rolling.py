"""Correlation over a moving window."""

from collections.abc import Sequence

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_returns


def rolling_correlation(returns: FloatArray, names: Sequence[str], window: int) -> FloatArray:
    """Return the correlation of the last `window` returns at each bar: (time, asset, asset).

    NaN before the first whole window, and for an asset that does not move within the window.

    Parameters
    ----------
    returns : (time, asset)
    window : int
        Bars (>= 2), the current one included.

    Raises
    ------
    DataError
        If returns are unfit, or there are fewer than `window`.
    UsageError
        If `window` is below 2.
    """
    if window < 2:
        raise UsageError(f"the window is {window} returns, must be at least 2.")
    require_returns(returns, names, rows_min=window)
    bars, assets = returns.shape
    result = np.full((bars, assets, assets), np.nan)
    for end in range(window, bars + 1):
        part = returns[end - window : end]
        result[end - 1] = _correlation(part)
    return result


def _correlation(part: FloatArray) -> FloatArray:
    centred = part - part.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    length[np.ptp(part, axis=0) == 0.0] = np.nan
    unit = centred / length
    correlation: FloatArray = np.clip(unit.T @ unit, -1.0, 1.0)
    np.fill_diagonal(correlation, np.where(np.isnan(length), np.nan, 1.0))
    return correlation
