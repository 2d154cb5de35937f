"""The contract of every strategy: batch over all history and live on the trailing window agree."""

from dataclasses import replace

import numpy as np
import pytest

from actors.feeds.sources import load_prices
from trading.identifiers import InstrumentId
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.momentum import Momentum
from trading.strategies.pairs import Pairs
from trading.strategies.registry import build_strategy, known_strategies
from trading.strategies.signals import (
    FORECAST_DEVIATION,
    FORECAST_RETURN,
    LEADER_WEIGHT,
    SENTIMENT,
)
from trading.strategies.strategy import Bars, Strategy

STRATEGIES: list[Strategy] = [
    Momentum(),
    Momentum(formation_bars=60, skip_bars=5, volatility_bars=80, top_k=2, allow_short=True),
    Momentum(formation_bars=40, skip_bars=0, rebalance_months=3, top_k=3),
    MeanReversion(),
    MeanReversion(window_bars=10, entry_z=1.2, exit_z=0.0, hold_bars_max=7, allow_short=True),
    Pairs(),
    Pairs(formation_bars=60, significance=0.1, max_pairs=3, entry_z=1.0, stop_z=2.5),
    Pairs(formation_bars=90, trading_months=3, significance=0.1, max_pairs=2, entry_z=1.5),
]


def name_of(strategy: Strategy) -> str:
    return f"{type(strategy).__name__}-{strategy.lookback}"


def assert_live_is_batch(strategy: Strategy, bars: Bars) -> None:
    batch, lookback = strategy.targets(bars), strategy.lookback
    assert not batch[: lookback - 1].any()
    for row in range(lookback - 1, len(bars)):
        live = strategy.targets(bars.rows(row - lookback + 1, row + 1))
        np.testing.assert_array_equal(live[-1], batch[row], err_msg=f"row {row}")


@pytest.mark.parametrize("strategy", STRATEGIES, ids=name_of)
def test_live_equals_batch_to_the_bit_at_every_bar(strategy: Strategy, bars: Bars) -> None:
    assert_live_is_batch(strategy, bars)
    is_invested = strategy.targets(bars).any(axis=1)
    assert is_invested[strategy.lookback :].mean() > 0.02


@pytest.mark.parametrize("strategy", STRATEGIES, ids=name_of)
def test_live_equals_batch_with_gaps_in_the_prices(strategy: Strategy, bars: Bars) -> None:
    close = bars.close.copy()
    close[:500, 0] = np.nan  # listed late
    close[640, 2] = np.nan  # one price missing
    holed = Bars.of_closes(bars.ts, bars.instrument_ids, close)
    assert np.isfinite(strategy.targets(holed)).all()
    assert_live_is_batch(strategy, holed)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=name_of)
def test_another_future_changes_nothing_before_it(strategy: Strategy, bars: Bars) -> None:
    batch = strategy.targets(bars)
    for now in (450, 511, 620, 733, 898):
        close = bars.close.copy()
        close[now + 1 :] = close[now + 1 :][::-1] * 3.0
        changed = strategy.targets(Bars.of_closes(bars.ts, bars.instrument_ids, close))
        np.testing.assert_array_equal(changed[: now + 1], batch[: now + 1])
        truncated = strategy.targets(bars.rows(0, now + 1))
        np.testing.assert_array_equal(truncated, batch[: now + 1])


@pytest.mark.parametrize("strategy", STRATEGIES, ids=name_of)
def test_gross_weight_is_at_most_one(strategy: Strategy, bars: Bars) -> None:
    assert np.abs(strategy.targets(bars)).sum(axis=1).max() <= 1.0 + 1e-12


@pytest.mark.parametrize("strategy", STRATEGIES, ids=name_of)
def test_too_little_history_gives_no_weights(strategy: Strategy, bars: Bars) -> None:
    for count in (0, 1, strategy.lookback - 1):
        weights = strategy.targets(bars.rows(0, count))
        assert weights.shape == (count, 6)
        assert not weights.any()


@pytest.fixture(scope="module")
def market() -> Bars:
    """All twenty stocks, as a host loads them, with every signal that there is."""
    table = load_prices("sp500", ())
    start = len(table) - 1_200
    bars = Bars.of_closes(table.ts[start:], table.instrument_ids, table.close[start:])
    generator = np.random.default_rng(3)
    signals = {
        SENTIMENT: generator.uniform(-1.0, 1.0, bars.close.shape),
        LEADER_WEIGHT: np.repeat(generator.dirichlet(np.ones(20), 60), 20, axis=0),
        # what a forecaster says, ten times as sure of itself as it should be, so that somebody acts on it
        FORECAST_RETURN: generator.normal(0.0, 0.03, bars.close.shape),
        FORECAST_DEVIATION: np.full(bars.close.shape, 0.01),
    }
    return replace(bars, signals=signals)


@pytest.mark.parametrize("name", known_strategies())
def test_every_installed_strategy_keeps_the_contract_over_the_whole_market(
    name: str, market: Bars
) -> None:
    strategy = build_strategy(name, {})
    batch, lookback = strategy.targets(market), strategy.lookback
    assert batch.shape == market.close.shape
    assert np.isfinite(batch).all()
    assert np.abs(batch).sum(axis=1).max() <= 1.0 + 1e-12
    assert not batch[: lookback - 1].any()
    assert batch[lookback:].any()
    for row in (lookback - 1, lookback, *range(lookback + 13, len(market), 61), len(market) - 1):
        live = strategy.targets(market.rows(row - lookback + 1, row + 1))
        np.testing.assert_allclose(live[-1], batch[row], rtol=0, atol=1e-12, err_msg=f"row {row}")
        before = strategy.targets(market.rows(0, row + 1))
        np.testing.assert_array_equal(before, batch[: row + 1])


@pytest.mark.parametrize("strategy", STRATEGIES, ids=name_of)
def test_instrument_without_any_price_gets_no_weight_and_disturbs_nobody(
    strategy: Strategy, bars: Bars
) -> None:
    close = np.column_stack([bars.close, np.full(len(bars), np.nan)])
    names = (*bars.instrument_ids, InstrumentId("NONE.XNAS"))
    weights = strategy.targets(Bars.of_closes(bars.ts, names, close))
    assert not weights[:, -1].any()
    np.testing.assert_array_equal(weights[:, :-1], strategy.targets(bars))


@pytest.mark.parametrize("strategy", STRATEGIES, ids=name_of)
def test_prices_are_only_read(strategy: Strategy, bars: Bars) -> None:
    close = bars.close.copy()
    close.flags.writeable = False
    strategy.targets(Bars.of_closes(bars.ts, bars.instrument_ids, close))
