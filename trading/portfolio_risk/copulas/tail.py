"""Tail dependence as it is seen in data or draws, at a level above 0."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.copulas.copula import TailDependence
from trading.portfolio_risk.copulas.uniforms import require_uniforms


def tail_concentration(uniforms: FloatArray, names: Sequence[str], level: float) -> TailDependence:
    """Return how often the other asset is in its tail, too, when one is.

    Joe (2014), section 2.13. As the level goes to 0 this goes to the tail dependence; with few observations in the
    tail it is noise.

    Parameters
    ----------
    uniforms : (time, asset)
    level : float
        Share of observations in the tail, such as 0.05; at most 0.5.

    Raises
    ------
    DataError
        If a value is not inside (0, 1).
    UsageError
        If the level is out of range.
    """
    if not 0.0 < level <= 0.5:
        raise UsageError(f"the level is {level}, must be between 0 and 0.5, such as 0.05.")
    require_uniforms(uniforms, names)
    return TailDependence(_together(uniforms <= level), _together(uniforms > 1.0 - level))


def _together(is_extreme: NDArray[np.bool_]) -> FloatArray:
    """Return the mean of both shares P(both) / P(one); not a number where neither is ever extreme."""
    extremes = is_extreme.astype(np.float64)
    counts = np.diag(extremes.T @ extremes)
    pairs = 0.5 * (counts[:, None] + counts[None, :])
    unknown = np.full_like(pairs, np.nan)
    return np.divide(extremes.T @ extremes, pairs, out=unknown, where=pairs > 0.0)
