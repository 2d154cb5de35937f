"""Every kind trains, becomes a graph that answers the same, and the graph tells nothing of this machine."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch

from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars
from tune.train import export as exporting
from tune.train.export import (
    ExportRefused,
    difference,
    export,
    network_predictor,
    random_inputs,
)
from tune.train.fit import fit
from tune.train.graph import predictor_of
from tune.train.kinds import KINDS
from tune.train.network import ScaledNetwork
from tune.train.plan import TrainingPlan, plan_of
from tune.train.splits import Split, split_windows

DAY = 86_400_000_000_000
SMALL: dict[str, dict] = {
    "nhits": {"mlp_units": [[16, 16]], "n_pool_kernel_size": [4, 2, 1]},
    "lstm": {"encoder_hidden_size": 8, "decoder_hidden_size": 8},
    "patchtst": {"hidden_size": 8, "n_heads": 2, "linear_hidden_size": 16, "encoder_layers": 1},
    "transformer": {"hidden_size": 8, "n_head": 2, "conv_hidden_size": 8, "encoder_layers": 1},
    "tft": {"hidden_size": 8, "n_head": 2},
    "linear": {},
}
SETTINGS: dict[str, dict] = {
    "nhits": {"features": ("volume", "time", "sentiment", "volatility")},
    "lstm": {"loss": "student_t"},
    "patchtst": {},
    "transformer": {},
    "tft": {"features": ("time",)},
    "linear": {"loss": "normal", "target": "log_price"},
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small_plan(kind: str, **settings: object) -> TrainingPlan:
    given = {
        "horizon": 3, "input_size": 24, "max_steps": 20, "check_every": 10, "batch_size": 32,
        "warmup_steps": 0, "network": SMALL[kind],
    }  # fmt: skip
    return plan_of(kind, **{**given, **settings})


def split_of(plan: TrainingPlan) -> Split:
    random = np.random.default_rng(7)
    shape = (300, 2)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, shape), axis=0))
    names = (InstrumentId("A.X"), InstrumentId("B.X"))
    bars = Bars(
        DAY * (15_000 + np.arange(300)), names, close, close, close, close,
        np.round(random.uniform(1, 1e6, shape)), {"sentiment": random.uniform(-1, 1, shape)},
    )  # fmt: skip
    return split_windows(bars, plan)


def trained(kind: str, **settings: object) -> tuple[ScaledNetwork, Split]:
    plan = small_plan(kind, **settings)
    split = split_of(msgspec.structs.replace(plan, network={}))
    return fit(plan, split.train, split.validation, device="cpu").network, split


@pytest.mark.parametrize("kind", KINDS)
def test_graph_answers_what_the_network_does(kind: str) -> None:
    network, split = trained(kind, **SETTINGS[kind])
    graph, found = export(network, split.test.inputs)
    assert found.relative <= 1e-5
    torch_says, onnx_says = network_predictor(network), predictor_of(graph)
    random = np.random.default_rng(100)
    for count in (1, 2, 7, 64, 130):
        for inputs in (
            random_inputs(network.plan, count, random),
            split.test.take(random.integers(0, len(split.test), count)).inputs,
        ):
            expected, answer = torch_says(inputs), onnx_says(inputs)
            answer.check(kind)
            units = expected.scale[:, None, None]
            assert answer.log_returns / units == pytest.approx(
                expected.log_returns / units, rel=1e-5, abs=1e-5
            )
            assert answer.scale == pytest.approx(expected.scale, rel=1e-12)
    assert_plain(graph, network)


def assert_plain(graph: bytes, network: ScaledNetwork) -> None:
    """Inputs and outputs as agreed, a batch of any size, and no word of where it was made."""
    model = onnx.load_from_string(graph)
    onnx.checker.check_model(model)
    assert [each.name for each in model.graph.input] == list(network.plan.inputs)
    assert [each.name for each in model.graph.output] == ["log_returns", "scale"]
    batches = {
        each.type.tensor_type.shape.dim[0].dim_param
        for each in (*model.graph.input, *model.graph.output)
    }
    assert batches == {"window"}
    assert not model.metadata_props
    root = Path(__file__).parents[3]
    for trace in (str(root), "site-packages", "neuralforecast", ".py", "Traceback"):
        assert trace.encode() not in graph, trace
    assert re.search(rb"/(home|usr|root|work|tmp)/", graph) is None
    assert len(graph) < 2_000_000


def test_default_network_of_every_kind_is_small() -> None:
    for kind in KINDS:
        network = ScaledNetwork(plan_of(kind))
        size = sum(4 * each.numel() for each in network.state_dict().values())
        assert size < 2_000_000, kind


def test_same_weights_make_the_same_bytes() -> None:
    network, split = trained("lstm")
    twin = ScaledNetwork(network.plan)
    twin.load_state_dict(network.state_dict())
    assert export(network, split.test.inputs)[0] == export(twin, split.test.inputs)[0]


def test_graph_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network, split = trained("linear")
    right = exporting._graph

    def wrong(served: torch.nn.Module) -> bytes:
        bias = network.core.linear.bias
        with torch.no_grad():
            bias += 1e-3
            graph = right(served)
            bias -= 1e-3
        return graph

    monkeypatch.setattr(exporting, "_graph", wrong)
    with pytest.raises(ExportRefused, match="linear differs from the network by"):
        export(network, split.test.inputs)


def test_network_that_answers_nan_is_refused() -> None:
    network, split = trained("linear")
    with torch.no_grad():
        network.core.linear.bias[3] = float("nan")
    with pytest.raises(ExportRefused):
        export(network, split.test.inputs)


def test_difference_is_the_largest_of_all_windows() -> None:
    network, split = trained("linear")
    one = network_predictor(network)

    def other(inputs: dict) -> object:
        answer = one(inputs)
        answer.log_returns[-1, 0, 2] += 0.5 * answer.scale[-1]
        return answer

    assert difference(one, other, network.plan, split.test.inputs).absolute == pytest.approx(0.5)


def test_random_windows_are_fit_for_a_model() -> None:
    plan = plan_of("nhits", features=("volume", "time", "sentiment"))
    inputs = random_inputs(plan, 50, np.random.default_rng(0))
    assert list(inputs) == ["close", "volume", "time", "sentiment"]
    assert (inputs["close"] > 0).all()
    assert (np.diff(inputs["time"], axis=1) == DAY).all()
    assert inputs["time"].dtype == np.int64
