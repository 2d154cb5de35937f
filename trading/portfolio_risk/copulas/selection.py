"""Which family fits best, by an information criterion."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.copulas.copula import Copula
from trading.portfolio_risk.copulas.gaussian import fit_gaussian
from trading.portfolio_risk.copulas.pair import FAMILIES, fit_pair
from trading.portfolio_risk.copulas.student import fit_student
from trading.portfolio_risk.copulas.vine import ASSETS_MIN, fit_vine

Fit = Callable[[FloatArray, Sequence[str]], Copula]
FITS: dict[str, Fit] = {
    "gaussian": fit_gaussian,
    "student": fit_student,
    **{name: partial(fit_pair, name) for name in FAMILIES},
    "vine": fit_vine,
}


@dataclass(frozen=True, slots=True)
class Scored:
    """A fitted copula and how well it fits; independence has 0 for all three.

    Attributes
    ----------
    log_likelihood : float
    aic, bic : float
        Information criteria of Akaike and Schwarz; less is better. They are exact for fits by maximum likelihood, and
        approximate for those by inversion of Kendall's tau.
    """

    copula: Copula
    log_likelihood: float
    aic: float
    bic: float


def fit_copula(family: str, uniforms: FloatArray, names: Sequence[str]) -> Copula:
    """Fit one family to uniforms (time, asset).

    Raises
    ------
    UsageError
        If the family is unknown, or does not join that many assets.
    DataError
        If the uniforms are unfit.
    """
    if family not in FITS:
        raise UsageError(f"there is no copula {family}; choose one of {', '.join(FITS)}.")
    return FITS[family](uniforms, names)


def scored(copula: Copula, uniforms: FloatArray) -> Scored:
    """Return how well a copula fits uniforms (time, asset).

    Raises
    ------
    DataError
        If the uniforms are unfit.
    """
    likelihood = float(np.sum(copula.log_density(uniforms)))
    count = copula.parameter_count
    penalty = count * math.log(len(uniforms))
    return Scored(copula, likelihood, 2.0 * (count - likelihood), penalty - 2.0 * likelihood)


def select_copula(
    uniforms: FloatArray,
    names: Sequence[str],
    families: Sequence[str] | None = None,
    criterion: Literal["aic", "bic"] = "aic",
) -> tuple[Scored, ...]:
    """Fit each family and return the fits, the best first.

    Parameters
    ----------
    uniforms : (time, asset)
    families : sequence of str, optional
        All that join that many assets, when not given.

    Raises
    ------
    UsageError
        If a family is unknown, or does not join that many assets, or the criterion is another.
    DataError
        If the uniforms are unfit.
    """
    if criterion not in ("aic", "bic"):
        raise UsageError(f"the criterion is {criterion}, must be aic or bic.")
    chosen = families_for(len(names)) if families is None else families
    if not chosen:
        raise UsageError("there is no family to choose from; name at least one.")
    fits = [scored(fit_copula(family, uniforms, names), uniforms) for family in chosen]
    return tuple(sorted(fits, key=lambda fit: fit.aic if criterion == "aic" else fit.bic))


def families_for(assets: int) -> tuple[str, ...]:
    """Return the families that join this many assets."""
    if assets == 2:
        return ("gaussian", "student", *FAMILIES)
    return ("gaussian", "student", "vine") if assets >= ASSETS_MIN else ("gaussian",)
