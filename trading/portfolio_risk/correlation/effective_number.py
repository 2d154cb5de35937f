"""How many independent things there are to bet on, and how many a portfolio does bet on."""

from collections.abc import Sequence

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.sample import require_correlation
from trading.portfolio_risk.inputs import require_covariance, require_exposures


def participation_ratio(correlation: FloatArray, names: Sequence[str]) -> float:
    """Return (sum of eigenvalues)^2 / sum of squared eigenvalues: 1 when all assets move as one, to the number of assets.

    Source: Plerou et al. (2002), "Random Matrix Approach to Cross Correlations in Financial Data", Physical Review E
    65 (its inverse).

    Raises
    ------
    DataError
        If the correlation is not one.
    """
    require_correlation(correlation, names)
    return float(len(names) ** 2 / (correlation**2).sum())


def effective_bets(covariance: FloatArray, exposures: FloatArray, names: Sequence[str]) -> float:
    """Return the squared diversification ratio: (sum of the risks of the positions / risk of all together)^2.

    It is the number of equal independent bets that diversify as well; above the number of assets where positions
    hedge each other.

    Source: Choueifaty, Froidure and Reynier (2013), "Properties of the Most Diversified Portfolio", Journal of
    Investment Strategies 2.

    Parameters
    ----------
    exposures : (asset,)
        Signed value (money).

    Raises
    ------
    DataError
        If the covariance cannot be inverted, an exposure is not finite, or nothing is held.
    """
    require_covariance(covariance, names)
    require_exposures(exposures, names)
    if not exposures.any():
        raise DataError("nothing is held, so there is no bet to count.")
    alone = float(np.abs(exposures) @ np.sqrt(np.diag(covariance)))
    return alone**2 / float(exposures @ covariance @ exposures)
