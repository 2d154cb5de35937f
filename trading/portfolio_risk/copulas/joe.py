"""The Joe copula: assets rise together, more tightly than with Gumbel, and fall apart.

C(u, v) = 1 - d^(1/theta), d = a + b - a b, a = (1 - u)^theta, b = (1 - v)^theta. Joe (1993), Journal of Multivariate
Analysis 46; Joe (2014), section 4.7.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.copulas.bisection import increasing_root
from trading.portfolio_risk.copulas.uniforms import inside

_TAU_OF_2 = 2.0 - np.pi**2 / 6.0
"""Where the formula of Kendall's tau has the form 0 / 0."""
_PARAMETER_MAX = 1e4


@dataclass(frozen=True, slots=True)
class Joe:
    """Made with `parameter` above 1.

    Raises
    ------
    UsageError
        If the parameter is out of range.
    """

    name: ClassVar[str] = "joe"
    parameter: float

    def __post_init__(self) -> None:
        if not 1.0 < self.parameter < np.inf:
            raise UsageError(f"the parameter of Joe is {self.parameter}, must be above 1.")

    @classmethod
    def of_tau(cls, tau: float) -> Self:
        from scipy.optimize import brentq

        return cls(float(brentq(lambda theta: _tau_of(theta) - tau, 1.0, _PARAMETER_MAX)))

    @property
    def tau(self) -> float:
        return _tau_of(self.parameter)

    @property
    def lower_tail(self) -> float:
        return 0.0

    @property
    def upper_tail(self) -> float:
        return float(2.0 - 2.0 ** (1.0 / self.parameter))

    def cdf(self, u: FloatArray, v: FloatArray) -> FloatArray:
        return -np.expm1(self._log_d(np.log1p(-u), np.log1p(-v)) / self.parameter)

    def log_density(self, u: FloatArray, v: FloatArray) -> FloatArray:
        theta = self.parameter
        x, y = np.log1p(-u), np.log1p(-v)
        log_d = self._log_d(x, y)
        ends = (theta - 1.0) * (x + y) + (1.0 / theta - 2.0) * log_d
        return ends + np.log(theta - 1.0 + np.exp(log_d))

    def conditional(self, v: FloatArray, u: FloatArray) -> FloatArray:
        theta = self.parameter
        x, y = np.log1p(-u), np.log1p(-v)
        power = (theta - 1.0) * x + (1.0 / theta - 1.0) * self._log_d(x, y)
        return -np.exp(power) * np.expm1(theta * y)

    def conditional_quantile(self, p: FloatArray, u: FloatArray) -> FloatArray:
        """Return the quantile, which has no closed form."""
        return increasing_root(lambda v: self.conditional(inside(v), u), p)

    def _log_d(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return log d of x = log(1 - u) and y = log(1 - v), without cancellation in either tail."""
        a, b = self.parameter * x, self.parameter * y
        product = np.expm1(a) * np.expm1(b)
        lower = np.log1p(-np.minimum(product, 0.5))
        return np.where(product < 0.5, lower, np.logaddexp(a, b + np.log(-np.expm1(a))))


def _tau_of(theta: float) -> float:
    from scipy.special import digamma

    if abs(theta - 2.0) < 1e-6:
        return float(_TAU_OF_2)
    return float(1.0 + 2.0 / (2.0 - theta) * (digamma(2.0) - digamma(2.0 / theta + 1.0)))
