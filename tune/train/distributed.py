"""Training on Ray: one model on several workers (Ray Train), or several models at once.

Workers compute on CPUs (gloo) or on a GPU each (nccl). When one is lost, all go on from the last checkpoint.
"""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import torch

from trading.errors import ModelError, TradingError, UsageError
from tune.ray_connection import require_ray
from tune.train.data_parallel import run_shared
from tune.train.fit import Checkpoint, Course, Fitted, Look, Progress, identity_of
from tune.train.learner import Learner, Weights, make_learner
from tune.train.network import ScaledNetwork
from tune.train.plan import TrainingPlan
from tune.train.weights import decode_weights, encode_weights
from tune.train.windows import Windows

STATE = "checkpoint.pt"
FAILURES_MAX = 3
"""Losses of a worker after which a training fails."""
_CHECKPOINTS_KEPT = 2
_ENVIRONMENT = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.25",  # also how long a checkpoint waits to be seen
}


class Workers(msgspec.Struct, frozen=True, kw_only=True):
    """Who trains one model.

    Attributes
    ----------
    count : int
        Workers (>= 1); the batch size must be a multiple of it.
    cpus : float
        Cores of each; as many threads, at least one.
    has_gpu : bool
        Each computes on a GPU of its own.
    """

    count: int = 2
    cpus: float = 1.0
    has_gpu: bool = False

    def __post_init__(self) -> None:
        if self.count < 1 or not self.cpus > 0:
            raise ValueError("workers: count must be at least 1 and cpus above 0")


def fit_distributed(
    plan: TrainingPlan,
    train: Windows,
    validation: Windows,
    *,
    workers: Workers,
    folder: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    start_from: Weights | None = None,
) -> Fitted:
    """Train a network on several workers. See `fit.fit` and `data_parallel`; Ray must be connected.

    Ctrl-C ends the workers, then the call with `KeyboardInterrupt`.

    Parameters
    ----------
    folder : Path or None
        Where checkpoints are kept, shared by all machines; the same training goes on from its own. None keeps them on
        this machine as long as the call.
    progress : callable or None
        Called in a thread of its own.

    Raises
    ------
    ClusterUnreachable
        If Ray is not connected.
    UsageError
        If the batches or the validation windows cannot be shared by so many.
    ModelError
        If workers were lost again and again. See also `fit.fit`.
    """
    _require_shares(plan, validation, workers)
    import ray

    require_ray("Training on several workers")
    task = {
        "plan": plan,
        "train": ray.put(train),
        "validation": ray.put(validation),
        "start_from": encode_weights(start_from) if start_from else None,
        "identity": identity_of(plan, train, validation, start_from),
        "workers": workers,
    }
    with _kept(folder) as home, _relayed(progress) as queue, _interruptible():
        made = _result_of({**task, "queue": queue, "folder": str(home)}, workers, home)
    if isinstance(made, TradingError):
        raise made
    return _fitted(plan, made)


def _require_shares(plan: TrainingPlan, validation: Windows, workers: Workers) -> None:
    if plan.batch_size % workers.count:
        raise UsageError(
            f"Batches of {plan.batch_size} windows cannot be shared by {workers.count} workers; choose a "
            "batch_size that is a multiple of them."
        )
    if len(validation) < workers.count:
        raise UsageError(
            f"{workers.count} workers cannot share {len(validation)} validation windows; use fewer."
        )


def _result_of(task: Mapping[str, Any], workers: Workers, home: Path) -> Any:
    from ray import train as ray_train
    from ray.train.torch import TorchTrainer

    trainer = TorchTrainer(
        _train_share,
        train_loop_config=dict(task),
        scaling_config=ray_train.ScalingConfig(
            num_workers=workers.count,
            use_gpu=workers.has_gpu,
            resources_per_worker={"CPU": workers.cpus, "GPU": float(workers.has_gpu)},
        ),
        run_config=ray_train.RunConfig(
            name=f"ray-{task['identity'][:16]}",
            storage_path=str(home.absolute()),
            failure_config=ray_train.FailureConfig(max_failures=FAILURES_MAX),
            checkpoint_config=ray_train.CheckpointConfig(num_to_keep=_CHECKPOINTS_KEPT),
            logging_config=ray_train.LoggingConfig(log_level="ERROR"),
        ),
    )
    try:
        return trainer.fit().return_value
    except ray_train.TrainingFailedError as error:
        failures = getattr(error, "worker_failures", {})
        reason = str(next(iter(failures.values()), error)).strip().rpartition("\n")[2]
        raise ModelError(
            f"Training {task['plan'].kind} failed on its workers {FAILURES_MAX + 1} times; the last "
            f"reason was: {reason}"
        ) from error


