"""The vine copula: every pair of assets, and every pair given others, has a family of its own.

Structure, selection and draws are those of skfolio. Bedford and Cooke (2002), Annals of Statistics 30; Dissmann,
Brechmann, Czado and Kurowicka (2013), Computational Statistics & Data Analysis 59; Joe (2014), section 3.9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.copulas.conditions import Interval, by_column
from trading.portfolio_risk.copulas.copula import TailDependence
from trading.portfolio_risk.copulas.uniforms import (
    inside,
    require_count,
    require_sample,
    require_uniforms,
)

ASSETS_MIN = 3
DEPTH = 4
"""Trees of the vine; deeper dependence is left out."""
_DRAWS_MAX = 1_000_000
"""Draws that are made in search of those that meet the conditions."""
_BATCH_MAX = 50_000


@dataclass(frozen=True, slots=True)
class VineCopula:
    """Made by `fit_vine`.

    Attributes
    ----------
    central : tuple of str
        Assets of which one or all can be held at a quantile.
    """

    family: ClassVar[str] = "vine"
    names: tuple[str, ...]
    central: tuple[str, ...]
    _vine: Any = field(repr=False, compare=False)

    @property
    def parameter_count(self) -> int:
        return sum(edge.copula.n_params for tree in self._vine.trees_ for edge in tree.edges)

    def log_density(self, uniforms: FloatArray) -> FloatArray:
        """Return the log-density (time,) at uniforms (time, asset).

        Raises
        ------
        DataError
            If a value is not inside (0, 1).
        """
        require_uniforms(uniforms, self.names)
        return np.asarray(self._vine.score_samples(uniforms), dtype=np.float64)

    def tail_dependence(self) -> TailDependence:
        """Return lower and upper tail dependence (asset, asset) of the pairs in the first tree.

        The others follow from integrals over several pairs (Joe, Li and Nikoloulopoulos 2010) and are not a number
        here; `tail_concentration` of draws tells them at any level above 0.
        """
        lower = np.full((len(self.names),) * 2, np.nan)
        np.fill_diagonal(lower, 1.0)
        upper = lower.copy()
        for edge in self._vine.trees_[0].edges:
            i, j = edge.node1.ref, edge.node2.ref
            lower[i, j] = lower[j, i] = edge.copula.lower_tail_dependence
            upper[i, j] = upper[j, i] = edge.copula.upper_tail_dependence
        return TailDependence(lower, upper)

    def sample(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw uniforms (count, asset)."""
        require_count(count)
        return self._drawn(count, {}, rng)

    def sample_given(
        self, conditions: Mapping[str, Interval], count: int, rng: np.random.Generator
    ) -> FloatArray:
        """Draw uniforms (count, asset) of all assets, exactly, given where some of them are.

        Central assets at a quantile, or else one central asset in its interval, are drawn first and the others given
        them; draws that miss another interval are thrown away.

        Raises
        ------
        UsageError
            If a condition is of another asset, the assets at a quantile are not one or all of the central ones, or
            draws hardly ever meet the conditions.
        """
        require_count(count)
        held = by_column(conditions, self.names)
        pinned = self._pinned(held)
        rest = {i: each for i, each in held.items() if i not in pinned}
        kept: list[FloatArray] = []
        found = drawn = 0
        batch = min(count, _BATCH_MAX)
        while found < count:
            draws = self._drawn(batch, pinned, rng)
            is_met = np.ones(batch, dtype=bool)
            for i, interval in rest.items():
                is_met &= interval.holds(draws[:, i])
            kept.append(draws[is_met])
            found, drawn = found + len(kept[-1]), drawn + batch
            if found < count and drawn >= _DRAWS_MAX:
                raise UsageError(
                    f"of {drawn} draws of the vine {found} meet the conditions, {count} are wanted; widen the "
                    "intervals, or fit the vine with the narrowest asset as central."
                )
            batch = min(max((count - found) * drawn // max(found, 1) + 100, 100), _BATCH_MAX)
        return np.concatenate(kept)[:count]

    def _pinned(self, held: Mapping[int, Interval]) -> dict[int, Interval]:
        """Return the conditions that are met by drawing their assets first."""
        points = {i: each for i, each in held.items() if each.is_point}
        held_names = tuple(self.names[i] for i in points)
        # Only these come first in the order in which skfolio draws; others would not depend on the rest.
        is_first = len(points) <= 1 or len(points) == len(self.central)
        if not (is_first and set(held_names) <= set(self.central)):
            raise UsageError(
                f"this vine holds one or all of its central assets ({', '.join(self.central) or 'it has none'}) at a "
                f"quantile; fit it with central={held_names}, or hold them in intervals."
            )
        inner = [i for i in held if self.names[i] in self.central]
        if points or not inner:
            return points
        narrowest = min(inner, key=lambda i: held[i].high - held[i].low)
        return {narrowest: held[narrowest]}

    def _drawn(
        self, count: int, pinned: Mapping[int, Interval], rng: np.random.Generator
    ) -> FloatArray:
        values = {i: inside(each.drawn(count, rng)) for i, each in pinned.items()}
        # skfolio takes the generator from here; this one shares the state of `rng`.
        self._vine.random_state = np.random.RandomState(rng.bit_generator)
        return inside(np.asarray(self._vine.sample(count, values or None), dtype=np.float64))


def fit_vine(
    uniforms: FloatArray,
    names: Sequence[str],
    central: Sequence[str] = (),
    depth: int = DEPTH,
) -> VineCopula:
    """Fit tree by tree, pairs with most dependence first.

    Each pair takes the family (Gaussian, t, Clayton, Gumbel, Joe in any rotation, independence) with the least
    information criterion of Akaike, fitted by inversion of Kendall's tau, the degrees of freedom of t by maximum
    likelihood.

    Parameters
    ----------
    uniforms : (time, asset)
        Of at least three assets.
    central : sequence of str
        Assets on which draws will be conditioned, one or all of them at a quantile; no more than `depth`.
    depth : int
        Trees, at least 2.

    Raises
    ------
    UsageError
        If there are fewer than three assets, a name repeats, a central asset is not among them, or there are
        fewer than two trees or more central assets than trees.
    DataError
        If the uniforms are unfit.
    """
    from skfolio.distribution import VineCopula as Vine

    if len(names) < ASSETS_MIN:
        raise UsageError(f"a vine joins at least three assets, not {len(names)}; use student.")
    if depth < max(2, len(central)):
        raise UsageError(
            f"the vine has {depth} trees, must have at least {max(2, len(central))}: two, and one for each central asset."
        )
    require_sample(uniforms, names)
    vine = Vine(
        fit_marginals=False,
        max_depth=depth,
        central_assets=_positions(central, names) or None,
    )
    return VineCopula(tuple(names), tuple(central), vine.fit(uniforms))


def _positions(central: Sequence[str], names: Sequence[str]) -> list[int]:
    for name in central:
        if name not in names:
            raise UsageError(f"{name} is not in the copula, which has {', '.join(names)}.")
    if len(set(central)) == len(names):
        raise UsageError("all assets are central; name those on which draws are conditioned.")
    return [list(names).index(name) for name in central]
