"""The Engle-Granger test, for all pairs of a group at once.

Source: Engle and Granger (1987), "Co-integration and Error Correction", Econometrica 55. Two price
series are cointegrated when some spread `y - alpha - beta x` is stationary: the residual of the
regression of y on x passes an augmented Dickey-Fuller test (one lag, no constant). The critical
values for two variables are MacKinnon's (2010), "Critical Values for Cointegration Tests".
"""

from dataclasses import dataclass

import numpy as np

from trading.indicators.rolling import FloatArray

_MACKINNON = {
    0.01: (-3.89644, -10.9519, -33.527),
    0.05: (-3.33613, -6.1101, -6.823),
    0.10: (-3.04445, -4.2412, -2.720),
}
SIGNIFICANCE_LEVELS = tuple(_MACKINNON)


@dataclass(frozen=True, slots=True, eq=False)
class Cointegration:
    """One regression per column.

    Attributes
    ----------
    alpha, beta : (pair,)
        Intercept and slope of y on x.
    deviation : (pair,)
        Standard deviation of the residual over the sample.
    statistic : (pair,)
        Dickey-Fuller t statistic of the residual; NaN when it cannot be computed.
    """

    alpha: FloatArray
    beta: FloatArray
    deviation: FloatArray
    statistic: FloatArray


def engle_granger(y: FloatArray, x: FloatArray) -> Cointegration:
    """Regress each column of `y` on the same column of `x` and test the residual for a unit root.

    Parameters
    ----------
    y, x : (time, pair)
        Log prices, finite.
    """
    count = y.shape[0]
    mean_y, mean_x = y.sum(axis=0) / count, x.sum(axis=0) / count
    dy, dx = y - mean_y, x - mean_x
    beta = _ratio((dx * dy).sum(axis=0), (dx * dx).sum(axis=0))
    residual = dy - beta * dx
    deviation = np.sqrt((residual * residual).sum(axis=0) / count)
    return Cointegration(
        mean_y - beta * mean_x, beta, deviation, _dickey_fuller_statistic(residual)
    )


def critical_value(significance: float, count: int) -> float:
    """Return the statistic below which a pair of `count` observations counts as cointegrated.

    Parameters
    ----------
    significance : float
        One of `SIGNIFICANCE_LEVELS`.
    """
    constant, first, second = _MACKINNON[significance]
    return constant + first / (count - 1) + second / (count - 1) ** 2


def _dickey_fuller_statistic(residual: FloatArray) -> FloatArray:
    """Statistic of rho in: change = rho * level + gamma * previous change."""
    change = residual[1:] - residual[:-1]
    level, previous, now = residual[1:-1], change[:-1], change[1:]
    a = (level * level).sum(axis=0)
    b = (level * previous).sum(axis=0)
    c = (previous * previous).sum(axis=0)
    u = (level * now).sum(axis=0)
    v = (previous * now).sum(axis=0)
    determinant = a * c - b * b
    rho = _ratio(c * u - b * v, determinant)
    gamma = _ratio(a * v - b * u, determinant)
    error = now - rho * level - gamma * previous
    variance = (error * error).sum(axis=0) / (now.shape[0] - 2)
    return _ratio(rho, np.sqrt(np.maximum(_ratio(variance * c, determinant), 0.0)))


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """NaN where the denominator is not positive."""
    quotient: FloatArray = numerator / np.where(denominator > 0, denominator, np.nan)
    return quotient
