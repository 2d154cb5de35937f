"""One forecast: onnxruntime against torch eager, by kind of network and batch, on one thread; and the cold start.

Method: every kind with its default architecture (64 closes in, 5 steps out), untrained, since weights do not change the
time. Both get the same closes as numpy arrays and give numpy arrays back; their quantiles must agree before the time
counts. onnxruntime is the session that the service has, with its checks. A cold start is the time in a new process from
its first line to its first answer: imports, reading the model, one window.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from actors.models.manifest import ModelFile, ModelManifest, TrainingData
from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from bench.measured_rows import row, with_ratios

KINDS = ("nhits", "lstm", "patchtst", "transformer", "tft")
CALLS = {1: 200, 7: 100, 64: 50, 1_024: 10}
"""By batch."""
STARTS = 3
TOLERANCE = 1e-3
"""Largest difference of two quantiles, in deviations of the window: single precision."""


def rows() -> list[dict[str, object]]:
    """Return one row per measured subject."""
    import torch

    torch.set_num_threads(1)
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            eager = registered(kind, Path(folder))
            session = load_session(ModelRegistry(folder), kind)
            for batch, calls in CALLS.items():
                found += _batch_rows(kind, batch, calls, session.predict_raw, eager)
            found += _cold_rows(kind, Path(folder))
    return found


def registered(kind: str, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Register an exported network, store its weights, and return the network itself."""
    import torch

    from tune.train.export import export
    from tune.train.network import ForecastNetwork, ScaledNetwork
    from tune.train.plan import plan_of

    torch.manual_seed(1)
    plan = plan_of(kind)
    scaled = ScaledNetwork(plan).eval()
    network = ForecastNetwork(scaled).eval()
    registry = ModelRegistry(str(folder))
    manifest = ModelManifest(
        name=kind,
        version=0,
        kind=kind,
        horizon=plan.horizon,
        input_size=plan.input_size,
        data=TrainingData(source="none", digest="", symbols=(), first_ts=0, last_ts=0),
        code="",
        parameters={},
        metrics={},
        baselines={},
        beats_naive=False,
        files=(ModelFile(name="model.onnx", sha256="", size_bytes=0),),
        created_at=0,
    )
    graph, _ = export(scaled, {"close": some_closes(64)})
    registry.register(manifest, {"model.onnx": graph})
    registry.promote(f"{kind}@1", "champion", by="bench", why="bench", at=0, force=True)
    torch.save(scaled.state_dict(), folder / f"{kind}.pt")

    def eager(close: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            quantiles, _ = network(torch.from_numpy(close))
        answer: np.ndarray = quantiles.numpy()
        return answer

    return eager


def _batch_rows(
    kind: str,
    batch: int,
    calls: int,
    predict: Callable[[Any], Any],
    eager: Callable[[np.ndarray], np.ndarray],
) -> list[dict[str, object]]:
    close = some_closes(batch)
    ours = predict({"close": close})
    apart = np.abs(ours.log_returns - eager(close)) / ours.scale[:, None, None]
    if apart.max() > TOLERANCE:
        raise AssertionError(f"{kind}: onnxruntime and torch differ by {apart.max()}")
    what = f"{kind}, batch {batch:,}"
    note = f"{batch:,} windows" if batch > 1 else "one window"
    return with_ratios(
        [
            row(what, "onnxruntime", _times(lambda: predict({"close": close}), calls), note),
            row(what, "torch eager", _times(lambda: eager(close), calls)),
        ]
    )


def some_closes(batch: int) -> np.ndarray:
    moves = np.random.default_rng(7).normal(0.0, 0.015, (batch, 64))
    closes: np.ndarray = 100.0 * np.exp(moves.cumsum(axis=1))
    return closes


def _times(call: Callable[[], object], calls: int) -> list[float]:
    for _ in range(3):
        call()
    taken = []
    for _ in range(calls):
        begun = time.perf_counter_ns()
        call()
        taken.append(float(time.perf_counter_ns() - begun))
    return taken


# -- cold start

_ONNX_START = """
import time; begun = time.perf_counter_ns()
import sys
from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from bench.bench_inference import some_closes
session = load_session(ModelRegistry(sys.argv[1]), sys.argv[2])
loaded = time.perf_counter_ns()
session.predict_raw({"close": some_closes(1)})
print([time.perf_counter_ns() - begun, time.perf_counter_ns() - loaded])
"""
_TORCH_START = """
import time; begun = time.perf_counter_ns()
import sys
import torch
from bench.bench_inference import some_closes
from tune.train.network import ForecastNetwork, ScaledNetwork
from tune.train.plan import plan_of
torch.set_num_threads(1)
scaled = ScaledNetwork(plan_of(sys.argv[2]))
scaled.load_state_dict(torch.load(f"{sys.argv[1]}/{sys.argv[2]}.pt"))
network = ForecastNetwork(scaled).eval()
loaded = time.perf_counter_ns()
with torch.inference_mode():
    network(torch.from_numpy(some_closes(1)))
print([time.perf_counter_ns() - begun, time.perf_counter_ns() - loaded])
"""


def _cold_rows(kind: str, folder: Path) -> list[dict[str, object]]:
    found = []
    for subject, program in (("onnxruntime", _ONNX_START), ("torch eager", _TORCH_START)):
        starts = [_start(program, folder, kind) for _ in range(STARTS)]
        first_ms = float(np.median([first for _, first in starts])) / 1e6
        note = f"of which the first answer takes {first_ms:.1f} ms"
        found.append(row(f"{kind}, cold start", subject, [total for total, _ in starts], note))
    return with_ratios(found)


def _start(program: str, folder: Path, kind: str) -> tuple[float, float]:
    command = [sys.executable, "-c", program, str(folder), kind]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    total, first = msgspec.json.decode(done.stdout.strip().rpartition("\n")[2], type=list[float])
    return total, first


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(rows()))
