"""A search and a sweep whose driver and one worker are killed in the middle end as if nothing had happened.

Each life is a process of its own with a Ray of its own. The strategy itself pulls the trigger, so every run dies at
the same evaluation.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tune.ledger import Ended, Measured, Suggested, read_ledger

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

STRATEGY = r"""
import os, signal
from pathlib import Path

import msgspec
import numpy as np

HOME = Path(os.environ["COUNTING_HOME"])


class Counting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    window_bars: int = 20
    band: float = 0.0

    def __post_init__(self):
        if self.window_bars % 7 == 0:
            raise ValueError("sevens are not allowed")

    @property
    def lookback(self):
        return self.window_bars

    def targets(self, bars):
        note(f"{self.window_bars} {self.band!r} {int(bars.ts[-1])}")
        obey("worker", os.getpid())
        obey("driver", int((HOME / "driver_pid").read_text()))
        sums = np.cumsum(np.pad(bars.close, ((1, 0), (0, 0))), axis=0)
        mean = np.full(bars.close.shape, np.inf)
        mean[self.window_bars - 1 :] = sums[self.window_bars :] - sums[: -self.window_bars]
        return np.where(bars.close > mean / self.window_bars * (1.0 + self.band), 0.3, 0.0)


def note(what):
    with (HOME / "evaluations").open("a") as file:
        file.write(what + "\n")
    (HOME / "devices").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", ""))


def obey(who, pid):
    '''Kill, once, when the run that was named has come so far.'''
    run, _, done = (HOME / "evaluations").read_text().rpartition("run ")[2].partition("\n")
    order = HOME / f"kill_{who}_{run}"
    try:
        is_due = done.count("\n") >= int(order.read_text())
        if is_due:
            order.unlink()
    except FileNotFoundError:  # there is none, or another worker is faster
        return
    if is_due:
        os.kill(pid, signal.SIGKILL)
        while who == "driver":
            signal.pause()  # this process goes with its driver
"""

LIFE = """
import os, sys
from pathlib import Path

import numpy as np
import ray

from trading.identifiers import InstrumentId
from trading.strategies.search_space import Span
from trading.strategies.strategy import Bars
from trading.validation.splits import walk_forward
from tune import sweep as sweeps
from tune.batch import SweepPlan
from tune.objective import Objective, folds_of
from tune.search import Execution, SearchPlan, optimise
from tune.space import to_record
from tune.store import Store
from tune.tuner import Halving

home = Path(os.environ["COUNTING_HOME"])
(home / "driver_pid").write_text(str(os.getpid()))
random = np.random.default_rng(1)
close = 100 * np.exp(np.cumsum(random.normal(0.0003, 0.01, (360, 2)), axis=0))
ts = 10**18 + 86_400_000_000_000 * np.arange(360)
bars = Bars.of_closes(ts, (InstrumentId("A.paper"), InstrumentId("B.paper")), close)
store = Store(home / "runs")
plan = SearchPlan(
    objective=Objective(
        strategy="counting:Counting",
        folds=folds_of(walk_forward(360, train_bars=120, test_bars=60), 360),
    ),
    space=to_record({"window_bars": Span(5, 40), "band": Span(0.0, 0.02)}),
    trials=16,
    seed=4,
    halving=Halving(),
)
execution = Execution(resources={"cpu": 1.0, "gpu": 0.25})
grid = SweepPlan(
    strategy="counting:Counting",
    values={"window_bars": tuple(range(5, 30)), "band": (0.0, 0.01, 0.02)},
)
sweeps.PROBE_POINTS, sweeps.BATCH_MAX = 5, 4

ray.init(
    address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False,
    logging_level="ERROR", _temp_dir=sys.argv[1],
)
for name in sys.argv[2:]:
    with (home / "evaluations").open("a") as file:
        file.write(f"run {name}\\n")
    if name.startswith("search"):
        optimise(plan, bars, store=store, name=name, source="walk", execution=execution)
    else:
        sweeps.sweep(grid, bars, store=store, name=name, source="walk", ray=ray)
"""


class Lives:
    """Processes that follow each other in one folder."""

    def __init__(self, folder: Path, ray_folder: Path) -> None:
        self._folder = folder
        self._ray_folder = ray_folder
        (folder / "counting.py").write_text(STRATEGY)
        (folder / "life.py").write_text(LIFE)

    def live(self, *runs: str, **kill_at: int) -> list[list[str]]:
        """Carry out runs; `worker_search=20` kills a worker at evaluation 20 of that run.

        Returns the evaluations of each run.
        """
        (self._folder / "evaluations").write_text("")
        for order, count in kill_at.items():
            (self._folder / f"kill_{order}").write_text(str(count))
        environment = {
            **os.environ,
            "COUNTING_HOME": str(self._folder),
            "PYTHONPATH": str(self._folder),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": "0" * 64,
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        command = [sys.executable, str(self._folder / "life.py"), str(self._ray_folder), *runs]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=180, check=False
        )
        is_killed = any(order.startswith("driver") for order in kill_at)
        assert done.returncode == (-9 if is_killed else 0), done.stderr[-3000:]
        assert not list(self._folder.glob("kill_*"))
        parts = (self._folder / "evaluations").read_text().split("run ")[1:]
        return [part.splitlines()[1:] for part in parts]

    def run(self, name: str) -> Path:
        return self._folder / "runs" / name

    def trials(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.run(name) / "trials.parquet")

    @property
    def devices(self) -> str:
        return (self._folder / "devices").read_text()


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    ray_folder = Path(tempfile.mkdtemp(prefix="tr-", dir="/tmp"))
    yield Lives(tmp_path, ray_folder)
    shutil.rmtree(ray_folder, ignore_errors=True)


def test_killed_search_and_sweep_end_like_those_that_were_not(lives: Lives) -> None:
    (before,) = lives.live("search", worker_search=20, driver_search=45)
    assert lives.devices == "0"  # a quarter of the one GPU that this Ray believes to have
    records = read_ledger(lives.run("search") / "ledger.msgpack")
    params = {r.number: r.params for r in records if isinstance(r, Suggested)}
    finished = [params[r.number] for r in records if isinstance(r, Ended)]
    folds = sum(isinstance(r, Measured) for r in records)
    assert 3 < len(finished) < 16

    after, undisturbed, swept = lives.live("search", "search_twin", "sweep", driver_sweep=40)
    trials = lives.trials("search")
    assert trials.equals(lives.trials("search_twin"))
    assert set(trials["ending"]) == {"complete", "stopped", "skipped"}
    names = {f"{each['window_bars']} {each['band']!r}" for each in finished}
    assert not names & {line.rpartition(" ")[0] for line in after}
    assert len(after) == len(undisturbed) - 2 * folds  # training and test
    assert len(before) > 2 * folds  # the worker's death cost some

    done = pl.read_parquet(lives.run("sweep") / "parts" / "*.parquet").height
    assert 5 < done < 75
    rest, twin = lives.live("sweep", "sweep_twin", worker_sweep=10)
    assert lives.trials("sweep").equals(lives.trials("sweep_twin"))
    assert lives.trials("sweep").height == 75
    redone = len(swept) + len(set(rest)) - len(set(twin))
    assert 0 <= redone <= 16  # those in the four tasks that were under way
    assert len(set(rest) & set(swept)) == redone
