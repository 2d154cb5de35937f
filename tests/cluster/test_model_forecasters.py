"""`--forecaster nhits`: the laboratory's commands on a registered model, and on one that is trained on the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.models.registry import ModelRegistry
from tune.prices import moment_of
from tune.train import recipe
from tune.train.walk_forward import Recipe

FEW = ("--symbols", "AAPL,KO,XOM", "--from", "2015", "--to", "2019")
TREND = ("neural_trend", *FEW, "-p", "entry_ratio=0.05")


@pytest.fixture
def registry(state: Path, register_trend: Callable[..., Any]) -> ModelRegistry:
    registry = ModelRegistry(str(state / "models"))
    register_trend(registry, last_ts=moment_of("2016", is_end=True))
    return registry


def test_backtest_on_a_model_says_which_and_what_it_was_trained_on(
    trader: Any, registry: ModelRegistry
) -> None:
    ended = trader("backtest", *TREND, "--forecaster", "nhits@champion")
    assert ended.status == 0, ended.err
    assert "Forecasts: nhits@1; it was trained on bars until 2017-01-01" in ended.err
    other = trader("backtest", *TREND, "--forecaster", "drift", "--json").json[0]["metrics"]
    mine = trader("backtest", *TREND, "--forecaster", "nhits", "--json").json[0]["metrics"]
    assert mine["total_return"] != other["total_return"]


def test_check_passes_on_a_model(trader: Any, registry: ModelRegistry) -> None:
    ended = trader("check", "neural_trend", *FEW, "--forecaster", "nhits@1")
    assert ended.status == 0, ended.out
    assert "Forecasts: nhits@1" in ended.err


def test_sweep_keeps_the_version_that_the_champion_was(
    trader: Any, registry: ModelRegistry, state: Path
) -> None:
    import json

    words = ("sweep", "neural_trend", *FEW, "--entry-ratio", "0.05,0.1", "--workers", "0")
    ended = trader(*words, "--forecaster", "nhits", "--name", "modelled", "-q")
    assert ended.status == 0, ended.err
    (manifest,) = state.rglob("modelled/manifest.json")
    assert json.loads(manifest.read_text())["data"]["source"].endswith("forecaster nhits@1")


def test_model_trained_on_the_way_is_trained_once(
    trader: Any, home: Path, monkeypatch: pytest.MonkeyPatch, trend_model: Callable[..., Any]
) -> None:
    trained: list[int] = []

    def train(bars: Any) -> Any:
        import msgspec

        trained.append(len(bars))
        manifest, files = trend_model("trend")
        last_ts = int(bars.ts[-1])
        return msgspec.structs.replace(
            manifest, data=msgspec.structs.replace(manifest.data, last_ts=last_ts)
        ), files

    monkeypatch.setattr(recipe, "recipe_of", lambda kind: Recipe({"k": kind}, 5, 12, train))
    words = ("backtest", *TREND, "--forecaster", "nhits", "--retrain", "12m")
    first = trader(*words)
    assert first.status == 0, first.err
    assert "Training 1 of" in first.err
    assert "nhits, trained again every 12 months on the bars before it." in first.err
    assert len(trained) >= 1
    count = len(trained)
    again = trader(*words)
    assert len(trained) == count
    assert "Training 1" not in again.err
    assert again.out == first.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--forecaster", "nhits@9"), "no 'nhits@9'; nhits has the versions 1"),
        (("--forecaster", "oracle"), "known are: autoregression, drift, nhits"),
        (("--forecaster", "nhits", "--retrain", "often"), "--retrain 'often' is not understood"),
    ],
)
def test_wrong_forecaster_is_refused_in_one_sentence(
    trader: Any, registry: ModelRegistry, words: tuple[str, ...], told: str
) -> None:
    for command in ("backtest", "tune"):
        ended = trader(command, *TREND, *words, "-q")
        assert (ended.status, ended.out) == (2, "")
        assert told in ended.err
