"""Correlation of histories with gaps: each pair from the bars that both have, repaired to be one matrix."""

from collections.abc import Sequence

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.nearest import nearest_correlation


def patchy_correlation(
    returns: FloatArray, names: Sequence[str], overlap_min: int = 60
) -> FloatArray:
    """Return the correlation (asset, asset) of returns in which NaN is a gap.

    Parameters
    ----------
    returns : (time, asset)
    overlap_min : int
        Bars that each pair must have in common (>= 2).

    Raises
    ------
    DataError
        If the shape is wrong, a return is infinite or below -1, or a pair has too few bars in common or does not move in them.
    UsageError
        If `overlap_min` is below 2.
    """
    _require_patchy(returns, names, overlap_min)
    has = np.isfinite(returns)
    filled = np.where(has, returns - np.nanmean(returns, axis=0), 0.0)
    seen = has.astype(np.float64)
    count = seen.T @ seen
    sums, squares = filled.T @ seen, (filled**2).T @ seen
    covariance = filled.T @ filled - sums * sums.T / count
    variance = np.maximum(squares - sums**2 / count, 0.0)
    _require_motion(returns, variance, squares, names)
    pairs = np.clip(covariance / np.sqrt(variance * variance.T), -1.0, 1.0)
    np.fill_diagonal(pairs, 1.0)
    return nearest_correlation((pairs + pairs.T) / 2.0, names)


def _require_patchy(returns: FloatArray, names: Sequence[str], overlap_min: int) -> None:
    if overlap_min < 2:
        raise UsageError(f"overlap_min is {overlap_min} bars, must be at least 2.")
    if returns.ndim != 2 or returns.shape[1] != len(names):
        raise DataError(f"returns have shape {returns.shape}, must be (time, {len(names)}).")
    wrong = np.argwhere(np.isinf(returns) | (returns < -1.0))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(f"{names[column]}: return {row} is {returns[row, column]}; correct it.")
    seen = np.isfinite(returns).astype(np.float64)
    count = seen.T @ seen
    if len(names) and count.min() < overlap_min:
        row, column = divmod(int(count.argmin()), len(names))
        raise DataError(
            f"{names[row]} and {names[column]} have {count.min():.0f} returns in common, at least {overlap_min} are "
            "needed; leave one out."
        )


def _require_motion(
    returns: FloatArray, variance: FloatArray, squares: FloatArray, names: Sequence[str]
) -> None:
    """Entry (i, j) of a variance is that of asset i over the bars that j has too."""
    noise = len(returns) * np.finfo(float).eps
    still = np.argwhere(variance <= noise * squares)
    if len(still):
        asset, other = still[0]
        raise DataError(
            f"{names[asset]} does not move in the bars that {names[other]} has too; leave one out."
        )