def _train_share(task: Mapping[str, Any]) -> Any:
    """Run by Ray on every worker; what the first returns is the result.

    An error of ours would come again on every attempt, so it is returned, not raised; all workers meet it.
    """
    import ray
    from ray import train as ray_train

    plan, workers, queue = task["plan"], task["workers"], task["queue"]
    start_from = task["start_from"]
    torch.set_num_threads(max(1, int(workers.cpus)))
    torch.manual_seed(plan.seed)
    try:
        learner = make_learner(
            plan,
            _own(ray.get(task["train"])),
            _own(ray.get(task["validation"])),
            device=str(ray_train.torch.get_device()) if workers.has_gpu else "cpu",
            start_from=decode_weights(start_from) if start_from else None,
        )
        with tempfile.TemporaryDirectory(dir=_room(task["folder"])) as folder:
            store = _ReportedCheckpoint(Path(folder) / STATE, task["identity"])
            fitted = run_shared(learner, store, None if queue is None else queue.put)
    except TradingError as error:
        return error
    return {
        "weights": encode_weights(fitted.network.state_dict()),
        "looks": fitted.looks,
        "best": fitted.best,
    }


def _room(folder: str) -> str | None:
    """Return the folder of the training where this machine has it: what a killed worker leaves goes with it."""
    return folder if Path(folder).is_dir() else None


class _ReportedCheckpoint(Checkpoint):
    """A checkpoint that the first worker hands to Ray Train, and that all go on from."""

    def save(self, learner: Learner, course: Course) -> None:
        from ray import train as ray_train

        look = msgspec.to_builtins(course.looks[-1], builtin_types=())
        metrics = dict(zip(Look.__struct_fields__, look, strict=True))
        checkpoint = None
        if ray_train.get_context().get_world_rank() == 0:
            super().save(learner, course)
            checkpoint = ray_train.Checkpoint.from_directory(self._path.parent)
        ray_train.report(metrics, checkpoint)

    def load(self, learner: Learner) -> Course | None:
        from ray import train as ray_train

        found = ray_train.get_checkpoint()
        if found is None:
            return None
        with found.as_directory() as folder:
            shutil.copy(Path(folder) / STATE, self._path)
        return super().load(learner)


def _own(windows: Windows) -> Windows:
    """Return windows in memory of this process: what Ray shares cannot be written, which torch warns of."""
    inputs = {name: values.copy() for name, values in windows.inputs.items()}
    return Windows(inputs, windows.outcomes.copy(), windows.ts, windows.instrument)


def _fitted(plan: TrainingPlan, made: Mapping[str, Any]) -> Fitted:
    network = ScaledNetwork(plan)
    network.load_state_dict(decode_weights(made["weights"]))
    return Fitted(network.eval(), made["looks"], made["best"])


@contextmanager
def _kept(folder: Path | None) -> Iterator[Path]:
    """Yield the folder, or one that is removed afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="train-") as temporary:
        yield Path(temporary)


@contextmanager
def _relayed(progress: Callable[[Progress], None] | None) -> Iterator[Any]:
    """Yield a queue whose entries are told to `progress`; None when nobody listens."""
    if progress is None:
        yield None
        return
    from ray.util.queue import Queue

    queue = Queue(actor_options={"num_cpus": 0})

    def relay() -> None:
        while (told := queue.get()) is not None:
            progress(told)

    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            relaying = pool.submit(relay)
            try:
                yield queue
            finally:
                queue.put(None)
        relaying.result()
    finally:
        queue.shutdown(force=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ray Train quietly; its handler of Ctrl-C, which exits with success, is taken back."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if is_main:
            signal.signal(signal.SIGINT, handler)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
