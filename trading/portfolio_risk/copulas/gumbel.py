"""The Gumbel copula: assets rise together more than they fall together.

C(u, v) = exp(-s), s = (x^theta + y^theta)^(1/theta), x = -log u, y = -log v. Gumbel (1960); Joe (2014), section
4.8.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray


@dataclass(frozen=True, slots=True)
class Gumbel:
    """Made with `parameter` above 1.

    Raises
    ------
    UsageError
        If the parameter is out of range.
    """

    name: ClassVar[str] = "gumbel"
    parameter: float

    def __post_init__(self) -> None:
        if not 1.0 < self.parameter < np.inf:
            raise UsageError(f"the parameter of Gumbel is {self.parameter}, must be above 1.")

    @classmethod
    def of_tau(cls, tau: float) -> Self:
        return cls(1.0 / (1.0 - tau))

    @property
    def tau(self) -> float:
        return 1.0 - 1.0 / self.parameter

    @property
    def lower_tail(self) -> float:
        return 0.0

    @property
    def upper_tail(self) -> float:
        return float(2.0 - 2.0 ** (1.0 / self.parameter))

    def cdf(self, u: FloatArray, v: FloatArray) -> FloatArray:
        return np.exp(-np.exp(self._log_norm(-np.log(u), -np.log(v))))

    def log_density(self, u: FloatArray, v: FloatArray) -> FloatArray:
        theta = self.parameter
        x, y = -np.log(u), -np.log(v)
        log_norm = self._log_norm(x, y)
        norm = np.exp(log_norm)
        ends: FloatArray = x + y + (theta - 1.0) * (np.log(x) + np.log(y))
        return ends - norm + (1.0 - 2.0 * theta) * log_norm + np.log(norm + theta - 1.0)

    def conditional(self, v: FloatArray, u: FloatArray) -> FloatArray:
        x = -np.log(u)
        log_norm = self._log_norm(x, -np.log(v))
        return np.exp(x - np.exp(log_norm) - (self.parameter - 1.0) * (log_norm - np.log(x)))

    def conditional_quantile(self, p: FloatArray, u: FloatArray) -> FloatArray:
        """Return the quantile: s + (theta - 1) log s is known, which Wright's omega function solves for s."""
        from scipy.special import wrightomega

        theta = self.parameter
        x = -np.log(u)
        known = (x - np.log(p)) / (theta - 1.0) + np.log(x) - np.log(theta - 1.0)
        norm = (theta - 1.0) * np.asarray(wrightomega(known), dtype=np.float64)
        ratio = np.maximum(np.log(norm) - np.log(x), 0.0)
        uniforms: FloatArray = np.exp(-x * np.expm1(theta * ratio) ** (1.0 / theta))
        return uniforms

    def _log_norm(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return log s."""
        theta = self.parameter
        log_norm: FloatArray = np.logaddexp(theta * np.log(x), theta * np.log(y)) / theta
        return log_norm
