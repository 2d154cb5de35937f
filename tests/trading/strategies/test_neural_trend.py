import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest

from trading.forecasting.autoregression import Autoregression
from trading.forecasting.drift import Drift
from trading.forecasting.forecaster import with_forecast
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies.neural_trend import NeuralTrend
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.strategy import Bars

DAY = 86_400 * 10**9


def naive(strategy: NeuralTrend, bars: Bars, row: int) -> list[float]:
    weights = []
    for column in range(bars.close.shape[1]):
        side, unwanted = 0, 0
        for now in range(row - strategy.hold_bars_max + 1, row + 1):
            expected = float(bars.signals[FORECAST_RETURN][now, column])
            ratio = expected / float(bars.signals[FORECAST_DEVIATION][now, column])
            unwanted += 1
            if abs(ratio) >= strategy.entry_ratio:
                side, unwanted = (1 if ratio > 0 else -1), 0
            elif math.isnan(ratio) or side * ratio <= strategy.exit_ratio:
                side = 0
        if unwanted >= strategy.hold_bars_max or (side < 0 and not strategy.allow_short):
            side = 0
        close = bars.close[row - strategy.volatility_bars : row + 1, column].tolist()
        daily = [newer / older - 1 for older, newer in itertools.pairwise(close)]
        calm = min(1.0, strategy.volatility_target / (statistics.stdev(daily) * math.sqrt(252)))
        size = min(abs(ratio) / strategy.full_ratio, 1.0) if side else 0.0
        weights.append(side * size * calm * strategy.position_weight)
    gross = sum(map(abs, weights))
    return [weight / max(gross, 1.0) for weight in weights]


@pytest.mark.parametrize(
    "strategy",
    [
        NeuralTrend(),
        NeuralTrend(entry_ratio=0.1, exit_ratio=0.0, full_ratio=0.15, allow_short=True),
        NeuralTrend(entry_ratio=0.15, hold_bars_max=4, volatility_target=0.1, position_weight=0.9),
    ],
    ids=["default", "both sides", "short memory"],
)
@pytest.mark.parametrize("forecaster", [Autoregression(fit_bars=252), Drift(fit_bars=60)])
def test_decides_like_the_loop_on_real_forecasts(
    strategy: NeuralTrend, forecaster: Autoregression | Drift, bars: Bars
) -> None:
    told = with_forecast(bars, forecaster)
    batch = strategy.targets(told)
    rows = range(400, 900, 23)
    assert batch[list(rows)].any(axis=1).sum() >= 10
    for row in rows:
        expected = naive(strategy, told, row)
        np.testing.assert_allclose(batch[row], expected, rtol=1e-9, atol=1e-12, err_msg=str(row))


def told_bars(ratios: list[float]) -> Bars:
    """One instrument with a daily move of 1 % and these ratios at the end; 0 before."""
    before = 10
    close = 100.0 * np.where(np.arange(before + len(ratios)) % 2, 1.01, 1.0)[:, None]
    ratio = np.concatenate([np.zeros(before), ratios])[:, None]
    ts = DAY * np.arange(len(close), dtype=np.int64)
    made = Bars.of_closes(ts, (InstrumentId("A.X"),), close)
    deviation = np.full(close.shape, 0.02)
    return replace(made, signals={FORECAST_RETURN: ratio * 0.02, FORECAST_DEVIATION: deviation})


def sides_and_sizes(ratios: list[float], **changes: object) -> FloatArray:
    strategy = NeuralTrend(
        **{  # type: ignore[arg-type]
            "entry_ratio": 0.4,
            "exit_ratio": 0.1,
            "full_ratio": 0.8,
            "hold_bars_max": 4,
            "volatility_bars": 3,
            "volatility_target": 10.0,
            "position_weight": 0.5,
            "allow_short": True,
            **changes,
        }
    )
    return strategy.targets(told_bars(ratios))[10:, 0]


def test_position_follows_the_ratio_until_it_decays() -> None:
    weights = sides_and_sizes([0.3, 0.4, 0.8, 2.0, 0.2, 0.1, 0.3])
    np.testing.assert_allclose(weights, [0.0, 0.25, 0.5, 0.5, 0.125, 0.0, 0.0])


def test_position_turns_when_the_forecast_turns() -> None:
    weights = sides_and_sizes([0.8, -0.2, -0.4, -0.2, 0.0])
    np.testing.assert_allclose(weights, [0.5, 0.0, -0.25, -0.125, 0.0])
    longs = sides_and_sizes([0.8, -0.2, -0.4, -0.2, 0.0], allow_short=False)
    np.testing.assert_allclose(longs, [0.5, 0.0, 0.0, 0.0, 0.0])


def test_position_is_given_up_some_bars_after_the_last_strong_forecast() -> None:
    weights = sides_and_sizes([0.4, 0.2, 0.2, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(weights, [0.25, 0.125, 0.125, 0.125, 0.0, 0.0])


def test_oldest_entry_that_counts_is_inside_the_lookback() -> None:
    strategy = NeuralTrend(
        entry_ratio=0.4, exit_ratio=0.1, hold_bars_max=6, volatility_bars=2, volatility_target=10.0
    )
    bars = told_bars([0.4, 0.2, 0.2, 0.2, 0.2, 0.2])
    live = strategy.targets(bars.rows(len(bars) - strategy.lookback, len(bars)))
    assert live[-1, 0] == strategy.targets(bars)[-1, 0] > 0.0


@pytest.mark.parametrize("hole", [math.nan, math.inf])
def test_unknown_forecast_ends_the_position(hole: float) -> None:
    weights = sides_and_sizes([0.8, hole, 0.2, 0.2])
    np.testing.assert_allclose(weights, [0.5, 0.0, 0.0, 0.0])


def test_deviation_of_nothing_is_no_forecast() -> None:
    bars = told_bars([0.8, 0.8, 0.8])
    bars.signals[FORECAST_DEVIATION][-2:] = 0.0
    strategy = NeuralTrend(volatility_bars=3, hold_bars_max=4)
    np.testing.assert_array_equal(strategy.targets(bars)[-3:, 0] > 0, [True, False, False])


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"entry_ratio": 0.0}, "entry_ratio must be a number from 0.001 to 10.0"),
        ({"entry_ratio": 0.2, "exit_ratio": 0.3}, "exit_ratio must be a number from 0.0 to 0.2"),
        ({"entry_ratio": 0.5, "full_ratio": 0.4}, "full_ratio must be a number from 0.5 to 100.0"),
        ({"hold_bars_max": 0}, "hold_bars_max must be a whole number from 1 to 252"),
        ({"allow_short": 1}, "allow_short must be true or false"),
    ],
)
def test_parameter_out_of_range_is_named(changes: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=f"NeuralTrend: {what}"):
        NeuralTrend(**changes)  # type: ignore[arg-type]
