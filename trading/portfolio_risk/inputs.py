"""The checks that every measure makes of its input: one sentence that names the asset and says what to do."""

from collections.abc import Sequence

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray


def require_returns(returns: FloatArray, names: Sequence[str], rows_min: int = 2) -> None:
    """Check simple returns (time, asset).

    Raises
    ------
    DataError
        If the shape is wrong, there are fewer than `rows_min` rows, or a return is not finite or below -1.
    """
    if returns.ndim != 2 or returns.shape[1] != len(names):
        raise DataError(f"returns have shape {returns.shape}, must be (time, {len(names)}).")
    if len(returns) < rows_min:
        raise DataError(
            f"there are {len(returns)} returns, at least {rows_min} are needed; choose a longer history."
        )
    is_bad = ~(np.isfinite(returns) & (returns >= -1.0))
    if is_bad.any():
        row, column = np.argwhere(is_bad)[0]
        if is_bad[:, column].all():
            raise DataError(f"{names[column]} has no returns at all; leave it out.")
        raise DataError(
            f"{names[column]}: return {row} is {returns[row, column]}; fill the gap or leave it out."
        )


def require_exposures(exposures: FloatArray, names: Sequence[str]) -> None:
    """Check the signed value of each asset (money).

    Raises
    ------
    DataError
        If there is not one finite number for each name.
    """
    if exposures.shape != (len(names),):
        raise DataError(f"exposures have shape {exposures.shape}, must be ({len(names)},).")
    bad = np.flatnonzero(~np.isfinite(exposures))
    if len(bad):
        raise DataError(f"{names[bad[0]]}: the exposure is {exposures[bad[0]]}.")


def require_confidence(confidence: float) -> None:
    """Check a confidence level.

    Raises
    ------
    UsageError
        If it is not between 0 and 1, for example 0.99.
    """
    if not 0.0 < confidence < 1.0:
        raise UsageError(f"the confidence is {confidence}, must be between 0 and 1, such as 0.99.")


def require_horizon(horizon: int) -> None:
    """Check a horizon in bars.

    Raises
    ------
    UsageError
        If it is below 1.
    """
    if horizon < 1:
        raise UsageError(f"the horizon is {horizon} bars, must be at least 1.")


def require_covariance(covariance: FloatArray, names: Sequence[str]) -> None:
    """Check that a matrix is a covariance that can be inverted.

    Raises
    ------
    DataError
        If it has the wrong shape, is not finite or symmetric, has a variance of 0 or is singular.
    """
    size = len(names)
    if covariance.shape != (size, size) or not np.isfinite(covariance).all():
        raise DataError(f"the covariance must be a finite matrix of shape ({size}, {size}).")
    if not np.allclose(covariance, covariance.T, rtol=1e-8, atol=0.0):
        raise DataError("the covariance is not symmetric.")
    variance = np.diag(covariance)
    still = np.flatnonzero(variance <= 0)
    if len(still):
        raise DataError(f"{names[still[0]]} does not move: its variance is {variance[still[0]]}.")
    scale = np.sqrt(variance)
    smallest = float(np.linalg.eigvalsh(covariance / np.outer(scale, scale))[0])
    if smallest <= size * np.finfo(float).eps:
        raise DataError(
            "the covariance is singular: some assets are combinations of others, or there are fewer returns "
            "than assets; leave some out, take a longer history or shrink it."
        )
