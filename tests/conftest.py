"""What holds for all tests: Ray's authentication, no stop-watch of hypothesis, a small model.

Ray reads its authentication mode when it is imported, and some tests import it early.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("RAY_AUTH_MODE", "token")

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")

Z = (-2.6, -2.0, -1.3, -0.7, 0.0, 0.7, 1.3, 2.0, 2.6)


@pytest.fixture(scope="session")
def register_trend() -> Callable[..., Any]:
    """Register a version that expects `slope` of the window's move again, as far ahead as it is long.

    The graph is written by hand: no training, no torch. The first version becomes champion.
    """

    def register(registry: Any, name: str = "nhits", **facts: Any) -> Any:
        manifest, files = a_trend_model(name, **facts)
        made = registry.register(manifest, files)
        if made.version == 1:
            registry.promote(made.reference, "champion", by="test", why="the first", at=1)
        return made

    return register


@pytest.fixture(scope="session")
def trend_model() -> Callable[..., Any]:
    """Return the manifest and the files of a model as `register_trend` registers it."""
    return a_trend_model


def a_trend_model(
    name: str, *, input_size: int = 12, horizon: int = 5, slope: float = 0.5, last_ts: int = 0
) -> tuple[Any, dict[str, bytes]]:
    from actors.models.manifest import ModelFile, ModelManifest, TrainingData

    manifest = ModelManifest(
        name=name,
        version=1,
        kind="linear",
        horizon=horizon,
        input_size=input_size,
        data=TrainingData(source="", digest="", symbols=("A",), first_ts=0, last_ts=last_ts),
        code="",
        parameters={"slope": slope},
        metrics={},
        baselines={},
        beats_naive=True,
        files=(ModelFile(name="model.onnx", sha256="", size_bytes=0),),
        created_at=1,
    )
    return manifest, {"model.onnx": trend_graph(input_size, horizon, slope)}


def trend_graph(input_size: int, horizon: int, slope: float) -> bytes:
    import onnx.parser

    steps = [(step + 1) / horizon for step in range(horizon)]
    spread = ", ".join(repr(z * step**0.5) for step in steps for z in Z)
    drift = ", ".join(repr(slope * step) for step in steps)
    return onnx.parser.parse_model(f"""
    <ir_version: 10, opset_import: ["" : 18]>
    trend (double[window, {input_size}] close)
        => (float[window, {horizon}, 9] log_returns, float[window] scale)
    <int64[1] one = {{1}}, int64[1] zero = {{0}}, int64[1] end = {{{input_size}}},
     int64[1] last = {{-1}}, int64[3] wide = {{-1, 1, 1}},
     float[1, {horizon}, 9] spread = {{{spread}}}, float[1, {horizon}, 1] drift = {{{drift}}}>
    {{
        path = Log(close)
        newer = Slice(path, one, end, one)
        older = Slice(path, zero, last, one)
        moves = Sub(newer, older)
        squares = Mul(moves, moves)
        variance = ReduceMean<keepdims = 0>(squares, one)
        deviation = Sqrt(variance)
        scale = Cast<to = 1>(deviation)
        mean = ReduceSum<keepdims = 0>(moves, one)
        move = Cast<to = 1>(mean)
        unit = Reshape(scale, wide)
        shift = Reshape(move, wide)
        around = Mul(unit, spread)
        middle = Mul(shift, drift)
        log_returns = Add(around, middle)
    }}""").SerializeToString()
