"""One trial of a search for hyperparameters, in a Ray worker: trains one plan and reports its score look by look.

The score is the mean CRPS on the validation windows. The bars of a trial end with them, so nothing of a search depends on
what a model is calibrated or tested on.
"""

import math
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from trading.forecasting.prediction import Prediction
from trading.forecasting.scores import crps
from trading.indicators.rolling import FloatArray
from trading.strategies.search_space import SearchSpace
from trading.strategies.strategy import Bars
from tune.ledger import Ending, Measured
from tune.train.fit import Checkpoint, Course, Progress, run
from tune.train.hyper_space import input_sizes, plan_at
from tune.train.learner import Learner, make_learner
from tune.train.network import ForecastNetwork
from tune.train.plan import TrainingPlan
from tune.train.splits import Span, spans_of
from tune.train.windows import Windows, windows_of
from tune.trial import ENDING, FOLDS, MEASURED, NUMBER, PARAMS, REASON, SCORE

CRPS = "crps"
STATE = "checkpoint.pt"
_BATCH = 512
_NEVER = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What all trials of a search are trained and judged on.

    Attributes
    ----------
    bars : Bars
        Up to the end of the validation.
    train_end_ts : int
        All outcomes of the training lie before or at it (ns UTC).
    validation : Span
    largest : int
        Input size of the plan that reads most: a window that it cannot read judges nobody.
    """

    base: TrainingPlan
    bars: Bars
    train_end_ts: int
    validation: Span
    largest: int

    def train_windows(self, plan: TrainingPlan) -> Windows:
        return self._windows(plan, plan.input_size, end_ts=self.train_end_ts)

    def validation_windows(self, plan: TrainingPlan) -> Windows:
        """Return the same moments and instruments for every plan, in windows of its size."""
        span = {"start_ts": self.validation.first_ts, "end_ts": self.validation.last_ts}
        own = self._windows(plan, plan.input_size, **span, stride=plan.horizon)
        if plan.input_size == self.largest:
            return own
        common = self._windows(plan, self.largest, **span, stride=plan.horizon)
        return own.take(np.isin(self._places(own), self._places(common)))

    def _windows(self, plan: TrainingPlan, size: int, **limits: int) -> Windows:
        return windows_of(self.bars, size, plan.horizon, plan.input_features, **limits)

    def _places(self, windows: Windows) -> Any:
        rows = np.searchsorted(self.bars.ts, windows.ts)
        return rows * len(self.bars.instrument_ids) + windows.instrument


def ground_of(base: TrainingPlan, space: SearchSpace, bars: Bars) -> Ground:
    """Return what the plans of a space are compared on.

    How many bars a part has depends on the input size a little. The parts are those of the least one, whose calibration
    and test begin earliest: no plan of the space is calibrated or tested on a bar that the search saw.

    Raises
    ------
    DataError
        If there are too few bars.
    """
    least, largest = input_sizes(base, space)
    spans_of(bars.ts, msgspec.structs.replace(base, input_size=largest))
    spans = spans_of(bars.ts, msgspec.structs.replace(base, input_size=least))
    validation = spans["validation"]
    stop = int(np.searchsorted(bars.ts, validation.last_ts, side="right"))
    return Ground(base, bars.rows(0, stop), spans["train"].last_ts, validation, largest)


def looks_of(base: TrainingPlan) -> int:
    """Return how many looks a training to the last step takes after its start."""
    return math.ceil(base.max_steps / base.check_every)


def run_trial(config: Mapping[str, Any], *, ground: Ground, has_gpu: bool, threads: int) -> None:
    """Report to Ray Tune, after every look, the CRPS of the weights that would be kept if it were the last.

    A training that ends by itself keeps them, so the looks that it does not need have its last score.
    """
    from ray import tune as ray_tune

    number, looks = config[NUMBER], looks_of(ground.base)
    reported: list[float] = []

    def report(score: float) -> None:
        reported.append(score)
        measured = Measured(number, len(reported), {CRPS: score}, {}, b"")
        ray_tune.report(
            {FOLDS: len(reported), SCORE: -score, MEASURED: msgspec.msgpack.encode(measured)}
        )

    try:
        learner, outcomes = _learner(ground, config[PARAMS], has_gpu=has_gpu, threads=threads)
        keeper = _Keeper(learner, outcomes, report)
        run(learner, progress=keeper)
        while len(reported) < looks:
            report(keeper.score)
    except Exception as error:  # of the network: the trial's result, not the search's end
        reason = f"{type(error).__name__}: {error}"
        ray_tune.report({ENDING: Ending.FAILED.value, REASON: reason})


class _Keeper:
    """Follows which weights a training would keep, and what their CRPS is."""

    def __init__(
        self, learner: Learner, outcomes: FloatArray, report: Callable[[float], None]
    ) -> None:
        self._learner, self._outcomes, self._report = learner, outcomes, report
        self._loss = math.inf
        self.score = math.nan

    def __call__(self, progress: Progress) -> None:
        if progress.validation_loss is None:
            return
        if progress.validation_loss < self._loss:
            self._loss = progress.validation_loss
            self.score = validation_crps(self._learner, self._outcomes)
        if progress.step:
            self._report(self.score)


def run_member(config: Mapping[str, Any], *, ground: Ground, has_gpu: bool, threads: int) -> None:
    """Report to Ray Tune, after every look, the CRPS of the present weights, with a checkpoint.

    A member of a population goes on from the checkpoint of another one with settings of its own, and never ends by itself.
    """
    from ray import tune as ray_tune

    learner, outcomes = _learner(ground, config, has_gpu=has_gpu, threads=threads)
    learner.plan = msgspec.structs.replace(learner.plan, patience=_NEVER)
    with tempfile.TemporaryDirectory(prefix="member-") as folder:
        store = _MemberCheckpoint(Path(folder) / STATE, "member of a population")

        def report(progress: Progress) -> None:
            if progress.validation_loss is not None and progress.step:
                ray_tune.report(
                    {CRPS: validation_crps(learner, outcomes)},
                    checkpoint=ray_tune.Checkpoint.from_directory(folder),
                )

        run(learner, store, report)


class _MemberCheckpoint(Checkpoint):
    """A checkpoint that Ray Tune hands from member to member."""

    def load(self, learner: Learner) -> Course | None:
        from ray import tune as ray_tune

        found = ray_tune.get_checkpoint()
        if found is None:
            return None
        with found.as_directory() as folder:
            shutil.copy(Path(folder) / STATE, self._path)
        course = super().load(learner)
        for group in learner.optimizer.param_groups:
            group["weight_decay"] = learner.plan.weight_decay
        return course


def validation_crps(learner: Learner, outcomes: FloatArray) -> float:
    """Return the mean CRPS of a learner's weights on its validation windows, in log returns."""
    network = ForecastNetwork(learner.network).eval()
    examples = learner.validation
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(examples), _BATCH):
            rows = slice(start, start + _BATCH)
            quantiles, scale = (
                each.cpu().numpy() for each in network(**examples.rows(rows).inputs)
            )
            total += float(crps(Prediction(quantiles, scale), outcomes[rows]).mean(axis=1).sum())
    return total / len(examples)


def _learner(
    ground: Ground, params: Mapping[str, object], *, has_gpu: bool, threads: int
) -> tuple[Learner, FloatArray]:
    plan = plan_at(ground.base, params)
    torch.set_num_threads(threads)
    torch.manual_seed(plan.seed)
    validation = ground.validation_windows(plan)
    device = "cuda" if has_gpu else "cpu"
    learner = make_learner(plan, ground.train_windows(plan), validation, device=device)
    return learner, validation.outcomes
