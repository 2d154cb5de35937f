"""Correlations that break: diversification fails, or what used to hedge no longer does.

A correlation matrix is blended with the one of a crisis: (1 - strength) * today + strength * crisis. A blend of two
positive semidefinite matrices is one too; a crisis matrix drawn up by hand may not be, and is then replaced by
the nearest correlation matrix (Higham, 2002).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.nearest import nearest_correlation
from trading.portfolio_risk.inputs import require_exposures


@dataclass(frozen=True, slots=True, eq=False)
class CorrelationBreakdown:
    """Standard deviations of the portfolio per bar (money), before and after.

    Attributes
    ----------
    covariance : (asset, asset)
        Of returns, after.
    """

    covariance: FloatArray
    deviation_before: float
    deviation_after: float

    @property
    def multiple(self) -> float:
        """By how much every normal risk measure grows; infinite when there was no risk before."""
        if self.deviation_before == 0.0:
            return float("inf")
        return self.deviation_after / self.deviation_before


def correlation_breakdown(
    exposures: FloatArray,
    covariance: FloatArray,
    names: Sequence[str],
    strength: float = 1.0,
    crisis: FloatArray | None = None,
    volatility_multiple: float = 1.0,
) -> CorrelationBreakdown:
    """Return the risk of a portfolio when correlations move towards those of a crisis.

    Parameters
    ----------
    exposures : (asset,)
        Signed value of each asset (money).
    covariance : (asset, asset)
        Of returns per bar.
    strength : float
        0 leaves correlations alone, 1 replaces them.
    crisis : (asset, asset), optional
        Correlations of the crisis; all 1 without. `worst_correlation` gives those that hurt most.
    volatility_multiple : float
        By how much every volatility grows as well (> 0).

    Raises
    ------
    DataError
        If a shape is wrong, a number is not finite, an asset has no variance, or `crisis` is no symmetric matrix of
        correlations.
    UsageError
        If the strength is not from 0 to 1 or the multiple not positive.
    """
    require_exposures(exposures, names)
    if not 0.0 <= strength <= 1.0:
        raise UsageError(f"the strength is {strength}, must be from 0 to 1.")
    if not (isfinite(volatility_multiple) and volatility_multiple > 0.0):
        raise UsageError(f"the volatility multiple is {volatility_multiple}, must be positive.")
    deviations = _deviations(covariance, names)
    today = covariance / np.outer(deviations, deviations)
    target = np.ones_like(today) if crisis is None else crisis
    _require_correlations(target, len(names))
    blend = (1.0 - strength) * today + strength * nearest_correlation(target, names)
    scaled = volatility_multiple * deviations
    after = blend * np.outer(scaled, scaled)
    return CorrelationBreakdown(
        covariance=after,
        deviation_before=_deviation(exposures, covariance),
        deviation_after=_deviation(exposures, after),
    )


def worst_correlation(exposures: FloatArray) -> FloatArray:
    """Return the correlations under which a portfolio varies most: every position loses when the others do.

    They are +1 between positions on the same side and -1 between a long and a short one; no correlation matrix
    gives a larger deviation than the sum of the positions' own.

    Returns
    -------
    (asset, asset)
    """
    side = np.where(exposures < 0.0, -1.0, 1.0)
    return np.outer(side, side)


def _deviations(covariance: FloatArray, names: Sequence[str]) -> FloatArray:
    size = len(names)
    if covariance.shape != (size, size) or not np.isfinite(covariance).all():
        raise DataError(f"the covariance must be a finite matrix of shape ({size}, {size}).")
    variances = np.diag(covariance)
    still = np.flatnonzero(variances <= 0.0)
    if len(still):
        raise DataError(f"{names[still[0]]} does not move: its variance is {variances[still[0]]}.")
    deviations: FloatArray = np.sqrt(variances)
    return deviations


def _require_correlations(matrix: FloatArray, size: int) -> None:
    if matrix.shape != (size, size):
        raise DataError(
            f"the crisis correlations have shape {matrix.shape}, must be ({size}, {size})."
        )
    if not (np.isfinite(matrix).all() and (np.abs(matrix) <= 1.0).all()):
        raise DataError("a crisis correlation is not between -1 and 1.")
    if not (np.array_equal(matrix, matrix.T) and (np.diag(matrix) == 1.0).all()):
        raise DataError("the crisis correlations must be symmetric with 1 on the diagonal.")


def _deviation(exposures: FloatArray, covariance: FloatArray) -> float:
    return sqrt(max(float(exposures @ covariance @ exposures), 0.0))
