"""American and European options on a binomial tree: price and sensitivities.

Sources: Cox, Ross and Rubinstein (1979), "Option Pricing: A Simplified Approach", Journal of Financial
Economics 7; Leisen and Reimer (1996), "Binomial Models for Option Valuation: Examining and Improving
Convergence", Applied Mathematical Finance 3 (Peizer-Pratt inversion, second method).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.valuation.black_scholes import Greeks, distances
from trading.valuation.option_terms import BoolArray, Numbers, OptionTerms, option_terms

TreeKind: TypeAlias = Literal["leisen_reimer", "cox_ross_rubinstein"]

_VOLATILITY_BUMP = 1e-2
"""Of the volatility, relative."""
_RATE_BUMP = 1e-4
"""Of the rate, absolute."""
_ROUNDING = 1e-12
"""Of a spot that was multiplied down the tree, relative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """How the life of an option is cut.

    Attributes
    ----------
    kind : {"leisen_reimer", "cox_ross_rubinstein"}
        The error of the first falls with the square of the steps for European options and smoothly for
        American ones; that of the second falls with the steps and swings.
    steps : int
        At least 3; odd for Leisen and Reimer, whose tree is centred on the strike.
    is_american : bool
        May be exercised at every step.
    """

    kind: TreeKind = "leisen_reimer"
    steps: int = 501
    is_american: bool = True

    def __post_init__(self) -> None:
        if self.kind not in ("leisen_reimer", "cox_ross_rubinstein"):
            raise UsageError(
                f"There is no tree {self.kind!r}; known are leisen_reimer, cox_ross_rubinstein."
            )
        if self.steps < 3:
            raise UsageError(f"A tree needs at least 3 steps, got {self.steps}.")
        if self.kind == "leisen_reimer" and self.steps % 2 == 0:
            raise UsageError(
                f"A tree of Leisen and Reimer needs an odd number of steps, got {self.steps}."
            )


AMERICAN = Tree()
"""Leisen and Reimer, 501 steps, exercise at every one."""


def binomial_price(
    spot: Numbers,
    strike: Numbers,
    years: Numbers,
    rate: Numbers,
    volatility: Numbers,
    dividend_yield: Numbers = 0.0,
    is_call: bool | BoolArray = True,
    *,
    tree: Tree = AMERICAN,
) -> FloatArray:
    """Return the price of options on a binomial tree (money per unit of the underlying).

    Arguments broadcast; for their units see `OptionTerms`.

    Raises
    ------
    DataError
        If a term is not usable (see `option_terms`), time or volatility is 0, or the steps are too long for the volatility: the
        chance of a step up would not lie between 0 and 1.
    """
    terms = option_terms(spot, strike, years, rate, volatility, dividend_yield, is_call)
    _require_uncertain(terms)
    return _rolled_back(terms, tree)[0]


