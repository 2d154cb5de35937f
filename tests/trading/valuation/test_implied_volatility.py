"""The search inverts the price: to the last digits near the money, in the wings, and never for a wrong price."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from trading.valuation.black_scholes import black_scholes_greeks, black_scholes_price
from trading.valuation.implied_volatility import implied_volatility


@given(
    moneyness=st.floats(-3.0, 3.0),
    years=st.floats(0.005, 20.0),
    rate=st.floats(-0.05, 0.15),
    dividend_yield=st.floats(-0.05, 0.15),
    volatility=st.floats(0.01, 4.0),
    is_call=st.booleans(),
)
@settings(deadline=None, max_examples=300)
def test_volatility_that_made_the_price_is_found(
    moneyness: float,
    years: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
    is_call: bool,
) -> None:
    strike = 100.0 * np.exp(moneyness)
    greeks = black_scholes_greeks(100.0, strike, years, rate, volatility, dividend_yield, is_call)
    price, vega = float(greeks.price), float(greeks.vega)
    asset, cash = 100.0 * np.exp(-dividend_yield * years), strike * np.exp(-rate * years)
    certain = max((asset - cash) if is_call else (cash - asset), 0.0)
    ceiling = asset if is_call else cash
    rounding = 1e-14 * (asset + cash)
    if not certain + 10 * rounding * (certain > 0) < price < ceiling - 10 * rounding:
        return  # the price itself no longer holds the volatility
    if price < 1e-300:
        return
    found = implied_volatility(price, 100.0, strike, years, rate, dividend_yield, is_call)
    digits = rounding if certain > 0 or price > 0.5 * ceiling else 1e-10 * price
    assert found == pytest.approx(volatility, rel=1e-9, abs=20 * digits / vega)


def test_whole_chain_is_inverted_at_once() -> None:
    strikes = np.linspace(50.0, 200.0, 31)
    smile = 0.2 + 0.1 * np.log(strikes / 100.0) ** 2
    years = np.array([[0.1], [1.0], [3.0]])
    is_call = strikes > 100.0
    prices = black_scholes_price(100.0, strikes, years, 0.02, smile, 0.01, is_call)
    found = implied_volatility(prices, 100.0, strikes, years, 0.02, 0.01, is_call)
    np.testing.assert_allclose(found, np.broadcast_to(smile, (3, 31)), rtol=1e-10)


@pytest.mark.parametrize("price", [1e-250, 1e-100, 1e-12])
def test_price_far_in_the_wing_is_explained(price: float) -> None:
    volatility = implied_volatility(price, 100.0, 150.0, 1.0, 0.0)
    assert black_scholes_price(100.0, 150.0, 1.0, 0.0, volatility) == pytest.approx(price, rel=1e-9)


def test_price_near_its_ceiling_is_explained() -> None:
    volatility = implied_volatility(99.999, 100.0, 100.0, 1.0, 0.0)
    assert black_scholes_price(100.0, 100.0, 1.0, 0.0, volatility) == pytest.approx(
        99.999, rel=1e-12
    )


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (
            (9.0, 100.0, 90.0, 1.0, 0.0),
            r"No volatility gives the price 9.0: it must lie above 10.0 .* below 100.0",
        ),
        ((10.0, 100.0, 90.0, 1.0, 0.0), "No volatility gives the price 10.0"),
        ((100.0, 100.0, 90.0, 1.0, 0.0), "below 100.0"),
        ((0.0, 100.0, 110.0, 1.0, 0.0), "above 0.0"),
        ((np.nan, 100.0, 110.0, 1.0, 0.0), "No volatility gives the price nan"),
        ((np.array([5.0, 200.0]), 100.0, 100.0, 1.0, 0.0), r"price 200.0 at \[1\]"),
        ((5.0, 100.0, 100.0, 0.0, 0.0), "has expired"),
        ((5.0, -1.0, 100.0, 1.0, 0.0), "spot is -1.0"),
    ],
)
def test_price_without_a_volatility_is_refused(terms: tuple[Any, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        implied_volatility(*terms)


def test_put_has_its_own_bounds() -> None:
    assert implied_volatility(60.0, 100.0, 120.0, 4.0, 0.0, is_call=False) > 0.2
    with pytest.raises(DataError, match=r"below 120.0"):
        implied_volatility(120.0, 100.0, 120.0, 4.0, 0.0, is_call=False)
