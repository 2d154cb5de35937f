"""Nothing comes from nowhere: random markets, decisions and assumptions, and the sums that must hold."""

import hypothesis.strategies as st
import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings

from trading.backtest.engine import Actions, equity_of, market_of, run_backtest
from trading.backtest.result import BacktestResult
from trading.backtest.settings import (
    BacktestSettings,
    Costs,
    Execution,
    Exits,
    Financing,
    Limits,
    Orders,
    Rebalance,
    Sizing,
)
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars

DAY = 86_400_000_000_000


def market(rng: np.random.Generator, rows: int, columns: int) -> tuple[Bars, Actions, np.ndarray]:
    """Bars with missing closes, splits and dividends, and weights that hold for a while."""
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.03, (rows, columns)), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.01, close.shape))
    high = np.maximum(open_, close) * (1 + rng.uniform(0, 0.02, close.shape))
    low = np.minimum(open_, close) * (1 - rng.uniform(0, 0.02, close.shape))
    volume = rng.integers(0, 3, close.shape) * 5_000.0
    for array in (open_, high, low, close):
        array[missing := rng.random(close.shape) < 0.02] = np.nan
        for other in (open_, high, low, close):
            other[missing] = np.nan
    weights = np.repeat(rng.normal(0.1, 0.5, (rows // 4 + 1, columns)), 4, axis=0)[:rows]
    weights[rng.random(weights.shape) < 0.1] = 0.0
    actions = Actions(
        splits=np.where(rng.random(close.shape) < 0.02, 2.0, 1.0),
        dividends=np.where(rng.random(close.shape) < 0.05, 0.5, 0.0),
    )
    names = tuple(InstrumentId(f"S{i}.XNAS") for i in range(columns))
    bars = Bars(DAY * np.arange(rows), names, close, open_, high, low, volume)
    return bars, actions, weights


@st.composite
def assumptions(draw: st.DrawFn) -> BacktestSettings:
    fraction = st.floats(0, 0.2)
    return BacktestSettings(
        initial_cash=10_000,
        execution=draw(st.sampled_from(Execution)),
        sizing=draw(st.sampled_from(Sizing)),
        orders=Orders(
            rebalance=draw(st.sampled_from(Rebalance)),
            band=draw(st.sampled_from([0.0, 0.02, 0.1])),
            lot_size=draw(st.sampled_from([0.0, 1.0, 0.1])),
            max_participation=draw(st.sampled_from([1.0, 0.01])),
        ),
        costs=Costs(
            bps=draw(st.floats(0, 50)),
            per_unit=draw(st.floats(0, 0.1)),
            minimum=draw(st.floats(0, 5)),
            half_spread_bps=draw(st.floats(0, 20)),
            slippage_bps=draw(st.floats(0, 20)),
            impact=draw(fraction),
        ),
        financing=Financing(
            cash_rate=draw(fraction), debit_rate=draw(fraction), borrow_rate=draw(fraction)
        ),
        exits=Exits(
            stop_loss=draw(fraction), take_profit=draw(fraction), trailing_stop=draw(fraction)
        ),
        limits=Limits(
            max_leverage=draw(st.sampled_from([1.0, 0.5, 3.0])), allow_short=draw(st.booleans())
        ),
    )


def last_prices(bars: Bars) -> np.ndarray:
    """The newest known close at each row, 0 before the first."""
    prices = bars.close.copy()
    prices[0] = np.nan_to_num(prices[0])
    for row in range(1, len(prices)):
        prices[row] = np.where(np.isnan(prices[row]), prices[row - 1], prices[row])
    return prices


def check_cash(result: BacktestResult) -> None:
    paid = np.zeros(len(result.ts))
    np.add.at(paid, result.fills.bar, result.fills.units * result.fills.price)
    expected = 10_000 + np.cumsum(result.interest + result.dividends - paid - result.commission)
    np.testing.assert_allclose(result.cash, expected, rtol=1e-9, atol=1e-6)


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 4), assumptions())
@settings(deadline=None, max_examples=150)
def test_cash_units_and_profit_add_up(
    seed: int, rows: int, columns: int, config: BacktestSettings
) -> None:
    bars, _, weights = market(np.random.default_rng(seed), rows, columns)

    result = run_backtest(bars, weights, config)

    check_cash(result)
    held = np.zeros((rows, columns))
    np.add.at(held, (result.fills.bar, result.fills.column), result.fills.units)
    np.testing.assert_allclose(result.units, np.cumsum(held, axis=0), atol=1e-6)
    value = result.units * last_prices(bars)
    np.testing.assert_allclose(result.equity, result.cash + value.sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(result.gross, np.abs(value).sum(axis=1), rtol=1e-9, atol=1e-6)
    earned = result.interest.sum() + result.dividends.sum()
    np.testing.assert_allclose(
        10_000 + result.trades.profit.sum() + earned, result.equity[-1], rtol=1e-7, atol=1e-4
    )
    np.testing.assert_allclose(result.trades.commission.sum(), result.commission.sum(), atol=1e-6)
    np.testing.assert_allclose(result.fills.slippage.sum(), result.slippage.sum(), atol=1e-6)


@given(st.integers(0, 2**32), st.integers(2, 60), assumptions())
@settings(deadline=None, max_examples=100)
def test_sweep_has_the_equity_of_the_whole_backtest(
    seed: int, rows: int, config: BacktestSettings
) -> None:
    bars, actions, weights = market(np.random.default_rng(seed), rows, 3)

    whole = run_backtest(bars, weights, config, actions)

    np.testing.assert_array_equal(
        whole.equity, equity_of(market_of(bars, actions), weights, config)
    )


RATE_ON_IMPACT = BacktestSettings(
    initial_cash=10_000,
    execution=Execution.NEXT_OPEN,
    orders=Orders(rebalance=Rebalance.ON_CHANGE, max_participation=0.01),
    costs=Costs(bps=11.0, per_unit=0.0, half_spread_bps=0.0, slippage_bps=1.0, impact=0.125),
    exits=Exits(stop_loss=0.0625),
    limits=Limits(max_weight=10.0),
)
"""The commission is owed on what the impact adds to the price too."""


@example(523, 36, RATE_ON_IMPACT)
@given(st.integers(0, 2**32), st.integers(2, 60), assumptions())
@settings(deadline=None, max_examples=100)
def test_long_only_without_leverage_never_owes_cash(
    seed: int, rows: int, config: BacktestSettings
) -> None:
    config = msgspec.structs.replace(
        config,
        limits=Limits(max_leverage=1.0, allow_short=False),
        # a least commission may be more than what a tiny position brings in
        costs=msgspec.structs.replace(config.costs, minimum=0.0),
    )
    bars, actions, weights = market(np.random.default_rng(seed), rows, 3)

    result = run_backtest(bars, weights, config, actions)

    assert result.units.min() >= 0
    assert result.cash.min() >= -1e-6


@given(st.integers(0, 2**32), st.integers(2, 60), assumptions())
@settings(deadline=None, max_examples=100)
def test_splits_with_adjusted_prices_change_nothing_but_the_count(
    seed: int, rows: int, config: BacktestSettings
) -> None:
    """The same market before adjustment (with splits) and after it is worth the same at every bar."""
    costs = msgspec.structs.replace(config.costs, per_unit=0.0)
    orders = msgspec.structs.replace(config.orders, lot_size=0.0)
    config = msgspec.structs.replace(config, costs=costs, orders=orders)
    bars, actions, weights = market(np.random.default_rng(seed), rows, 2)
    factor = np.cumprod(actions.splits, axis=0)
    raw = Bars(
        bars.ts,
        bars.instrument_ids,
        *(array / factor for array in (bars.close, bars.open, bars.high, bars.low)),
        bars.volume * factor,
    )
    no_dividends = Actions(actions.splits, np.zeros_like(actions.dividends))

    adjusted = run_backtest(bars, weights, config)
    split = run_backtest(raw, weights, config, no_dividends)

    np.testing.assert_allclose(split.equity, adjusted.equity, rtol=1e-7)
    np.testing.assert_allclose(split.units, adjusted.units * factor, rtol=1e-6, atol=1e-6)


@given(st.integers(0, 2**32), st.integers(3, 60), assumptions(), st.data())
@settings(deadline=None, max_examples=100)
def test_future_changes_nothing(
    seed: int, rows: int, config: BacktestSettings, data: st.DataObject
) -> None:
    bars, _, weights = market(np.random.default_rng(seed), rows, 2)
    known = data.draw(st.integers(1, rows))

    whole = run_backtest(bars, weights, config)
    part = run_backtest(bars.rows(0, known), weights[:known], config)

    np.testing.assert_array_equal(part.equity, whole.equity[:known])
    np.testing.assert_array_equal(part.units, whole.units[:known])


@given(st.integers(0, 2**32), st.integers(2, 40))
@settings(deadline=None, max_examples=60)
def test_gross_stays_within_the_leverage_after_a_fill_at_the_close(seed: int, rows: int) -> None:
    bars, _, weights = market(np.random.default_rng(seed), rows, 3)
    config = BacktestSettings(
        execution=Execution.SAME_CLOSE, limits=Limits(max_leverage=1.5), orders=Orders(band=0.0)
    )

    result = run_backtest(bars, 3 * weights, config)

    opened = np.zeros(rows, dtype=bool)
    before = np.vstack([np.zeros(3), result.units[:-1]])
    opened |= (np.abs(result.units) > np.abs(before)).any(axis=1)
    alive = opened & (result.equity > 0)
    assert (result.gross[alive] <= 1.5 * result.equity[alive] * (1 + 1e-9)).all()


def test_same_input_gives_the_same_bits() -> None:
    bars, actions, weights = market(np.random.default_rng(5), 200, 3)

    first = run_backtest(bars, weights, BacktestSettings(), actions)
    second = run_backtest(bars, weights, BacktestSettings(), actions)

    assert first.equity.tobytes() == second.equity.tobytes()


@pytest.mark.parametrize("rows", [1, 2])
def test_shortest_backtests_do_nothing_wrong(rows: int) -> None:
    bars, _, weights = market(np.random.default_rng(1), rows, 2)

    assert run_backtest(bars, weights).equity[0] == 1_000_000
