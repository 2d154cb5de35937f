"""The contract of strategies that read signals or other strategies: batch and live agree, nothing looks ahead."""

from dataclasses import replace

import numpy as np
import pytest

from trading.errors import DataError
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies.ensemble import MODES, Ensemble
from trading.strategies.mirror import Mirror
from trading.strategies.neural_sentiment import NeuralSentiment
from trading.strategies.neural_trend import NeuralTrend
from trading.strategies.signals import (
    FORECAST_DEVIATION,
    FORECAST_RETURN,
    LEADER_WEIGHT,
    SENTIMENT,
)
from trading.strategies.strategy import Bars, Strategy

MEMBERS: dict[str, dict[str, object]] = {
    "momentum": {"formation_bars": 60, "skip_bars": 5, "volatility_bars": 20, "allow_short": True},
    "mean_reversion": {"window_bars": 10, "entry_z": 1.2, "allow_short": True},
    "pairs": {"formation_bars": 40, "significance": 0.1},
}
TWO = {name: MEMBERS[name] for name in ("momentum", "mean_reversion")}
STRATEGIES: list[Strategy] = [
    NeuralTrend(),
    NeuralTrend(
        entry_ratio=2.0,
        exit_ratio=0.0,
        full_ratio=3.0,
        hold_bars_max=90,
        volatility_bars=20,
        allow_short=True,
    ),
    NeuralSentiment(),
    NeuralSentiment(
        average_bars=5, silence_bars_max=3, history_bars=30, entry_z=0.7, allow_short=True
    ),
    Mirror(),
    Mirror(delay_bars=4, max_age_bars=25, max_positions=3, sizing_factor=3.0, allow_short=True),
    *(Ensemble(members=TWO, mode=mode, fit_bars=60, regime_bars=100) for mode in MODES),
    Ensemble(members=MEMBERS, mode="voting"),
]
each_strategy = pytest.mark.parametrize(
    "strategy", STRATEGIES, ids=lambda each: f"{type(each).__name__}-{each.lookback}"
)


@pytest.fixture(scope="module")
def told(bars: Bars) -> Bars:
    """The real prices with signals that know nothing: noise with holes, and a leader who trades at times."""
    generator = np.random.default_rng(11)
    shape = bars.close.shape
    signals = {
        FORECAST_RETURN: _slow(generator, shape) * 0.03,
        FORECAST_DEVIATION: generator.uniform(0.02, 0.05, shape),
        SENTIMENT: generator.uniform(-1.0, 1.0, shape),
        LEADER_WEIGHT: _leader(generator, shape),
    }
    for name in (FORECAST_RETURN, FORECAST_DEVIATION, SENTIMENT):
        signals[name][generator.random(shape) < 0.05] = np.nan
    return replace(bars, signals=signals)


