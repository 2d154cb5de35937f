"""From bars to a registered version: train, calibrate, evaluate, export, register.

bars -> windows -> train | validation | calibration | test
                    fit      stop        conformal    scores, beside those of the baselines
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec

from actors.models.manifest import ONNX, InputBins, ModelFile, ModelManifest, TrainingData
from actors.models.registry import ModelRegistry
from trading.errors import UsageError
from trading.forecasting.conformal import Calibration, calibrate, calibrated
from trading.forecasting.history import Inputs
from trading.forecasting.input_drift import bins_of, window_summaries
from trading.forecasting.prediction import Prediction
from trading.identifiers import symbol_of
from trading.strategies.strategy import Bars
from tune.manifest import digest_of, running_code
from tune.train.baselines import Predict, baseline_predictions
from tune.train.evaluation import Evaluation, evaluate, predict_all
from tune.train.export import export
from tune.train.fit import Fitted, Progress, fit
from tune.train.graph import predictor_of
from tune.train.learner import Weights
from tune.train.plan import TrainingPlan
from tune.train.splits import Span, Split, spans_of, split_windows
from tune.train.variants import Variant, pinball_of, variants_of
from tune.train.weights import WEIGHTS, decode_weights, encode_weights
from tune.train.windows import Windows

LIBRARIES = ("torch", "neuralforecast", "onnx", "onnxscript")
"""Those whose version can change a weight or a graph."""

Fitter = Callable[..., Fitted]
"""As `fit.fit`: plan, training and validation windows, and the keywords `progress` and `start_from`."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network that is trained, exported and calibrated.

    Attributes
    ----------
    split : Split
        The windows that it was made of.
    max_error : float
        Of the graph against the network (deviations of the window).
    last_ts : int
        Close of the last bar that training, stopping or calibration saw (ns UTC).
    """

    plan: TrainingPlan
    split: Split
    fitted: Fitted
    graph: bytes
    max_error: float
    calibration: Calibration | None
    last_ts: int

    @property
    def held_out(self) -> Windows:
        """Windows that the weights do not know, the last there are."""
        return next(
            part
            for part in (self.split.test, self.split.calibration, self.split.validation)
            if len(part)
        )

    def predictor(self) -> Predict:
        """Return its forecast as it is served."""
        raw, calibration = predictor_of(self.graph), self.calibration

        def predict(inputs: Inputs) -> Prediction:
            return raw(inputs) if calibration is None else calibrated(raw(inputs), calibration)

        return predict


def train_model(
    bars: Bars,
    plan: TrainingPlan,
    registry: ModelRegistry,
    source: str,
    *,
    progress: Callable[[Progress], None] | None = None,
    fitter: Fitter = fit,
    refit: bool = False,
    parent: str = "",
) -> ModelManifest:
    """Train a model, judge it on the last part of the bars, and register it as a new version.

    Nothing is registered before all is done. The same plan and bars give the same files.

    Parameters
    ----------
    source : str
        Where the bars came from, in words that the reader of a manifest can follow.
    fitter : callable
        Who fits: `fit.fit`, or `distributed.fit_distributed` with its workers.
    refit : bool
        Once judged, train again on all bars to the end, and register that; the metrics are those of its twin, which
        did not see the test.
    parent : str
        Registered version of the same architecture whose weights the training begins with, or "".

    Raises
    ------
    UsageError
        If the plan leaves no test, needs a GPU that is not there, or the parent has seen the calibration or the test.
    DataError
        If there are too few bars, or they lack a feature.
    ModelUnknown
        If there is no such parent, or it was registered without its weights.
    ExportRefused
        If the graph does not answer what the network does.
    """
    if plan.test_share == 0:
        raise UsageError("A model needs a test_share above 0, or nobody knows how good it is.")
    start_from = _weights_of(parent, registry, spans_of(bars.ts, plan)) if parent else None
    trained = train(bars, plan, progress=progress, fitter=fitter, start_from=start_from)
    evaluation = evaluation_of(trained)
    if refit:
        whole = msgspec.structs.replace(plan, test_share=0.0)
        told = _staged(progress, "refit")
        trained = train(bars, whole, progress=told, fitter=fitter, start_from=start_from)
    variants = variants_of(trained.graph, plan, trained.held_out)
    manifest = _manifest(bars, plan, source, trained, evaluation)
    completed = msgspec.structs.replace(
        manifest,
        parameters=_parameters(plan, trained, variants),
        files=files_of(trained, variants),
        parent=registry.manifest(parent).reference if parent else "",
        created_at=time.time_ns(),
    )
    contents = {each.file: each.graph for each in variants}
    weights = encode_weights(trained.fitted.network.state_dict())
    return registry.register(completed, {**contents, ONNX: trained.graph, WEIGHTS: weights})


def train(
    bars: Bars,
    plan: TrainingPlan,
    *,
    progress: Callable[[Progress], None] | None = None,
    fitter: Fitter = fit,
    start_from: Weights | None = None,
) -> Trained:
    """Train, export and calibrate a model on the parts of the bars that are not its test. See `train_model`."""
    split = split_windows(bars, plan)
    fitted = fitter(plan, split.train, split.validation, progress=progress, start_from=start_from)
    spans = [span for part, span in spans_of(bars.ts, plan).items() if part != "test"]
    return exported(plan, split, fitted, max(span.last_ts for span in spans))


def exported(plan: TrainingPlan, split: Split, fitted: Fitted, last_ts: int) -> Trained:
    """Return a fitted network with its graph, and its calibration where the split has windows for one.

    Raises
    ------
    ExportRefused
        If the graph does not answer what the network does.
    """
    graph, difference = export(fitted.network, split.validation.inputs)
    calibration = None
    if len(split.calibration):
        prediction = predict_all(predictor_of(graph), split.calibration.inputs)
        calibration = calibrate(prediction, split.calibration.outcomes)
    return Trained(plan, split, fitted, graph, difference.absolute, calibration, last_ts)


def evaluation_of(trained: Trained) -> Evaluation:
    """Return how well a model does on its test, as it is served, beside baselines that are calibrated as it is."""
    split = trained.split
    baselines = baseline_predictions(
        split.train,
        split.test,
        season=trained.plan.season,
        held_out=split.calibration if trained.calibration else None,
    )
    return evaluate(trained.predictor(), split.test, baselines)


def input_bins(windows: Windows) -> dict[str, InputBins]:
    """Return how the inputs of the windows are distributed, for the watch over drift."""
    bins = {}
    for name, values in window_summaries(windows.inputs["close"]).items():
        edges, shares = bins_of(values)
        bins[name] = InputBins(edges=tuple(edges.tolist()), shares=tuple(shares.tolist()))
    return bins


def _weights_of(parent: str, registry: ModelRegistry, spans: dict[str, Span]) -> Weights:
    known = registry.manifest(parent)
    first = min(span.first_ts for part, span in spans.items() if part in ("calibration", "test"))
    if known.data.last_ts >= first:
        raise UsageError(
            f"{known.reference} has seen bars that this training would be judged by; give bars that reach "
            "further, smaller shares for calibration and test, or update it instead."
        )
    return decode_weights(registry.read(known, WEIGHTS))


def _staged(
    progress: Callable[[Progress], None] | None, stage: str
) -> Callable[[Progress], None] | None:
    if progress is None:
        return None
    tell = progress
    return lambda each: tell(msgspec.structs.replace(each, stage=stage))


def _manifest(
    bars: Bars, plan: TrainingPlan, source: str, trained: Trained, evaluation: Evaluation
) -> ModelManifest:
    """All of the manifest that does not depend on files, parent and time."""
    return ModelManifest(
        name=plan.model_name,
        version=0,
        kind=plan.kind,
        horizon=plan.horizon,
        input_size=plan.input_size,
        features=plan.input_features,
        bar=plan.bar,
        data=training_data(bars, source, trained.last_ts),
        code=code_version(),
        parameters={},
        metrics=evaluation.metrics,
        baselines=evaluation.baselines,
        beats_naive=evaluation.beats_naive,
        calibration=trained.calibration,
        inputs=input_bins(trained.split.train),
        files=(),
        created_at=0,
    )


def _parameters(
    plan: TrainingPlan, trained: Trained, variants: tuple[Variant, ...]
) -> dict[str, Any]:
    """The plan, and what came of it."""
    best = trained.fitted.best
    return {
        **msgspec.json.decode(msgspec.json.encode(plan)),
        "architecture": plan.architecture,
        "steps_kept": best.step,
        "validation_loss": best.validation_loss,
        "refit": trained.plan != plan,
        "libraries": {name: version(name) for name in LIBRARIES},
        "left_out": {each.precision: each.reason for each in variants if each.reason},
    }


def training_data(bars: Bars, source: str, last_ts: int) -> TrainingData:
    """Return what the manifest of a version says of its bars; `last_ts` is that of `Trained`."""
    return TrainingData(
        source=source,
        digest=digest_of(bars),
        symbols=tuple(symbol_of(each) for each in bars.instrument_ids),
        first_ts=int(bars.ts[0]),
        last_ts=last_ts,
    )


def files_of(trained: Trained, variants: tuple[Variant, ...]) -> tuple[ModelFile, ...]:
    """Return the files of a version; the registry fills in checksums and sizes."""
    full = ModelFile(
        name=ONNX,
        sha256="",
        size_bytes=0,
        max_error=trained.max_error,
        pinball_loss=pinball_of(predictor_of(trained.graph), trained.held_out),
    )
    smaller = (
        ModelFile(
            name=each.file,
            sha256="",
            size_bytes=0,
            max_error=each.max_error,
            pinball_loss=each.pinball_loss,
        )
        for each in variants
        if each.graph
    )
    return (full, *smaller, ModelFile(name=WEIGHTS, sha256="", size_bytes=0))


def code_version() -> str:
    """Return the version of the package, and the commit where there is one."""
    code = running_code()
    return f"{code.version} {code.commit}" if code.commit else code.version
