"""Closed forms against QuantLib, put-call parity, differences and limits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from trading.valuation.black_scholes import Greeks, black_scholes_greeks, black_scholes_price

TERMS = [
    (100.0, 100.0, 1.0, 0.05, 0.2, 0.0, True),
    (100.0, 100.0, 1.0, 0.05, 0.2, 0.0, False),
    (42.0, 40.0, 0.5, 0.1, 0.2, 0.0, True),
    (90.0, 120.0, 2.0, -0.01, 0.45, 0.03, True),
    (130.0, 95.0, 0.1, 0.02, 0.15, 0.06, False),
    (1.2, 1.25, 5.0, 0.04, 0.08, 0.01, False),
]
MARKET = {
    "spot": st.floats(1.0, 1_000.0),
    "strike": st.floats(1.0, 1_000.0),
    "years": st.floats(0.01, 10.0),
    "rate": st.floats(-0.05, 0.2),
    "volatility": st.floats(0.02, 2.0),
    "dividend_yield": st.floats(-0.05, 0.2),
}


@pytest.mark.parametrize("terms", TERMS)
def test_price_and_greeks_agree_with_quantlib(
    terms: tuple[Any, ...], quantlib_option: Callable[..., Any]
) -> None:
    ours = black_scholes_greeks(*terms)
    theirs = quantlib_option(terms, False, "AnalyticEuropeanEngine")
    np.testing.assert_allclose(ours.price, theirs.NPV(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.delta, theirs.delta(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.gamma, theirs.gamma(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.vega, theirs.vega(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.theta, theirs.theta(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.rho, theirs.rho(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.theta_per_day, theirs.theta() / 365.0, rtol=0, atol=1e-12)


def test_textbook_example_is_met() -> None:
    """Hull, chapter 15, example 15.6: 4.76 and 0.81."""
    prices = black_scholes_price(42.0, 40.0, 0.5, 0.1, 0.2, 0.0, np.array([True, False]))
    np.testing.assert_allclose(prices, [4.76, 0.81], atol=0.005)


@given(**MARKET)
@settings(deadline=None, max_examples=150)
def test_call_less_put_is_the_forward_and_so_are_their_greeks(
    spot: float, strike: float, years: float, rate: float, volatility: float, dividend_yield: float
) -> None:
    call, put = (
        black_scholes_greeks(spot, strike, years, rate, volatility, dividend_yield, is_call)
        for is_call in (True, False)
    )
    asset, cash = spot * np.exp(-dividend_yield * years), strike * np.exp(-rate * years)
    scale = 1e-12 * (spot + strike) * 10.0
    assert call.price - put.price == pytest.approx(asset - cash, abs=scale)
    assert call.delta - put.delta == pytest.approx(asset / spot, abs=1e-12)
    assert call.gamma == put.gamma
    assert call.vega == put.vega
    assert call.theta - put.theta == pytest.approx(dividend_yield * asset - rate * cash, abs=scale)
    assert call.rho - put.rho == pytest.approx(years * cash, abs=scale * 10.0)


@given(**MARKET, is_call=st.booleans())
@settings(deadline=None, max_examples=150)
def test_price_lies_between_its_bounds_and_fulfils_the_differential_equation(
    is_call: bool, **terms: float
) -> None:
    greeks = black_scholes_greeks(**terms, is_call=is_call)
    spot, rate = terms["spot"], terms["rate"]
    asset = spot * np.exp(-terms["dividend_yield"] * terms["years"])
    cash = terms["strike"] * np.exp(-rate * terms["years"])
    rounding = 1e-12 * (asset + cash)
    lower = max(asset - cash, 0.0) if is_call else max(cash - asset, 0.0)
    assert lower - rounding <= greeks.price <= (asset if is_call else cash) + rounding
    carry = (rate - terms["dividend_yield"]) * spot * greeks.delta
    curve = 0.5 * (terms["volatility"] * spot) ** 2 * greeks.gamma
    assert greeks.theta + carry + curve == pytest.approx(
        rate * greeks.price, abs=1e-9 * (asset + cash)
    )


@pytest.mark.parametrize(
    ("name", "greek", "sign"),
    [("spot", "delta", 1), ("volatility", "vega", 1), ("rate", "rho", 1), ("years", "theta", -1)],
)
def test_each_greek_is_the_slope_of_the_price(name: str, greek: str, sign: int) -> None:
    terms = {"spot": 90.0, "strike": 100.0, "years": 0.7, "rate": 0.03, "volatility": 0.3}
    terms["dividend_yield"] = 0.02
    step = 1e-5
    above, below = (
        black_scholes_price(**{**terms, name: terms[name] + shift}, is_call=False)
        for shift in (step, -step)
    )
    slope = (above - below) / (2 * step)
    assert getattr(black_scholes_greeks(**terms, is_call=False), greek) == pytest.approx(
        sign * slope, rel=1e-6
    )


def test_arrays_are_priced_element_by_element() -> None:
    strikes, years = np.array([80.0, 100.0, 130.0]), np.array([[0.25], [2.0]])
    grid = black_scholes_greeks(100.0, strikes, years, 0.03, 0.25, 0.01, strikes > 90.0)
    assert grid.price.shape == (2, 3)
    for row in range(2):
        for column in range(3):
            alone = black_scholes_greeks(
                100.0,
                strikes[column],
                years[row, 0],
                0.03,
                0.25,
                0.01,
                bool(strikes[column] > 90.0),
            )
            for name in Greeks.__slots__:
                assert getattr(grid, name)[row, column] == getattr(alone, name)


def test_at_expiry_the_price_is_what_exercise_brings() -> None:
    spot = np.array([90.0, 110.0])
    call = black_scholes_greeks(spot, 100.0, 0.0, 0.05, 0.2)
    np.testing.assert_array_equal(call.price, [0.0, 10.0])
    np.testing.assert_array_equal(call.delta, [0.0, 1.0])
    np.testing.assert_array_equal(call.gamma, [0.0, 0.0])
    np.testing.assert_array_equal(call.vega, [0.0, 0.0])
    np.testing.assert_array_equal(call.rho, [0.0, 0.0])


def test_without_volatility_the_price_is_that_of_a_certain_outcome() -> None:
    put = black_scholes_greeks(100.0, np.array([90.0, 120.0]), 2.0, 0.05, 0.0, 0.01, False)
    certain = 120.0 * np.exp(-0.1) - 100.0 * np.exp(-0.02)
    np.testing.assert_allclose(put.price, [0.0, certain], rtol=1e-14)
    np.testing.assert_allclose(put.delta, [0.0, -np.exp(-0.02)], rtol=1e-14)
    assert np.isfinite(put.theta).all()


def test_exactly_at_the_money_at_expiry_gamma_and_theta_are_their_limits() -> None:
    call = black_scholes_greeks(100.0, 100.0, 0.0, 0.05, 0.2)
    found = [float(each) for each in (call.price, call.delta, call.gamma, call.theta)]
    assert found == [0.0, 0.5, np.inf, -np.inf]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spot": 0.0}, "The option's spot is 0.0, must be a positive number"),
        ({"strike": np.array([90.0, -1.0])}, r"strike at \[1\] is -1.0"),
        ({"volatility": np.nan}, "volatility is nan"),
        ({"years": -0.1}, "years is -0.1, must be a number, 0 or more"),
        ({"rate": np.inf}, "rate is inf, must be a finite number"),
        ({"strike": np.ones(2), "years": np.ones(3)}, "shapes that do not fit"),
    ],
)
def test_unusable_term_is_named(change: dict[str, Any], message: str) -> None:
    terms: dict[str, Any] = {
        "spot": 100.0,
        "strike": 100.0,
        "years": 1.0,
        "rate": 0.0,
        "volatility": 0.2,
    }
    with pytest.raises(DataError, match=message):
        black_scholes_price(**{**terms, **change})
