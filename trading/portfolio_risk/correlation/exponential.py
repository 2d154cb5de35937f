"""Correlation with exponentially fading weights: what was long ago counts less.

Source: J.P. Morgan (1996), "RiskMetrics Technical Document", 4th edition, section 5. The mean return of a day is taken
as 0: it is too small to be told from that.
"""

from collections.abc import Sequence

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.sample import correlation_of
from trading.portfolio_risk.inputs import require_returns

DAILY_DECAY = 0.94
"""That of RiskMetrics for daily returns: half of the weight lies on the last 11."""


def ewma_covariance(
    returns: FloatArray, names: Sequence[str], decay: float = DAILY_DECAY
) -> FloatArray:
    """Return the weighted mean of the products of returns (time, asset), newest last: (asset, asset).

    Parameters
    ----------
    decay : float
        Weight of a return, relative to that of the next one: above 0, below 1.

    Raises
    ------
    DataError
        If returns are unfit.
    UsageError
        If `decay` is out of range.
    """
    require_returns(returns, names)
    if not 0.0 < decay < 1.0:
        raise UsageError(f"the decay is {decay}, must be between 0 and 1, such as {DAILY_DECAY}.")
    weights = decay ** np.arange(len(returns) - 1, -1, -1, dtype=np.float64)
    scaled = returns * np.sqrt(weights / weights.sum())[:, None]
    covariance: FloatArray = scaled.T @ scaled
    return covariance


def ewma_correlation(
    returns: FloatArray, names: Sequence[str], decay: float = DAILY_DECAY
) -> FloatArray:
    """Return the correlation of `ewma_covariance`: (asset, asset).

    Raises
    ------
    DataError
        If returns are unfit, or an asset does not move.
    UsageError
        If `decay` is out of range.
    """
    return correlation_of(ewma_covariance(returns, names, decay), names)
