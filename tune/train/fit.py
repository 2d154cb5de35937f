"""Training: the same plan on the same windows gives the same weights, also when it was stopped on the way.

The loop is our own: batches are rows of tensors in memory, and all that decides what comes next (weights, optimiser,
generators, the best look so far) is in one checkpoint.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from actors.storage.files import Folder
from trading.errors import ModelCorrupt, ModelError, UsageError
from tune.train.learner import Learner, Weights, make_learner
from tune.train.network import ScaledNetwork
from tune.train.plan import TrainingPlan
from tune.train.windows import Windows

_REPORTS_PER_LOOK = 10


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a training is.

    Attributes
    ----------
    step, of : int
        Steps done, and at most.
    train_loss : float
        Mean since the last report; NaN before the first step.
    validation_loss : float or None
        Where it was just measured.
    eta_s : float
        Time left if it goes on to the last step (s); NaN before the first.
    stage : str
        Which of the trainings of one model it is.
    """

    step: int
    of: int
    train_loss: float
    validation_loss: float | None
    eta_s: float
    stage: str = "train"


class Look(msgspec.Struct, frozen=True, array_like=True):
    """Losses at one look at the validation windows; the training loss is the mean since the look before."""

    step: int
    train_loss: float
    validation_loss: float


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A trained network.

    Attributes
    ----------
    network : ScaledNetwork
        On the CPU, ready to predict, with the weights of the best look.
    looks : tuple of Look
        The first one is that of the weights before any step.
    best : Look
    """

    network: ScaledNetwork
    looks: tuple[Look, ...]
    best: Look


@dataclass(slots=True, eq=False)
class Course:
    """Where a training is: with the learner all that decides what comes next."""

    step: int = 0
    looks: list[Look] = field(default_factory=list)
    best: Look | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    summed_loss: float = 0.0


def fit(
    plan: TrainingPlan,
    train: Windows,
    validation: Windows,
    *,
    progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    start_from: Weights | None = None,
    device: str = "auto",
    threads: int = 1,
) -> Fitted:
    """Train a network until its plan ends or it does not get better, and return its best weights.

    Equal to the last bit for the same arguments on the same CPU, library and number of threads.

    Parameters
    ----------
    progress : callable or None
        Is told about ten times between two looks.
    checkpoint : Path or None
        File that is replaced at every look, and gone on from if it is there.
    start_from : mapping of name to tensor or None
        Weights to go on from, as for `make_learner`.

    Raises
    ------
    UsageError
        If the checkpoint is of another training. See also `make_learner`.
    ModelCorrupt
        If the checkpoint cannot be read.
    ModelError
        If the loss is not a number any more.
    """
    with _alone(plan.seed, threads):
        learner = make_learner(plan, train, validation, device=device, start_from=start_from)
        store = None
        if checkpoint is not None:
            store = Checkpoint(checkpoint, identity_of(plan, train, validation, start_from))
        return run(learner, store, progress)


def run(
    learner: Learner,
    store: "Checkpoint | None" = None,
    progress: Callable[[Progress], None] | None = None,
) -> Fitted:
    """Train what a learner holds, from its checkpoint on if there is one. See `fit`."""
    plan = learner.plan
    course = (store.load(learner) if store else None) or Course()
    reporter = _Reporter(progress, plan, course.step)
    while not _is_over(plan, course):
        if course.step % plan.check_every == 0 and not _is_looked_at(course):
            _look(learner, course)
            if store:
                store.save(learner, course)
            reporter.tell(course.step, course.looks[-1].validation_loss)
            continue
        loss = learner.step(course.step)
        course.step += 1
        course.summed_loss += float(loss)
        reporter.add(float(loss), course.step)
    if not _is_looked_at(course):
        _look(learner, course)
        reporter.tell(course.step, course.looks[-1].validation_loss)
    return _fitted(learner, course)


def _is_looked_at(course: Course) -> bool:
    return bool(course.looks) and course.looks[-1].step == course.step


def _is_over(plan: TrainingPlan, course: Course) -> bool:
    if course.step >= plan.max_steps:
        return True
    if course.best is None or not _is_looked_at(course):
        return False
    return sum(look.step > course.best.step for look in course.looks) >= plan.patience


def _look(learner: Learner, course: Course) -> None:
    steps = course.step - (course.looks[-1].step if course.looks else 0)
    train_loss = course.summed_loss / steps if steps else math.nan
    look = Look(course.step, train_loss, learner.validation_loss())
    if not math.isfinite(look.validation_loss):
        raise ModelError(
            f"Training {learner.plan.kind} left the numbers at step {course.step}; lower learning_rate."
        )
    course.looks.append(look)
    course.summed_loss = 0.0
    if course.best is None or look.validation_loss < course.best.validation_loss:
        course.best = look
        course.best_weights = {
            name: each.detach().to("cpu", copy=True)
            for name, each in learner.network.state_dict().items()
        }


def _fitted(learner: Learner, course: Course) -> Fitted:
    assert course.best is not None
    learner.network.load_state_dict(course.best_weights)
    network = learner.network.to("cpu").eval()
    return Fitted(network, tuple(course.looks), course.best)


class _Reporter:
    def __init__(
        self, progress: Callable[[Progress], None] | None, plan: TrainingPlan, step: int
    ) -> None:
        self._progress, self._of, self._look_every = progress, plan.max_steps, plan.check_every
        self._every = max(1, plan.check_every // _REPORTS_PER_LOOK)
        self._first, self._began = step, time.monotonic()
        self._sum, self._count = 0.0, 0

    def add(self, loss: float, step: int) -> None:
        self._sum += loss
        self._count += 1
        if step % self._every == 0 and step % self._look_every:
            self.tell(step, None)

    def tell(self, step: int, validation_loss: float | None) -> None:
        if self._progress is None:
            return
        done = step - self._first
        pace_s = (time.monotonic() - self._began) / done if done else math.nan
        mean = self._sum / self._count if self._count else math.nan
        self._sum, self._count = 0.0, 0
        self._progress(
            Progress(
                step=step,
                of=self._of,
                train_loss=mean,
                validation_loss=validation_loss,
                eta_s=pace_s * (self._of - step),
            )
        )


class Checkpoint:
    """A file from which a training goes on as if it had never stopped."""

    def __init__(self, path: Path, identity: str) -> None:
        self._folder, self._name = Folder(str(path.parent)), path.name
        self._path, self._identity = path, identity

    def save(self, learner: Learner, course: Course) -> None:
        """Replace the file by the present state."""
        state = {
            "identity": self._identity,
            "step": course.step,
            "looks": [msgspec.to_builtins(look) for look in course.looks],
            "best": msgspec.to_builtins(course.best),
            "best_weights": course.best_weights,
            "network": learner.network.state_dict(),
            "optimizer": learner.optimizer.state_dict(),
            "scaler": learner.scaler.state_dict(),
            "batches": learner.generator.get_state(),
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all(),
        }
        buffer = BytesIO()
        torch.save(state, buffer)
        self._folder.write(self._name, buffer.getvalue())

    def load(self, learner: Learner) -> Course | None:
        """Set a learner to the state in the file; None when there is no file."""
        if not self._path.exists():
            return None
        state = self._read()
        if state["identity"] != self._identity:
            raise UsageError(
                f"{self._path} is the checkpoint of a training with another plan or other data; "
                "remove it, or name another file."
            )
        learner.network.load_state_dict(state["network"])
        learner.optimizer.load_state_dict(state["optimizer"])
        learner.scaler.load_state_dict(state["scaler"])
        learner.generator.set_state(state["batches"])
        torch.set_rng_state(state["cpu"])
        if state["cuda"]:
            torch.cuda.set_rng_state_all(state["cuda"])
        return Course(
            step=state["step"],
            looks=msgspec.convert(state["looks"], list[Look]),
            best=msgspec.convert(state["best"], Look),
            best_weights=state["best_weights"],
        )

    def _read(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises what its archive and its unpickler raise
            raise ModelCorrupt(f"{self._path} is no checkpoint ({error}); remove it.") from error
        return state


@contextmanager
def _alone(seed: int, threads: int) -> Iterator[None]:
    """Seed torch and set its threads, for the time of a training only."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)


def identity_of(
    plan: TrainingPlan, train: Windows, validation: Windows, start_from: Weights | None
) -> str:
    """Digest of all that the weights depend on."""
    digest = hashlib.blake2b(msgspec.json.encode(plan), digest_size=32)
    for windows in (train, validation):
        for array in (*windows.inputs.values(), windows.outcomes):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(array.tobytes())
    for name, weight in sorted((start_from or {}).items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
