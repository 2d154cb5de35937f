"""Several trainings at once on Ray: each a task of its own, on its share of a machine."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from actors.models.manifest import ModelManifest
from actors.models.registry import ModelRegistry
from trading.errors import TradingError
from trading.strategies.strategy import Bars
from tune.ray_connection import require_ray
from tune.train.pipeline import train_model
from tune.train.plan import TrainingPlan

Made = TypeVar("Made")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one training runs: a training is on one device, whatever the machine has.

    Attributes
    ----------
    cpus : float
        Cores that are kept free for it; it computes with one thread.
    gpus : float
        Share of one GPU (0 to 1), the only one that it sees; with 0.25 four trainings share it. With 0 it sees none.
    """

    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if not (self.cpus > 0 and 0 <= self.gpus <= 1):
            raise ValueError("place: cpus must be above 0 and gpus between 0 and 1")

    @property
    def options(self) -> dict[str, Any]:
        """What Ray is asked for."""
        hidden = {} if self.gpus else {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, "runtime_env": hidden}


def train_models(
    bars: Bars,
    plans: Sequence[TrainingPlan],
    registry: ModelRegistry,
    source: str,
    *,
    place: Place | None = None,
    on_done: Callable[[TrainingPlan, ModelManifest | TradingError], None] | None = None,
) -> tuple[ModelManifest | TradingError, ...]:
    """Train, judge and register several models at once. See `pipeline.train_model` and `train_many`.

    Parameters
    ----------
    registry : ModelRegistry
        In a folder that all machines of the cluster share.
    """
    train = partial(_version, url=registry.url, source=source)
    return train_many(train, plans, bars, place=place, on_done=on_done)


def train_many(
    train: Callable[[TrainingPlan, Bars], Made],
    plans: Sequence[TrainingPlan],
    bars: Bars,
    *,
    place: Place | None = None,
    on_done: Callable[[TrainingPlan, Made | TradingError], None] | None = None,
) -> tuple[Made | TradingError, ...]:
    """Call a training for every plan, as many at once as there is room for; Ray must be connected.

    Parameters
    ----------
    train : callable of plan and bars
        Is pickled, and so is what it returns.
    place : Place or None
        Of each training; None is one core.
    on_done : callable or None
        Called in this thread after the end of each training.

    Returns
    -------
    tuple
        In the order of the plans; the error of a training that failed stands in its place, and stops no other.

    Raises
    ------
    ClusterUnreachable
        If Ray is not connected.
    """
    import ray

    require_ray("Training several models at once")
    task = ray.remote(**(place or Place()).options)(_attempt)
    shared = ray.put(bars)
    tasks = [task.remote(train, plan, shared) for plan in plans]
    numbers = {each: number for number, each in enumerate(tasks)}
    made: dict[int, Made | TradingError] = {}
    waiting = list(tasks)
    try:
        while waiting:
            (done, *_), waiting = ray.wait(waiting)
            number = numbers[done]
            made[number] = ray.get(done)
            if on_done:
                on_done(plans[number], made[number])
    finally:
        for each in waiting:
            ray.cancel(each, force=True)
    return tuple(made[number] for number in range(len(tasks)))


def _attempt(
    train: Callable[[TrainingPlan, Bars], Made], plan: TrainingPlan, bars: Bars
) -> Made | TradingError:
    """Run by Ray."""
    try:
        return train(plan, bars)
    except TradingError as error:
        return error


def _version(plan: TrainingPlan, bars: Bars, *, url: str, source: str) -> ModelManifest:
    return train_model(bars, plan, ModelRegistry(url), source)
