"""A curve of zero rates: what money at a later day is worth today."""

from dataclasses import dataclass

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ZeroCurve:
    """Zero rates, linear between the knots and flat beyond the first and the last.

    Attributes
    ----------
    years : (knot,)
        Rising, from 0 or later.
    rates : (knot,)
        Continuously compounded, fraction per year.

    Raises
    ------
    DataError
        If there is no knot, the shapes differ, a number is not finite, or the times do not rise from 0.
    """

    years: FloatArray
    rates: FloatArray

    def __post_init__(self) -> None:
        if self.years.ndim != 1 or self.years.shape != self.rates.shape or not self.years.size:
            raise DataError("A zero curve needs one rate for each time, and at least one of them.")
        if not (np.isfinite(self.years).all() and np.isfinite(self.rates).all()):
            raise DataError("A zero curve must hold finite numbers.")
        if self.years[0] < 0.0 or (np.diff(self.years) <= 0.0).any():
            raise DataError("The times of a zero curve must rise from 0 or later.")

    def discount(self, years: FloatArray) -> FloatArray:
        """Return today's value of 1.00 of money at each of `years`."""
        value: FloatArray = np.exp(-np.interp(years, self.years, self.rates) * years)
        return value

    def knot_weights(self, years: FloatArray) -> FloatArray:
        """Return how much each knot counts in the rate at each of `years`: (time, knot), rows sum to 1."""
        unit = np.eye(self.years.size)
        return np.stack([np.interp(years, self.years, row) for row in unit], axis=1)

    def shifted(self, change: float | FloatArray) -> "ZeroCurve":
        """Return the curve with `change` (fraction per year) added to all rates, or to each its own."""
        return ZeroCurve(self.years, self.rates + change)
