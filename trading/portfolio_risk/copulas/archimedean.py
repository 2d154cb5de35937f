"""What an Archimedean family of two exchangeable variables can do; `pair` turns it around and fits it.

Notation and formulas: Joe (2014), "Dependence Modeling with Copulas", chapter 4. Arguments are inside (0, 1).
"""

from typing import ClassVar, Protocol, Self

from trading.indicators.rolling import FloatArray


class Archimedean(Protocol):
    """A family with one parameter and positive dependence."""

    name: ClassVar[str]

    @property
    def parameter(self) -> float:
        """Joe's theta; a larger one means more dependence."""

    @classmethod
    def of_tau(cls, tau: float) -> Self:
        """Return the member with this Kendall's tau, between 0 and 1."""

    @property
    def tau(self) -> float:
        """Kendall's tau."""

    @property
    def lower_tail(self) -> float:
        """Lower tail dependence."""

    @property
    def upper_tail(self) -> float:
        """Upper tail dependence."""

    def cdf(self, u: FloatArray, v: FloatArray) -> FloatArray:
        """Return P(U <= u, V <= v)."""

    def log_density(self, u: FloatArray, v: FloatArray) -> FloatArray: ...

    def conditional(self, v: FloatArray, u: FloatArray) -> FloatArray:
        """Return P(V <= v | U = u)."""

    def conditional_quantile(self, p: FloatArray, u: FloatArray) -> FloatArray:
        """Return the v with P(V <= v | U = u) = p."""
