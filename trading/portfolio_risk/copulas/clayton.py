"""The Clayton copula: assets fall together, and rise apart.

C(u, v) = (u^-theta + v^-theta - 1)^(-1/theta). Clayton (1978), Biometrika 65; Joe (2014), section 4.6.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray


@dataclass(frozen=True, slots=True)
class Clayton:
    """Made with `parameter` above 0.

    Raises
    ------
    UsageError
        If the parameter is out of range.
    """

    name: ClassVar[str] = "clayton"
    parameter: float

    def __post_init__(self) -> None:
        if not 0.0 < self.parameter < np.inf:
            raise UsageError(f"the parameter of Clayton is {self.parameter}, must be above 0.")

    @classmethod
    def of_tau(cls, tau: float) -> Self:
        return cls(2.0 * tau / (1.0 - tau))

    @property
    def tau(self) -> float:
        return self.parameter / (self.parameter + 2.0)

    @property
    def lower_tail(self) -> float:
        return float(2.0 ** (-1.0 / self.parameter))

    @property
    def upper_tail(self) -> float:
        return 0.0

    def cdf(self, u: FloatArray, v: FloatArray) -> FloatArray:
        return np.exp(-self._log_sum(u, v) / self.parameter)

    def log_density(self, u: FloatArray, v: FloatArray) -> FloatArray:
        theta = self.parameter
        ends = (1.0 + theta) * (np.log(u) + np.log(v))
        densities: FloatArray = np.log1p(theta) - ends - (2.0 + 1.0 / theta) * self._log_sum(u, v)
        return densities

    def conditional(self, v: FloatArray, u: FloatArray) -> FloatArray:
        theta = self.parameter
        return np.exp(-(1.0 + theta) * np.log(u) - (1.0 + 1.0 / theta) * self._log_sum(u, v))

    def conditional_quantile(self, p: FloatArray, u: FloatArray) -> FloatArray:
        theta = self.parameter
        growth = np.log(np.expm1(-theta / (1.0 + theta) * np.log(p)))
        return np.exp(-np.logaddexp(0.0, growth - theta * np.log(u)) / theta)

    def _log_sum(self, u: FloatArray, v: FloatArray) -> FloatArray:
        """Return log(u^-theta + v^-theta - 1), which a power could overflow."""
        a, b = -self.parameter * np.log(u), -self.parameter * np.log(v)
        larger, smaller = np.maximum(a, b), np.minimum(a, b)
        log_sum: FloatArray = larger + np.log1p(-np.exp(smaller - larger) * np.expm1(-smaller))
        return log_sum
