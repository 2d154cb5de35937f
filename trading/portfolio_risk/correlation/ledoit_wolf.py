"""Shrinkage of the sample by as much as makes the expected squared error least.

Source: Ledoit and Wolf (2004), "A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices", Journal of
Multivariate Analysis 88. The result can be inverted, also with fewer returns than assets.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.sample import correlation_of, standard_scores
from trading.portfolio_risk.inputs import require_returns


class Shrunk(NamedTuple):
    """A shrunk covariance (asset, asset), and the weight of its target, 0 to 1."""

    covariance: FloatArray
    intensity: float


def ledoit_wolf_covariance(returns: FloatArray, names: Sequence[str]) -> Shrunk:
    """Return the covariance (divided by n) of returns (time, asset), shrunk towards equal variances.

    Raises
    ------
    DataError
        If returns are unfit.
    """
    require_returns(returns, names)
    return _shrunk(returns - returns.mean(axis=0))


def ledoit_wolf_correlation(returns: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return the correlation of returns (time, asset), shrunk towards no correlation: (asset, asset).

    Raises
    ------
    DataError
        If returns are unfit, or an asset does not move.
    """
    return correlation_of(_shrunk(standard_scores(returns, names)).covariance, names)


def _shrunk(centred: FloatArray) -> Shrunk:
    count, size = centred.shape
    sample = centred.T @ centred / count
    target = np.trace(sample) / size * np.eye(size)
    distance = float(((sample - target) ** 2).sum())
    noise = (
        float((centred**2).sum(axis=1) @ (centred**2).sum(axis=1)) / count
        - float((sample**2).sum())
    ) / count
    intensity = min(noise, distance) / distance if distance > 0.0 else 0.0
    return Shrunk((1.0 - intensity) * sample + intensity * target, intensity)
