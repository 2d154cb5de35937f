"""Sweeps and searches on the Ray of the session."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from trading.identifiers import InstrumentId
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.search_space import Choice, Span
from trading.strategies.strategy import Bars
from trading.validation.splits import walk_forward
from tune import sweep as sweeps
from tune.batch import SweepPlan
from tune.objective import Objective, folds_of
from tune.search import Execution, SearchPlan, optimise, plan_of, read_outcome
from tune.space import to_record
from tune.store import Store
from tune.suggestions import Algorithm
from tune.sweep import SweepProgress, sweep

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

PLAN = SweepPlan(
    strategy="mean_reversion",
    values={"window_bars": tuple(range(5, 25)), "entry_z": (0.2, 1.0, 1.5, 2.0)},
)


@pytest.fixture(scope="module")
def bars() -> Bars:
    random = np.random.default_rng(9)
    close = 50.0 * np.exp(np.cumsum(random.normal(0.0, 0.012, (600, 3)), axis=0))
    ts = 10**18 + 86_400_000_000_000 * np.arange(600)
    return Bars.of_closes(ts, tuple(InstrumentId(f"I{n}.paper") for n in range(3)), close)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "PROBE_POINTS", 4)
    monkeypatch.setattr(sweeps, "BATCH_MAX", 5)
    monkeypatch.setattr(sweeps, "PROBE_S", 1e6)  # how fast this machine is shall not decide
    monkeypatch.setattr(sweeps, "TASK_S", 1e6)


def test_sweep_in_tasks_equals_one_in_this_process(
    ray_session: Any, bars: Bars, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    seen: list[SweepProgress] = []
    found = sweep(
        PLAN, bars, store=store, name="a", source="w", ray=ray_session, on_progress=seen.append
    )
    assert found.equals(sweep(PLAN, bars, store=store, name="b", source="w"))
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (4, 80, 80)
    assert set(found["ending"]) == {"complete", "skipped"}


def test_sweep_survives_a_killed_worker_and_goes_on_after_ctrl_c(
    ray_session: Any, bars: Bars, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    killed: list[int] = []
    first: list[int] = []
    second: list[int] = []

    def disturb(progress: SweepProgress) -> None:
        first.append(progress.done)
        if len(first) == 2:
            killed.extend(kill_workers())
        if progress.done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(PLAN, bars, store=store, name="a", source="w", ray=ray_session, on_progress=disturb)
    found = sweep(
        PLAN,
        bars,
        store=store,
        name="a",
        source="w",
        ray=ray_session,
        on_progress=lambda progress: second.append(progress.done),
    )
    assert killed
    assert second[0] > first[-1]  # what was finished is not computed again
    assert len(second) <= (80 - first[-1]) / 5 + 2
    assert found.equals(sweep(PLAN, bars, store=store, name="b", source="w"))


def kill_workers() -> list[int]:
    """Kill the workers that run a batch or have just finished one."""
    killed: list[int] = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended by itself meanwhile
            if "".join(process.cmdline()[:1]).startswith(("ray::evaluate", "ray::IDLE")):
                process.kill()
                killed.append(process.pid)
    return killed


@pytest.mark.parametrize("algorithm", [Algorithm.RANDOM, Algorithm.GRID])
def test_search_on_two_workers_ends_like_one_in_order(
    ray_session: Any, bars: Bars, tmp_path: Path, algorithm: Algorithm
) -> None:
    """Random and grid do not depend on which trial is faster; an ended search is only read."""
    space = {"window_bars": Span(6, 21, step=3), "entry_z": Choice((0.3, 1.0, 1.5))}
    plan = SearchPlan(
        objective=Objective(
            strategy="mean_reversion",
            folds=folds_of(walk_forward(600, train_bars=200, test_bars=130), 600),
        ),
        space=to_record(space),
        algorithm=algorithm,
        trials=18,
        seed=2,
    )
    store = Store(tmp_path)
    ended: list[int] = []
    found = optimise(
        plan,
        bars,
        store=store,
        name="two",
        source="w",
        execution=Execution(max_concurrent=2, resources={"cpu": 0.5}),
        on_progress=lambda progress: ended.append(progress.ended),
    )
    assert ended[-1] == 18
    assert found.trials["trial"].n_unique() == 18
    assert set(found.trials["ending"]) == {"complete", "skipped"}
    strategy = MeanReversion(**found.best_params)
    for fold in range(3):
        measured = plan.objective.measure(strategy, bars, 0, fold)
        row = found.trials.filter(trial=found.ranking["trial"][0], fold=fold)
        assert row["train.sharpe"].item() == measured.train["sharpe"]
        assert row["test.sharpe"].item() == measured.test["sharpe"]
    assert not (store.folder("two") / "ray").exists()
    again = optimise(plan_of(store.manifest("two")), bars, store=store, name="one", source="w")
    assert again.trials.equals(found.trials)
    assert again.returns.equals(read_outcome(store, "two").returns)
    assert 0.0 <= again.overfitting <= 1.0
