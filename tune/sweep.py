"""Sweeps: every point of a grid, cheaply, in Ray tasks of about a second, or in this process.

A row depends on its point alone, so neither the size of the batches nor a lost worker, a second start or the number
of machines changes a number.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from trading.errors import ClusterUnreachable
from trading.indicators.periods import IntArray
from trading.strategies.strategy import Bars
from tune.batch import SweepPlan, evaluate
from tune.columns import param_columns
from tune.grid import Grid
from tune.manifest import Manifest, make_manifest
from tune.parts import Parts
from tune.prices import Quoted
from tune.store import TRIALS, Run, Store

KIND = "sweep"
TASK_S = 1.0
"""How long a task should take: its overhead, a few milliseconds, does not count then."""
PROBE_S = 0.3
PROBE_POINTS = 32
BATCH_MAX = 20_000
TASKS_PER_CORE = 2
"""Waiting or running at once: no core waits for this process, and little is lost with it."""
TASK_RETRIES = 3
"""How often a task may lose its worker before the sweep ends."""


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """What a progress bar shows: points."""

    done: int
    total: int


def sweep(
    plan: SweepPlan,
    bars: Bars,
    *,
    quoted: Quoted | None = None,
    store: Store,
    name: str,
    source: str,
    ray: Any = None,
    on_progress: Callable[[SweepProgress], None] | None = None,
) -> pl.DataFrame:
    """Backtest every point, or go on with the sweep of that name, or return what it found.

    After Ctrl-C or a crash, the same call goes on with the batches that were not finished.

    Parameters
    ----------
    quoted : Quoted or None
        What is traded, when that is not `bars`.
    source : str
        Where the bars came from, for the manifest.
    ray : module or None
        A Ray that is connected; None computes in this process.
    on_progress : callable or None
        Called in this thread after each batch.

    Returns
    -------
    DataFrame
        One row per point: `point`, `ending`, `reason`, the figures of `tune.figures.COURSE_FIGURES`, `param.*`.

    Raises
    ------
    UsageError
        If there are no points, or the name is taken by another plan.
    DataError
        If a price is unusable.
    ClusterUnreachable
        If a task lost its worker again and again.
    """
    manifest = make_manifest(
        name=name,
        kind=KIND,
        plan=plan,
        bars=bars,
        source=source,
        execution={"is_in_process": ray is None},
        started_at=datetime.now(UTC),
        quoted=quoted,
    )
    grid = plan.grid
    with store.open(manifest) as run:
        if run.manifest.finished_at is None:
            _carry_out(plan, bars, quoted, grid, run, ray, on_progress)
            run.finish(datetime.now(UTC))
    return store.trials(name)


def plan_of(manifest: Manifest) -> SweepPlan:
    """Return the plan of a sweep, to repeat it.

    Raises
    ------
    UsageError
        If the run is no sweep.
    """
    return manifest.plan_as(KIND, SweepPlan)


def _carry_out(
    plan: SweepPlan,
    bars: Bars,
    quoted: Quoted | None,
    grid: Grid,
    run: Run,
    ray: Any,
    on_progress: Callable[[SweepProgress], None] | None,
) -> None:
    parts = Parts(run.folder / "parts", len(grid))
    for rows in _batches(plan, bars, quoted, parts.missing(), ray):
        parts.add(rows)
        if on_progress:
            on_progress(SweepProgress(parts.done, len(grid)))
    found = parts.collect()
    run.write_table(TRIALS, found.hstack(_param_columns(grid)))
    parts.remove()


def _batches(
    plan: SweepPlan, bars: Bars, quoted: Quoted | None, missing: IntArray, ray: Any
) -> Iterator[pl.DataFrame]:
    """Yield the rows of all missing points, in batches, as they come."""
    if not missing.size:
        return
    probed, cost_s = _probe(plan, bars, quoted, missing[:PROBE_POINTS])
    yield probed
    rest = missing[len(probed) :]
    cores = 1 if ray is None else int(ray.cluster_resources().get("CPU", 1))
    size = batch_size(cost_s, rest.size, cores)
    batches = [rest[first : first + size] for first in range(0, rest.size, size)]
    if ray is None:
        for points in batches:
            yield evaluate(plan, bars, points.tolist(), quoted)
    else:
        yield from _in_tasks(plan, bars, quoted, batches, ray, cores * TASKS_PER_CORE)


def batch_size(cost_s: float, points: int, cores: int) -> int:
    """Return how many points make a task of `TASK_S`, or fewer, so that every core has some."""
    wanted = BATCH_MAX if cost_s <= 0 else int(TASK_S / cost_s)
    share = math.ceil(points / (cores * TASKS_PER_CORE))
    return max(min(wanted, share, BATCH_MAX), 1)


def _probe(
    plan: SweepPlan, bars: Bars, quoted: Quoted | None, points: IntArray
) -> tuple[pl.DataFrame, float]:
    """Return the rows of the first points, and what a point costs (seconds).

    The first one compiles, so it does not count.
    """
    tables = [evaluate(plan, bars, points[:1].tolist(), quoted)]
    begin = time.perf_counter()
    for point in points[1:].tolist():
        tables.append(evaluate(plan, bars, [point], quoted))
        if time.perf_counter() - begin > PROBE_S:
            break
    cost_s = (time.perf_counter() - begin) / max(len(tables) - 1, 1)
    return pl.concat(tables), cost_s


def _in_tasks(
    plan: SweepPlan,
    bars: Bars,
    quoted: Quoted | None,
    batches: list[IntArray],
    ray: Any,
    width: int,
) -> Iterator[pl.DataFrame]:
    """Yield the results of Ray tasks, never more than `width` of them under way."""
    shared, market = ray.put(bars.rows(0, len(bars))), ray.put(quoted)
    task = ray.remote(num_cpus=1, max_retries=TASK_RETRIES)(evaluate)
    running: list[Any] = []
    waiting = iter(batches)
    try:
        while True:
            running += [
                task.remote(plan, shared, points, market)
                for points in islice(waiting, width - len(running))
            ]
            if not running:
                return
            (done,), running = ray.wait(running, num_returns=1)
            yield _result(ray, done)
    finally:
        for each in running:
            ray.cancel(each)


def _result(ray: Any, done: Any) -> pl.DataFrame:
    try:
        rows: pl.DataFrame = ray.get(done)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError) as error:
        raise ClusterUnreachable(
            f"a task lost its worker {TASK_RETRIES + 1} times ({type(error).__name__}); what was finished is "
            "kept, start the sweep again to go on."
        ) from error
    return rows


def _param_columns(grid: Grid) -> list[pl.Series]:
    """Return the parameters of all points as columns."""
    sizes = tuple(len(values) for values in grid.values.values())
    places = np.unravel_index(np.arange(len(grid)), sizes)
    return [
        param_columns([{name: value} for value in values])[0].gather(place)
        for (name, values), place in zip(grid.values.items(), places, strict=True)
    ]
