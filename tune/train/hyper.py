"""Search for the settings of a training on Ray Tune: many trials with early stopping, or a population.

What a search maximises is how well a trial did on the validation windows; calibration and test are not in its data. The
best of many is partly the luckiest: its validation score is too good, the more so the more trials there were. The test
of the version that is trained with the best settings is what to go by, and the manifest says how many trials there were.

Sources: Bergstra et al. (2011), "Algorithms for Hyper-Parameter Optimization", NeurIPS 24; Li et al. (2020), "A System
for Massively Parallel Hyperparameter Tuning", MLSys 2 (ASHA); Jaderberg et al. (2017), "Population Based Training of
Neural Networks", arXiv:1711.09846; Cawley and Talbot (2010), "On Over-fitting in Model Selection", JMLR 11.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import msgspec
import polars as pl

from actors.models.manifest import ModelManifest
from actors.models.registry import ModelRegistry
from trading.errors import UsageError
from trading.strategies.search_space import SearchSpace
from trading.strategies.strategy import Bars
from tune.course import Course, Progress, rank
from tune.ledger import Ending, Ledger, Measured
from tune.manifest import make_manifest
from tune.population import PopulationPlan
from tune.ray_connection import require_ray
from tune.search import LEDGER, Execution
from tune.space import from_record, to_record
from tune.store import TRIALS, Run, Store
from tune.suggestions import Algorithm, suggestions_of
from tune.train.fit import Progress as Fitting
from tune.train.hyper_space import plan_at, require_space, space_for
from tune.train.hyper_trial import CRPS, Ground, ground_of, looks_of, run_member, run_trial
from tune.train.pipeline import train_model
from tune.train.plan import TrainingPlan
from tune.tuner import STATE, Halving, halving_scheduler, run_trials, train_population

KIND = "hyperparameters"
Scheduler = Literal["asha", "pbt", "none"]
SCHEMA = {
    "trial": pl.Int64,
    "ending": pl.String,
    "crps": pl.Float64,
    "looks": pl.Int64,
    "params": pl.String,
    "reason": pl.String,
}


class HyperPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that a search depends on, besides data and code.

    Attributes
    ----------
    base : TrainingPlan
        What is not searched.
    space : dict
        As `tune.space.to_record` writes it; empty takes the kind's own, see `hyper_space`.
    scheduler : "asha", "pbt" or "none"
        Early stopping of trials that do worse, population-based training, or every trial to its end.
    algorithm : Algorithm
        Where points come from; a population begins at random ones.
    trials : int
        Points to try, or members of the population (>= 2).
    halving : Halving
        Of "asha"; a fold is a look at the validation windows.
    generation : int
        Of "pbt": looks between two comparisons (>= 1).
    seed : int
        Of the points; that of the trainings is the base plan's.
    """

    base: TrainingPlan
    space: dict[str, dict[str, Any]] = {}
    scheduler: Scheduler = "asha"
    algorithm: Algorithm = Algorithm.OPTUNA
    trials: int = 20
    halving: Halving = Halving()
    generation: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.trials < 2:
            raise ValueError(f"a search needs at least 2 trials, got {self.trials}")

    @property
    def is_population(self) -> bool:
        return self.scheduler == "pbt"

    @property
    def searched(self) -> SearchSpace:
        """The space, checked.

        Raises
        ------
        UsageError
            If it cannot be searched.
        """
        own = space_for(self.base, is_live=self.is_population)
        space = from_record(self.space) if self.space else own
        require_space(self.base, space, is_live=self.is_population)
        return space


@dataclass(frozen=True, slots=True)
class HyperOutcome:
    """What a search found.

    Attributes
    ----------
    plan : TrainingPlan
        The base plan with the best settings.
    crps : float
        Of the best trial on the validation windows, in log returns: the best of all, so too good.
    trials : polars.DataFrame
        One row per trial, the best first; columns as in `SCHEMA`, `params` as JSON.
    record : dict
        What a manifest says of the search: plain JSON.
    """

    plan: TrainingPlan
    crps: float
    trials: pl.DataFrame
    record: dict[str, Any]


