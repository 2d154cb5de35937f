"""Ray Tune's Tuner, run in two ways: trials that a ledger remembers, and populations that Tune remembers."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from trading.errors import UsageError
from trading.strategies.search_space import SearchSpace
from tune.course import Course
from tune.ledger import Ending
from tune.population import Explorer, Population, PopulationPlan
from tune.trial import FOLDS, NUMBER, SCORE

WORKER_DEATHS_MAX = 3
"""Deaths of its worker after which a trial has failed."""
CHECKPOINTS_KEPT = 4
"""Of each member; with fewer, one that others want to go on from may be gone."""
STATE = "ray"
"""Ray's own folder within that of a run."""


class Halving(msgspec.Struct, frozen=True, kw_only=True):
    """Early stopping by asynchronous successive halving (Li et al. 2020, ASHA), one fold being one step.

    Attributes
    ----------
    grace_folds : int
        Folds before a trial may be stopped (>= 1).
    reduction : float
        Of the trials that reach a rung, one in `reduction` goes on (> 1); the rungs lie at `grace_folds` times its
        powers.
    """

    grace_folds: int = 1
    reduction: float = 3.0

    def __post_init__(self) -> None:
        if self.grace_folds < 1 or not self.reduction > 1:
            raise ValueError("halving: grace_folds must be at least 1 and reduction above 1")


def run_trials(
    trainable: Callable[..., None],
    searcher: Any,
    *,
    folder: Path,
    scheduler: Any,
    resources: Mapping[str, float],
    max_concurrent: int,
) -> None:
    """Run trials until the searcher has no more, or Ctrl-C was pressed.

    Parameters
    ----------
    searcher : ray.tune.search.Searcher
        Knows what was done before; Ray's own state is thrown away.
    folder : Path
        Of the run.
    resources : mapping
        Of one trial: "cpu", "gpu" (fractions are allowed) or a custom resource.
    """
    from ray import tune as ray_tune

    shutil.rmtree(folder / STATE, ignore_errors=True)
    tuner = ray_tune.Tuner(
        ray_tune.with_resources(trainable, dict(resources)),
        tune_config=ray_tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            max_concurrent_trials=max_concurrent,
            reuse_actors=True,
            trial_dirname_creator=_folder_of,
        ),
        run_config=ray_tune.RunConfig(
            name=STATE,
            storage_path=str(folder.absolute()),
            failure_config=ray_tune.FailureConfig(max_failures=WORKER_DEATHS_MAX),
            verbose=0,
        ),
    )
    with _quiet_tune():
        tuner.fit()
    shutil.rmtree(folder / STATE)


def halving_scheduler(halving: Halving, folds: int, course: Course) -> Any:
    """Return Ray's ASHA scheduler, knowing the trials that have ended already."""
    from ray.tune.schedulers import ASHAScheduler

    scheduler = ASHAScheduler(
        time_attr=FOLDS,
        metric=SCORE,
        mode="max",
        max_t=folds,
        grace_period=min(halving.grace_folds, folds),
        reduction_factor=halving.reduction,
    )
    for number, ended in course.ended.items():
        if ended.ending in (Ending.COMPLETE, Ending.STOPPED):
            _remember(scheduler, number, course.scores(number))
    return scheduler


def _remember(scheduler: Any, number: int, scores: list[float]) -> None:
    trial = SimpleNamespace(trial_id=f"recorded-{number}")
    results = [
        {FOLDS: fold} if isnan(score) else {FOLDS: fold, SCORE: score}
        for fold, score in enumerate(scores, 1)
    ]
    scheduler.on_trial_add(None, trial)
    for result in results:
        scheduler.on_trial_result(None, trial, result)
    scheduler.on_trial_complete(None, trial, results[-1])


def _folder_of(trial: Any) -> str:
    """Return the name of a trial's folder: Ray's would hold every parameter."""
    return f"{trial.config[NUMBER]:06d}" if NUMBER in trial.config else str(trial.trial_id)


@contextmanager
def _quiet_tune() -> Iterator[None]:
    """Nothing printed, no result files beside ours, results without a score, workers that stay in their folder."""
    ours = {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def train_population(
    trainable: Any,
    space: SearchSpace,
    plan: PopulationPlan,
    *,
    folder: Path,
    resources: Mapping[str, float],
) -> Population:
    """Train a population, or go on with the one in `folder` from its last checkpoints.

    Ray must be connected.

    Parameters
    ----------
    trainable : callable or class
        As Ray Tune takes it: takes a mapping of parameters, reports `plan.metric` and a checkpoint after every
        iteration, and starts from a checkpoint when it is given one.
    folder : Path
        Shared by all machines of the cluster.
    resources : mapping
        Of one member, for instance `{"cpu": 1, "gpu": 0.25}`.

    Raises
    ------
    UsageError
        If a member kept failing.
    """
    from ray import tune as ray_tune

    path = folder.absolute() / STATE
    able = ray_tune.with_resources(trainable, dict(resources))
    with _quiet_tune():
        if ray_tune.Tuner.can_restore(str(path)):
            tuner = ray_tune.Tuner.restore(str(path), able, resume_errored=True)
        else:
            tuner = _population_tuner(able, space, plan, path)
        results = tuner.fit()
    if results.num_errors:
        raise UsageError(f"A member of the population failed: {results.errors[0]}")
    best = results.get_best_result(plan.metric, plan.mode)
    return Population(
        params={name: best.config[name] for name in space},
        score=float(best.metrics[plan.metric]),
        checkpoint=Path(best.checkpoint.path),
        iterations=tuple(each.metrics["training_iteration"] for each in results),
    )


def _population_tuner(able: Any, space: SearchSpace, plan: PopulationPlan, path: Path) -> Any:
    from ray import tune as ray_tune
    from ray.tune.schedulers import PopulationBasedTraining
    from ray.tune.search.basic_variant import BasicVariantGenerator

    explorer = Explorer(space, plan.seed)
    return ray_tune.Tuner(
        able,
        param_space=dict.fromkeys(space),
        tune_config=ray_tune.TuneConfig(
            metric=plan.metric,
            mode=plan.mode,
            num_samples=plan.members,
            search_alg=BasicVariantGenerator(points_to_evaluate=explorer.first(plan.members)),
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=plan.generation,
                custom_explore_fn=explorer,
            ),
            reuse_actors=not isinstance(able, type),  # a class must know how to be reset
        ),
        run_config=ray_tune.RunConfig(
            name=path.name,
            storage_path=str(path.parent),
            stop={"training_iteration": plan.iterations},
            checkpoint_config=ray_tune.CheckpointConfig(num_to_keep=CHECKPOINTS_KEPT),
            failure_config=ray_tune.FailureConfig(max_failures=WORKER_DEATHS_MAX),
            verbose=0,
        ),
    )
