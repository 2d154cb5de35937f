"""Reverse stress: the most probable move of the factors that loses a given amount.

Among all moves x that lose X, the most probable one under a normal distribution with mean 0 and covariance S has
the smallest Mahalanobis distance d = sqrt(x' S^-1 x). If the loss is linear, loss(x) = -a'x for exposures a:

    x = -X S a / (a' S a),    d = X / sqrt(a' S a)

Sources: Kopeliovich, Novosyolov, Satchkov and Schachter (2015), "Robust Risk Estimation and Hedging: A Reverse
Stress Testing Approach", Journal of Derivatives 22(4); the nearest point of a curved surface is the design point of Hasofer
and Lind (1974), Journal of the Engineering Mechanics Division 100.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from numpy.random import Generator

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_covariance, require_exposures

LossFunction = Callable[[FloatArray], float]
"""Moves of the factors (fractions) to the loss of the portfolio (money, positive)."""

_STEPS = 400
_LOSS_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class ReverseStress:
    """The most probable way to lose so much.

    Attributes
    ----------
    factors : tuple of str
    moves : (factor,)
        Fractions.
    loss : float
        What they lose (money).
    distance : float
        Mahalanobis distance: how many standard deviations away, in the direction of the moves.
    probability : float
        Of a loss of this size or more over the horizon of the covariance, were moves normal: exact for a
        linear portfolio, else the first-order estimate. Real tails are fatter.
    """

    factors: tuple[str, ...]
    moves: FloatArray
    loss: float
    distance: float
    probability: float


def reverse_stress(
    exposures: FloatArray, covariance: FloatArray, factors: Sequence[str], loss: float
) -> ReverseStress:
    """Return the most probable moves that lose `loss`, for a linear portfolio, in closed form.

    Parameters
    ----------
    exposures : (factor,)
        Gain per move of 1.00 of the factor (money).
    covariance : (factor, factor)
        Of the moves over the horizon of interest (fractions squared).
    loss : float
        Money (> 0).

    Raises
    ------
    DataError
        If a shape is wrong, the covariance is singular, or nothing is exposed to any factor.
    UsageError
        If the loss is not a positive number.
    """
    require_exposures(exposures, factors)
    require_covariance(covariance, factors)
    _require_loss(loss)
    variance = float(exposures @ covariance @ exposures)
    if variance <= 0.0:
        raise DataError("nothing is exposed to any of the factors; no move of them loses anything.")
    moves = -loss * (covariance @ exposures) / variance
    return _found(factors, moves, float(-exposures @ moves), loss / sqrt(variance))


def reverse_stress_curved(
    loss_of: LossFunction,
    covariance: FloatArray,
    factors: Sequence[str],
    loss: float,
    generator: Generator,
    directions: int = 50,
    distance_max: float = 20.0,
) -> ReverseStress:
    """Return the most probable moves that lose `loss`, for any continuous loss function, by search.

    Along both sides of every factor, down the slope at rest and along random directions, the first point that loses
    so much is found, then moved along the surface of equal loss as near as it can get. From all of them, because
    the nearest to begin with need not end nearest. The search is thorough, not a proof: a loss that hides in a
    narrow corner can be missed.

    Parameters
    ----------
    loss_of : function
        Moves (factor,) as fractions to the loss (money); a loss without moves of 0 is expected, not required.
    directions : int
        Number of random directions (>= 0).
    distance_max : float
        How far to look, in standard deviations.

    Raises
    ------
    DataError
        If the covariance is singular, or nothing within `distance_max` loses so much.
    UsageError
        If the loss is not a positive number.
    """
    require_covariance(covariance, factors)
    _require_loss(loss)
    root = np.linalg.cholesky(covariance)

    def excess(point: FloatArray) -> float:
        return float(loss_of(root @ point)) / loss - 1.0

    starts = [
        start
        for direction in _directions(excess, len(factors), generator, directions)
        if (start := _crossing(excess, direction, distance_max)) is not None
    ]
    if not starts:
        raise DataError(
            f"no move of the factors within {distance_max:g} standard deviations was found to lose {loss:g}."
        )
    ends = [_nearest(excess, start) for start in starts]
    best = min(ends, key=lambda end: float(end @ end))
    moves = root @ best
    return _found(factors, moves, float(loss_of(moves)), float(np.linalg.norm(best)))


def _directions(
    excess: Callable[[FloatArray], float], size: int, generator: Generator, count: int
) -> Iterator[FloatArray]:
    """Unit vectors to look along."""
    axes = np.eye(size)
    slope = np.array([excess(1e-3 * axis) - excess(-1e-3 * axis) for axis in axes])
    candidates = [slope, *axes, *-axes, *generator.standard_normal((count, size))]
    for candidate in candidates:
        length = float(np.linalg.norm(candidate))
        if isfinite(length) and length > 0.0:
            yield candidate / length


def _crossing(
    excess: Callable[[FloatArray], float], direction: FloatArray, distance_max: float
) -> FloatArray | None:
    """First point along a direction that loses enough."""
    from scipy.optimize import brentq

    below = 0.0
    for above in np.linspace(0.0, distance_max, _STEPS + 1)[1:]:
        if excess(above * direction) >= 0.0:
            if excess(below * direction) >= 0.0:
                return below * direction
            at = brentq(lambda length: excess(length * direction), below, above, xtol=1e-12)
            return float(at) * direction
        below = float(above)
    return None


def _nearest(excess: Callable[[FloatArray], float], start: FloatArray) -> FloatArray:
    """Nearest point to the origin on the surface, downhill from `start`; `start` where that fails."""
    from scipy.optimize import minimize

    found = minimize(
        lambda point: float(point @ point),
        start,
        jac=lambda point: 2.0 * point,
        constraints=[{"type": "ineq", "fun": excess}],
        method="SLSQP",
        options={"maxiter": 200, "ftol": 1e-12},
    )
    end: FloatArray = found.x
    is_better = np.isfinite(end).all() and float(end @ end) < float(start @ start)
    return end if is_better and excess(end) >= -_LOSS_TOLERANCE else start


def _require_loss(loss: float) -> None:
    if not (isfinite(loss) and loss > 0.0):
        raise UsageError(f"the loss to look for is {loss}, must be a positive amount.")


def _found(
    factors: Sequence[str], moves: FloatArray, loss: float, distance: float
) -> ReverseStress:
    from scipy.stats import norm

    return ReverseStress(tuple(factors), moves, loss, distance, float(norm.sf(distance)))