def _slow(generator: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Noise of deviation 1 that keeps its sign for weeks."""
    values = generator.normal(0.0, 1.0, shape)
    for row in range(1, shape[0]):
        values[row] = 0.97 * values[row - 1] + np.sqrt(1.0 - 0.97**2) * values[row]
    return values


def _leader(generator: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    portfolios = generator.dirichlet(np.ones(shape[1]), 30) * generator.choice(
        [-1, 1], (30, shape[1])
    )
    starts = np.sort(generator.choice(np.arange(40, shape[0]), 30, replace=False))
    known = np.searchsorted(starts, np.arange(shape[0]), side="right")
    weights: FloatArray = np.vstack([np.full(shape[1], np.nan), portfolios])[known]
    return weights


def changed_after(bars: Bars, now: int) -> Bars:
    """Return the bars with another future: everything behind row `now` runs backwards, three times as large."""

    def change(array: FloatArray) -> FloatArray:
        array = array.copy()
        array[now + 1 :] = array[now + 1 :][::-1] * 3.0
        return array

    signals = {name: change(array) for name, array in bars.signals.items()}
    made = Bars.of_closes(bars.ts, bars.instrument_ids, change(bars.close))
    return replace(made, signals=signals)


def assert_live_is_batch(strategy: Strategy, bars: Bars) -> None:
    batch, lookback = strategy.targets(bars), strategy.lookback
    assert np.isfinite(batch).all()
    assert not batch[: lookback - 1].any()
    for row in range(lookback - 1, len(bars)):
        live = strategy.targets(bars.rows(row - lookback + 1, row + 1))
        np.testing.assert_array_equal(live[-1], batch[row], err_msg=f"row {row}")


@each_strategy
def test_live_equals_batch_to_the_bit_at_every_bar(strategy: Strategy, told: Bars) -> None:
    assert_live_is_batch(strategy, told)
    assert strategy.targets(told)[strategy.lookback :].any(axis=1).mean() > 0.02


@each_strategy
def test_live_equals_batch_with_gaps_in_prices_and_signals(strategy: Strategy, told: Bars) -> None:
    close = told.close.copy()
    close[:500, 0] = np.nan  # listed late
    close[640, 2] = np.nan  # one price missing
    signals = {name: array.copy() for name, array in told.signals.items()}
    for array in signals.values():
        array[700:720, 1] = np.nan
        array[800:804] = np.nan
    holed = replace(Bars.of_closes(told.ts, told.instrument_ids, close), signals=signals)
    weights = strategy.targets(holed)
    assert not weights[:500, 0].any()
    if strategy.NEEDS:  # type: ignore[attr-defined]
        assert weights[640, 2] == 0.0
        assert not weights[704:720, 1].any()  # the longest delay is 4
    assert_live_is_batch(strategy, holed)


@each_strategy
def test_another_future_changes_nothing_before_it(strategy: Strategy, told: Bars) -> None:
    batch = strategy.targets(told)
    for now in (450, 511, 620, 733, 898):
        changed = strategy.targets(changed_after(told, now))
        np.testing.assert_array_equal(changed[: now + 1], batch[: now + 1])
        truncated = strategy.targets(told.rows(0, now + 1))
        np.testing.assert_array_equal(truncated, batch[: now + 1])


@each_strategy
def test_gross_weight_is_at_most_one(strategy: Strategy, told: Bars) -> None:
    assert np.abs(strategy.targets(told)).sum(axis=1).max() <= 1.0 + 1e-12


@each_strategy
def test_too_little_history_gives_no_weights(strategy: Strategy, told: Bars) -> None:
    for count in (0, 1, strategy.lookback - 1):
        weights = strategy.targets(told.rows(0, count))
        assert weights.shape == (count, 6)
        assert not weights.any()


@each_strategy
def test_instrument_without_price_or_without_signal_gets_no_weight_and_disturbs_nobody(
    strategy: Strategy, told: Bars
) -> None:
    nothing = np.full((len(told), 1), np.nan)
    close = np.column_stack([told.close, nothing, told.close[:, :1]])
    names = (*told.instrument_ids, InstrumentId("NONE.X"), InstrumentId("MUTE.X"))
    signals = {
        name: np.column_stack([array, array[:, :1], nothing])
        for name, array in told.signals.items()
    }
    weights = strategy.targets(replace(Bars.of_closes(told.ts, names, close), signals=signals))
    assert not weights[:, 6].any()
    if strategy.NEEDS:  # type: ignore[attr-defined]
        assert not weights[:, 7].any()
        alone = strategy.targets(told)
        np.testing.assert_allclose(weights[:, :6], alone, rtol=0, atol=1e-15)


@each_strategy
def test_prices_and_signals_are_only_read(strategy: Strategy, told: Bars) -> None:
    frozen = replace(told, signals={name: array.copy() for name, array in told.signals.items()})
    for array in frozen.signals.values():
        array.flags.writeable = False
    np.testing.assert_array_equal(strategy.targets(frozen), strategy.targets(told))


@pytest.mark.parametrize("strategy", [NeuralTrend(), NeuralSentiment(), Mirror()])
def test_missing_signal_is_named(strategy: Strategy, bars: Bars) -> None:
    needs = strategy.NEEDS  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=f"{type(strategy).__name__} needs the signals {needs[0]}"):
        strategy.targets(bars)
