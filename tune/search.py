"""Searches for parameters on Ray Tune: walk-forward, early stopping, resumable by name, repeatable by seed.

The numbers of a trial depend on its parameters alone. Which trials there are depends on nothing else for `random` and
`grid`; for `optuna` on the order of the results, and so does early stopping: with `max_concurrent=1` that
order is always the same, and a run that was interrupted anywhere ends like one that was not.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl

from trading.errors import UsageError
from trading.strategies.search_space import Choice, SearchSpace
from trading.strategies.strategy import Bars
from tune.course import Course, Progress
from tune.figures import FIGURES
from tune.ledger import Ledger
from tune.manifest import Manifest, make_manifest
from tune.objective import Objective, strategy_class, strategy_of
from tune.outcome import RETURNS, SearchOutcome, outcome_of, tables_of
from tune.prices import Quoted
from tune.ray_connection import require_ray
from tune.space import from_record, grid_of
from tune.store import TRIALS, Run, Store
from tune.suggestions import Algorithm, Suggestions, suggestions_of
from tune.trial import run_trial
from tune.tuner import Halving, halving_scheduler, run_trials

KIND = "search"
LEDGER = "ledger.msgpack"


class SearchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that the numbers of a search depend on, besides data and code.

    Attributes
    ----------
    space : dict
        As `tune.space.to_record` writes it.
    trials : int or None
        Most points to try; None takes the whole grid.
    halving : Halving or None
        Early stopping; None measures every trial on every fold.
    """

    objective: Objective
    space: dict[str, dict[str, Any]]
    algorithm: Algorithm = Algorithm.OPTUNA
    trials: int | None = 100
    seed: int = 0
    halving: Halving | None = None

    @property
    def trials_max(self) -> int:
        """Most trials that there can be: what a progress bar counts to."""
        return self.trials or len(grid_of(from_record(self.space)))


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """How trials run. It may differ when a search goes on.

    Attributes
    ----------
    resources : dict
        Of one trial: "cpu", "gpu" (0.25 puts four on one) or a resource of the cluster's own.
    max_concurrent : int
        Trials at once (>= 1). With more than one, `optuna` and early stopping depend on which is faster.
    """

    resources: dict[str, float] = msgspec.field(default_factory=lambda: {"cpu": 1.0})
    max_concurrent: int = 1

    def __post_init__(self) -> None:
        if self.max_concurrent < 1:
            raise ValueError(f"max_concurrent must be at least 1, got {self.max_concurrent}")


def space_of(strategy: str) -> SearchSpace:
    """Return the search space that a strategy declares.

    Raises
    ------
    UsageError
        If there is no such strategy, or it declares none.
    """
    space: SearchSpace | None = getattr(strategy_class(strategy), "SEARCH", None)
    if not space:
        raise UsageError(f"Strategy {strategy!r} declares no search space; name the values to try.")
    return space


def with_fixed(space: SearchSpace, fixed: Mapping[str, object]) -> SearchSpace:
    """Return the space in which some parameters have one value, searched or not before.

    Raises
    ------
    UsageError
        If nothing would be left to search.
    """
    if not set(space) - set(fixed):
        raise UsageError("every parameter of the search is fixed; leave one to be searched.")
    return {**space, **{name: Choice((value,)) for name, value in fixed.items()}}


def optimise(
    plan: SearchPlan,
    bars: Bars,
    *,
    quoted: Quoted | None = None,
    store: Store,
    name: str,
    source: str,
    execution: Execution | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> SearchOutcome:
    """Search, or go on with the search of that name, or return what it found.

    Ray must be connected, unless the search has ended. Ctrl-C ends the call with `KeyboardInterrupt`; nothing
    that was measured is lost.

    Parameters
    ----------
    quoted : Quoted or None
        What is traded, when that is not `bars`.
    source : str
        Where the bars came from, for the manifest.
    execution : Execution or None
        None is one core for one trial at a time.
    on_progress : callable or None
        Called in this thread after the end of each trial.

    Raises
    ------
    ClusterUnreachable
        If Ray is not connected.
    UsageError
        If the plan cannot be carried out, the name is taken by another plan, or no trial could be measured.
    """
    suggestions = _checked(plan, bars)
    execution = execution or Execution()
    manifest = make_manifest(
        name=name,
        kind=KIND,
        plan=plan,
        bars=bars,
        source=source,
        execution=msgspec.to_builtins(execution),
        started_at=datetime.now(UTC),
        quoted=quoted,
    )
    with store.open(manifest) as run:
        if run.manifest.finished_at is None:
            _carry_out(plan, bars, quoted, run, suggestions, execution, on_progress)
            run.finish(datetime.now(UTC))
    return read_outcome(store, name)


def read_outcome(store: Store, name: str) -> SearchOutcome:
    """Return what a search found.

    Raises
    ------
    UsageError
        If there is no search of that name, or it has not ended.
    """
    plan = plan_of(store.manifest(name))
    trials = store.trials(name)
    returns = pl.read_parquet(store.folder(name) / RETURNS)
    return outcome_of(trials, returns, plan.objective)


def plan_of(manifest: Manifest) -> SearchPlan:
    """Return the plan of a search, to repeat it.

    Raises
    ------
    UsageError
        If the run is no search.
    """
    return manifest.plan_as(KIND, SearchPlan)


def _carry_out(
    plan: SearchPlan,
    bars: Bars,
    quoted: Quoted | None,
    run: Run,
    suggestions: Suggestions,
    execution: Execution,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    """Run what is left of a search, then write its tables."""
    ledger = Ledger(run.folder / LEDGER)
    try:
        course = Course(
            ledger,
            suggestions,
            check=lambda params: strategy_of(plan.objective.strategy, params),
            score=plan.objective.score,
        )
        _run_trials(plan, bars, quoted, run, course, execution, on_progress)
    finally:
        ledger.close()
    if not course.is_over:
        raise KeyboardInterrupt
    trials, returns = tables_of(ledger.records, plan.objective, bars.ts)
    run.write_table(RETURNS, returns)
    run.write_table(TRIALS, trials)


def _run_trials(
    plan: SearchPlan,
    bars: Bars,
    quoted: Quoted | None,
    run: Run,
    course: Course,
    execution: Execution,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    from ray import tune as ray_tune

    from tune.searcher import CourseSearcher

    require_ray("A search")
    folds = len(plan.objective.folds)
    trainable = ray_tune.with_parameters(
        run_trial,
        bars=bars.rows(0, len(bars)),
        quoted=quoted,
        objective=plan.objective,
        known={number: course.folds(number) for number in course.cut_off},
    )
    run_trials(
        trainable,
        CourseSearcher(course, folds, on_progress or (lambda progress: None)),
        folder=run.folder,
        scheduler=halving_scheduler(plan.halving, folds, course) if plan.halving else None,
        resources=execution.resources,
        max_concurrent=execution.max_concurrent,
    )


def _checked(plan: SearchPlan, bars: Bars) -> Suggestions:
    """Return the points of the plan, if it can be carried out."""
    objective = plan.objective
    strategy_class(objective.strategy)
    if objective.metric not in FIGURES:
        raise UsageError(
            f"There is no figure {objective.metric!r}; known are: {', '.join(FIGURES)}."
        )
    if not objective.folds or max(fold.test_stop for fold in objective.folds) > len(bars):
        raise UsageError(f"The folds do not lie within the {len(bars)} bars.")
    space = from_record(plan.space)
    return suggestions_of(plan.algorithm, space, trials=plan.trials, seed=plan.seed)
