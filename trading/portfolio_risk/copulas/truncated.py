"""Draws of normal and Student's t vectors between bounds, and of the rest of the vector given a part.

Gibbs sampling: each variable in turn is drawn from its distribution given the others, which is a normal one between
two bounds; Student's t is normal given its mixing variable, which is drawn in turn, too (Geweke 1991, "Efficient
Simulation from the Multivariate Normal and Student-t Distributions Subject to Linear Constraints"). Each draw is the
end of a chain of its own, so that draws do not depend on each other.
"""

import math

import numpy as np

from trading.indicators.rolling import FloatArray

_SWEEPS = 100
"""Until a chain has forgotten its start; a correlation of 0.95 forgets 10 % a sweep without bounds."""


def truncated_draws(
    start: FloatArray,
    bounds: FloatArray,
    correlation: FloatArray,
    degrees: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw vectors (count, variable) between bounds.

    Parameters
    ----------
    start : (count, variable)
        Between the bounds; drawn with each variable's own distribution. Variables whose bounds are equal stay.
    bounds : (2, variable)
        Low and high; infinite where there is none.
    correlation : (variable, variable)
    degrees : float
        Of freedom; infinite for the normal distribution.
    """
    free = np.flatnonzero(bounds[0] < bounds[1])
    if len(free) == 0 or len(correlation) == 1:
        return start
    draws = start.copy()
    precision = np.asarray(np.linalg.inv(correlation), dtype=np.float64)
    for _ in range(_SWEEPS):
        shrink = _mixing_roots(draws, precision, degrees, rng)
        for j in free:
            mean = draws[:, j] - draws @ precision[:, j] / precision[j, j]
            spread = shrink / math.sqrt(precision[j, j])
            low, high = (bounds[0, j] - mean) / spread, (bounds[1, j] - mean) / spread
            drawn = mean + spread * _truncated_normal(low, high, rng)
            draws[:, j] = np.clip(drawn, bounds[0, j], bounds[1, j])
    return draws


def rest_given(
    part: FloatArray,
    columns: list[int],
    correlation: FloatArray,
    degrees: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw the whole vector (count, variable) given a part of it (count, column).

    McNeil, Frey and Embrechts (2015), "Quantitative Risk Management", section 6.2 and 6.4: given a part, Student's t
    is one with more degrees of freedom and a scale that grows with the distance of the part from the centre.
    """
    others = [i for i in range(len(correlation)) if i not in columns]
    whole = np.empty((len(part), len(correlation)))
    whole[:, columns] = part
    if not others:
        return whole
    inner = np.linalg.inv(correlation[np.ix_(columns, columns)])
    precision = np.asarray(inner, dtype=np.float64)
    weights = precision @ correlation[np.ix_(columns, others)]
    remaining = correlation[np.ix_(others, others)] - correlation[np.ix_(others, columns)] @ weights
    noise = rng.standard_normal((len(part), len(others))) @ np.linalg.cholesky(remaining).T
    scale = _mixing_roots(part, precision, degrees, rng)
    whole[:, others] = part @ weights + noise * scale[:, None]
    return whole


def _mixing_roots(
    draws: FloatArray, precision: FloatArray, degrees: float, rng: np.random.Generator
) -> FloatArray:
    """Draw the factors (count,) that make Student's t of normal vectors, given the draws."""
    if math.isinf(degrees):
        return np.ones(len(draws))
    distance = np.einsum("ni,ij,nj->n", draws, precision, draws, optimize=True)
    chances = rng.chisquare(degrees + draws.shape[1], len(draws))
    return np.asarray(np.sqrt((degrees + distance) / chances), dtype=np.float64)


def _truncated_normal(low: FloatArray, high: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw standard normal values between bounds, in the lower half where probabilities are exact."""
    from scipy.special import ndtr, ndtri

    is_mirrored = low > 0.0
    below, above = np.where(is_mirrored, -high, low), np.where(is_mirrored, -low, high)
    chance, chance_above = ndtr(below), ndtr(above)
    draws = ndtri(chance_above - (chance_above - chance) * rng.random(len(low)))
    # So far out that the probability is 0 in floats, all of it is at the end nearest to the centre.
    draws = np.where(chance_above > 0.0, draws, above)
    return np.where(is_mirrored, -draws, draws)
