"""Conditions of a stress test: where in its distribution an asset is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray


@dataclass(frozen=True, slots=True)
class Interval:
    """Probabilities between which an asset's quantile lies; made by `at`, `below` and `above`, too.

    Raises
    ------
    UsageError
        If `low` is above `high`, or they do not hold a quantile inside (0, 1).
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.low <= self.high <= 1.0 and self.low < 1.0 and self.high > 0.0):
            raise UsageError(
                f"an asset cannot be between the quantiles {self.low} and {self.high}; give two ascending "
                "probabilities between 0 and 1, such as 0 and 0.05."
            )

    @property
    def is_point(self) -> bool:
        return self.low == self.high

    def flipped(self) -> "Interval":
        """Return where one minus the variable is."""
        return Interval(1.0 - self.high, 1.0 - self.low)

    def drawn(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw uniform values inside."""
        if self.is_point:
            return np.full(count, self.low)
        return self.low + (self.high - self.low) * rng.random(count)

    def holds(self, uniforms: FloatArray) -> NDArray[np.bool_]:
        """Whether each value is inside, the ends included."""
        return (uniforms >= self.low) & (uniforms <= self.high)


def at(quantile: float) -> Interval:
    """Return the condition that an asset is at this quantile, such as 0.01.

    Raises
    ------
    UsageError
        If `quantile` is not between 0 and 1.
    """
    return Interval(quantile, quantile)


def below(quantile: float) -> Interval:
    """Return the condition that an asset is at this quantile or below it.

    Raises
    ------
    UsageError
        If `quantile` is not between 0 and 1.
    """
    return Interval(0.0, quantile)


def above(quantile: float) -> Interval:
    """Return the condition that an asset is at this quantile or above it.

    Raises
    ------
    UsageError
        If `quantile` is not between 0 and 1.
    """
    return Interval(quantile, 1.0)


def by_column(conditions: Mapping[str, Interval], names: Sequence[str]) -> dict[int, Interval]:
    """Return the conditions by the column of their asset, ascending.

    Raises
    ------
    UsageError
        If there is none, or one of an asset that is not in `names`.
    """
    if not conditions:
        raise UsageError("there is no condition; name at least one asset and its quantile.")
    for name in conditions:
        if name not in names:
            raise UsageError(f"{name} is not in the copula, which has {', '.join(names)}.")
    return {i: conditions[name] for i, name in enumerate(names) if name in conditions}
