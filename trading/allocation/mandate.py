"""What the weights of a portfolio must satisfy: a budget, and bounds for each asset."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray

_SOLVER_NOISE = 1e-6
"""A weight so near a bound or 0 lies on it: solvers stop that far away."""
_ROUNDING = 1e-9
"""Of a sum of bounds, relative."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mandate:
    """Bounds of the weights, as fractions of the capital.

    Attributes
    ----------
    weight_min, weight_max : float or (asset,)
        Of each asset; a negative minimum allows short positions.
    budget : float
        Sum of all weights (1 invests everything, 0 is market neutral), never negative.
    """

    weight_min: float | FloatArray = 0.0
    weight_max: float | FloatArray = 1.0
    budget: float = 1.0

    def bounds(self, names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Return the least and the largest weight of each asset: (asset,) each.

        Raises
        ------
        UsageError
            If a bound or the budget is not usable.
        DataError
            If no weights within the bounds sum to the budget.
        """
        low, high = (self._per_asset(name, len(names)) for name in ("weight_min", "weight_max"))
        crossed = np.flatnonzero(low > high)
        if len(crossed):
            first = crossed[0]
            raise UsageError(
                f"{names[first]}: weight_min {low[first]} is above weight_max {high[first]}."
            )
        if not (np.isfinite(self.budget) and self.budget >= 0.0):
            raise UsageError(f"The budget must be a number, 0 or more, got {self.budget}.")
        rounding = _ROUNDING * self.budget
        if not low.sum() - rounding <= self.budget <= high.sum() + rounding:
            raise DataError(
                f"Weights of {len(names)} assets within their bounds sum to between {low.sum():g} and "
                f"{high.sum():g}, never to the budget {self.budget:g}; widen the bounds or add assets."
            )
        return low, high

    def _per_asset(self, name: str, count: int) -> FloatArray:
        given = np.asarray(getattr(self, name), dtype=np.float64)
        if given.shape not in ((), (count,)) or not np.isfinite(given).all():
            raise UsageError(f"{name} must be a finite number, or one for each of {count} assets.")
        return np.broadcast_to(given, (count,))


def onto_bounds(
    weights: FloatArray, low: FloatArray, high: FloatArray, budget: float
) -> FloatArray:
    """Return a solver's weights without its noise: within the bounds, with the budget as their sum.

    What is missing goes to the asset with the most room, among those that are held.
    """
    exact = weights.copy()
    for place in (np.zeros(low.size), low, high):
        exact = np.where(np.abs(exact - place) < _SOLVER_NOISE, place, exact)
    exact = np.clip(exact, low, high)
    for _ in range(exact.size):
        missing = budget - exact.sum()
        room = (high - exact) if missing > 0.0 else (exact - low)
        widest = int(np.argmax(np.where(exact != 0.0, room, room * _SOLVER_NOISE)))
        change = np.copysign(min(abs(missing), room[widest]), missing)
        exact[widest] += change
        if change == missing:
            break
    return exact
