"""The exchange that charges what the vector gear does."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.blueprint import Assumptions
from trading.backtest.settings import Costs
from trading.exchange.buying_power import BuyingPower
from trading.exchange.fees import Fees
from trading.exchange.liquidity import Liquidity
from trading.exchange.slippage import Slippage
from tune.event_gear.settings import assumptions_of


@settings(deadline=None, max_examples=100)
@given(
    bps=st.floats(0, 100),
    per_unit=st.floats(0, 1),
    minimum=st.floats(0, 10),
    units=st.integers(1, 10_000),
    cents=st.integers(1, 100_000),
)
def test_commission_is_that_of_the_vector_gear_to_the_cent(
    bps: float, per_unit: float, minimum: float, units: int, cents: int
) -> None:
    fees = assumptions_of(Costs(bps=bps, per_unit=per_unit, minimum=minimum)).fees
    expected = max(minimum, units * cents / 100 * bps / 10_000 + units * per_unit)
    for is_maker in (True, False):
        found = fees.commission(Decimal(units), Decimal(cents) / 100, is_maker=is_maker)
        assert float(found) == pytest.approx(expected, abs=0.005 + 1e-9 * expected)


def test_spread_slippage_and_leverage_are_taken_as_they_were_written() -> None:
    costs = Costs(half_spread_bps=0.1, slippage_bps=2.5)
    assert assumptions_of(costs, 1.5) == Assumptions(
        liquidity=Liquidity(half_spread_bps=Decimal("0.1")),
        fees=Fees(),
        slippage=Slippage(bps=Decimal("2.5")),
        buying_power=BuyingPower(max_leverage=Decimal("1.5")),
    )
    assert assumptions_of(costs).buying_power == BuyingPower()


@pytest.mark.parametrize(
    ("costs", "leverage", "told"),
    [
        (Costs(impact=0.1), None, "set impact to 0"),
        (Costs(slippage_bps=10_000), None, "below 10000 basis points"),
        (Costs(), 0.0, "max_leverage must be positive"),
    ],
)
def test_what_has_no_equal_is_refused(costs: Costs, leverage: float | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        assumptions_of(costs, leverage)
