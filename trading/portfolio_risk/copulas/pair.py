"""Clayton, Gumbel and Joe copulas of two assets, turned so that the dependence is where the data have it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.copulas.archimedean import Archimedean
from trading.portfolio_risk.copulas.bisection import increasing_root
from trading.portfolio_risk.copulas.clayton import Clayton
from trading.portfolio_risk.copulas.conditions import Interval, by_column
from trading.portfolio_risk.copulas.copula import TailDependence
from trading.portfolio_risk.copulas.gumbel import Gumbel
from trading.portfolio_risk.copulas.joe import Joe
from trading.portfolio_risk.copulas.kendall import kendall_tau
from trading.portfolio_risk.copulas.uniforms import (
    inside,
    require_count,
    require_names,
    require_sample,
    require_uniforms,
)

Rotation = Literal[0, 90, 180, 270]
FAMILIES: dict[str, type[Archimedean]] = {each.name: each for each in (Clayton, Gumbel, Joe)}
_TAU_RANGE = 1e-4, 0.98
"""Of fits: from independence in all but name to a dependence no two assets have."""
_IMPOSSIBLE = 1e-12


@dataclass(frozen=True, slots=True)
class PairCopula:
    """An Archimedean copula of U and V, of which one or both may be replaced by one minus it.

    The density is c(u, v), c(1 - u, v), c(1 - u, 1 - v), c(u, 1 - v) for a rotation of 0, 90, 180, 270 degrees
    (Joe 2014, section 2.7). At 90 and 270 the dependence is negative.

    Raises
    ------
    UsageError
        If there are not two assets, or the rotation is another.
    """

    base: Archimedean
    names: tuple[str, ...]
    rotation: Rotation = 0

    def __post_init__(self) -> None:
        require_names(self.names)
        if len(self.names) != 2:
            raise UsageError(
                f"a {self.base.name} copula joins two assets, not {len(self.names)}; use gaussian, student or vine."
            )
        if self.rotation not in (0, 90, 180, 270):
            raise UsageError(f"the rotation is {self.rotation}, must be 0, 90, 180 or 270.")

    @property
    def family(self) -> str:
        return f"{self.base.name}-{self.rotation}" if self.rotation else self.base.name

    @property
    def parameter_count(self) -> int:
        return 1

    @property
    def tau(self) -> float:
        """Kendall's tau, negative for a rotation of 90 or 270."""
        return -self.base.tau if self.rotation in (90, 270) else self.base.tau

    def log_density(self, uniforms: FloatArray) -> FloatArray:
        """Return the log-density (time,) at uniforms (time, 2).

        Raises
        ------
        DataError
            If a value is not inside (0, 1).
        """
        require_uniforms(uniforms, self.names)
        return self.base.log_density(*self._turned(inside(uniforms)).T)

    def cdf(self, uniforms: FloatArray) -> FloatArray:
        """Return P(U <= u, V <= v) (time,) at uniforms (time, 2).

        Raises
        ------
        DataError
            If a value is not inside (0, 1).
        """
        require_uniforms(uniforms, self.names)
        u, v = inside(uniforms).T
        a, b = self._turned(inside(uniforms)).T
        joint = self.base.cdf(a, b)
        if self.rotation == 90:
            joint = v - joint
        elif self.rotation == 180:
            joint = u + v - 1.0 + joint
        elif self.rotation == 270:
            joint = u - joint
        return np.clip(joint, np.maximum(u + v - 1.0, 0.0), np.minimum(u, v))

    def tail_dependence(self) -> TailDependence:
        """Return lower and upper tail dependence (2, 2)."""
        corners = {0: (self.base.lower_tail, self.base.upper_tail)}
        corners[180] = corners[0][::-1]
        lower, upper = corners.get(self.rotation, (0.0, 0.0))
        return TailDependence(_both(lower), _both(upper))

    def sample(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw uniforms (count, 2): V from its distribution given U (Joe 2014, section 6.9)."""
        require_count(count)
        u, p = inside(rng.random((2, count)))
        drawn = np.column_stack([u, inside(self.base.conditional_quantile(p, u))])
        return inside(self._turned(drawn))

    def sample_given(
        self, conditions: Mapping[str, Interval], count: int, rng: np.random.Generator
    ) -> FloatArray:
        """Draw uniforms (count, 2), exactly, given where one or both assets are.

        Raises
        ------
        UsageError
            If a condition is of another asset, or the conditions exclude each other.
        """
        require_count(count)
        held = by_column(conditions, self.names)
        low = np.array([held[i].low if i in held else 0.0 for i in range(2)])
        high = np.array([held[i].high if i in held else 1.0 for i in range(2)])
        ends = np.sort(self._turned(np.stack([low, high])), axis=0)
        drawn = self._turned(self._inside_box(ends, count, rng))
        return inside(np.clip(drawn, low, high))

    def _turned(self, uniforms: FloatArray) -> FloatArray:
        """Return uniforms of the base copula for those of this one, or the other way."""
        is_turned = np.array([self.rotation in (90, 180), self.rotation in (180, 270)])
        return np.where(is_turned, 1.0 - uniforms, uniforms)

    def _inside_box(self, ends: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw from the base copula between `ends` (low and high, 2): one by its own distribution, then the other."""
        order = np.argsort(ends[1] - ends[0])
        first, second = ends[:, order].T
        u = self._first_of_box(first, second, inside(rng.random(count)))
        v = np.full(count, second[0])
        if second[0] < second[1]:
            low, high = (self.base.conditional(np.full(count, end), u) for end in inside(second))
            if np.max(high - low) < _IMPOSSIBLE:
                raise self._excluded()
            chance = inside(low + (high - low) * rng.random(count))
            v = np.clip(self.base.conditional_quantile(chance, u), *second)
        return np.column_stack([u, v])[:, np.argsort(order)]

    def _first_of_box(self, first: FloatArray, second: FloatArray, p: FloatArray) -> FloatArray:
        """Return quantiles of the one that is between `first`, given that the other is between `second`."""
        if first[0] == first[1] or second[1] - second[0] == 1.0:
            return inside(first[0] + (first[1] - first[0]) * p)
        low, high = inside(second)

        def mass(u: FloatArray) -> FloatArray:
            return self.base.cdf(u, np.full_like(u, high)) - self.base.cdf(u, np.full_like(u, low))

        start, end = mass(inside(first))
        if end - start < _IMPOSSIBLE:
            raise self._excluded()
        root = increasing_root(
            lambda u: mass(inside(u)), start + (end - start) * p, first[0], first[1]
        )
        return inside(root)

    def _excluded(self) -> UsageError:
        return UsageError(
            f"under {self.family} the conditions of {self.names[0]} and {self.names[1]} exclude each other; widen one."
        )


def fit_pair(family: str, uniforms: FloatArray, names: Sequence[str]) -> PairCopula:
    """Fit `clayton`, `gumbel` or `joe` by maximum likelihood, over those rotations that have the sign of Kendall's tau.

    McNeil, Frey and Embrechts (2015), "Quantitative Risk Management", section 7.6.2.

    Parameters
    ----------
    uniforms : (time, 2)

    Raises
    ------
    UsageError
        If the family is another, or there are not two assets.
    DataError
        If the uniforms are unfit.
    """
    if family not in FAMILIES:
        raise UsageError(f"{family} is no family of pairs; choose one of {', '.join(FAMILIES)}.")
    require_sample(uniforms, names)
    rotations: tuple[Rotation, ...] = (0, 180)
    if kendall_tau(uniforms)[0, 1] < 0.0:
        rotations = (90, 270)
    fits = [_likeliest(FAMILIES[family], uniforms, tuple(names), each) for each in rotations]
    return max(fits, key=lambda fit: float(np.sum(fit.log_density(uniforms))))


def _likeliest(
    family: type[Archimedean], uniforms: FloatArray, names: tuple[str, ...], rotation: Rotation
) -> PairCopula:
    """Return the likeliest member, searched by Kendall's tau, along which the likelihood is about quadratic."""
    from scipy.optimize import minimize_scalar

    def cost(tau: float) -> float:
        copula = PairCopula(family.of_tau(tau), names, rotation)
        return -float(np.sum(copula.log_density(uniforms)))

    found = minimize_scalar(cost, bounds=_TAU_RANGE, method="bounded", options={"xatol": 1e-8})
    if not found.success:
        raise DataError(f"the likelihood of {family.name} has no maximum: {found.message}.")
    return PairCopula(family.of_tau(float(found.x)), names, rotation)


def _both(value: float) -> FloatArray:
    return np.array([[1.0, value], [value, 1.0]])
