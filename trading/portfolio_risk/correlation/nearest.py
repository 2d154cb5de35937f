"""The nearest matrix that is a correlation, for one that was put together from pieces.

Source: Higham (2002), "Computing the Nearest Correlation Matrix: A Problem from Finance", IMA Journal of Numerical
Analysis 22: projections in turn onto the positive semidefinite matrices, with Dykstra's correction, and onto those with
a diagonal of ones.
"""

from collections.abc import Sequence

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.sample import correlation_of, require_correlation

_TOLERANCE = 1e-10
_ROUNDS_MAX = 10_000


def nearest_correlation(correlation: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return the correlation (asset, asset) with the least sum of squared differences; a valid one comes back as it is.

    Raises
    ------
    DataError
        If the matrix is not finite or symmetric, its diagonal is not 1, an entry lies beyond -1 or 1, or the
        projections do not settle.
    """
    require_correlation(correlation, names)
    if np.linalg.eigvalsh(correlation)[0] >= 0.0:
        return correlation.copy()
    current, correction = correlation, np.zeros_like(correlation)
    for _ in range(_ROUNDS_MAX):
        shifted = current - correction
        semidefinite = _semidefinite_part(shifted)
        correction = semidefinite - shifted
        following = semidefinite.copy()
        np.fill_diagonal(following, 1.0)
        change = np.abs(following - current).max()
        current = following
        if change <= _TOLERANCE:
            return correlation_of(_semidefinite_part(current), names)
    raise DataError(
        f"no nearest correlation was found in {_ROUNDS_MAX} rounds; leave out the assets with the fewest returns."
    )


def _semidefinite_part(matrix: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(matrix)
    part: FloatArray = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return part
