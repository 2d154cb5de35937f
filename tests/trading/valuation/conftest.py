"""QuantLib as the oracle: one flat market for every option."""

from collections.abc import Callable
from typing import Any

import pytest
import QuantLib

TODAY = QuantLib.Date(3, 1, 2022)
DAYS_PER_YEAR = 360
"""Of QuantLib's day count here, so that the years of a test are whole days."""


def process(spot: float, rate: float, volatility: float, dividend_yield: float) -> Any:
    count = QuantLib.Actual360()
    curves = [
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(TODAY, each, count))
        for each in (dividend_yield, rate)
    ]
    surface = QuantLib.BlackConstantVol(TODAY, QuantLib.NullCalendar(), volatility, count)
    return QuantLib.BlackScholesMertonProcess(
        QuantLib.QuoteHandle(QuantLib.SimpleQuote(spot)),
        *curves,
        QuantLib.BlackVolTermStructureHandle(surface),
    )


@pytest.fixture
def quantlib_option() -> Callable[..., Any]:
    """Makes an option of QuantLib: terms, whether it is American, and its engine by name."""

    def make(terms: tuple[Any, ...], is_american: bool, engine: str, *engine_arguments: Any) -> Any:
        spot, strike, years, rate, volatility, dividend_yield, is_call = terms
        days = round(years * DAYS_PER_YEAR)
        assert days == pytest.approx(years * DAYS_PER_YEAR)
        QuantLib.Settings.instance().evaluationDate = TODAY
        side = QuantLib.Option.Call if is_call else QuantLib.Option.Put
        exercise = (
            QuantLib.AmericanExercise(TODAY, TODAY + days)
            if is_american
            else QuantLib.EuropeanExercise(TODAY + days)
        )
        option = QuantLib.VanillaOption(QuantLib.PlainVanillaPayoff(side, strike), exercise)
        market = process(spot, rate, volatility, dividend_yield)
        option.setPricingEngine(getattr(QuantLib, engine)(market, *engine_arguments))
        return option

    return make
