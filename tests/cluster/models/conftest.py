"""A small registry of graphs that were written by hand: random walks, wide and narrow, calm and drifting."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx.parser
import pytest

from actors.models.manifest import ModelFile, ModelManifest, TrainingData
from actors.models.registry import ModelRegistry

INPUT_SIZE, HORIZON = 20, 5
Z = np.array((-2.6, -2.0, -1.3, -0.7, 0.0, 0.7, 1.3, 2.0, 2.6))
CUTOFF = int(np.datetime64("2015-12-31T23", "ns").astype(np.int64))


def a_graph(drift: float, width: float) -> bytes:
    """Quantiles of a random walk: the scale of the window, times (drift + width * z), times the root of the step."""
    table = np.sqrt(np.arange(1, HORIZON + 1))[:, None] * (drift + width * Z)
    numbers = ", ".join(repr(float(each)) for each in table.ravel())
    return onnx.parser.parse_model(f"""
    <ir_version: 10, opset_import: ["" : 18]>
    walk (double[window, {INPUT_SIZE}] close) => (float[window, {HORIZON}, 9] log_returns, float[window] scale)
    <int64[1] one = {{1}}, int64[1] zero = {{0}}, int64[1] end = {{{INPUT_SIZE}}}, int64[1] last = {{-1}},
     int64[3] wide = {{-1, 1, 1}}, float[1, {HORIZON}, 9] table = {{{numbers}}}>
    {{
        path = Log(close)
        newer = Slice(path, one, end, one)
        older = Slice(path, zero, last, one)
        moves = Sub(newer, older)
        squares = Mul(moves, moves)
        variance = ReduceMean<keepdims = 0>(squares, one)
        deviation = Sqrt(variance)
        scale = Cast<to = 1>(deviation)
        unit = Reshape(scale, wide)
        log_returns = Mul(unit, table)
    }}""").SerializeToString()


def a_manifest(**changes: Any) -> ModelManifest:
    scores = {
        "crps": 0.0120, "pinball": 0.0057, "mase": 1.5, "smape": 0.02, "directional_accuracy": 0.51,
        "coverage_50": 0.5, "coverage_80": 0.81, "coverage_95": 0.95, "coverage_99": 0.99,
    }  # fmt: skip
    facts: dict[str, Any] = {
        "name": "walk",
        "version": 0,
        "kind": "linear",
        "horizon": HORIZON,
        "input_size": INPUT_SIZE,
        "data": TrainingData(
            source="sp500 AAPL,KO", digest="d", symbols=("AAPL", "KO"), first_ts=1, last_ts=CUTOFF
        ),
        "code": "0.1.0",
        "parameters": {"seed": 1},
        "metrics": {**scores, "dm_vs_naive": -1.15, "dm_vs_naive_p": 0.25},
        "baselines": {"naive": {**scores, "crps": 0.0124}},
        "beats_naive": True,
        "files": (ModelFile(name="model.onnx", sha256="", size_bytes=0),),
        "created_at": 1_700_000_000_000_000_000,
    }
    return ModelManifest(**{**facts, **changes})


@pytest.fixture
def folder(state: Path) -> Path:
    """Where the models of the configured cluster are."""
    return state / "models"


@pytest.fixture
def add_model(folder: Path) -> Callable[..., ModelManifest]:
    """Return a function that registers one more version."""

    def add(drift: float = 0.0, width: float = 1.0, **changes: Any) -> ModelManifest:
        graph = {"model.onnx": a_graph(drift, width)}
        return ModelRegistry(str(folder)).register(a_manifest(**changes), graph)

    return add


@pytest.fixture
def registry(folder: Path, add_model: Callable[..., ModelManifest]) -> ModelRegistry:
    """walk@1, the champion; walk@2, a little better, made from it; walk@3, which does not beat the naive forecast."""
    add_model()
    add_model(metrics={"crps": 0.0119}, parent="walk@1")
    add_model(drift=0.5, width=0.4, metrics={"crps": 0.0130}, beats_naive=False)
    found = ModelRegistry(str(folder))
    found.promote("walk@1", "champion", by="a person", why="the first", at=1)
    return found
