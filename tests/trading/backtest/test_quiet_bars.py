"""Bars on which nothing is due are passed in blocks: they must be worth the same as one by one."""

from dataclasses import fields

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from trading.backtest.engine import Actions, run_backtest
from trading.backtest.result import BacktestResult
from trading.backtest.settings import (
    BacktestSettings,
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


def market(rng: np.random.Generator, rows: int, columns: int) -> tuple[Bars, np.ndarray]:
    """Prices with gaps, some at the beginning, and weights that seldom change."""
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (rows, columns)), axis=0))
    close[rng.random(close.shape) < rng.choice([0.0, 0.05])] = np.nan
    close[: rng.integers(0, 30), 0] = np.nan
    changes = rng.random((rows, columns)) < rng.choice([0.0, 0.01, 0.1])
    steps = np.where(changes, rng.normal(0.2, 0.3, changes.shape), 0.0)
    weights = np.cumsum(steps, axis=0) / columns
    weights[rng.random(rows) < 0.005] = 0.0
    names = tuple(InstrumentId(f"S{i}.XNAS") for i in range(columns))
    return Bars.of_closes(DAY * np.arange(rows), names, close), weights


@st.composite
def assumptions(draw: st.DrawFn) -> BacktestSettings:
    rate = st.sampled_from([0.0, 0.1])
    return BacktestSettings(
        execution=draw(st.sampled_from(Execution)),
        sizing=draw(st.sampled_from(Sizing)),
        orders=Orders(
            rebalance=draw(st.sampled_from(Rebalance)),
            band=draw(st.sampled_from([0.02, 0.2])),
            lot_size=draw(st.sampled_from([0.0, 1.0])),
        ),
        financing=Financing(debit_rate=draw(rate), borrow_rate=draw(rate)),
        exits=Exits(stop_loss=draw(rate)),
        limits=Limits(
            max_leverage=draw(st.sampled_from([1.0, 3.0])), allow_short=draw(st.booleans())
        ),
    )


def columns_of(result: BacktestResult) -> dict[str, bytes]:
    skipped = {"instrument_ids", "settings", "fills", "trades", "ruined_at"}
    names = [each.name for each in fields(result) if each.name not in skipped]
    found = {name: getattr(result, name).tobytes() for name in names}
    for log in (result.fills, result.trades):
        found |= {
            f"{type(log).__name__}.{f.name}": getattr(log, f.name).tobytes() for f in fields(log)
        }
    return found


@given(st.integers(0, 2**32), st.integers(1, 400), st.integers(1, 10), assumptions())
@settings(deadline=None, max_examples=150)
def test_bars_passed_in_blocks_have_the_bits_of_bars_one_by_one(
    seed: int, rows: int, columns: int, config: BacktestSettings
) -> None:
    bars, weights = market(np.random.default_rng(seed), rows, columns)
    # where there may be actions, each bar is looked at
    nothing_happens = Actions(np.ones(weights.shape), np.zeros(weights.shape))

    in_blocks = run_backtest(bars, weights, config)
    one_by_one = run_backtest(bars, weights, config, nothing_happens)

    assert columns_of(in_blocks) == columns_of(one_by_one)


@pytest.mark.parametrize("change_at", [1, 2, 18, 19, 82, 83, 146, 147, 199])
def test_change_anywhere_in_a_block_is_filled_on_the_next_bar(change_at: int) -> None:
    ts, close = DAY * np.arange(200), np.full((200, 1), 50.0)
    weights = np.zeros((200, 1))
    weights[change_at:] = 0.5
    config = BacktestSettings(orders=Orders(rebalance=Rebalance.ON_CHANGE))

    found = run_backtest(Bars.of_closes(ts, (InstrumentId("A.XNAS"),), close), weights, config)

    assert found.fills.bar.tolist() == ([change_at + 1] if change_at < 199 else [])
    assert (np.flatnonzero(found.units[:, 0]) > change_at).all()


def test_drift_after_a_long_rest_is_filled() -> None:
    """Half in cash: a price that doubles in steps too small to see brings the weight to 2/3."""
    close = 50 * 2 ** np.linspace(0, 1, 3_000)[:, None]
    bars = Bars.of_closes(DAY * np.arange(3_000), (InstrumentId("A.XNAS"),), close)

    found = run_backtest(
        bars, np.full(close.shape, 0.5), BacktestSettings(orders=Orders(band=0.05))
    )

    weight = found.net / found.equity
    assert 2 < len(found.fills) < 6
    assert np.abs(weight[2:] - 0.5).max() < 0.051
