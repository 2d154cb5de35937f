"""Bonds by hand, against QuantLib, and against differences of their own prices."""

from typing import Any

import numpy as np
import pytest
import QuantLib
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError, UsageError
from trading.valuation.bonds import (
    CashFlows,
    bond_measures,
    fixed_rate_bond,
    key_rate_dv01,
    price_from_curve,
    price_from_yield,
    yield_of_price,
)
from trading.valuation.zero_curve import ZeroCurve

FLOWS = fixed_rate_bond(100.0, 0.06, 3.0, 1)


def test_bond_by_hand() -> None:
    """Three years, 6 % a year, at a yield of 8 %."""
    price = 6 / 1.08 + 6 / 1.08**2 + 106 / 1.08**3
    duration = (1 * 6 / 1.08 + 2 * 6 / 1.08**2 + 3 * 106 / 1.08**3) / price
    convexity = (2 * 6 / 1.08**3 + 6 * 6 / 1.08**4 + 12 * 106 / 1.08**5) / price
    measures = bond_measures(FLOWS, 0.08, 1)
    assert measures.price == pytest.approx(price, rel=1e-14)
    assert measures.macaulay_duration == pytest.approx(duration, rel=1e-14)
    assert measures.modified_duration == pytest.approx(duration / 1.08, rel=1e-14)
    assert measures.convexity == pytest.approx(convexity, rel=1e-14)
    assert measures.dv01 == pytest.approx(price * duration / 1.08 / 10_000, rel=1e-14)
    assert price_from_yield(FLOWS, 0.08, 1) == pytest.approx(price, rel=1e-14)


@pytest.mark.parametrize("periods", [0, 1, 2, 4])
def test_measures_agree_with_quantlib(periods: int) -> None:
    today, count = QuantLib.Date(3, 1, 2022), QuantLib.Thirty360(QuantLib.Thirty360.BondBasis)
    QuantLib.Settings.instance().evaluationDate = today
    payments = [
        QuantLib.SimpleCashFlow(amount, QuantLib.Date(3, month, year))
        for amount, month, year in ((2.5, 7, 2022), (2.5, 1, 2023), (102.5, 7, 2023))
    ]
    kind = QuantLib.Continuous if periods == 0 else QuantLib.Compounded
    frequency = {
        0: QuantLib.NoFrequency,
        1: QuantLib.Annual,
        2: QuantLib.Semiannual,
        4: QuantLib.Quarterly,
    }
    rate = QuantLib.InterestRate(0.043, count, kind, frequency[periods])
    ours = bond_measures(fixed_rate_bond(100.0, 0.05, 1.5, 2), 0.043, periods)
    functions = QuantLib.CashFlows
    assert ours.price == pytest.approx(functions.npv(payments, rate, True, today), rel=1e-12)
    modified = functions.duration(payments, rate, QuantLib.Duration.Modified, True, today)
    assert ours.modified_duration == pytest.approx(modified, rel=1e-12)
    assert ours.convexity == pytest.approx(
        functions.convexity(payments, rate, True, today), rel=1e-12
    )
    assert ours.dv01 == pytest.approx(
        -functions.basisPointValue(payments, rate, True, today), rel=1e-3
    )


@given(
    coupon=st.floats(0.0, 0.2),
    years=st.floats(0.05, 40.0),
    bond_yield=st.floats(-0.05, 0.5),
    periods=st.sampled_from([0, 1, 2, 4, 12]),
)
@settings(deadline=None, max_examples=150)
def test_yield_and_derivatives_follow_from_the_price(
    coupon: float, years: float, bond_yield: float, periods: int
) -> None:
    flows = fixed_rate_bond(1_000.0, coupon, years, 2)
    measures = bond_measures(flows, bond_yield, periods)
    assert yield_of_price(flows, measures.price, periods) == pytest.approx(bond_yield, abs=1e-10)
    step = 1e-4
    above, below = (price_from_yield(flows, bond_yield + each, periods) for each in (step, -step))
    assert measures.dv01 == pytest.approx((below - above) / 2.0, rel=1e-4)
    curve = (above + below - 2.0 * measures.price) / step**2 / measures.price
    assert measures.convexity == pytest.approx(curve, rel=1e-3, abs=1e-3)


