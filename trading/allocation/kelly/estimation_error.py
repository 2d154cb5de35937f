"""How much less to hold because means and covariances are estimates.

Source: Kan and Zhou (2007), "Optimal Portfolio Choice with Parameter Uncertainty", Journal of Financial and
Quantitative Analysis 42, the two-fund rule. Of all multiples of the plug-in weights it has the best expected mean
minus half the variance out of sample, for independent normal returns and no caps.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import hyp2f1

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_covariance, require_returns


def estimation_shrinkage(returns: FloatArray, names: Sequence[str]) -> float:
    """Return the factor, 0 to 1, that Kelly weights from the sample mean and covariance (n - 1) are multiplied by.

    It is near 0 where the sample's Sharpe ratio is what as many assets show by chance in so few bars.

    Parameters
    ----------
    returns : (time, asset)
        Simple returns in excess of what cash earns.

    Raises
    ------
    DataError
        If returns are unfit, their covariance is singular, or there are fewer than assets + 5.
    """
    require_returns(returns, names)
    bars, assets = returns.shape
    if bars < assets + 5:
        raise DataError(
            f"there are {bars} returns of {assets} assets, at least {assets + 5} are needed to know the error of "
            "the estimates; choose a longer history or fewer assets."
        )
    covariance = np.atleast_2d(np.cov(returns, rowvar=False))
    require_covariance(covariance, names)
    mean = returns.mean(axis=0)
    sharpe_squared = float(mean @ np.linalg.solve(covariance, mean)) * bars / (bars - 1)
    true_squared = _sharpe_squared_without_chance(sharpe_squared, bars, assets)
    return shrinkage_of(true_squared, bars, assets)


def shrinkage_of(sharpe_squared: float, bars: int, assets: int) -> float:
    """Return the best factor when the squared Sharpe ratio per bar of the best portfolio is known.

    Parameters
    ----------
    sharpe_squared : float
        True mean' inverse(covariance) mean (>= 0).
    bars : int
        Of the sample, more than assets + 4.
    """
    inverse_error = (bars - assets - 1) * (bars - assets - 4) / ((bars - 1) * (bars - 2))
    mean_error = assets / bars
    return inverse_error * sharpe_squared / (sharpe_squared + mean_error)


def _sharpe_squared_without_chance(sample: float, bars: int, assets: int) -> float:
    """The estimate of the true square, never negative: theirs, with the incomplete beta function as 2F1."""
    share = sample / (1.0 + sample)
    series = float(hyp2f1(bars / 2.0, 1.0, assets / 2.0 + 1.0, share))
    unbiased = ((bars - assets - 2) * sample - assets) / bars
    return max(unbiased + assets * (1.0 + sample) / (bars * series), 0.0)
