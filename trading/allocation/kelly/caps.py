"""Upper limits of weights. To hold nothing is always allowed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray

_SOLVER_NOISE = 1e-9
"""A weight so near a bound or 0 lies on it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Caps:
    """Limits of the weights, as fractions of the capital.

    Attributes
    ----------
    weight_min : float or (asset,)
        At most 0; 0 forbids short positions, minus infinity does not limit them.
    weight_max : float or (asset,)
        At least 0; infinity is no limit.
    gross_max : float
        Of the sum of the absolute weights (> 0); 1 forbids borrowing.
    """

    weight_min: float | FloatArray = -np.inf
    weight_max: float | FloatArray = np.inf
    gross_max: float = np.inf

    def bounds(self, names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Return the least and the largest weight of each asset: (asset,) each.

        Raises
        ------
        UsageError
            If a limit does not allow a weight of 0, is not a number, or there are not as many as assets.
        """
        low, high = (self._per_asset(name, len(names)) for name in ("weight_min", "weight_max"))
        wrong = np.flatnonzero(~((low <= 0.0) & (high >= 0.0)))
        if len(wrong):
            first = wrong[0]
            raise UsageError(
                f"{names[first]}: weight_min {low[first]} must be at most 0 and weight_max {high[first]} at "
                "least 0, so that nothing need be held."
            )
        if not self.gross_max > 0.0:
            raise UsageError(f"gross_max is {self.gross_max}, must be above 0.")
        return low, high

    @property
    def is_open(self) -> bool:
        """Whether nothing is limited at all."""
        return bool(
            np.all(np.isneginf(self.weight_min))
            and np.all(np.isposinf(self.weight_max))
            and np.isposinf(self.gross_max)
        )

    def scaled(self, factor: float) -> "Caps":
        """Return the limits of weights that are multiplied by 1 / `factor` (> 0) before they are held."""
        return Caps(
            weight_min=np.multiply(self.weight_min, factor),
            weight_max=np.multiply(self.weight_max, factor),
            gross_max=self.gross_max * factor,
        )

    def hold(self, weights: FloatArray, names: Sequence[str]) -> FloatArray:
        """Return weights of a solver without its noise: every limit holds, up to rounding."""
        held = np.array(weights)
        low, high = self.bounds(names)
        for place in (np.zeros(held.size), low, high):
            held = np.where(np.abs(held - place) < _SOLVER_NOISE, place, held)
        held = np.clip(held, low, high)
        gross = float(np.abs(held).sum())
        return held * (self.gross_max / gross) if gross > self.gross_max else held

    def _per_asset(self, name: str, count: int) -> FloatArray:
        given = np.asarray(getattr(self, name), dtype=np.float64)
        if given.shape not in ((), (count,)):
            raise UsageError(f"{name} must be a number, or one for each of {count} assets.")
        return np.broadcast_to(given, (count,))


NO_CAPS = Caps()
