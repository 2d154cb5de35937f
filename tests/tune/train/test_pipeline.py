"""From bars to a version that a session runs: what is in it, and that it is the same again."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
import torch

from actors.models.manifest import ONNX, VARIANTS, ModelManifest
from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from trading.errors import DataError, UsageError
from trading.forecasting.conformal import calibrated
from trading.forecasting.scores import naive_errors, score
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars
from tune.manifest import digest_of
from tune.train.evaluation import predict_all
from tune.train.fit import Progress
from tune.train.kinds import KINDS
from tune.train.pipeline import train_model
from tune.train.plan import TrainingPlan, plan_of, recorded_plan
from tune.train.splits import spans_of, split_windows
from tune.train.weights import WEIGHTS, decode_weights

DAY = 86_400_000_000_000
PLAN = plan_of(
    "linear", name="tiny", horizon=3, input_size=24, max_steps=60, check_every=20, batch_size=32,
    warmup_steps=0,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bars() -> Bars:
    returns = np.random.default_rng(7).normal(0.0, 0.01, (400, 2))
    close = 100.0 * np.exp(np.cumsum(returns, axis=0))
    names = (InstrumentId("A.X"), InstrumentId("B.X"))
    return Bars.of_closes(DAY * np.arange(400), names, close)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> ModelRegistry:
    return ModelRegistry(str(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def made(bars: Bars, registry: ModelRegistry) -> ModelManifest:
    return train_model(bars, PLAN, registry, "noise")


def test_version_is_registered_with_all_that_it_is_made_of(
    made: ModelManifest, registry: ModelRegistry, bars: Bars
) -> None:
    assert registry.manifest("tiny@1") == made
    assert (made.kind, made.horizon, made.input_size) == ("linear", 3, 24)
    assert made.data.digest == digest_of(bars)
    assert made.data.symbols == ("A", "B")
    assert made.data.last_ts == spans_of(bars.ts, PLAN)["calibration"].last_ts
    assert msgspec.convert(recorded_plan(made.parameters), TrainingPlan) == PLAN
    assert made.parameters["libraries"]["torch"] == torch.__version__
    assert made.parameters["left_out"] == {}
    assert [file.name for file in made.files] == [*VARIANTS.values(), WEIGHTS]
    assert set(made.inputs) == {"last_return", "volatility", "trend"}
    for each in made.inputs.values():
        assert sum(each.shares) == pytest.approx(1.0)


def test_metrics_are_those_of_the_session_on_the_test(
    made: ModelManifest, registry: ModelRegistry, bars: Bars
) -> None:
    session = load_session(registry, "tiny@1")
    test = split_windows(bars, PLAN).test
    prediction = predict_all(session.predict, test.inputs)
    scores = score(prediction, test.outcomes, naive_errors(test.inputs["close"]))
    assert {name: made.metrics[name] for name in scores} == pytest.approx(scores)
    assert made.beats_naive == (made.metrics["crps"] < made.baselines["naive"]["crps"])
    assert made.metrics["windows"] == len(test)


@pytest.mark.parametrize("precision", VARIANTS)
def test_every_file_is_a_model(
    made: ModelManifest, registry: ModelRegistry, bars: Bars, precision: str
) -> None:
    session = load_session(registry, "tiny@1", precision=precision)
    session.warm_up()
    test = split_windows(bars, PLAN).test
    raw = predict_all(session.predict_raw, test.inputs)
    full = predict_all(load_session(registry, "tiny@1").predict_raw, test.inputs)
    file = made.file(VARIANTS[precision])
    gap = np.abs(raw.log_returns - full.log_returns) / full.scale[:, None, None]
    assert gap.max() <= 2 * file.max_error
    losses = score(raw, test.outcomes, naive_errors(test.inputs["close"]))
    assert file.pinball_loss == pytest.approx(losses["pinball"])


def test_calibration_is_that_of_the_windows_after_the_training(
    made: ModelManifest, registry: ModelRegistry, bars: Bars
) -> None:
    session = load_session(registry, "tiny@1")
    held_out = split_windows(bars, PLAN).calibration
    raw = predict_all(session.predict_raw, held_out.inputs)
    moved = calibrated(raw, made.calibration)
    low, high = moved.log_returns[..., 2], moved.log_returns[..., 6]
    inside = (low <= held_out.outcomes) & (held_out.outcomes <= high)
    assert made.calibration.windows == len(held_out)
    assert 0.8 <= inside.mean() < 0.86


def test_same_plan_and_bars_make_the_same_files(
    made: ModelManifest, registry: ModelRegistry, bars: Bars
) -> None:
    again = train_model(bars, PLAN, registry, "noise")
    assert again.version == 2
    assert msgspec.structs.replace(again, version=1, created_at=made.created_at) == made


def test_refit_is_trained_to_the_end_and_keeps_the_metrics_of_its_twin(
    made: ModelManifest, registry: ModelRegistry, bars: Bars
) -> None:
    stages: list[str] = []

    def note(progress: Progress) -> None:
        if progress.stage not in stages:
            stages.append(progress.stage)

    refit = train_model(bars, PLAN, registry, "noise", refit=True, progress=note)
    assert stages == ["train", "refit"]
    assert refit.metrics == made.metrics
    assert refit.parameters["refit"] is True
    assert refit.data.last_ts == bars.ts[-1]
    assert refit.file(ONNX).sha256 != made.file(ONNX).sha256
    assert refit.calibration != made.calibration


def test_training_goes_on_from_a_parent_that_has_not_seen_the_test(
    made: ModelManifest, registry: ModelRegistry, bars: Bars
) -> None:
    with pytest.raises(UsageError, match="tiny@1 has seen bars"):
        train_model(bars, PLAN, registry, "noise", parent="tiny@1")
    early = train_model(bars.rows(0, 250), PLAN, registry, "noise")
    child = train_model(bars, PLAN, registry, "noise", parent=early.reference)
    assert child.parent == early.reference
    weights = [decode_weights(registry.read(each, WEIGHTS)) for each in (child, made)]
    assert any((weights[0][name] != weights[1][name]).any() for name in weights[0])


def test_plan_without_a_test_is_refused(registry: ModelRegistry, bars: Bars) -> None:
    plan = msgspec.structs.replace(PLAN, test_share=0.0)
    with pytest.raises(UsageError, match="test_share"):
        train_model(bars, plan, registry, "noise")


def test_nothing_is_registered_when_the_bars_lack_a_feature(
    registry: ModelRegistry, bars: Bars
) -> None:
    plan = plan_of("nhits", name="reader", features=("volume",), input_size=24)
    with pytest.raises(DataError, match="no volume"):
        train_model(bars, plan, registry, "noise")
    assert registry.versions("reader") == ()


def test_features_reach_the_session(registry: ModelRegistry) -> None:
    random = np.random.default_rng(3)
    close = 50.0 * np.exp(np.cumsum(random.normal(0, 0.01, (300, 1)), axis=0))
    volume = np.round(random.uniform(1, 1e6, close.shape))
    names = (InstrumentId("A.X"),)
    bars = Bars(DAY * np.arange(300), names, close, close, close, close, volume)
    plan = plan_of(
        "lstm", name="reader", horizon=2, input_size=16, max_steps=4, check_every=2, batch_size=16,
        features=("time", "volatility", "volume"), loss="student_t",
        network={"encoder_hidden_size": 4, "decoder_hidden_size": 4},
    )  # fmt: skip
    made = train_model(bars, plan, registry, "noise")
    assert made.features == ("volume", "time")
    test = split_windows(bars, plan).test
    session = load_session(registry, made.reference)
    session.warm_up()
    session.predict(test.inputs).check("reader")


def test_every_kind_has_a_default_plan_that_fits_the_shares() -> None:
    for kind in KINDS:
        spans = spans_of(DAY * np.arange(3000), plan_of(kind))
        assert list(spans) == ["train", "validation", "calibration", "test"]
