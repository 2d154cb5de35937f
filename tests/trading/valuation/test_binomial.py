"""Trees against QuantLib's finite differences, against the closed form, and by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trading.errors import DataError, UsageError
from trading.valuation.binomial import Tree, binomial_greeks, binomial_price
from trading.valuation.black_scholes import black_scholes_greeks, black_scholes_price

AMERICAN = [
    (100.0, 100.0, 1.0, 0.05, 0.2, 0.0, False),
    (100.0, 110.0, 0.5, 0.08, 0.35, 0.02, False),
    (100.0, 95.0, 1.0, 0.03, 0.25, 0.09, True),
    (80.0, 100.0, 2.0, 0.01, 0.5, 0.0, False),
]
LEISEN_REIMER = Tree(steps=1001)
COX_ROSS_RUBINSTEIN = Tree(kind="cox_ross_rubinstein", steps=1000)


@pytest.mark.parametrize("tree", [LEISEN_REIMER, COX_ROSS_RUBINSTEIN], ids=lambda tree: tree.kind)
@pytest.mark.parametrize("terms", AMERICAN)
def test_american_option_agrees_with_finite_differences(
    terms: tuple[Any, ...], tree: Tree, quantlib_option: Callable[..., Any]
) -> None:
    ours = binomial_greeks(*terms, tree=tree)
    theirs = quantlib_option(terms, True, "FdBlackScholesVanillaEngine", 800, 800)
    assert ours.price == pytest.approx(theirs.NPV(), abs=5e-3)
    assert ours.delta == pytest.approx(theirs.delta(), abs=1e-3)
    assert ours.gamma == pytest.approx(theirs.gamma(), abs=2e-4)
    assert ours.theta == pytest.approx(theirs.theta(), abs=2e-2)


@pytest.mark.parametrize("terms", AMERICAN)
def test_european_tree_is_the_same_tree_of_quantlib(
    terms: tuple[Any, ...], quantlib_option: Callable[..., Any]
) -> None:
    theirs = quantlib_option(terms, False, "BinomialLRVanillaEngine", 101).NPV()
    ours = binomial_price(*terms, tree=Tree(steps=101, is_american=False))
    assert ours == pytest.approx(theirs, rel=1e-10)


@pytest.mark.parametrize("terms", AMERICAN)
def test_vega_and_rho_of_an_american_option_are_slopes_of_a_finer_tree(
    terms: tuple[Any, ...],
) -> None:
    greeks = binomial_greeks(*terms)
    spot, strike, years, rate, volatility, dividend, is_call = terms

    def price(rate: float, volatility: float) -> float:
        fine = Tree(steps=2001)
        return float(
            binomial_price(spot, strike, years, rate, volatility, dividend, is_call, tree=fine)
        )

    vega = (price(rate, volatility + 0.005) - price(rate, volatility - 0.005)) / 0.01
    rho = (price(rate + 0.001, volatility) - price(rate - 0.001, volatility)) / 0.002
    assert greeks.vega == pytest.approx(vega, rel=2e-3)
    assert greeks.rho == pytest.approx(rho, rel=2e-3, abs=0.05)


@pytest.mark.parametrize(("kind", "order"), [("leisen_reimer", 2), ("cox_ross_rubinstein", 1)])
def test_european_tree_converges_to_the_closed_form(kind: Any, order: int) -> None:
    terms = (100.0, 105.0, 0.75, 0.03, 0.3, 0.01)
    exact = black_scholes_price(*terms)
    errors = [
        abs(
            float(
                binomial_price(*terms, tree=Tree(kind=kind, steps=steps, is_american=False)) - exact
            )
        )
        for steps in (51, 501)
    ]
    assert errors[1] < 10.0 ** (1 - order) * errors[0] * (2.0 if order == 2 else 1.0)
    assert errors[1] < (1e-5 if order == 2 else 2e-2)


def test_greeks_of_a_european_tree_are_near_the_closed_form() -> None:
    terms = (100.0, 105.0, 0.75, 0.03, 0.3, 0.01, np.array([True, False]))
    tree, exact = (
        binomial_greeks(*terms, tree=Tree(is_american=False)),
        black_scholes_greeks(*terms),
    )
    for name in ("delta", "gamma", "vega", "theta", "rho"):
        np.testing.assert_allclose(
            getattr(tree, name), getattr(exact, name), rtol=3e-3, err_msg=name
        )


def test_three_steps_of_cox_ross_and_rubinstein_are_those_by_hand() -> None:
    """A put of 42 against 40, written out as a recursion over single nodes."""
    up = float(np.exp(0.3 * np.sqrt(1.0 / 3.0)))
    chance = float((np.exp(0.05 / 3.0) - 1.0 / up) / (up - 1.0 / up))

    def value(level: int, ups: int) -> float:
        spot = 42.0 * up ** (2 * ups - level)
        now = max(40.0 - float(spot), 0.0)
        if level == 3:
            return now
        later = chance * value(level + 1, ups + 1) + (1 - chance) * value(level + 1, ups)
        return max(now, float(np.exp(-0.05 / 3.0) * later))

    tree = Tree(kind="cox_ross_rubinstein", steps=3)
    price = binomial_price(42.0, 40.0, 1.0, 0.05, 0.3, 0.0, False, tree=tree)
    assert price == pytest.approx(value(0, 0), rel=1e-13)


def test_early_exercise_is_never_worth_less_and_nothing_for_a_call_without_dividends() -> None:
    strikes = np.linspace(70.0, 140.0, 15)
    for is_call in (True, False):
        american, european = (
            binomial_price(
                100.0, strikes, 1.0, 0.06, 0.3, 0.0, is_call, tree=Tree(steps=201, is_american=each)
            )
            for each in (True, False)
        )
        assert (american >= european - 1e-12).all()
        if is_call:
            np.testing.assert_allclose(american, european, rtol=1e-12)


def test_option_whose_exercise_is_due_is_worth_its_payoff_and_loses_no_time() -> None:
    greeks = binomial_greeks(50.0, 100.0, 1.0, 0.1, 0.2, 0.0, False)
    assert greeks.price == pytest.approx(50.0, rel=1e-12)
    assert greeks.theta == 0.0
    assert greeks.delta == pytest.approx(-1.0)
    assert greeks.gamma == pytest.approx(0.0, abs=1e-9)


def test_arrays_are_priced_element_by_element() -> None:
    strikes, years = np.array([90.0, 110.0]), np.array([[0.5], [1.0], [1.5]])
    tree = Tree(steps=51)
    grid = binomial_price(100.0, strikes, years, 0.03, 0.2, 0.0, False, tree=tree)
    assert grid.shape == (3, 2)
    alone = binomial_price(100.0, 110.0, 1.5, 0.03, 0.2, 0.0, False, tree=tree)
    assert grid[2, 1] == pytest.approx(alone, rel=1e-14)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "trinomial"}, "no tree 'trinomial'"),
        ({"steps": 2}, "at least 3 steps, got 2"),
        ({"steps": 500}, "odd number of steps, got 500"),
    ],
)
def test_unusable_tree_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Tree(**settings)


def test_steps_too_long_for_the_volatility_are_refused() -> None:
    with pytest.raises(DataError, match="too coarse"):
        binomial_price(
            100.0, 100.0, 10.0, 0.3, 0.01, tree=Tree(kind="cox_ross_rubinstein", steps=10)
        )


@pytest.mark.parametrize("change", [{"years": 0.0}, {"volatility": 0.0}])
def test_certain_outcome_is_not_for_a_tree(change: dict[str, float]) -> None:
    terms: dict[str, Any] = {
        "spot": 100.0,
        "strike": 100.0,
        "years": 1.0,
        "rate": 0.0,
        "volatility": 0.2,
    }
    with pytest.raises(DataError, match="time and volatility above 0"):
        binomial_price(**{**terms, **change})
