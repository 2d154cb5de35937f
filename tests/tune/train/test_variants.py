"""Smaller graphs: what they weigh, what they lose, and why there is none."""

from collections.abc import Iterator

import numpy as np
import onnx
import pytest
import torch

from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars
from tune.train import variants as making
from tune.train.export import export
from tune.train.graph import predictor_of
from tune.train.network import ScaledNetwork
from tune.train.plan import plan_of
from tune.train.variants import Variant, pinball_of, variants_of
from tune.train.windows import Windows, windows_of

DAY = 86_400_000_000_000
PLAN = plan_of(
    "nhits", features=(), horizon=3, input_size=24,
    network={"mlp_units": [[64, 64]], "n_pool_kernel_size": [4, 2, 1]},
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def windows() -> Windows:
    returns = np.random.default_rng(7).normal(0.0, 0.01, (300, 2))
    close = 100.0 * np.exp(np.cumsum(returns, axis=0))
    names = (InstrumentId("A.X"), InstrumentId("B.X"))
    return windows_of(Bars.of_closes(DAY * np.arange(300), names, close), 24, 3)


@pytest.fixture(scope="module")
def graph(windows: Windows) -> bytes:
    return export(ScaledNetwork(PLAN), windows.inputs)[0]


@pytest.fixture(scope="module")
def variants(graph: bytes, windows: Windows) -> dict[str, Variant]:
    return {each.precision: each for each in variants_of(graph, PLAN, windows)}


def test_variants_are_smaller_and_nearly_as_good(
    variants: dict[str, Variant], graph: bytes, windows: Windows
) -> None:
    full = pinball_of(predictor_of(graph), windows)
    for precision, share in (("fp16", 0.65), ("int8", 0.6)):
        variant = variants[precision]
        assert variant.reason == ""
        assert variant.file == f"model.{precision}.onnx"
        assert len(variant.graph) < share * len(graph)
        assert variant.pinball_loss == pytest.approx(full, rel=0.01)
        predictor_of(variant.graph)(windows.take(slice(0, 7)).inputs).check(precision)
    assert 0 < variants["fp16"].max_error < variants["int8"].max_error < 0.5


def test_measured_error_holds_on_all_windows_of_the_evaluation(
    variants: dict[str, Variant], graph: bytes, windows: Windows
) -> None:
    full = predictor_of(graph)(windows.inputs)
    for variant in variants.values():
        small = predictor_of(variant.graph)(windows.inputs)
        gap = np.abs(small.log_returns - full.log_returns) / full.scale[:, None, None]
        assert gap.max() < 2 * variant.max_error
        assert small.scale == pytest.approx(full.scale, rel=1e-12)


def test_prices_are_worked_on_in_double_precision(variants: dict[str, Variant]) -> None:
    for variant in variants.values():
        model = onnx.load_from_string(variant.graph)
        types = {each.type.tensor_type.elem_type for each in model.graph.input}
        types |= {each.type.tensor_type.elem_type for each in model.graph.output}
        assert types == {onnx.TensorProto.DOUBLE}


def test_same_graph_makes_the_same_variants(variants: dict[str, Variant], graph: bytes) -> None:
    assert making.half_precision(graph) == variants["fp16"].graph
    assert making.eight_bit(graph) == variants["int8"].graph


def test_variant_that_cannot_be_built_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, graph: bytes, windows: Windows
) -> None:
    def fail(_: bytes) -> bytes:
        raise RuntimeError("no such operator\nand a long story")

    monkeypatch.setattr(making, "half_precision", fail)
    monkeypatch.setattr(making, "eight_bit", lambda _: b"no graph")
    fp16, int8 = variants_of(graph, PLAN, windows)
    assert (fp16.graph, fp16.reason) == (b"", "RuntimeError: no such operator")
    assert int8.graph == b""
    assert int8.reason


def test_variant_that_loses_too_much_is_left_out(
    monkeypatch: pytest.MonkeyPatch, graph: bytes, windows: Windows
) -> None:
    def blunt(content: bytes) -> bytes:
        model = onnx.load_from_string(content)
        for each in model.graph.initializer:
            if each.data_type == onnx.TensorProto.FLOAT and len(each.dims) == 2:
                zeros = np.zeros(each.dims, dtype=np.float32)
                each.CopyFrom(onnx.numpy_helper.from_array(zeros + 1.0, each.name))
        return bytes(model.SerializeToString())

    monkeypatch.setattr(making, "eight_bit", blunt)
    int8 = variants_of(graph, PLAN, windows)[1]
    assert int8.graph == b""
    assert int8.reason.startswith("its pinball loss is")
