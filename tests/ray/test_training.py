"""Training on Ray: workers that are killed, several models at once, searches for settings."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ray.train.v2._internal.constants import CHECKPOINT_MANAGER_SNAPSHOT_FILENAME

from actors.models.registry import ModelRegistry
from trading.errors import DataError, UsageError
from trading.identifiers import InstrumentId
from trading.strategies.search_space import Choice, Span
from trading.strategies.strategy import Bars
from tune.search import Execution
from tune.space import to_record
from tune.store import Store
from tune.train.distributed import Workers, fit_distributed
from tune.train.fit import Fitted, Progress, fit
from tune.train.hyper import HyperPlan, search_plan
from tune.train.many import train_many, train_models
from tune.train.plan import TrainingPlan, plan_of
from tune.train.splits import split_windows

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]

DAY = 86_400_000_000_000
TOLERANCE = 1e-6
"""Of a loss near 0.5: float32 sums in another order differ by some 1e-8 a step."""


def plan_with(kind: str = "linear", **settings: Any) -> TrainingPlan:
    facts = {"horizon": 3, "input_size": 32, "max_steps": 40, "check_every": 10, "batch_size": 32}
    return plan_of(kind, **{**facts, "warmup_steps": 0, "learning_rate": 1e-3, **settings})


def bars_of(count: int = 400) -> Bars:
    moves = np.random.default_rng(3).normal(0.0, 0.01, (count, 3))
    names = tuple(InstrumentId(f"{name}.X") for name in "ABC")
    return Bars.of_closes(np.arange(count) * DAY, names, 100.0 * np.exp(np.cumsum(moves, axis=0)))


@pytest.fixture
def _no_running_ahead(ray_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers wait until what they said before is heard: while `progress` is called they are soon held."""
    from ray.util.queue import Queue

    monkeypatch.setattr(Queue.__init__, "__defaults__", (1, None))


@pytest.mark.usefixtures("_no_running_ahead")
def test_when_a_worker_is_killed_two_still_train_what_one_does(tmp_path: Path) -> None:
    network = {"mlp_units": [[16, 16], [16, 16]], "dropout_prob_theta": 0.0}
    plan = plan_with("nhits", network=network)
    parts = split_windows(bars_of(), plan)
    expected = fit(plan, parts.train, parts.validation, device="cpu")
    killed: list[int] = []
    told: list[Progress] = []

    def follow(progress: Progress) -> None:
        told.append(progress)
        if progress.step == 25 and not killed and is_noted(tmp_path, step=20):
            workers = [each for each, line in our_processes() if "RayTrainWorker" in line]
            for worker in workers[:1]:
                killed.append(worker.pid)
                worker.kill()

    found = fit_distributed(
        plan,
        parts.train,
        parts.validation,
        workers=Workers(count=2),
        folder=tmp_path,
        progress=follow,
    )
    assert killed
    steps = [each.step for each in told]
    again = next(place for place in range(1, len(steps)) if steps[place] < steps[place - 1])
    assert steps[again] > 10  # from a checkpoint, not from the start
    assert steps[-1] == 40
    assert len(found.looks) == len(expected.looks) == 5
    for one, other in zip(found.looks, expected.looks, strict=True):
        assert one.step == other.step
        assert one.validation_loss == pytest.approx(other.validation_loss, abs=TOLERANCE)
    assert found.best.step == expected.best.step
    assert found.looks[-1].validation_loss < found.looks[0].validation_loss - 1e-3


def is_noted(folder: Path, step: int) -> bool:
    """Wait until Ray Train has noted a checkpoint: from then on it is what a new worker starts from."""
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        for found in folder.rglob(CHECKPOINT_MANAGER_SNAPSHOT_FILENAME):
            if f'"step":{step},' in found.read_text().replace(" ", ""):
                return True
        time.sleep(0.02)
    return False


def our_processes() -> Iterator[tuple[psutil.Process, str]]:
    """Yield what Ray has started, with its command line."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended by itself meanwhile
            yield process, "".join(process.cmdline())


def fit_on(plan: TrainingPlan, bars: Bars) -> tuple[float, str | None]:
    parts = split_windows(bars, plan)
    fitted: Fitted = fit(plan, parts.train, parts.validation)
    return fitted.best.validation_loss, os.environ.get("CUDA_VISIBLE_DEVICES")


def test_models_are_trained_at_once_and_one_that_fails_stops_no_other(ray_session: Any) -> None:
    bars = bars_of()
    plans = [plan_with(), plan_with(input_size=500), plan_with(seed=2)]
    done: list[TrainingPlan] = []
    made = train_many(fit_on, plans, bars, on_done=lambda plan, _: done.append(plan))
    assert made[0] == (fit_on(plans[0], bars)[0], "")  # a GPU that is not asked for is not seen
    assert made[2] == (fit_on(plans[2], bars)[0], "") != made[0]
    assert isinstance(made[1], DataError)
    assert sorted(plans.index(plan) for plan in done) == [0, 1, 2]


def test_models_that_are_trained_at_once_are_registered(ray_session: Any, tmp_path: Path) -> None:
    registry = ModelRegistry(str(tmp_path))
    plans = [plan_with(), plan_with(seed=2), plan_with(test_share=0.0)]
    made = train_models(bars_of(), plans, registry, "drawn")
    assert isinstance(made[2], UsageError)
    assert registry.versions("linear") == (1, 2)
    assert {each.version for each in made[:2]} == {1, 2}
    for each, seed in zip(made[:2], (1, 2), strict=True):
        assert registry.manifest(each.reference).files == each.files
        assert each.parameters["seed"] == seed


def test_a_search_finds_what_a_training_alone_confirms(ray_session: Any, tmp_path: Path) -> None:
    space = {"learning_rate": Span(1e-4, 1e-1, is_log=True), "input_size": Choice((16, 32))}
    plan = HyperPlan(base=plan_with(), trials=4, space=to_record(space))
    asked: dict[str, Any] = {"store": Store(tmp_path), "name": "a", "source": "drawn"}
    heard: list[int] = []
    found = search_plan(plan, bars_of(), **asked, on_progress=lambda now: heard.append(now.ended))
    assert heard == [1, 2, 3, 4]
    assert sorted(found.trials["trial"]) == [0, 1, 2, 3]
    complete = found.trials.filter(found.trials["ending"] == "complete")
    assert found.crps == complete["crps"].min()
    assert set(complete["looks"]) == {4}
    assert found.record["trials"] == 4
    assert found.record["seed"] == 0
    assert found.record["space"]["input_size"] == {"values": [16, 32]}
    again = search_plan(plan, bars_of(), **asked, on_progress=lambda _: heard.append(0))
    assert 0 not in heard  # it was read, not searched again
    assert again.trials.equals(found.trials)
    assert again.plan == found.plan


def test_a_population_finds_settings_within_its_space(ray_session: Any, tmp_path: Path) -> None:
    plan = HyperPlan(base=plan_with(max_steps=30), trials=2, scheduler="pbt", generation=1)
    found = search_plan(
        plan,
        bars_of(),
        store=Store(tmp_path),
        name="b",
        source="drawn",
        execution=Execution(max_concurrent=2, resources={"cpu": 0.5}),
    )
    assert found.trials.height == 2
    assert found.crps == found.trials["crps"].min()
    assert 1e-4 <= found.plan.learning_rate <= 1e-2
    assert found.plan.batch_size in (64, 128, 256, 512)
    assert found.record["scheduler"] == "pbt"
