"""Distributions of the returns of all assets in one bar, to draw from.

A drawn return below -1 is taken as -1: nothing loses more than all of it.

Normal and Student's t draw whole matrices at the place of the model. A generator of numpy makes the same draws
whatever the place, carried there; one that draws at the place itself (`cupy.random.Generator` does) saves the
way. A copula with margins draws on the host.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_covariance, require_returns
from trading.portfolio_risk.place import HOST, Array, Place

DEGREES_MAX = 200.0
"""Beyond it Student's t is normal for every purpose."""


class Draws(Protocol):
    """A generator of independent draws; `numpy.random.Generator` is one."""

    def standard_normal(self, size: tuple[int, int]) -> Array: ...

    def chisquare(self, df: float, size: tuple[int, int]) -> Array: ...


class ReturnModel(Protocol):
    """Draws the returns of one bar."""

    @property
    def name(self) -> str:
        """What an estimate calls it."""

    @property
    def place(self) -> Place:
        """Where its draws are."""

    @property
    def assets(self) -> int:
        """How many."""

    def drawn(self, count: int, rng: np.random.Generator) -> Array:
        """Draw simple returns (count, asset), none below -1."""


class Dependence(Protocol):
    """A copula."""

    def sample(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw uniform values (count, asset)."""


class Margin(Protocol):
    """The distribution of one asset's return."""

    def quantile(self, u: FloatArray) -> FloatArray:
        """Return the returns at these probabilities."""


@dataclass(frozen=True, slots=True)
class Normal:
    """Multivariate normal; made by `normal_model`.

    Attributes
    ----------
    mean : (asset,)
    factor : (asset, asset)
        Upper Cholesky factor of the covariance.
    """

    name: ClassVar[str] = "normal"
    mean: Array
    factor: Array
    place: Place = HOST

    @property
    def assets(self) -> int:
        return int(self.mean.shape[0])

    def drawn(self, count: int, rng: Draws) -> Array:
        draws = self.place.array(rng.standard_normal((count, self.assets)))
        return self.place.xp.clip(draws @ self.factor + self.mean, -1.0, None)


@dataclass(frozen=True, slots=True)
class Student:
    """Multivariate Student's t; made by `student_model`.

    Attributes
    ----------
    mean : (asset,)
    factor : (asset, asset)
        Upper Cholesky factor of the covariance times `degrees` - 2.
    degrees : float
        Above 2.
    """

    name: ClassVar[str] = "student"
    mean: Array
    factor: Array
    degrees: float
    place: Place = HOST

    @property
    def assets(self) -> int:
        return int(self.mean.shape[0])

    def drawn(self, count: int, rng: Draws) -> Array:
        draws = self.place.array(rng.standard_normal((count, self.assets)))
        mixing = self.place.array(rng.chisquare(self.degrees, (count, 1)))
        spread = (draws @ self.factor) / self.place.xp.sqrt(mixing)
        return self.place.xp.clip(spread + self.mean, -1.0, None)


@dataclass(frozen=True, slots=True)
class Joint:
    """Any copula with any margins, one for each asset.

    Attributes
    ----------
    name : str
        For example `clayton`.
    """

    name: str
    dependence: Dependence
    margins: Sequence[Margin]
    place: Place = HOST

    @property
    def assets(self) -> int:
        return len(self.margins)

    def drawn(self, count: int, rng: np.random.Generator) -> Array:
        uniforms = self.dependence.sample(count, rng)
        if uniforms.shape != (count, self.assets):
            raise UsageError(
                f"the copula {self.name} drew shape {uniforms.shape}, must be ({count}, {self.assets}); give as many "
                "margins as it has assets."
            )
        columns = [margin.quantile(uniforms[:, i]) for i, margin in enumerate(self.margins)]
        returns = np.column_stack(columns)
        is_bad = ~np.isfinite(returns)
        if is_bad.any():
            asset = int(np.argwhere(is_bad)[0, 1])
            raise DataError(f"margin {asset} of {self.name} has a return that is not finite.")
        return self.place.array(np.maximum(returns, -1.0))


def normal_model(
    mean: FloatArray, covariance: FloatArray, names: Sequence[str], place: Place = HOST
) -> Normal:
    """Return the normal distribution with this mean (asset,) and covariance (asset, asset) of one bar.

    Raises
    ------
    DataError
        If the mean is unfit, or the covariance is singular or none.
    """
    return Normal(place.array(mean), place.array(_factor(mean, covariance, names)), place)


def student_model(
    mean: FloatArray,
    covariance: FloatArray,
    names: Sequence[str],
    degrees: float,
    place: Place = HOST,
) -> Student:
    """Return Student's t with this mean (asset,) and covariance (asset, asset) of one bar, not scale.

    Raises
    ------
    DataError
        If the mean is unfit, or the covariance is singular or none.
    UsageError
        If `degrees` is not above 2: there would be no covariance.
    """
    if not 2.0 < degrees < np.inf:
        raise UsageError(f"Student's t has {degrees} degrees of freedom, must be above 2.")
    factor = _factor(mean, covariance, names) * np.sqrt(degrees - 2.0)
    return Student(place.array(mean), place.array(factor), degrees, place)


def fit_normal(returns: FloatArray, names: Sequence[str], place: Place = HOST) -> Normal:
    """Return the normal distribution with the sample's mean and covariance.

    Raises
    ------
    DataError
        If returns are unfit, or their covariance is singular.
    """
    return normal_model(*_moments(returns, names), names, place)


def fit_student(returns: FloatArray, names: Sequence[str], place: Place = HOST) -> Student:
    """Return Student's t with the sample's mean and covariance and the likeliest degrees of freedom.

    Raises
    ------
    DataError
        If returns are unfit, or their covariance is singular.
    """
    mean, covariance = _moments(returns, names)
    factor = _factor(mean, covariance, names)
    scores = np.linalg.solve(factor.T, (returns - mean).T)
    degrees = _likeliest_degrees(np.sum(scores**2, axis=0), len(names))
    return student_model(mean, covariance, names, degrees, place)


def _moments(returns: FloatArray, names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    require_returns(returns, names)
    covariance: FloatArray = np.atleast_2d(np.cov(returns, rowvar=False))
    return returns.mean(axis=0), covariance


def _factor(mean: FloatArray, covariance: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return the upper Cholesky factor."""
    if mean.shape != (len(names),) or not np.isfinite(mean).all():
        raise DataError(f"the mean must be one finite number for each of {len(names)} assets.")
    require_covariance(covariance, names)
    return np.asarray(np.linalg.cholesky(covariance).T, dtype=np.float64)


def _likeliest_degrees(distances: FloatArray, assets: int) -> float:
    """Return the degrees of freedom under which squared Mahalanobis distances are likeliest."""
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    def cost(log_excess: float) -> float:
        excess = float(np.exp(log_excess))
        half = (excess + 2.0 + assets) / 2.0
        constant = gammaln(half) - gammaln(excess / 2.0 + 1.0) - assets / 2.0 * log_excess
        return float(half * np.mean(np.log1p(distances / excess)) - constant)

    bounds = float(np.log(0.01)), float(np.log(DEGREES_MAX - 2.0))
    return 2.0 + float(np.exp(minimize_scalar(cost, bounds=bounds, method="bounded").x))
