"""A hedge ratio that follows the market: the regression of y on x over the trailing window, at every bar.

Source: Chan (2013), "Algorithmic Trading", ch. 3 (hedge ratio by moving least squares). Each bar is
computed from its own window alone, so the memory is finite and no rounding is carried along.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from trading.indicators.rolling import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RollingHedge:
    """One regression per bar.

    Attributes
    ----------
    beta : (time,)
        Slope of y on x.
    score : (time,)
        Residual of the window's last bar, in standard deviations of the window's residuals.
    """

    beta: FloatArray
    score: FloatArray


def rolling_hedge(y: FloatArray, x: FloatArray, window: int) -> RollingHedge:
    """Regress y on x over each whole window; NaN where x or the residual does not move.

    Parameters
    ----------
    y, x : (time,)
        Log prices.
    window : int
        Bars of the regression, the newest included.

    Returns
    -------
    RollingHedge
        Of the rows from `window` - 1 on.
    """
    dy, dx = _around_mean(y, window), _around_mean(x, window)
    spread = (dx * dx).sum(axis=1)
    beta = (dx * dy).sum(axis=1) / np.where(spread > 0, spread, np.nan)
    residual = dy - beta[:, None] * dx
    deviation = np.sqrt((residual * residual).sum(axis=1) / window)
    return RollingHedge(beta, residual[:, -1] / np.where(deviation > 0, deviation, np.nan))


def _around_mean(values: FloatArray, window: int) -> FloatArray:
    """Each whole window, less its mean: (time, window); each row is summed by itself."""
    windows = sliding_window_view(values, window)
    around: FloatArray = windows - windows.sum(axis=1, keepdims=True) / window
    return around
