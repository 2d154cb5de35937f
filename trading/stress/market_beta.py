"""How far each asset follows the market, estimated from returns."""

from collections.abc import Sequence

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_returns


def market_betas(
    returns: FloatArray, names: Sequence[str], market: FloatArray | None = None
) -> FloatArray:
    """Return the slope of each asset's returns on the market's, by least squares.

    Source: Sharpe (1963), "A Simplified Model for Portfolio Analysis", Management Science 9.

    Parameters
    ----------
    returns : (time, asset)
        Simple returns.
    market : (time,), optional
        Simple returns of the market over the same bars; without it, the mean of the assets (their average beta
        is then 1 by construction).

    Returns
    -------
    (asset,)

    Raises
    ------
    DataError
        If a return is missing, the market has another length or does not move.
    """
    require_returns(returns, names)
    if market is None:
        market = returns.mean(axis=1)
    if market.shape != (len(returns),) or not np.isfinite(market).all():
        raise DataError(f"the market must be {len(returns)} finite returns, one for each bar.")
    deviation = market - market.mean()
    square = float(deviation @ deviation)
    if np.ptp(market) == 0.0:
        raise DataError("the market does not move; choose another one or a longer history.")
    betas: FloatArray = deviation @ (returns - returns.mean(axis=0)) / square
    return betas
