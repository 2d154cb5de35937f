"""A registered model goes on from its weights: what it sees, what it is judged by, when it refuses."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from actors.models.manifest import ONNX, VARIANTS, ModelFile, ModelManifest, TrainingData
from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from trading.errors import DataError, ModelRefused, ModelUnknown, UsageError
from trading.forecasting.conformal import calibrate
from trading.forecasting.scores import crps
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars
from tune.train.export import export, network_predictor
from tune.train.fit import fit
from tune.train.network import ScaledNetwork
from tune.train.plan import TrainingPlan, plan_of
from tune.train.splits import split_windows
from tune.train.update import PARENT, UpdatePlan, update_model, with_replay
from tune.train.weights import WEIGHTS, decode_weights, encode_weights
from tune.train.windows import windows_of

DAY = 86_400_000_000_000
OLD, ALL = 300, 500
PLAN = plan_of(
    "linear", horizon=2, input_size=16, max_steps=30, check_every=10, batch_size=64,
    test_share=0.0, calibration_share=0.1, learning_rate=1e-3,
)  # fmt: skip
QUICK = UpdatePlan(max_steps=60, check_every=20, rate=1.0, replay_share=0.2)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def bars_of(count: int = ALL, turn: float = -0.8) -> Bars:
    """Noise until `OLD`; from there on a return takes back most of the one before."""
    returns = np.random.default_rng(4).normal(0.0, 0.01, (count, 3))
    for row in range(OLD, count):
        returns[row] = turn * returns[row - 1] + 0.5 * returns[row]
    names = tuple(InstrumentId(f"{name}.X") for name in "ABC")
    return Bars.of_closes(np.arange(count) * DAY, names, 100 * np.exp(np.cumsum(returns, axis=0)))


def changed_from(bars: Bars, row: int) -> Bars:
    close = bars.close.copy()
    close[row:] *= np.exp(np.random.default_rng(9).normal(0.0, 0.01, close[row:].shape))
    return replace(bars, close=close, open=close, high=close, low=close)


@pytest.fixture(scope="module")
def parent_files() -> tuple[ModelManifest, dict[str, bytes]]:
    return make_parent(PLAN, bars_of())


def make_parent(plan: TrainingPlan, bars: Bars) -> tuple[ModelManifest, dict[str, bytes]]:
    known = bars.rows(0, OLD)
    parts = split_windows(known, plan)
    network = fit(plan, parts.train, parts.validation, device="cpu").network
    graph, _ = export(network, parts.train.inputs)
    data = TrainingData(source="", digest="", symbols=(), first_ts=0, last_ts=int(known.ts[-1]))
    manifest = ModelManifest(
        name="linear",
        version=1,
        kind=plan.kind,
        horizon=plan.horizon,
        input_size=plan.input_size,
        features=plan.input_features,
        data=data,
        code="",
        parameters=msgspec.to_builtins(plan),
        metrics={},
        baselines={},
        beats_naive=True,
        calibration=calibrate(
            network_predictor(network)(parts.calibration.inputs), parts.calibration.outcomes
        ),
        files=tuple(ModelFile(name=name, sha256="", size_bytes=0) for name in (ONNX, WEIGHTS)),
        created_at=1,
    )
    return manifest, {ONNX: graph, WEIGHTS: encode_weights(network.state_dict())}


@pytest.fixture
def registry(tmp_path: Path, parent_files: Any) -> ModelRegistry:
    made = ModelRegistry(str(tmp_path))
    made.register(*parent_files)
    return made


def test_a_model_learns_what_is_new_and_is_judged_beside_its_parent(
    registry: ModelRegistry,
) -> None:
    bars = bars_of()
    made = update_model(bars, registry, "linear@1", source="drawn", plan=QUICK, device="cpu")
    assert (made.reference, made.parent) == ("linear@2", "linear@1")
    assert registry.manifest("linear@2") == made
    assert made.baselines.keys() == {"naive", "seasonal_naive", "ets", "linear", PARENT}
    assert made.metrics["crps"] < 0.97 * made.baselines[PARENT]["crps"]
    assert made.parameters["steps_kept"] == 60
    assert made.parameters["update"]["new_after_ts"] == (OLD - 1) * DAY
    assert [each.name for each in made.files] == [*VARIANTS.values(), WEIGHTS]
    assert made.inputs.keys() == {"last_return", "volatility", "trend"}

    # 200 new bars: 70 for training, 30 for validation, 50 for calibration, 50 for the test
    assert made.data.last_ts == (ALL - 51) * DAY
    test = windows_of(bars, 16, 2, start_ts=(ALL - 50) * DAY)
    assert made.metrics["windows"] == len(test) == 48 * 3
    for reference, scores in (("linear@1", made.baselines[PARENT]), ("linear@2", made.metrics)):
        prediction = load_session(registry, reference).predict(test.inputs)
        assert scores["crps"] == pytest.approx(float(crps(prediction, test.outcomes).mean()))
    calibration = windows_of(bars, 16, 2, start_ts=(ALL - 100) * DAY, end_ts=(ALL - 51) * DAY)
    assert made.calibration is not None
    assert made.calibration.windows == len(calibration)


def test_the_weights_of_a_version_are_those_of_its_graph(registry: ModelRegistry) -> None:
    bars = bars_of()
    made = update_model(bars, registry, "linear@1", source="", plan=QUICK, device="cpu")
    network = ScaledNetwork(PLAN)
    network.load_state_dict(decode_weights(registry.read(made, WEIGHTS)))
    inputs = windows_of(bars, 16, 2).inputs
    by_graph = load_session(registry, made.reference).predict_raw(inputs)
    by_weights = network_predictor(network.eval())(inputs)
    np.testing.assert_allclose(by_graph.log_returns, by_weights.log_returns, atol=1e-6)


def test_calibration_and_test_do_not_touch_the_weights(registry: ModelRegistry) -> None:
    bars = bars_of()
    made = [
        update_model(each, registry, "linear@1", source="", plan=QUICK, device="cpu")
        for each in (bars, changed_from(bars, ALL - 50), changed_from(bars, ALL - 100))
    ]
    content = [registry.read(each, WEIGHTS) for each in made]
    assert content[0] == content[1] == content[2]
    assert made[0].calibration == made[1].calibration != made[2].calibration
    assert made[0].metrics != made[1].metrics
    seen = changed_from(bars, OLD + 40)
    other = update_model(seen, registry, "linear@1", source="", plan=QUICK, device="cpu")
    assert registry.read(other, WEIGHTS) != content[0]


def test_bars_after_a_moment_are_not_read(registry: ModelRegistry) -> None:
    whole = update_model(
        bars_of(), registry, "linear@1", source="", until=449 * DAY, plan=QUICK, device="cpu"
    )
    cut = update_model(bars_of(450), registry, "linear@1", source="", plan=QUICK, device="cpu")
    assert msgspec.structs.replace(whole, version=0, created_at=0) == msgspec.structs.replace(
        cut, version=0, created_at=0
    )


def test_an_update_of_an_update_starts_behind_it_at_the_same_rate(registry: ModelRegistry) -> None:
    settings = UpdatePlan(max_steps=20, check_every=10)
    first = update_model(bars_of(), registry, "linear@1", source="", plan=settings, device="cpu")
    second = update_model(
        bars_of(600), registry, first.reference, source="", plan=settings, device="cpu"
    )
    assert second.parent == "linear@2"
    assert second.parameters["update"]["new_after_ts"] == first.data.last_ts
    assert second.parameters["update"]["learning_rate"] == pytest.approx(1e-4)
    assert first.parameters["update"]["learning_rate"] == pytest.approx(1e-4)
    assert second.parameters["learning_rate"] == 1e-3


def test_when_nothing_is_better_the_weights_of_the_parent_stay(registry: ModelRegistry) -> None:
    ruinous = UpdatePlan(max_steps=4, check_every=2, rate=1.0)
    plan = msgspec.structs.replace(PLAN, learning_rate=1.0)  # of the parent's record alone
    manifest = registry.manifest("linear@1")
    files = {name: registry.read(manifest, name) for name in (ONNX, WEIGHTS)}
    wild = msgspec.structs.replace(manifest, parameters=msgspec.to_builtins(plan))
    parent = registry.register(wild, files)
    made = update_model(
        bars_of(), registry, parent.reference, source="", plan=ruinous, device="cpu"
    )
    assert made.parameters["steps_kept"] == 0
    kept = decode_weights(registry.read(made, WEIGHTS))
    assert all(
        torch.equal(each, kept[name]) for name, each in decode_weights(files[WEIGHTS]).items()
    )
    assert made.calibration is not None


def test_replay_draws_old_windows_without_repeating_them() -> None:
    bars = bars_of()
    old = windows_of(bars, 16, 2, end_ts=(OLD - 1) * DAY)
    new = windows_of(bars, 16, 2, start_ts=OLD * DAY)
    both = with_replay(new, old, 0.25, seed=1)
    again = both.take(slice(0, len(both) - len(new)))
    assert len(again) == round(len(new) / 3)
    assert again.ts.max() <= (OLD - 3) * DAY
    assert len({(ts, each) for ts, each in zip(again.ts, again.instrument, strict=True)}) == len(
        again
    )
    assert np.array_equal(both.outcomes[len(again) :], new.outcomes)
    assert len(with_replay(new, old, 0.0, seed=1)) == len(new)
    assert len(with_replay(new, old, 0.99, seed=1)) == len(new) + len(old)  # all that there are


def changed(manifest: ModelManifest, **facts: Any) -> ModelManifest:
    return msgspec.structs.replace(manifest, **facts)


def test_when_an_update_cannot_be_made_it_is_said_and_nothing_is_registered(
    registry: ModelRegistry, parent_files: Any
) -> None:
    manifest, files = parent_files
    graph_only = {ONNX: files[ONNX]}
    bare = registry.register(changed(manifest, files=manifest.files[:1]), graph_only).reference
    facts = manifest.parameters
    foreign = registry.register(changed(manifest, parameters={"slope": 1.0}), files).reference
    unknown = changed(manifest, parameters={**facts, "kind": "oracle"})
    unknown_kind = registry.register(unknown, files).reference
    reads = {**facts, "kind": "lstm", "features": ["volume"]}
    volume = registry.register(changed(manifest, parameters=reads), files).reference
    before = registry.versions("linear")
    bars = bars_of()
    for reference, error, words in (
        ("linear@9", ModelUnknown, "There is no"),
        (bare, ModelRefused, "without its weights"),
        (foreign, ModelRefused, "not trained by this package"),
        (unknown_kind, ModelRefused, "oracle"),
        (volume, DataError, "no volume"),
    ):
        with pytest.raises(error, match=words):
            update_model(bars, registry, reference, source="", plan=QUICK, device="cpu")
    for count in (OLD, OLD + 5):
        with pytest.raises(UsageError, match="wait for more bars"):
            update_model(bars_of(count), registry, "linear@1", source="", plan=QUICK)
    assert registry.versions("linear") == before


def test_weights_of_another_architecture_are_refused(
    registry: ModelRegistry, parent_files: Any
) -> None:
    manifest, files = parent_files
    other = encode_weights(ScaledNetwork(msgspec.structs.replace(PLAN, horizon=3)).state_dict())
    reference = registry.register(manifest, {**files, WEIGHTS: other}).reference
    with pytest.raises(UsageError, match="another architecture"):
        update_model(bars_of(), registry, reference, source="", plan=QUICK, device="cpu")


def test_shares_that_leave_nothing_are_refused() -> None:
    for wrong in (
        {"test_share": 0.0},
        {"calibration_share": 0.7},
        {"replay_share": 1.0},
        {"rate": 0},
    ):
        with pytest.raises(ValueError, match="update:"):
            UpdatePlan(**wrong)
