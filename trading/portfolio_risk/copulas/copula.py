"""What every copula can do."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.copulas.conditions import Interval


class TailDependence(NamedTuple):
    """How likely one asset is extreme when another is, in the limit; each (asset, asset) in [0, 1].

    Attributes
    ----------
    lower : (asset, asset)
        The limit of P(V <= q | U <= q) as q goes to 0; not a number where no closed form is known.
    upper : (asset, asset)
        The limit of P(V > q | U > q) as q goes to 1.
    """

    lower: FloatArray
    upper: FloatArray


class Copula(Protocol):
    """A distribution of uniform variables, one for each asset."""

    @property
    def family(self) -> str:
        """Such as `student` or `clayton-180`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the assets, in the order of the columns."""

    @property
    def parameter_count(self) -> int:
        """How many numbers were fitted."""

    def log_density(self, uniforms: FloatArray) -> FloatArray:
        """Return the log-density (time,) at uniforms (time, asset) inside (0, 1)."""

    def tail_dependence(self) -> TailDependence:
        """Return lower and upper tail dependence of each pair."""

    def sample(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw uniforms (count, asset) inside (0, 1)."""

    def sample_given(
        self, conditions: Mapping[str, Interval], count: int, rng: np.random.Generator
    ) -> FloatArray:
        """Draw uniforms (count, asset) of all assets, given where some of them are."""
