import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError, UsageError
from trading.stress.liquidity import LiquidityShock, MarketLiquidity, liquidate

NAMES = ("A", "B")
MARKET = MarketLiquidity(
    half_spread=np.array([0.0005, 0.001]),
    daily_value=np.array([1e6, 1e5]),
    daily_volatility=np.array([0.02, 0.03]),
)


def test_when_day_is_normal_cost_and_days_are_those_by_hand() -> None:
    """A: 4 % of a day's value, sold within the day. B: 1.5 days at a tenth of the value."""
    found = liquidate(np.array([40_000.0, -15_000.0]), NAMES, MARKET)
    assert found.days == pytest.approx([0.4, 1.5])
    assert found.spread_cost == pytest.approx([20.0, 15.0])
    assert found.impact_cost == pytest.approx([40_000 * 0.02 * 0.2, 15_000 * 0.03 * math.sqrt(0.1)])
    assert found.deviation[1] == pytest.approx(15_000 * 0.03 * math.sqrt(0.5))
    assert found.cost == pytest.approx(found.spread_cost.sum() + found.impact_cost.sum())
    assert found.days_to_flat == pytest.approx(1.5)


def test_when_market_dries_up_spread_days_and_impact_grow_by_the_multiples() -> None:
    exposures = np.array([40_000.0, -15_000.0])
    normal = liquidate(exposures, NAMES, MARKET)
    shock = LiquidityShock(spread_multiple=5.0, depth_multiple=0.25, volatility_multiple=3.0)
    dry = liquidate(exposures, NAMES, MARKET, shock)
    assert dry.spread_cost == pytest.approx(5 * normal.spread_cost)
    assert dry.days == pytest.approx(4 * normal.days)
    assert dry.impact_cost[0] == pytest.approx(40_000 * 0.06 * math.sqrt(0.1))
    assert dry.impact_cost[1] == pytest.approx(3 * normal.impact_cost[1])
    assert dry.deviation == pytest.approx(3 * 2 * normal.deviation)


def test_when_nothing_is_held_nothing_is_to_be_paid() -> None:
    found = liquidate(np.zeros(2), NAMES, MARKET)
    assert (found.cost, found.days_to_flat) == (0.0, 0.0)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.0, 1e7), st.floats(1.0, 10.0), st.floats(0.01, 1.0), st.floats(1.0, 5.0))
def test_when_market_is_worse_liquidation_never_is_cheaper_or_faster(
    value: float, spread: float, depth: float, volatility: float
) -> None:
    exposures = np.array([value, -value])
    normal = liquidate(exposures, NAMES, MARKET)
    dry = liquidate(exposures, NAMES, MARKET, LiquidityShock(spread, depth, volatility))
    slack = 1e-9 * (1.0 + value)
    assert dry.cost >= normal.cost - slack
    assert (dry.days >= normal.days - slack).all()
    assert (dry.deviation >= normal.deviation - slack).all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: LiquidityShock(spread_multiple=0.5),
        lambda: LiquidityShock(depth_multiple=0.0),
        lambda: LiquidityShock(depth_multiple=1.5),
        lambda: LiquidityShock(volatility_multiple=math.nan),
        lambda: liquidate(np.ones(2), NAMES, MARKET, participation=0.0),
        lambda: liquidate(np.ones(2), NAMES, MARKET, impact_coefficient=-1.0),
    ],
)
def test_when_a_setting_is_out_of_range_it_is_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(UsageError, match="must be"):
        wrong()


def test_when_a_number_of_an_asset_is_impossible_error_names_it() -> None:
    dead = MarketLiquidity(MARKET.half_spread, np.array([1e6, 0.0]), MARKET.daily_volatility)
    with pytest.raises(DataError, match=r"B: daily_value is 0.0, must be a positive number"):
        liquidate(np.ones(2), NAMES, dead)
    gap = MarketLiquidity(np.array([np.nan, 0.0]), MARKET.daily_value, MARKET.daily_volatility)
    with pytest.raises(DataError, match="A: half_spread is nan, must be a number from 0"):
        liquidate(np.ones(2), NAMES, gap)
    short = MarketLiquidity(np.zeros(3), MARKET.daily_value, MARKET.daily_volatility)
    with pytest.raises(DataError, match="half_spread has shape"):
        liquidate(np.ones(2), NAMES, short)
