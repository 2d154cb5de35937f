"""A model as a forecaster: batch and live agree, nothing looks ahead, nothing it was trained on is judged."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.feeds.sources import load_prices
from actors.models.forecaster import (
    CHUNK_WINDOWS,
    ModelAccess,
    NeuralForecaster,
    forecasters_of,
    pinned,
)
from actors.models.registry import ModelRegistry
from actors.models.session import ModelSession, load_session
from trading.errors import ForecastRefused, UsageError
from trading.forecasting.drift import Drift
from trading.forecasting.forecaster import with_forecast
from trading.forecasting.history import Inputs
from trading.forecasting.informed import Informed, live_strategy
from trading.forecasting.prediction import Prediction
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies.neural_trend import NeuralTrend
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.strategy import Bars

SIZE, HORIZON, SLOPE = 12, 5, 0.5
CLOSE_TO = {"rtol": 1e-5, "atol": 1e-8}
"""The graph computes in single precision, and not the same way for every batch."""

Register = Callable[..., Any]


@pytest.fixture
def registry(tmp_path: Path, register_trend: Register) -> ModelRegistry:
    registry = ModelRegistry(str(tmp_path / "models"))
    register_trend(registry)
    return registry


@pytest.fixture
def session(registry: ModelRegistry) -> ModelSession:
    return load_session(registry, "nhits")


@pytest.fixture(scope="module")
def bars() -> Bars:
    table = load_prices("sp500", ("AAPL", "KO", "XOM"))
    start = len(table) - 400
    return Bars.of_closes(table.ts[start:], table.instrument_ids, table.close[start:])


def forecast(forecaster: NeuralForecaster, bars: Bars) -> FloatArray:
    signals = forecaster.forecast(bars)
    assert set(signals) == {FORECAST_RETURN, FORECAST_DEVIATION}
    return np.stack([signals[FORECAST_RETURN], signals[FORECAST_DEVIATION]])


class Counting:
    """A session that says how many windows it was asked about, and how many at once."""

    def __init__(self, session: ModelSession) -> None:
        self.manifest = session.manifest
        self._session = session
        self.batches: list[int] = []

    def predict(self, inputs: Inputs) -> Prediction:
        self.batches.append(len(inputs["close"]))
        return self._session.predict(inputs)


def test_numbers_are_those_of_the_formula(session: ModelSession, bars: Bars) -> None:
    found = forecast(NeuralForecaster(session), bars)
    path = np.log(bars.close)
    for row in (SIZE - 1, 100, 399):
        moves = np.diff(path[row - SIZE + 1 : row + 1], axis=0)
        mean = SLOPE * moves.sum(axis=0)
        deviation = 2 * 1.3 * np.sqrt((moves**2).mean(axis=0)) / (2 * 1.2815515655446004)
        expected = np.exp(mean + deviation**2 / 2)
        np.testing.assert_allclose(found[0, row], expected - 1, rtol=1e-4, atol=1e-7)
        spread = expected * np.sqrt(np.expm1(deviation**2))
        np.testing.assert_allclose(found[1, row], spread, rtol=1e-4)


def test_live_equals_batch_at_every_bar(session: ModelSession, bars: Bars) -> None:
    batch = forecast(NeuralForecaster(session), bars)
    assert np.isnan(batch[:, : SIZE - 1]).all()
    assert np.isfinite(batch[:, SIZE - 1 :]).all()
    moving = NeuralForecaster(session)
    for row in range(SIZE + 30, len(bars)):
        alone = forecast(NeuralForecaster(session), bars.rows(row - SIZE + 1, row + 1))
        np.testing.assert_allclose(alone[:, -1], batch[:, row], **CLOSE_TO)
        followed = forecast(moving, bars.rows(row - SIZE - 29, row + 1))
        np.testing.assert_allclose(followed[:, -31:], batch[:, row - 30 : row + 1], **CLOSE_TO)


def test_another_future_and_an_older_past_change_nothing(session: ModelSession, bars: Bars) -> None:
    batch = forecast(NeuralForecaster(session), bars)
    for now in (50, 201, 398):
        close = bars.close.copy()
        close[now + 1 :] *= 3.0
        changed = Bars.of_closes(bars.ts, bars.instrument_ids, close)
        np.testing.assert_allclose(
            forecast(NeuralForecaster(session), changed)[:, : now + 1],
            batch[:, : now + 1],
            **CLOSE_TO,
        )
        past = bars.close.copy()
        past[: now - SIZE + 1] = 1.0
        changed = Bars.of_closes(bars.ts, bars.instrument_ids, past)
        np.testing.assert_allclose(
            forecast(NeuralForecaster(session), changed)[:, now], batch[:, now], **CLOSE_TO
        )


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0, -1.0])
def test_window_with_a_number_that_is_no_price_has_no_forecast(
    session: ModelSession, bars: Bars, wrong: float
) -> None:
    close = bars.close.copy()
    close[200, 1] = wrong
    close[300 : 300 + SIZE, 2] = 7.0
    holed = Bars.of_closes(bars.ts, bars.instrument_ids, close)
    found = forecast(NeuralForecaster(session), holed)
    gone = np.zeros(bars.close.shape, dtype=bool)
    gone[: SIZE - 1] = True
    gone[200 : 200 + SIZE, 1] = True
    gone[300 + SIZE - 1, 2] = True
    np.testing.assert_array_equal(np.isnan(found), [gone, gone])


def test_bars_until_the_training_cut_off_have_no_forecast(
    registry: ModelRegistry, register_trend: Register, bars: Bars
) -> None:
    cut = 150
    made = register_trend(registry, last_ts=int(bars.ts[cut]))
    forecaster = NeuralForecaster(load_session(registry, made.reference))
    found = forecast(forecaster, bars)
    assert forecaster.trained_until == bars.ts[cut]
    assert np.isnan(found[:, : cut + 1]).all()
    assert np.isfinite(found[:, cut + 1 :]).all()


def test_too_few_bars_have_no_forecast(session: ModelSession, bars: Bars) -> None:
    for count in (0, 1, SIZE - 1):
        assert np.isnan(forecast(NeuralForecaster(session), bars.rows(0, count))).all()


def test_windows_are_asked_about_in_bounded_chunks_and_each_once(
    session: ModelSession, bars: Bars
) -> None:
    counting = Counting(session)
    close = np.tile(bars.close, (1, 10))
    names = tuple(InstrumentId(f"N{i}.X") for i in range(close.shape[1]))
    forecast(NeuralForecaster(counting), Bars.of_closes(bars.ts, names, close))
    assert max(counting.batches) == CHUNK_WINDOWS
    assert sum(counting.batches) == (len(bars) - SIZE + 1) * close.shape[1]


def test_window_that_moved_on_by_a_bar_costs_that_bar_alone(
    session: ModelSession, bars: Bars
) -> None:
    counting = Counting(session)
    forecaster = NeuralForecaster(counting)
    for row in range(100, 110):
        forecast(forecaster, bars.rows(row - 60, row))
    assert counting.batches == [(60 - SIZE + 1) * 3, *[3] * 9]


def test_bars_that_were_corrected_are_asked_about_again(session: ModelSession, bars: Bars) -> None:
    forecaster = NeuralForecaster(session)
    forecast(forecaster, bars.rows(0, 100))
    close = bars.close.copy()
    close[80, 0] *= 1.1
    corrected = Bars.of_closes(bars.ts, bars.instrument_ids, close).rows(0, 101)
    np.testing.assert_allclose(
        forecast(forecaster, corrected), forecast(NeuralForecaster(session), corrected), **CLOSE_TO
    )


def test_result_that_the_caller_changes_is_not_remembered(
    session: ModelSession, bars: Bars
) -> None:
    forecaster = NeuralForecaster(session)
    first = forecaster.forecast(bars)
    first[FORECAST_RETURN][:] = 99.0
    assert not (forecaster.forecast(bars)[FORECAST_RETURN] == 99.0).any()


class Featured:
    """A model that also reads volume, time and sentiment."""

    def __init__(self, session: ModelSession, features: tuple[str, ...]) -> None:
        import msgspec

        self.manifest = msgspec.structs.replace(session.manifest, features=features)
        self._session = session
        self.seen: list[Inputs] = []

    def predict(self, inputs: Inputs) -> Prediction:
        self.seen.append(inputs)
        return self._session.predict(inputs)


def test_features_are_windows_of_the_same_bars(session: ModelSession, bars: Bars) -> None:
    volume = np.arange(bars.close.size, dtype=float).reshape(bars.close.shape)
    told = Bars(
        bars.ts, bars.instrument_ids, bars.close, bars.close, bars.close, bars.close, volume
    )
    model = Featured(session, ("volume", "time"))
    forecast(NeuralForecaster(model), told.rows(0, 20))
    (inputs,) = model.seen
    np.testing.assert_array_equal(inputs["volume"][4], volume[1 : SIZE + 1, 1])
    np.testing.assert_array_equal(inputs["time"][4], bars.ts[1 : SIZE + 1])
    assert inputs["time"].dtype == np.int64


def test_feature_that_the_bars_lack_is_named(session: ModelSession, bars: Bars) -> None:
    with pytest.raises(ForecastRefused, match="nhits@1 also reads sentiment"):
        NeuralForecaster(Featured(session, ("sentiment",))).forecast(bars)


def test_feature_that_is_unknown_for_a_bar_silences_the_windows_with_it(
    session: ModelSession, bars: Bars
) -> None:
    tone = np.zeros(bars.close.shape)
    tone[100, 0] = np.nan
    told = Bars(*(getattr(bars, n) for n in ("ts", "instrument_ids", "close", "open", "high")),
                bars.low, bars.volume, {"sentiment": tone})  # fmt: skip
    found = forecast(NeuralForecaster(Featured(session, ("sentiment",))), told)
    assert np.isnan(found[:, 100 : 100 + SIZE, 0]).all()
    assert np.isfinite(found[:, 100 + SIZE :, 0]).all()
    assert np.isfinite(found[:, 100, 1:]).all()


# -- by name


def test_strategy_trades_on_a_model_that_it_names(
    registry: ModelRegistry, register_trend: Register, bars: Bars
) -> None:
    register_trend(registry, slope=-0.5)
    build = forecasters_of(ModelAccess(url=registry.url))
    strategy, _ = live_strategy("neural_trend", {"volatility_bars": 20}, "nhits@2", build=build)
    assert isinstance(strategy, Informed)
    assert strategy.forecaster.model == "nhits@2"
    assert strategy.lookback == NeuralTrend(volatility_bars=20).lookback + SIZE - 1
    batch = strategy.targets(bars)
    told = with_forecast(bars, NeuralForecaster(load_session(registry, "nhits@2")))
    np.testing.assert_allclose(
        batch[strategy.lookback :],
        NeuralTrend(volatility_bars=20).targets(told)[strategy.lookback :],
        atol=1e-5,
    )
    assert batch.any()
    for row in range(strategy.lookback, len(bars), 23):
        live = strategy.targets(bars.rows(row - strategy.lookback + 1, row + 1))
        np.testing.assert_allclose(live[-1], batch[row], atol=1e-5)


def test_champion_is_the_version_that_it_is_now(
    registry: ModelRegistry, register_trend: Register
) -> None:
    register_trend(registry)
    access = ModelAccess(url=registry.url)
    assert pinned(access, "nhits@champion") == pinned(access, "nhits") == "nhits@1"
    built = forecasters_of(access)("nhits@champion")
    registry.promote("nhits@2", "champion", by="t", why="better", at=2)
    assert pinned(access, "nhits@champion") == "nhits@2"
    assert isinstance(built, NeuralForecaster)
    assert built.model == "nhits@1"


def test_installed_forecaster_needs_no_registry(tmp_path: Path) -> None:
    access = ModelAccess(url=str(tmp_path / "none"))
    assert forecasters_of(access)("drift") == Drift()
    assert pinned(access, "drift") == "drift"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("oracle", "'oracle'; known are: autoregression, drift, nhits."),
        ("oracle@3", "'oracle@3'; known are: autoregression, drift, nhits."),
        ("nhits@9", "no 'nhits@9'; nhits has the versions 1"),
        ("nhits@challenger", "1 is champion"),
    ],
)
def test_unknown_name_says_which_models_and_forecasters_there_are(
    registry: ModelRegistry, name: str, words: str
) -> None:
    access = ModelAccess(url=registry.url)
    for build in (forecasters_of(access), lambda each: pinned(access, each)):
        with pytest.raises(UsageError, match=re.escape(words)):
            build(name)
