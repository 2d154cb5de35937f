"""The two gears run the same strategy: the same units at every bar, the same equity within rounding.

The event gear trades on a grid. What may differ for one fill of `units`:

* its price: half a tick each for the close, the half spread and the slippage; a whole tick more where the
  spread is less than one; and spread times slippage, because the exchange applies one to the other;
* its commission: that of the difference in price, and half a cent of rounding.

A position is valued at a close that is off by up to half a tick. The ladder holds every order in its best
level, so no order walks.
"""

from decimal import Decimal

import msgspec
import numpy as np
import pytest

from actors.blueprint import Assumptions
from actors.feeds.sources import PriceTable, load_prices
from trading.backtest.engine import run_backtest
from trading.backtest.settings import (
    BacktestSettings,
    Costs,
    Execution,
    Financing,
    Limits,
    Orders,
    Rebalance,
    Sizing,
)
from trading.exchange.buying_power import BuyingPower
from trading.exchange.fees import Fees
from trading.exchange.liquidity import Liquidity
from trading.exchange.slippage import Slippage
from trading.identifiers import StrategyId
from trading.instruments import Instrument
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.momentum import Momentum
from tune.event_gear.run import run_event_backtest
from tune.event_gear.settings import EventSettings
from tune.prices import bars_of

SYMBOLS = ("AAPL", "BAC", "JNJ", "KO", "MSFT", "XOM")
ROWS = 900
CASH = 1_000_000.0
TICK = 0.0001
FEE, HALF_SPREAD, SLIP = 2.0, 1.5, 1.0
SETTINGS = BacktestSettings(
    initial_cash=CASH,
    execution=Execution.SAME_CLOSE,
    sizing=Sizing.CAPITAL,
    orders=Orders(rebalance=Rebalance.ON_DRIFT, band=0.02, lot_size=1.0),
    costs=Costs(bps=FEE, half_spread_bps=HALF_SPREAD, slippage_bps=SLIP),
    financing=Financing(debit_rate=0.0, borrow_rate=0.0),
    limits=Limits(max_leverage=1e9),
)
ASSUMPTIONS = Assumptions(
    liquidity=Liquidity(
        levels=1, depth=Decimal(10) ** 9, half_spread_bps=Decimal(str(HALF_SPREAD))
    ),
    fees=Fees(taker_bps=Decimal(str(FEE))),
    slippage=Slippage(bps=Decimal(str(SLIP))),
    buying_power=BuyingPower(max_leverage=Decimal(10) ** 9),
)
EVENT_SETTINGS = EventSettings(initial_cash=Decimal(int(CASH)), assumptions=ASSUMPTIONS)
STRATEGIES = [
    Momentum(formation_bars=120, volatility_bars=40, top_k=2, allow_short=True),
    MeanReversion(window_bars=15, entry_z=1.2, exit_z=0.2, allow_short=True),
]


@pytest.fixture(scope="module")
def table() -> PriceTable:
    whole = load_prices("sp500", SYMBOLS)
    rows = slice(len(whole) - ROWS, None)
    fields = (whole.open, whole.high, whole.low, whole.close, whole.volume)
    return PriceTable(whole.ts[rows], whole.instrument_ids, *(field[rows] for field in fields))


def bound_of(result, close: np.ndarray) -> np.ndarray:
    """Largest difference of the equity after each bar that the grid explains (account currency)."""
    bps = 1e-4
    traded = np.abs(np.diff(result.units, axis=0, prepend=0.0))
    flips = result.units * np.vstack([np.zeros(close.shape[1]), result.units[:-1]]) < 0
    count = ((traded > 0) + flips).sum(axis=1)
    price_error = 2.5 * TICK + HALF_SPREAD * SLIP * bps * bps * close
    paid = (traded * price_error).sum(axis=1) * (1 + FEE * bps) + 0.005 * count
    valued = (np.abs(result.units) * TICK / 2).sum(axis=1)
    return np.cumsum(paid) + valued


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: type(each).__name__)
def test_both_gears_hold_the_same_units_and_equity_at_every_bar(
    table: PriceTable, strategy
) -> None:
    bars = bars_of(table)
    vector = run_backtest(bars, strategy.targets(bars), SETTINGS)
    event = run_event_backtest(
        strategy,
        table,
        EVENT_SETTINGS,
        instruments=tuple(
            Instrument(instrument_id=name, tick_size=Decimal(str(TICK)))
            for name in table.instrument_ids
        ),
    )
    assert len(vector.fills) > 50
    assert event.comparison.is_clean
    assert not event.refusals
    assert len(event.fills) == len(vector.fills)
    np.testing.assert_array_equal(event.units, vector.units)
    bound = bound_of(event, bars.close)
    assert bound[-1] < 1e-3 * CASH
    assert (np.abs(event.equity - vector.equity) <= bound).all()


def test_ledger_marks_are_the_account_before_the_orders_of_the_slice(table: PriceTable) -> None:
    result = run_event_backtest(
        {StrategyId("trend"): STRATEGIES[0], StrategyId("reversion"): STRATEGIES[1]},
        table,
        EVENT_SETTINGS,
    )
    assert result.comparison.is_clean
    assert {fill.strategy_id for fill in result.fills} == {"trend", "reversion"}
    np.testing.assert_allclose(result.marked_cash[1:], result.cash[:-1], rtol=0, atol=1e-6)
    assert result.marked_cash[0] == CASH
    assert result.equity[-1] == pytest.approx(float(result.ledger["equity"]), abs=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: type(each).__name__)
def test_decisions_made_ahead_lead_to_the_same_orders(table: PriceTable, strategy) -> None:
    at_each_bar = run_event_backtest(strategy, table, EVENT_SETTINGS)
    ahead = run_event_backtest(
        strategy, table, msgspec.structs.replace(EVENT_SETTINGS, decides_ahead=True)
    )
    assert [fill.trade_id for fill in ahead.fills] == [fill.trade_id for fill in at_each_bar.fills]
    np.testing.assert_array_equal(ahead.units, at_each_bar.units)
    np.testing.assert_array_equal(ahead.marked_equity, at_each_bar.marked_equity)
