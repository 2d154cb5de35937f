"""The weights of best growth within caps: Newton's method on the growth and a logarithmic barrier at each cap.

Source: Nesterov and Nemirovskii (1994), "Interior-Point Polynomial Algorithms in Convex Programming"; Boyd and
Vandenberghe (2004), "Convex Optimization", chapters 9.6 and 11. A mean of logarithms and a quadratic function are
self-concordant, so that a step of 1 / (1 + decrement) never leaves the domain and always comes nearer, without a
line search. With m caps the growth is at most about m / sharpness below the best.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from trading.allocation.kelly.caps import Caps
from trading.errors import DataError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray

_GROWTH_TOLERANCE = 1e-11
_SHARPENING = 20.0
_ROUGH, _FINE = 0.25, 1e-3
"""Newton decrements at which a sharper barrier, or the end, is near enough."""
_ROUNDING = 1e-14
"""Added to the curvature, relative to its diagonal: assets that can replace each other have none between them."""
_STEPS_MAX = 5000
_ABSURD = 1e9
"""Weights so many times larger than safe ones are on their way to infinity."""


class Growth(Protocol):
    """A concave growth rate of weights."""

    @property
    def sharpness_min(self) -> float:
        """The least factor that makes the growth self-concordant."""

    @property
    def safe_gross(self) -> float:
        """A sum of absolute weights at which growth is finite."""

    def slopes(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return gradient (asset,) and curvature (asset, asset), the negative of the Hessian."""

    def restricted(self, columns: IntArray) -> Self:
        """Return the growth of these assets alone."""


@dataclass(frozen=True, slots=True, eq=False)
class _Room:
    """Where a point may be: `sides` @ point < `ends`.

    A point is the `count` weights, followed by an upper bound of the size of each where the gross is capped.
    """

    count: int
    sides: FloatArray
    ends: FloatArray


def grow_most(growth: Growth, caps: Caps, names: Sequence[str]) -> FloatArray:
    """Return the weights (asset,) of best growth within the caps.

    Raises
    ------
    UsageError
        If the caps are unfit.
    DataError
        If growth has no upper bound.
    """
    low, high = caps.bounds(names)
    movable = np.flatnonzero(low < high)
    weights = np.zeros(len(names))
    if len(movable):
        part = growth if len(movable) == len(names) else growth.restricted(movable)
        low, high = low[movable], high[movable]
        room = _room(low, high, caps.gross_max)
        start = _point_inside(low, high, min(caps.gross_max, part.safe_gross), room)
        weights[movable] = _climb(part, room, start)[: len(movable)]
    return caps.hold(weights, names)


def _room(low: FloatArray, high: FloatArray, gross_max: float) -> _Room:
    one = np.eye(low.size)
    has_high, has_low = np.isfinite(high), np.isfinite(low)
    sides = np.vstack([one[has_high], -one[has_low]])
    ends = np.concatenate([high[has_high], -low[has_low]])
    if np.isinf(gross_max):
        return _Room(low.size, sides, ends)
    sides = np.hstack([sides, np.zeros_like(sides)])
    sizes = np.block([[one, -one], [-one, -one]])
    total = np.repeat([[0.0, 1.0]], low.size, axis=1)
    ends = np.concatenate([ends, np.zeros(2 * low.size), [gross_max]])
    return _Room(low.size, np.vstack([sides, sizes, total]), ends)


def _point_inside(low: FloatArray, high: FloatArray, gross: float, room: _Room) -> FloatArray:
    """A point near to holding nothing: every weight at most a tenth of an equal share of `gross`."""
    near = 0.1 * gross / low.size
    weights = (np.clip(low, -near, near) + np.clip(high, -near, near)) / 2.0
    sizes = np.full(room.sides.shape[1] - low.size, 2.0 * near)
    return np.concatenate([weights, sizes])


def _climb(growth: Growth, room: _Room, point: FloatArray) -> FloatArray:
    sharpness, sharpness_end = growth.sharpness_min, max(len(room.ends), 1) / _GROWTH_TOLERANCE
    for _ in range(_STEPS_MAX):
        step, decrement = _newton_step(growth, room, point, sharpness)
        point = point + (step / (1.0 + decrement) if decrement > _ROUGH else step)
        if sharpness < sharpness_end and decrement <= _ROUGH:
            sharpness = min(sharpness * _SHARPENING, sharpness_end)
        elif decrement <= _FINE:
            return point
        if growth.safe_gross * np.abs(point).max() > _ABSURD:
            break
    raise DataError(
        "growth has no upper bound: some combination of the assets never lost in these returns; set caps "
        "or take a longer history."
    )


def _newton_step(
    growth: Growth, room: _Room, point: FloatArray, sharpness: float
) -> tuple[FloatArray, float]:
    """The step of Newton's method, and its length in the metric of the curvature (the decrement)."""
    slack = room.ends - room.sides @ point
    near = room.sides / slack[:, None]
    gradient, curvature = -near.sum(axis=0), near.T @ near
    weights = slice(room.count)
    upward, bend = growth.slopes(point[weights])
    gradient[weights] += sharpness * upward
    curvature[weights, weights] += sharpness * bend
    curvature[np.diag_indices_from(curvature)] *= 1.0 + _ROUNDING
    step: FloatArray = np.linalg.solve(curvature, gradient)
    return step, math.sqrt(max(float(gradient @ step), 0.0))
