"""The Gaussian copula of any number of assets: no tail dependence, however high the correlation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.copulas import elliptical
from trading.portfolio_risk.copulas.conditions import Interval
from trading.portfolio_risk.copulas.copula import TailDependence
from trading.portfolio_risk.copulas.kendall import tau_of_correlation
from trading.portfolio_risk.copulas.uniforms import require_sample, require_uniforms

_DEGREES = float("inf")


@dataclass(frozen=True, slots=True)
class GaussianCopula:
    """The copula of normal vectors.

    Attributes
    ----------
    correlation : (asset, asset)

    Raises
    ------
    UsageError
        If there are fewer than two assets, or a name repeats.
    DataError
        If the correlation is none, or singular.
    """

    family: ClassVar[str] = "gaussian"
    correlation: FloatArray
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        elliptical.require_correlation(self.correlation, self.names)

    @property
    def parameter_count(self) -> int:
        return len(self.names) * (len(self.names) - 1) // 2

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
        scores = elliptical.quantile(uniforms, _DEGREES)
        factor = np.linalg.cholesky(self.correlation)
        whitened = np.linalg.solve(factor, scores.T)
        distance = np.sum(whitened**2, axis=0) - np.sum(scores**2, axis=1)
        return np.asarray(-0.5 * distance - np.sum(np.log(np.diag(factor))), dtype=np.float64)

    def tail_dependence(self) -> TailDependence:
        """Return lower and upper tail dependence (asset, asset): none (Sibuya 1960)."""
        return TailDependence(np.eye(len(self.names)), np.eye(len(self.names)))

    def sample(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw uniforms (count, asset)."""
        return elliptical.drawn(self.correlation, _DEGREES, count, rng)

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
            conditions, self.names, self.correlation, _DEGREES, count, rng
        )


def fit_gaussian(uniforms: FloatArray, names: Sequence[str]) -> GaussianCopula:
    """Fit by the correlation of normal scores, which is close to the likeliest.

    McNeil, Frey and Embrechts (2015), "Quantitative Risk Management", section 7.6.2, who point out that the exact
    maximum over correlations of many assets is costly and differs little.

    Parameters
    ----------
    uniforms : (time, asset)

    Raises
    ------
    UsageError
        If there are fewer than two assets, or a name repeats.
    DataError
        If the uniforms are unfit, or some assets are combinations of others.
    """
    require_sample(uniforms, names)
    scores = elliptical.quantile(uniforms, _DEGREES)
    moments = scores.T @ scores / len(scores)
    scale = np.sqrt(np.diag(moments))
    correlation = moments / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    return GaussianCopula(correlation, tuple(names))
