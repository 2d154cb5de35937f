"""Online update: a registered model learns from the bars since its training, and becomes a new version.

The new bars are cut, in the order of time, into training, validation, calibration and test. Training goes on from the
weights of the parent at a lower rate, on new windows and a share of old ones, so that what was learned is not
forgotten; if no look at the validation is better than the parent's own, its weights stay, newly calibrated. Both are
judged on the test, which neither has seen.

Source: Rolnick et al. (2019), "Experience Replay for Continual Learning", NeurIPS 32.
"""

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np

from actors.models.manifest import ONNX, ModelManifest
from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from trading.errors import ModelRefused, UsageError
from trading.forecasting.prediction import Prediction
from trading.forecasting.scores import naive_errors, score
from trading.strategies.strategy import Bars
from tune.train.evaluation import predict_all
from tune.train.fit import Progress, fit
from tune.train.learner import Weights
from tune.train.pipeline import (
    LIBRARIES,
    Trained,
    code_version,
    evaluation_of,
    exported,
    files_of,
    input_bins,
    training_data,
)
from tune.train.plan import TrainingPlan
from tune.train.splits import PARTS, Span, Split, part_windows
from tune.train.variants import variants_of
from tune.train.weights import WEIGHTS, decode_weights, encode_weights
from tune.train.windows import Windows

PARENT = "parent"
"""Name of the parent's scores among those of the baselines."""


class UpdatePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How much an update may change.

    Attributes
    ----------
    rate : float
        Highest learning rate, in that of the parent's training (0 to 1).
    replay_share : float
        Part of the training windows that end before the new bars (0 to below 1).
    max_steps, check_every, patience : int
        As in `TrainingPlan`.
    validation_share, calibration_share, test_share : float
        Parts of the new bars, behind each other at the end (each above 0, together below 1).
    seed : int
        Of the batches, the dropout, and which old windows are seen again.
    """

    rate: float = 0.1
    replay_share: float = 0.5
    max_steps: int = 200
    check_every: int = 20
    patience: int = 5
    validation_share: float = 0.15
    calibration_share: float = 0.25
    test_share: float = 0.25
    seed: int = 1

    def __post_init__(self) -> None:
        shares = (self.validation_share, self.calibration_share, self.test_share)
        if min(shares) <= 0 or sum(shares) >= 1:
            raise ValueError("update: the shares must be above 0 and add up to less than 1")
        if not (0 < self.rate <= 1 and 0 <= self.replay_share < 1):
            raise ValueError("update: rate from 0 to 1, replay_share from 0 to below 1")


def update_model(
    bars: Bars,
    registry: ModelRegistry,
    reference: str,
    *,
    source: str,
    until: int | None = None,
    plan: UpdatePlan | None = None,
    progress: Callable[[Progress], None] | None = None,
    device: str = "auto",
) -> ModelManifest:
    """Fine-tune a registered version on the bars after those of its training, and register the result.

    Nothing is registered before all is done.

    Parameters
    ----------
    bars : Bars
        Of the length that the model was trained on; those before its training's end are what is replayed.
    reference : str
        Of the parent, such as `nhits@champion`.
    source : str
        Where the bars came from, for the manifest.
    until : int or None
        Bars that close later are not read (ns UTC).

    Returns
    -------
    ModelManifest
        `parent` is set, `baselines["parent"]` has the parent's scores on the same windows, and `parameters` is the
        parent's with an entry "update".

    Raises
    ------
    ModelUnknown
        If there is no such version.
    ModelRefused
        If it was not trained here, or was registered without its weights.
    UsageError
        If there are too few new bars.
    DataError
        If the bars lack a feature that the model reads.
    """
    settings = plan or UpdatePlan()
    parent = registry.manifest(reference)
    training = _fine_tuning(_plan_of(parent), settings)
    start = _weights_of(registry, parent)
    end = bars.ts[-1] if until is None else until
    known = bars.rows(0, int(np.searchsorted(bars.ts, end, side="right")))
    spans = _spans(known, parent, settings)
    parts = _split(known, training, spans, parent.data.last_ts, settings)
    fitted = fit(
        training, parts.train, parts.validation, progress=progress, start_from=start, device=device
    )
    trained = exported(training, parts, fitted, spans["calibration"].last_ts)
    before = predict_all(load_session(registry, parent.reference).predict, parts.test.inputs)
    variants = tuple(variants_of(trained.graph, training, parts.test))
    facts = {
        **_judged(trained, before),
        "data": training_data(known, source, trained.last_ts),
        "parameters": _parameters(parent, trained, settings),
        "files": files_of(trained, variants),
    }
    files = {each.file: each.graph for each in variants}
    files |= {ONNX: trained.graph, WEIGHTS: encode_weights(fitted.network.state_dict())}
    return registry.register(msgspec.structs.replace(parent, **facts, **_origin(parent)), files)


def _plan_of(parent: ModelManifest) -> TrainingPlan:
    names = TrainingPlan.__struct_fields__
    known = {name: value for name, value in parent.parameters.items() if name in names}
    try:
        return msgspec.convert(known, TrainingPlan)
    except (msgspec.ValidationError, ValueError, UsageError) as error:
        raise ModelRefused(
            f"{parent.reference} was not trained by this package ({error}); train a model anew."
        ) from error


def _fine_tuning(plan: TrainingPlan, settings: UpdatePlan) -> TrainingPlan:
    return msgspec.structs.replace(
        plan,
        learning_rate=plan.learning_rate * settings.rate,
        max_steps=settings.max_steps,
        warmup_steps=min(plan.warmup_steps, settings.max_steps // 10),
        check_every=settings.check_every,
        patience=settings.patience,
        seed=settings.seed,
    )


def _weights_of(registry: ModelRegistry, parent: ModelManifest) -> Weights:
    if parent.file(WEIGHTS) is None:
        raise ModelRefused(
            f"{parent.reference} was registered without its weights, so there is nothing to go on from; "
            "train a model anew."
        )
    return decode_weights(registry.read(parent, WEIGHTS))


def _spans(bars: Bars, parent: ModelManifest, settings: UpdatePlan) -> dict[str, Span]:
    """Return the time of each part: a window belongs to it when its last bar and all its outcomes do."""
    first = int(np.searchsorted(bars.ts, parent.data.last_ts, side="right"))
    count = len(bars) - first
    shares = (settings.validation_share, settings.calibration_share, settings.test_share)
    counts = [round(count * share) for share in shares]
    counts.insert(0, count - sum(counts))
    spans = {}
    for part, size in zip(PARTS, counts, strict=True):
        if size <= parent.horizon:
            raise UsageError(
                f"{count} bars since the training of {parent.reference} leave {size} for the {part} of an "
                f"update, which needs more than {parent.horizon}; wait for more bars."
            )
        spans[part] = Span(int(bars.ts[first]), int(bars.ts[first + size - 1]))
        first += size
    return spans


def _split(
    bars: Bars, plan: TrainingPlan, spans: dict[str, Span], seen_until: int, settings: UpdatePlan
) -> Split:
    found = {
        part: part_windows(bars, plan, part, span.first_ts, span.last_ts)
        for part, span in spans.items()
    }
    for part, windows in found.items():
        if not len(windows):
            raise UsageError(f"There is no new window without gaps for the {part} of an update.")
    old = part_windows(bars, plan, "train", None, seen_until)
    found["train"] = with_replay(found["train"], old, settings.replay_share, settings.seed)
    return Split(**found)


def with_replay(new: Windows, old: Windows, share: float, seed: int) -> Windows:
    """Return the new windows and so many of the old ones that these are `share` of all, or all that there are."""
    wanted = min(len(old), round(len(new) * share / (1.0 - share)))
    rows = np.sort(np.random.default_rng(seed).choice(len(old), wanted, replace=False))
    again = old.take(rows)
    return Windows(
        {name: np.concatenate([again.inputs[name], new.inputs[name]]) for name in new.inputs},
        np.concatenate([again.outcomes, new.outcomes]),
        np.concatenate([again.ts, new.ts]),
        np.concatenate([again.instrument, new.instrument]),
    )


def _judged(trained: Trained, before: Prediction) -> dict[str, Any]:
    """What the manifest says of calibration and test; `before` is the parent's forecast of the test."""
    test = trained.split.test
    found = evaluation_of(trained)
    scores = score(before, test.outcomes, naive_errors(test.inputs["close"]))
    return {
        "metrics": found.metrics,
        "baselines": {**found.baselines, PARENT: scores},
        "beats_naive": found.beats_naive,
        "calibration": trained.calibration,
        "inputs": input_bins(trained.split.train),
    }


def _parameters(parent: ModelManifest, trained: Trained, settings: UpdatePlan) -> dict[str, Any]:
    """Those of the parent, so that a next update starts from the same plan, and what this one did."""
    update = {
        **msgspec.to_builtins(settings),
        "learning_rate": trained.plan.learning_rate,
        "new_after_ts": parent.data.last_ts,
        "validation_loss_of_parent": trained.fitted.looks[0].validation_loss,
    }
    return {
        **parent.parameters,
        "steps_kept": trained.fitted.best.step,
        "validation_loss": trained.fitted.best.validation_loss,
        "libraries": {name: version(name) for name in LIBRARIES},
        "update": update,
    }


def _origin(parent: ModelManifest) -> dict[str, Any]:
    return {
        "code": code_version(),
        "parent": parent.reference,
        "created_at": time.time_ns(),
    }