def binomial_greeks(
    spot: Numbers,
    strike: Numbers,
    years: Numbers,
    rate: Numbers,
    volatility: Numbers,
    dividend_yield: Numbers = 0.0,
    is_call: bool | BoolArray = True,
    *,
    tree: Tree = AMERICAN,
) -> Greeks:
    """Return price and sensitivities of options on a binomial tree; units in `Greeks`.

    Delta and gamma come from the nodes after one and two steps, theta from the differential equation
    that price, delta and gamma fulfil (0 where exercise is due now), vega and rho from central
    differences on trees of the same steps.

    Raises
    ------
    DataError
        As `binomial_price`.
    """
    terms = option_terms(spot, strike, years, rate, volatility, dividend_yield, is_call)
    _require_uncertain(terms)
    price, delta, gamma = _rolled_back(terms, tree)
    carry = (terms.rate - terms.dividend_yield) * terms.spot * delta
    theta = terms.rate * price - carry - 0.5 * (terms.volatility * terms.spot) ** 2 * gamma
    is_due = tree.is_american & (price <= _payoff(terms.spot, terms) + _ROUNDING * terms.spot)
    return Greeks(
        price=price,
        delta=delta,
        gamma=gamma,
        vega=_central_difference(terms, tree, "volatility", _VOLATILITY_BUMP * terms.volatility),
        theta=np.where(is_due, 0.0, theta),
        rho=_central_difference(terms, tree, "rate", np.full(price.shape, _RATE_BUMP)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """One step of each option's tree: factors of the price, chance of a step up, discount. All (option,)."""

    up: FloatArray
    down: FloatArray
    chance_up: FloatArray
    discount: FloatArray


def _require_uncertain(terms: OptionTerms) -> None:
    if not ((terms.years > 0.0) & (terms.volatility > 0.0)).all():
        raise DataError(
            "A tree needs time and volatility above 0; price the others with black_scholes_price."
        )


def _rolled_back(terms: OptionTerms, tree: Tree) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Price, delta and gamma, in the shape of the terms."""
    shape = terms.spot.shape
    flat = terms.as_column()
    steps = _steps(flat, tree)
    ups = np.arange(tree.steps + 1)
    spots = flat.spot * np.exp(ups * np.log(steps.up) + ups[::-1] * np.log(steps.down))
    values = _payoff(spots, flat)
    levels: list[tuple[FloatArray, FloatArray]] = []
    for level in range(tree.steps - 1, -1, -1):
        rises, falls = values[:, 1:], values[:, :-1]
        values = steps.discount * (steps.chance_up * rises + (1.0 - steps.chance_up) * falls)
        spots = spots[:, :-1] / steps.down
        if tree.is_american:
            values = np.maximum(values, _payoff(spots, flat))
        if level <= 2:
            levels.append((spots, values))
    after_two, after_one, now = levels
    slope = _slopes(*after_two)
    gamma = 2.0 * (slope[:, 1] - slope[:, 0]) / (after_two[0][:, 2] - after_two[0][:, 0])
    price, delta = now[1][:, 0], _slopes(*after_one)[:, 0]
    return price.reshape(shape), delta.reshape(shape), gamma.reshape(shape)


def _slopes(spots: FloatArray, values: FloatArray) -> FloatArray:
    slopes: FloatArray = np.diff(values, axis=1) / np.diff(spots, axis=1)
    return slopes


def _payoff(spots: FloatArray, terms: OptionTerms) -> FloatArray:
    """What exercise brings."""
    return np.maximum(terms.sign * (spots - terms.strike), 0.0)


def _steps(terms: OptionTerms, tree: Tree) -> _Steps:
    length = terms.years / tree.steps
    growth = np.exp((terms.rate - terms.dividend_yield) * length)
    if tree.kind == "cox_ross_rubinstein":
        up = np.exp(terms.volatility * np.sqrt(length))
        down = 1.0 / up
        chance_up = (growth - down) / (up - down)
    else:
        d1, d2 = distances(terms)
        chance_up, chance_of_asset = (
            _normal_inverted(d2, tree.steps),
            _normal_inverted(d1, tree.steps),
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            up = growth * chance_of_asset / chance_up
            down = growth * (1.0 - chance_of_asset) / (1.0 - chance_up)
    if not ((chance_up > 0.0) & (chance_up < 1.0) & (down > 0.0) & (up > down)).all():
        raise DataError(
            f"A tree of {tree.steps} steps is too coarse for an option: the chance of a step up would not lie "
            "between 0 and 1; take more steps."
        )
    return _Steps(up, down, chance_up, np.exp(-terms.rate * length))


def _normal_inverted(distance: FloatArray, steps: int) -> FloatArray:
    """Chance of a step up with which a binomial of `steps` reproduces the normal probability of `distance`."""
    scaled = distance / (steps + 1.0 / 3.0 + 0.1 / (steps + 1.0))
    spread = np.sqrt(-np.expm1(-(scaled**2) * (steps + 1.0 / 6.0)))
    chance: FloatArray = 0.5 + 0.5 * np.sign(distance) * spread
    return chance


def _central_difference(terms: OptionTerms, tree: Tree, name: str, bump: FloatArray) -> FloatArray:
    middle = getattr(terms, name)
    above, below = (
        _rolled_back(terms._replace(**{name: middle + shift}), tree)[0] for shift in (bump, -bump)
    )
    difference: FloatArray = (above - below) / (2.0 * bump)
    return difference
