"""The correlation of a sample, and what every correlation has: ones on the diagonal, symmetry, entries within -1 and 1."""

from collections.abc import Sequence

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_returns

_SYMMETRY = 1e-8
"""Differences and distances from 1 up to this are rounding noise."""


def sample_correlation(returns: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return the correlation of returns (time, asset): (asset, asset).

    Raises
    ------
    DataError
        If returns are unfit, or an asset does not move.
    """
    scores = standard_scores(returns, names)
    return correlation_of(scores.T @ scores, names)


def standard_scores(returns: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return returns (time, asset) with mean 0 and variance 1 (divided by n).

    Raises
    ------
    DataError
        If returns are unfit, or an asset does not move.
    """
    require_returns(returns, names)
    still = np.flatnonzero(np.ptp(returns, axis=0) == 0.0)
    if len(still):
        raise DataError(f"{names[still[0]]} does not move; leave it out.")
    centred = returns - returns.mean(axis=0)
    scores: FloatArray = centred / np.sqrt((centred**2).mean(axis=0))
    return scores


def correlation_of(covariance: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return the correlation of a covariance: (asset, asset).

    Raises
    ------
    DataError
        If a variance is not positive.
    """
    variance = np.diag(covariance)
    still = np.flatnonzero(~(variance > 0.0))
    if len(still):
        raise DataError(f"{names[still[0]]} does not move: its variance is {variance[still[0]]}.")
    scale = np.sqrt(variance)
    correlation: FloatArray = np.clip(covariance / np.outer(scale, scale), -1.0, 1.0)
    correlation = (correlation + correlation.T) / 2.0
    np.fill_diagonal(correlation, 1.0)
    return correlation


def require_correlation(correlation: FloatArray, names: Sequence[str]) -> None:
    """Check that a matrix may be a correlation; it need not be positive semidefinite.

    Raises
    ------
    DataError
        If it has the wrong shape, is not finite or symmetric, or an entry is out of range.
    """
    size = len(names)
    if correlation.shape != (size, size) or not np.isfinite(correlation).all():
        raise DataError(f"the correlation must be a finite matrix of shape ({size}, {size}).")
    if np.abs(correlation - correlation.T).max() > _SYMMETRY:
        raise DataError("the correlation is not symmetric.")
    if np.abs(np.diag(correlation) - 1.0).max() > _SYMMETRY:
        raise DataError("the diagonal of the correlation must be 1.")
    if np.abs(correlation).max() > 1.0 + _SYMMETRY:
        row, column = divmod(int(np.abs(correlation).argmax()), size)
        raise DataError(
            f"the correlation of {names[row]} and {names[column]} is {correlation[row, column]}, must lie "
            "between -1 and 1."
        )
