"""Uniform variables: made from observations, checked, and kept inside (0, 1)."""

from collections.abc import Sequence

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray

OBSERVATIONS_MIN = 10
"""Fewer observations do not tell one dependence from another."""
EDGE = 2.0**-53
"""What a probability keeps from 0 and 1, so that its quantile is finite."""


def pseudo_observations(values: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return ranks (time, asset), divided by one more than their count; ties share their mean rank.

    Genest, Ghoudi and Rivest (1995), "A Semiparametric Estimation Procedure of Dependence Parameters in
    Multivariate Families of Distributions", Biometrika 82.

    Parameters
    ----------
    values : (time, asset)
        Returns, or the residuals of a model of them.

    Raises
    ------
    DataError
        If there are fewer than two rows, a value is not finite, or an asset never moves.
    """
    _require_table(values, names, rows_min=2)
    _require_finite(values, names)
    _require_motion(values, names)
    return np.column_stack([_mean_ranks(column) for column in values.T]) / (len(values) + 1.0)


def require_uniforms(uniforms: FloatArray, names: Sequence[str]) -> None:
    """Check uniforms (time, asset).

    Raises
    ------
    DataError
        If the shape is wrong, there is no row, or a value is not inside (0, 1).
    """
    _require_table(uniforms, names, rows_min=1)
    _require_finite(uniforms, names)
    is_bad = (uniforms <= 0.0) | (uniforms >= 1.0)
    if is_bad.any():
        row, column = np.argwhere(is_bad)[0]
        raise DataError(
            f"{names[column]}: value {row} is {uniforms[row, column]}, must be between 0 and 1; make uniforms of "
            "returns with pseudo_observations or a margin's cdf."
        )


def require_sample(uniforms: FloatArray, names: Sequence[str]) -> None:
    """Check uniforms (time, asset) to which a copula is fitted.

    Raises
    ------
    DataError
        If they are unfit, an asset never moves, or there are fewer than ten or no more than assets.
    """
    require_names(names)
    require_uniforms(uniforms, names)
    rows_min = max(OBSERVATIONS_MIN, len(names) + 1)
    _require_table(uniforms, names, rows_min)
    _require_motion(uniforms, names)


def require_names(names: Sequence[str]) -> None:
    """Check that there are two assets at least, each with a name of its own.

    Raises
    ------
    UsageError
        If not.
    """
    if len(names) < 2:
        raise UsageError(f"a copula joins at least two assets, not {len(names)}.")
    for name in names:
        if list(names).count(name) > 1:
            raise UsageError(f"{name} is there twice; name each asset once.")


def require_count(count: int) -> None:
    """Check how many draws are wanted.

    Raises
    ------
    UsageError
        If there are none.
    """
    if count < 1:
        raise UsageError(f"{count} draws are wanted, must be at least 1.")


def inside(uniforms: FloatArray) -> FloatArray:
    """Return probabilities kept inside (0, 1)."""
    kept: FloatArray = np.clip(uniforms, EDGE, 1.0 - EDGE)
    return kept


def _mean_ranks(column: FloatArray) -> FloatArray:
    _, places, counts = np.unique(column, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: FloatArray = (last - (counts - 1) / 2.0)[places]
    return ranks


def _require_table(values: FloatArray, names: Sequence[str], rows_min: int) -> None:
    if values.ndim != 2 or values.shape[1] != len(names):
        raise DataError(f"the values have shape {values.shape}, must be (time, {len(names)}).")
    if len(values) < rows_min:
        raise DataError(
            f"there are {len(values)} observations of {len(names)} assets, at least {rows_min} are needed; choose a "
            "longer history or fewer assets."
        )


def _require_finite(values: FloatArray, names: Sequence[str]) -> None:
    is_bad = ~np.isfinite(values)
    if is_bad.any():
        row, column = np.argwhere(is_bad)[0]
        raise DataError(
            f"{names[column]}: value {row} is {values[row, column]}; fill the gap or leave it out."
        )


def _require_motion(values: FloatArray, names: Sequence[str]) -> None:
    still = np.flatnonzero(np.ptp(values, axis=0) == 0.0)
    if len(still):
        raise DataError(f"{names[still[0]]} does not move: all its values are equal; leave it out.")
