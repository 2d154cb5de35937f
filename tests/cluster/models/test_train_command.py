"""`trader train`: a version at the end, judged and told honestly; nothing when it is interrupted or impossible."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from cluster.cli import training_ways
from cluster.cli.training_ways import bar_of
from trading.errors import ModelCorrupt, TradingError
from trading.strategies.strategy import Bars
from tune.train import many
from tune.train.many import Place
from tune.train.plan import TrainingPlan

Trader = Callable[..., Any]
SMALL = ("--symbols", "AAPL,KO", "--start", "2000", "--end", "2004", "--max-steps", "20")
SHAPE = ("--horizon", "2", "--input-size", "16", "--set", "batch_size=32", "--name", "small")
DAY_NS = 86_400_000_000_000


@pytest.fixture
def trader(trader: Any) -> Any:
    return partial(trader, "train")


@pytest.fixture
def models(folder: Path) -> ModelRegistry:
    return ModelRegistry(str(folder))


def test_training_registers_a_version_that_forecasts(trader: Trader, models: ModelRegistry) -> None:
    ended = trader("linear", *SMALL, *SHAPE, "--seed", "7", "--promote", "challenger", "--json")
    assert ended.status == 0
    assert "Training: 20 of 20" in ended.err
    assert "validation" in ended.err
    assert "survived to 2022" in ended.err
    found = ended.json
    assert (found["reference"], found["part"]) == ("small@1", "challenger")
    manifest = models.manifest("small@1")
    assert (manifest.kind, manifest.horizon, manifest.input_size, manifest.bar) == (
        "linear",
        2,
        16,
        "1d",
    )
    assert manifest.data.source == "sp500 AAPL,KO 2000 2004"
    assert manifest.data.last_ts < np.datetime64("2005-01-01", "ns").astype(np.int64)
    assert manifest.parameters["batch_size"] == 32
    assert manifest.parameters["seed"] == 7
    assert models.aliases("small").challenger == 1
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, (3, 16)), axis=1))
    assert load_session(models, "small@1").predict({"close": close}).log_returns.shape == (3, 2, 9)


def test_scores_stand_beside_the_baselines_with_a_verdict(
    trader: Trader, models: ModelRegistry
) -> None:
    """A network of one step that learns next to nothing cannot beat the naive forecast, and may not be champion."""
    untaught = ("--set", "learning_rate=1e-7", "--set", "calibration_share=0.0")
    ended = trader("linear", *SMALL, *SHAPE, *untaught, "--refit", "--promote", "champion")
    manifest = models.manifest("small@1")
    heading = ended.out.splitlines()[0]
    assert [cell.strip() for cell in heading.split("|")[2:-1]] == ["small@1", *manifest.baselines]
    assert f"{manifest.metrics['crps']:.5f}" in ended.out
    assert f"{manifest.baselines['naive']['coverage_80']:.1%}" in ended.out
    assert not manifest.beats_naive
    assert "It does not beat the naive forecast." in ended.out
    assert "Training on all bars: 20 of 20" in ended.err
    assert (ended.status, models.aliases("small").champion) == (6, None)
    assert "[MODEL_REFUSED]" in ended.err


def test_interrupted_training_leaves_nothing(
    trader: Trader, models: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tune.train.learner import Learner

    step = Learner.step

    def stop(self: Learner, number: int) -> Any:
        if number == 10:
            raise KeyboardInterrupt
        return step(self, number)

    monkeypatch.setattr(Learner, "step", stop)
    ended = trader("linear", *SMALL, *SHAPE)
    assert (ended.status, ended.out) == (130, "")
    assert models.versions("small") == ()
    assert "Traceback" not in ended.err


def test_missing_packages_are_said_with_what_installs_them(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    ended = trader("nhits", *SMALL)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        "trader: Training needs torch, which is not installed: pip install 'neural-trader[train]'. [USAGE]\n"
    )


def test_impossible_plans_are_refused_before_the_training(trader: Trader) -> None:
    refused = {
        ("perceptron",): "no kind of model 'perceptron'",
        ("nhits", "--horizon", "0"): "horizon",
        ("nhits", "--set", "hidden_size=3"): "no architecture parameter 'hidden_size'",
        ("nhits", "--set", "horizon"): "write NAME=VALUE",
        ("nhits", "--set", "=1"): "write NAME=VALUE",
        ("nhits", "--features", "moon"): "no feature 'moon'",
        ("nhits", "--loss", "anger"): "loss",
        ("nhits", "--from", "ghost"): "There is no model 'ghost'",
    }
    for words, reason in refused.items():
        ended = trader(*words, *SMALL)
        assert (ended.status, ended.out) == (2, "")
        assert reason in ended.err


def test_update_keeps_what_its_parent_is(trader: Trader, registry: ModelRegistry) -> None:
    assert registry.versions("walk") == (1, 2, 3)
    words = {
        ("nhits", "--from", "walk"): (2, "walk@1 is of the kind linear, not nhits"),
        ("linear", "--from", "walk", "--horizon", "3"): (2, "horizon is that of walk@1 and stays"),
        ("linear", "--from", "walk", "--refit"): (2, "refit is that of walk@1"),
        ("linear", "--from", "walk", "--set", "rate=fast"): (2, "Update of walk@1"),
        ("linear", "--from", "walk", "--set", "rate=7"): (2, "rate from 0 to 1"),
        ("linear", "--from", "walk"): (6, "was not trained by this package"),
    }
    for options, (status, reason) in words.items():
        ended = trader(*options)
        assert (ended.status, ended.out) == (status, "")
        assert reason in ended.err


def test_update_is_a_new_version_of_its_parent(trader: Trader, models: ModelRegistry) -> None:
    trader("linear", *SMALL, *SHAPE, "-q")
    words = ("--symbols", "AAPL,KO", "--start", "2000", "--end", "2006", "--max-steps", "20")
    ended = trader("linear", "--from", "small@1", *words)
    assert ended.status == 0
    manifest = models.manifest("small@2")
    assert manifest.parent == "small@1"
    assert manifest.data.last_ts > models.manifest("small@1").data.last_ts
    assert "parent" in ended.out.splitlines()[0]
    assert "Registered: small@2" in ended.out


@pytest.mark.parametrize(
    ("step_ns", "bar"),
    [
        (DAY_NS, "1d"),
        (DAY_NS // 24, "1h"),
        (DAY_NS // 6, "4h"),
        (DAY_NS // 288, "5m"),
        (30_000_000_000, "30s"),
    ],
)
def test_length_of_a_bar_is_the_usual_distance(step_ns: int, bar: str) -> None:
    ts = np.cumsum(np.where(np.arange(50) % 5 == 4, 3, 1)) * step_ns
    assert bar_of(ts) == bar


# -- several kinds at once


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """Instead of Ray: the trainings in this process, one after the other. Returns the places that were asked for."""
    places: list[Place] = []

    @contextmanager
    def connected(config: object) -> Iterator[Any]:
        yield SimpleNamespace(cluster_resources=lambda: {"CPU": 2.0, "GPU": 1.0})

    def in_turn(
        train: Callable[..., Any],
        plans: Sequence[TrainingPlan],
        bars: Bars,
        *,
        place: Place,
        on_done: Callable[..., None],
    ) -> None:
        places.append(place)
        for plan in plans:
            try:
                on_done(plan, train(plan, bars))
            except TradingError as error:
                on_done(plan, error)

    monkeypatch.setattr(training_ways, "connected", connected)
    monkeypatch.setattr(many, "train_many", in_turn)
    return places


TWO = ("linear,lstm", *SMALL, "--horizon", "2", "--input-size", "16", "--set", "batch_size=32")


def test_every_kind_is_a_row_and_a_version(
    trader: Trader, models: ModelRegistry, one_by_one: list[Place]
) -> None:
    ended = trader(*TWO, "--promote", "challenger")
    assert ended.status == 0
    rows = [line.split("|")[1:-1] for line in ended.out.splitlines()[2:]]
    assert [row[0].strip() for row in rows] == ["linear@1", "lstm@1"]
    for name, row in zip(("linear", "lstm"), rows, strict=True):
        manifest = models.manifest(f"{name}@1")
        assert manifest.data.source == "sp500 AAPL,KO 2000 2004"
        assert models.aliases(name).challenger == 1
        assert row[1].strip() == f"{manifest.metrics['crps']:.5f}"
        assert row[2].strip() == f"{manifest.baselines['naive']['crps']:.5f}"
        assert "naive forecast" in row[3]
    assert one_by_one == [Place(gpus=0.5)]
    assert "survived to 2022" in ended.err


def test_kind_that_fails_does_not_stop_the_others(
    trader: Trader,
    models: ModelRegistry,
    one_by_one: list[Place],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = many.train_model

    def broken(bars: Bars, plan: TrainingPlan, *rest: Any) -> Any:
        if plan.kind == "linear":
            raise ModelCorrupt("The disk is full.")
        return train(bars, plan, *rest)

    monkeypatch.setattr(many, "train_model", broken)
    ended = trader(*TWO, "--json")
    assert ended.status == ModelCorrupt.exit_status
    assert "trader: linear: The disk is full. [MODEL_CORRUPT]" in ended.err
    assert [each["reference"] for each in ended.json["models"]] == ["lstm@1"]
    assert ended.json["errors"]["linear"]["code"] == "MODEL_CORRUPT"
    assert models.versions("linear") == ()


def test_what_is_made_for_one_kind_is_refused_for_several(trader: Trader) -> None:
    for words in (
        ("--from", "walk"),
        ("--workers", "2"),
        ("--trials", "2"),
        ("--resume", "x"),
        ("--refit",),
        ("--name", "both"),
    ):
        ended = trader("linear,lstm", *SMALL, *words)
        assert (ended.status, ended.out) == (2, "")
        assert f"{words[0]} is for one kind of model; train linear, lstm" in ended.err
    assert "no kind of model 'perceptron'" in trader("linear,perceptron", *SMALL).err