def test_bond_at_its_coupon_rate_is_worth_its_face() -> None:
    assert price_from_yield(fixed_rate_bond(100.0, 0.05, 10.0), 0.05) == pytest.approx(
        100.0, rel=1e-14
    )


def test_payments_are_counted_back_from_the_redemption() -> None:
    flows = fixed_rate_bond(100.0, 0.04, 1.25, 2)
    np.testing.assert_allclose(flows.years, [0.25, 0.75, 1.25])
    np.testing.assert_allclose(flows.amounts, [2.0, 2.0, 102.0])


def test_yield_of_a_single_payment_is_exact() -> None:
    flows = CashFlows(np.array([4.0]), np.array([100.0]))
    assert yield_of_price(flows, 100.0 / 1.07**4, 1) == pytest.approx(0.07, rel=1e-12)
    assert yield_of_price(flows, 100.0, 0) == pytest.approx(0.0, abs=1e-14)


def test_flat_curve_gives_the_price_of_a_continuous_yield() -> None:
    curve = ZeroCurve(np.array([1.0, 10.0]), np.array([0.03, 0.03]))
    assert price_from_curve(FLOWS, curve) == pytest.approx(
        price_from_yield(FLOWS, 0.03, 0), rel=1e-14
    )
    assert key_rate_dv01(FLOWS, curve).sum() == pytest.approx(
        bond_measures(FLOWS, 0.03, 0).dv01, rel=1e-13
    )


def test_each_payment_is_discounted_at_its_own_rate() -> None:
    curve = ZeroCurve(np.array([1.0, 3.0]), np.array([0.02, 0.04]))
    by_hand = 6 * np.exp(-0.02) + 6 * np.exp(-0.03 * 2) + 106 * np.exp(-0.04 * 3)
    assert price_from_curve(FLOWS, curve) == pytest.approx(by_hand, rel=1e-14)


def test_key_rates_are_what_shifting_one_knot_costs() -> None:
    flows = fixed_rate_bond(100.0, 0.05, 9.5)
    curve = ZeroCurve(np.array([0.5, 2.0, 5.0, 10.0]), np.array([0.01, 0.02, 0.03, 0.035]))
    for knot, fall in enumerate(key_rate_dv01(flows, curve)):
        shift = np.zeros(4)
        shift[knot] = 1e-4
        up, down = (price_from_curve(flows, curve.shifted(each)) for each in (shift, -shift))
        assert fall == pytest.approx((down - up) / 2.0, rel=1e-6)
    parallel = price_from_curve(flows, curve.shifted(-1e-4)) - price_from_curve(flows, curve)
    assert key_rate_dv01(flows, curve).sum() == pytest.approx(parallel, rel=1e-3)


@pytest.mark.parametrize(
    ("years", "amounts", "message"),
    [
        ([], [], "at least one"),
        ([1.0, 2.0], [5.0], "one amount for each time"),
        ([1.0, 1.0], [5.0, 5.0], "future and rise"),
        ([0.0], [5.0], "future and rise"),
        ([1.0], [np.nan], "finite"),
    ],
)
def test_unusable_cash_flows_are_refused(
    years: list[float], amounts: list[float], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        CashFlows(np.array(years), np.array(amounts))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fixed_rate_bond(100.0, 0.05, 0.0), UsageError, "time to redemption"),
        (lambda: fixed_rate_bond(100.0, 0.05, 1.0, 0), UsageError, "0 coupons per year"),
        (lambda: price_from_yield(FLOWS, 0.05, -1), UsageError, "compounded 0 or more times"),
        (lambda: yield_of_price(FLOWS, 100.0, -1), UsageError, "compounded 0 or more times"),
        (lambda: bond_measures(FLOWS, -1.0, 1), UsageError, "takes everything"),
        (lambda: yield_of_price(FLOWS, 0.0), DataError, "positive number, got 0.0"),
        (lambda: yield_of_price(FLOWS, np.nan), DataError, "positive number, got nan"),
        (
            lambda: yield_of_price(CashFlows(np.ones(1), -np.ones(1)), 1.0),
            DataError,
            "never negative",
        ),
        (
            lambda: yield_of_price(CashFlows(np.ones(1), np.zeros(1)), 1.0),
            DataError,
            "one that is positive",
        ),
        (lambda: bond_measures(CashFlows(np.ones(1), np.zeros(1)), 0.05), DataError, "no duration"),
    ],
)
def test_impossible_question_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