def search_plan(
    plan: HyperPlan,
    bars: Bars,
    *,
    store: Store,
    name: str,
    source: str,
    execution: Execution | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> HyperOutcome:
    """Search, or go on with the search of that name, or return what it found. Nothing is registered.

    Ray must be connected, unless the search has ended. Ctrl-C ends the call with `KeyboardInterrupt`; trials that
    have ended are not lost. Each trial trains on the cores and the share of a GPU that `execution` gives it, never on more
    than one GPU.

    Parameters
    ----------
    source : str
        Where the bars came from, for the manifest of the run.
    on_progress : callable or None
        Called in this thread after the end of each trial; not for a population.

    Raises
    ------
    ClusterUnreachable
        If Ray is not connected.
    UsageError
        If the plan cannot be carried out, the name is taken by another plan, or no trial could be measured.
    DataError
        If there are too few bars.
    """
    space = plan.searched
    ground = ground_of(plan.base, space, bars)
    execution = execution or Execution()
    manifest = make_manifest(
        name=name,
        kind=KIND,
        plan=plan,
        bars=bars,
        source=source,
        execution=msgspec.to_builtins(execution),
        started_at=datetime.now(UTC),
    )
    with store.open(manifest) as run:
        if run.manifest.finished_at is None:
            require_ray("A search")
            find = _members if plan.is_population else partial(_trials, on_progress=on_progress)
            run.write_table(TRIALS, find(plan, space, ground, run, execution))
            run.finish(datetime.now(UTC))
    return _outcome(plan, space, store.trials(name))


def train_found(
    found: HyperOutcome,
    bars: Bars,
    registry: ModelRegistry,
    source: str,
    *,
    progress: Callable[[Fitting], None] | None = None,
    refit: bool = False,
) -> ModelManifest:
    """Train once with the settings that a search found, and register the version. See `pipeline.train_model`.

    Parameters
    ----------
    bars : Bars
        Those of the search: the test of the version lies behind all that the search saw.

    Returns
    -------
    ModelManifest
        Its parameters have an entry "search": space, seed and number of trials, see `HyperOutcome.record`.
    """
    with tempfile.TemporaryDirectory(prefix="search-") as folder:
        scratch = ModelRegistry(folder)
        made = train_model(bars, found.plan, scratch, source, progress=progress, refit=refit)
        files = {file.name: scratch.read(made, file.name) for file in made.files}
    parameters = {**made.parameters, "search": found.record}
    return registry.register(msgspec.structs.replace(made, parameters=parameters), files)


def _trials(
    plan: HyperPlan,
    space: SearchSpace,
    ground: Ground,
    run: Run,
    execution: Execution,
    *,
    on_progress: Callable[[Progress], None] | None,
) -> pl.DataFrame:
    """Run what is left of the trials and return their table."""
    from ray import tune as ray_tune

    from tune.searcher import CourseSearcher

    looks = looks_of(plan.base)
    ledger = Ledger(run.folder / LEDGER)
    try:
        course = Course(
            ledger,
            suggestions_of(plan.algorithm, space, trials=plan.trials, seed=plan.seed),
            check=partial(plan_at, plan.base),
            score=_last_score,
        )
        scheduler = halving_scheduler(plan.halving, looks, course)
        run_trials(
            ray_tune.with_parameters(run_trial, ground=ground, **_place(execution)),
            CourseSearcher(course, looks, on_progress or (lambda progress: None)),
            folder=run.folder,
            scheduler=scheduler if plan.scheduler == "asha" else None,
            resources=execution.resources,
            max_concurrent=execution.max_concurrent,
        )
    finally:
        ledger.close()
    if not course.is_over:
        raise KeyboardInterrupt
    return _table_of(ledger, course)


def _members(
    plan: HyperPlan, space: SearchSpace, ground: Ground, run: Run, execution: Execution
) -> pl.DataFrame:
    """Train what is left of the population and return the table of its members at their ends."""
    from ray import tune as ray_tune

    population = PopulationPlan(
        metric=CRPS,
        is_minimised=True,
        members=plan.trials,
        iterations=looks_of(plan.base),
        generation=plan.generation,
        seed=plan.seed,
    )
    trainable = ray_tune.with_parameters(run_member, ground=ground, **_place(execution))
    train_population(trainable, space, population, folder=run.folder, resources=execution.resources)
    members = ray_tune.ExperimentAnalysis(str((run.folder / STATE).absolute())).trials
    rows = [
        (number, Ending.COMPLETE.value, each.last_result[CRPS],
         each.last_result["training_iteration"],
         _json({name: each.config[name] for name in space}), "")
        for number, each in enumerate(members)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("crps", maintain_order=True)


def _outcome(plan: HyperPlan, space: SearchSpace, trials: pl.DataFrame) -> HyperOutcome:
    measured = trials.filter(pl.col("ending") == Ending.COMPLETE.value)
    if measured.is_empty():
        reason = trials["reason"][0]
        raise UsageError(f"No trial of the search could be measured; the first said: {reason}")
    best = measured.row(0, named=True)
    record = {
        "scheduler": plan.scheduler,
        "algorithm": "random" if plan.is_population else plan.algorithm.value,
        "space": to_record(space),
        "seed": plan.seed,
        "trials": trials.height,
        "validation_crps": best["crps"],
        "caution": f"The best of {trials.height} trials by validation CRPS, which makes that score too good.",
    }
    chosen = plan_at(plan.base, msgspec.json.decode(best["params"]))
    return HyperOutcome(chosen, best["crps"], trials, record)


def _table_of(ledger: Ledger, course: Course) -> pl.DataFrame:
    params = {
        record.number: record.params for record in ledger.records if hasattr(record, "params")
    }
    rows = [
        (ended.number, ended.ending.value, -ended.score, len(course.folds(ended.number)),
         _json(params[ended.number]), ended.reason)
        for ended in sorted(course.ended.values(), key=rank)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").with_columns(
        pl.col("crps").fill_nan(None)
    )


def _last_score(looks: list[Measured]) -> float:
    return -looks[-1].train[CRPS]


def _place(execution: Execution) -> dict[str, Any]:
    """Where a trial computes: Ray shows its worker one GPU, and the network is on the first that it sees."""
    resources: Mapping[str, float] = execution.resources
    return {
        "has_gpu": resources.get("gpu", 0.0) > 0,
        "threads": max(1, int(resources.get("cpu", 1.0))),
    }


def _json(params: Mapping[str, object]) -> str:
    return msgspec.json.encode(params).decode()
