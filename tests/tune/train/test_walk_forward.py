"""Models that are trained as time goes on: on the past alone, when they should be, and each only once."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from actors.feeds.sources import load_prices
from actors.models.manifest import ModelManifest, TrainingData
from actors.models.registry import ModelRegistry
from trading.errors import ModelRefused, UsageError
from trading.indicators.rolling import FloatArray
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.strategy import Bars
from tune.train.walk_forward import Recipe, RetrainedForecaster, months_of, training_rows

SIZE, HORIZON, FIRST = 12, 5, 200
Trained = tuple[ModelManifest, Mapping[str, bytes]]


@pytest.fixture(scope="module")
def bars() -> Bars:
    table = load_prices("sp500", ("AAPL", "KO", "XOM"))
    start = len(table) - 1_000
    return Bars.of_closes(table.ts[start:], table.instrument_ids, table.close[start:])


class Trainer:
    """Expects the mean daily log return of all that it was given; knows what it was given."""

    def __init__(self, made: Callable[..., Trained], sees: int = 0) -> None:
        self._made = made
        self._sees = sees
        self.given: list[Bars] = []

    def __call__(self, bars: Bars) -> Trained:
        self.given.append(bars)
        mean = float(np.diff(np.log(bars.close), axis=0).mean())
        manifest, files = self._made(
            "trend", input_size=SIZE, horizon=HORIZON, slope=1_000.0 * mean
        )
        data = TrainingData(
            source="", digest="", symbols=("A",), first_ts=0, last_ts=int(bars.ts[-1]) + self._sees
        )
        return msgspec.structs.replace(manifest, data=data), files

    def recipe(self, **plan: Any) -> Recipe:
        return Recipe({"kind": "trend", **plan}, HORIZON, SIZE, self)


@pytest.fixture
def trainer(trend_model: Callable[..., Trained]) -> Trainer:
    return Trainer(trend_model)


@pytest.fixture
def kept(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(str(tmp_path / "kept"))


def walker(trainer: Trainer, kept: ModelRegistry, months: int = 6, **plan: Any) -> Any:
    return RetrainedForecaster(trainer.recipe(**plan), months, kept, first_training_bars=FIRST)


def forecast(forecaster: RetrainedForecaster, bars: Bars) -> FloatArray:
    signals = forecaster.forecast(bars)
    return np.stack([signals[FORECAST_RETURN], signals[FORECAST_DEVIATION]])


def month(ts: int) -> tuple[int, int]:
    moment = datetime.fromtimestamp(ts / 1e9, UTC)
    return moment.year, moment.month


def test_trainings_are_at_the_first_bars_of_months_and_see_nothing_behind_the_horizon(
    trainer: Trainer, kept: ModelRegistry, bars: Bars
) -> None:
    found = forecast(walker(trainer, kept), bars)
    rows = [len(past) + HORIZON for past in trainer.given]
    assert len(rows) >= 5
    assert rows[0] >= FIRST + HORIZON
    begun = [month(int(bars.ts[row])) for row in rows]
    assert all(month(int(bars.ts[row - 1])) != month(int(bars.ts[row])) for row in rows)
    assert {12 * (b[0] - a[0]) + b[1] - a[1] for a, b in pairwise(begun)} == {6}
    for past in trainer.given:
        np.testing.assert_array_equal(past.close, bars.close[: len(past)])
    assert np.isnan(found[:, : rows[0]]).all()
    assert np.isfinite(found[:, rows[0] :]).all()


def test_forecasts_between_two_trainings_are_those_of_the_model_before(
    trainer: Trainer, kept: ModelRegistry, bars: Bars
) -> None:
    found = forecast(walker(trainer, kept), bars)
    path = np.log(bars.close)
    rows = [len(past) + HORIZON for past in trainer.given]
    for row in (rows[1] - 1, rows[1], rows[2] - 1, len(bars) - 1):
        past = [each for each in trainer.given if len(each) + HORIZON <= row][-1]
        slope = 1_000.0 * np.diff(np.log(past.close), axis=0).mean()
        moves = np.diff(path[row - SIZE + 1 : row + 1], axis=0)
        deviation = 2.6 * np.sqrt((moves**2).mean(axis=0)) / (2 * 1.2815515655446004)
        expected = np.expm1(slope * moves.sum(axis=0) + deviation**2 / 2)
        np.testing.assert_allclose(found[0, row], expected, rtol=1e-4, atol=1e-6)


def test_another_future_changes_nothing_before_it(
    trainer: Trainer, kept: ModelRegistry, bars: Bars
) -> None:
    batch = forecast(walker(trainer, kept), bars)
    for now in (260, 431, 777, 998):
        close = bars.close.copy()
        close[now + 1 :] = close[now + 1 :][::-1] * 3.0
        changed = Bars.of_closes(bars.ts, bars.instrument_ids, close)
        for other in (
            forecast(walker(trainer, kept), changed),
            forecast(walker(trainer, kept), bars.rows(0, now + 1)),
        ):
            np.testing.assert_allclose(
                other[:, : now + 1], batch[:, : now + 1], rtol=1e-5, atol=1e-8
            )


def test_second_run_trains_nothing_and_says_the_same(
    trainer: Trainer, kept: ModelRegistry, bars: Bars
) -> None:
    first = forecast(walker(trainer, kept), bars)
    trainings = len(trainer.given)
    again = forecast(walker(trainer, ModelRegistry(kept.url)), bars)
    assert len(trainer.given) == trainings
    np.testing.assert_array_equal(again, first)


def test_run_that_goes_on_trains_what_is_new_alone(
    trainer: Trainer, kept: ModelRegistry, bars: Bars
) -> None:
    forecast(walker(trainer, kept), bars.rows(0, 800))
    before = len(trainer.given)
    forecast(walker(trainer, kept), bars)
    lengths = [len(each) for each in trainer.given]
    assert len(set(lengths)) == len(lengths) > before


def test_another_plan_or_another_past_is_trained_anew(
    trainer: Trainer, kept: ModelRegistry, bars: Bars
) -> None:
    forecast(walker(trainer, kept), bars)
    trainings = len(trainer.given)
    forecast(walker(trainer, kept, seed=2), bars)
    assert len(trainer.given) == 2 * trainings
    close = bars.close.copy()
    close[0, 0] *= 1.01
    forecast(walker(trainer, kept), Bars.of_closes(bars.ts, bars.instrument_ids, close))
    assert len(trainer.given) == 3 * trainings


def test_training_that_saw_the_future_is_refused(
    trend_model: Callable[..., Trained], kept: ModelRegistry, bars: Bars
) -> None:
    with pytest.raises(ModelRefused, match="behind those that it was given"):
        forecast(walker(Trainer(trend_model, sees=1), kept), bars)
    assert kept.names() == ()


def test_too_little_history_trains_nothing(
    trainer: Trainer, kept: ModelRegistry, bars: Bars
) -> None:
    for count in (0, 1, FIRST + HORIZON):
        assert np.isnan(forecast(walker(trainer, kept), bars.rows(0, count))).all()
    assert trainer.given == []


def test_each_new_training_is_announced(trainer: Trainer, kept: ModelRegistry, bars: Bars) -> None:
    told: list[tuple[int, int]] = []
    for _ in range(2):
        RetrainedForecaster(
            trainer.recipe(), 12, kept, first_training_bars=FIRST,
            on_training=lambda number, of: told.append((number, of)),
        ).forecast(bars)  # fmt: skip
    assert told == [(i + 1, len(trainer.given)) for i in range(len(trainer.given))]


def test_training_rows_of_a_calendar() -> None:
    days = np.arange("2020-01-15", "2021-03-01", dtype="datetime64[D]")
    ts = days.astype("datetime64[ns]").astype(np.int64) + 21 * 3_600 * 10**9
    rows = training_rows(ts, 3, 30)
    assert [str(days[row]) for row in rows] == [
        "2020-03-01", "2020-06-01", "2020-09-01", "2020-12-01",
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "months"), [("12m", 12), ("1y", 12), (" 2Y ", 24), ("1m", 1)])
def test_time_between_trainings_is_read(text: str, months: int) -> None:
    assert months_of(text) == months


@pytest.mark.parametrize("text", ["", "12", "m", "0m", "-1m", "1.5y", "3d", "12m/6m"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--retrain"):
        months_of(text)
