"""The t copula of any number of assets: extremes come together, up and down alike."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.copulas import elliptical
from trading.portfolio_risk.copulas.conditions import Interval
from trading.portfolio_risk.copulas.copula import TailDependence
from trading.portfolio_risk.copulas.kendall import (
    correlation_of_tau,
    kendall_tau,
    tau_of_correlation,
)
from trading.portfolio_risk.copulas.uniforms import require_sample, require_uniforms

_DEGREES_RANGE = 1.0, 200.0
"""Of fits: beyond them lies a copula without moments, and one that is Gaussian for every purpose."""


@dataclass(frozen=True, slots=True)
class StudentCopula:
    """The copula of Student's t vectors.

    Attributes
    ----------
    correlation : (asset, asset)
    degrees : float
        Of freedom; the fewer, the more extremes come together.

    Raises
    ------
    UsageError
        If there are fewer than two assets, a name repeats, or the degrees of freedom are not above 0.
    DataError
        If the correlation is none, or singular.
    """

    family: ClassVar[str] = "student"
    correlation: FloatArray
    degrees: float
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        elliptical.require_correlation(self.correlation, self.names)
        if not 0.0 < self.degrees < math.inf:
            raise UsageError(
                f"the t copula has {self.degrees} degrees of freedom, must be above 0."
            )

    @property
    def parameter_count(self) -> int:
        return len(self.names) * (len(self.names) - 1) // 2 + 1

    def kendall_tau(self) -> FloatArray:
        """Return Kendall's tau (asset, asset)."""
        return tau_of_correlation(self.correlation)

    def log_density(self, uniforms: FloatArray) -> FloatArray:
        """Return the log-density (time,) at uniforms (time, asset).

        Raises
        ------
        DataError
            If a value is not inside (0, 1).
        """
        require_uniforms(uniforms, self.names)
        factor = np.asarray(np.linalg.cholesky(self.correlation), dtype=np.float64)
        return _log_density(uniforms, factor, self.degrees)

    def tail_dependence(self) -> TailDependence:
        """Return lower and upper tail dependence (asset, asset), which are equal.

        Demarta and McNeil (2005), "The t Copula and Related Copulas", International Statistical Review 73.
        """
        from scipy.special import stdtr

        correlation = np.clip(self.correlation, -1.0, 1.0)
        ratio = (1.0 - correlation) / (1.0 + correlation)
        tail = 2.0 * stdtr(self.degrees + 1.0, -np.sqrt((self.degrees + 1.0) * ratio))
        return TailDependence(tail, tail.copy())

    def sample(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw uniforms (count, asset)."""
        return elliptical.drawn(self.correlation, self.degrees, count, rng)

    def sample_given(
        self, conditions: Mapping[str, Interval], count: int, rng: np.random.Generator
    ) -> FloatArray:
        """Draw uniforms (count, asset) of all assets, given where some of them are.

        Raises
        ------
        UsageError
            If a condition is of another asset.
        """
        return elliptical.drawn_given(
            conditions, self.names, self.correlation, self.degrees, count, rng
        )


def fit_student(uniforms: FloatArray, names: Sequence[str]) -> StudentCopula:
    """Fit the correlation by inversion of Kendall's tau, then the degrees of freedom by maximum likelihood.

    McNeil, Frey and Embrechts (2015), "Quantitative Risk Management", section 7.6.

    Parameters
    ----------
    uniforms : (time, asset)

    Raises
    ------
    UsageError
        If there are fewer than two assets, or a name repeats.
    DataError
        If the uniforms are unfit.
    """
    from scipy.optimize import minimize_scalar

    require_sample(uniforms, names)
    correlation = elliptical.invertible(correlation_of_tau(kendall_tau(uniforms)))
    factor = np.asarray(np.linalg.cholesky(correlation), dtype=np.float64)

    def cost(log_degrees: float) -> float:
        return -float(np.sum(_log_density(uniforms, factor, math.exp(log_degrees))))

    bounds = math.log(_DEGREES_RANGE[0]), math.log(_DEGREES_RANGE[1])
    found = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return StudentCopula(correlation, math.exp(float(found.x)), tuple(names))


def _log_density(uniforms: FloatArray, factor: FloatArray, degrees: float) -> FloatArray:
    """Return the log-density for a lower Cholesky factor of the correlation."""
    scores = elliptical.quantile(uniforms, degrees)
    assets = len(factor)
    distance = np.sum(np.linalg.solve(factor, scores.T) ** 2, axis=0)
    joint = 0.5 * (degrees + assets) * np.log1p(distance / degrees)
    margins = 0.5 * (degrees + 1.0) * np.sum(np.log1p(scores**2 / degrees), axis=1)
    constant = (
        math.lgamma(0.5 * (degrees + assets))
        + (assets - 1) * math.lgamma(0.5 * degrees)
        - assets * math.lgamma(0.5 * (degrees + 1.0))
    )
    return np.asarray(
        constant - float(np.sum(np.log(np.diag(factor)))) - joint + margins, dtype=np.float64
    )
