"""Several trainings at once on Ray: each a task of its own, on its share of a machine."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from trading.errors import ClusterUnreachable, TradingError
from trading.strategies.strategy import Bars
from tune.train.plan import TrainingPlan

Made = TypeVar("Made")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one training runs.

    Attributes
    ----------
    cpus : float
        Cores; as many threads, at least one.
    gpus : float
        Share of one GPU (0 to 1): with 0.25 four trainings share it.
    """

    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if not (self.cpus > 0 and 0 <= self.gpus <= 1):
            raise ValueError("place: cpus must be above 0 and gpus between 0 and 1")

    @property
    def device(self) -> str:
        """Where the network is: Ray hides all GPUs from the task but the one that it shares."""
        return "cuda" if self.gpus else "cpu"

    @property
    def threads(self) -> int:
        return max(1, int(self.cpus))


def train_many(
    train: Callable[[TrainingPlan, Bars, str, int], Made],
    plans: Sequence[TrainingPlan],
    bars: Bars,
    *,
    place: Place | None = None,
    on_done: Callable[[TrainingPlan, Made | TradingError], None] | None = None,
) -> tuple[Made | TradingError, ...]:
    """Train models from the same bars at once, as many as there is room for; Ray must be connected.

    Parameters
    ----------
    train : callable of plan, bars, device and threads
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

    if not ray.is_initialized():
        raise ClusterUnreachable("Several trainings at once need Ray: connect to a cluster first.")
    where = place or Place()
    task = ray.remote(num_cpus=where.cpus, num_gpus=where.gpus)(_train)
    shared = ray.put(bars)
    running = {
        task.remote(train, plan, shared, where): number for number, plan in enumerate(plans)
    }
    made: dict[int, Made | TradingError] = {}
    try:
        while len(made) < len(plans):
            (done, *_), _ = ray.wait([each for each in running if running[each] not in made])
            number = running[done]
            made[number] = ray.get(done)
            if on_done:
                on_done(plans[number], made[number])
    finally:
        for each in running:
            ray.cancel(each, force=True)
    return tuple(made[number] for number in range(len(plans)))


def _train(
    train: Callable[[TrainingPlan, Bars, str, int], Made],
    plan: TrainingPlan,
    bars: Bars,
    where: Place,
) -> Made | TradingError:
    """Run by Ray."""
    try:
        return train(plan, bars, where.device, where.threads)
    except TradingError as error:
        return error
