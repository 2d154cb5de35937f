"""The comparison of CPU and GPU, with other libraries on the CPU in the part of the GPU."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from actors.models.manifest import ModelFile, ModelManifest, TrainingData
from actors.models.registry import ModelRegistry
from bench import gpu
from trading.portfolio_risk.place import Place

INPUT_SIZE = 12


def a_registry(folder: str) -> ModelRegistry:
    model = onnx.parser.parse_model(f"""
    <ir_version: 10, opset_import: ["" : 18]>
    net (double[window, {INPUT_SIZE}] close)
        => (double[window, 1, 9] log_returns, double[window] scale)
    <int64[1] one = {{1}}, int64[1] zero = {{0}}, double floor = {{0.01}},
     double[1, 1, 9] levels = {{{", ".join(str(0.01 * k) for k in range(9))}}}>
    {{
        oldest = Slice(close, zero, one, one)
        flat = Squeeze(oldest, one)
        nothing = Sub(flat, flat)
        scale = Add(nothing, floor)
        wide = Unsqueeze(oldest, one)
        shift = Log(wide)
        log_returns = Add(shift, levels)
    }}""")
    onnx.checker.check_model(model)
    registry = ModelRegistry(folder)
    manifest = ModelManifest(
        name="net",
        version=0,
        kind="linear",
        horizon=1,
        input_size=INPUT_SIZE,
        data=TrainingData(source="", digest="", symbols=("A",), first_ts=1, last_ts=2),
        code="",
        parameters={},
        metrics={},
        baselines={},
        beats_naive=True,
        files=(ModelFile(name="model.onnx", sha256="", size_bytes=0),),
        created_at=3,
    )
    registry.register(manifest, {"model.onnx": model.SerializeToString()})
    registry.promote("net@1", "champion", by="", why="", at=1)
    return registry


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu, "ROUNDS", 1)
    monkeypatch.setattr(gpu, "WARM_UPS", 0)
    monkeypatch.setattr(gpu, "INDICATOR_SHAPE", (200, 3))
    monkeypatch.setattr(gpu, "CORRELATION_SHAPE", (130, 4))
    monkeypatch.setattr(gpu, "ASSETS", 3)
    monkeypatch.setattr("actors.models.opening.open_registry", lambda _: a_registry(str(tmp_path)))


def rows(printed: str) -> dict[str, list[str]]:
    """Return the cells behind the name of each measured line."""
    found = {}
    for line in printed.splitlines()[1:]:
        found[line[:58].strip()] = line[58:].split()
    return found


def test_cpu_against_itself_agrees_in_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--cpu-only", "--scale", "0.01"]) == 0
    found = rows(capsys.readouterr().out)
    assert len(found) == 10
    assert all(cells[3] == "0.0e+00" for cells in found.values())
    assert all(float(cells[0]) > 0 and cells[2].endswith("x") for cells in found.values())


def test_without_a_gpu_one_line_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "_imported", lambda _: None)
    assert gpu.main([]) == 0
    assert capsys.readouterr().out == (
        "No GPU is measured: cupy cannot be imported; torch cannot be imported.\n"
    )


def test_torch_gives_the_same_correlations_and_risk(capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.set_num_threads(1)
    other = replace(gpu.host_machine("torch"), place=Place(torch, "cpu"), follows_array_api=False)
    assert gpu.print_table(gpu.subjects(0.01), gpu.host_machine(), other)
    printed = capsys.readouterr().out
    assert printed.count("left out, torch does not follow the array API") == 4
    found = rows(printed)
    drawn_there = next(cells for name, cells in found.items() if "drawn there" in name)
    assert 0 < float(drawn_there[3]) < float(drawn_there[4]) == 0.2
    assert sum(cells[2].endswith("x") for cells in found.values()) == 6


def test_indicators_agree_in_another_array_library(capsys: pytest.CaptureFixture[str]) -> None:
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    other = replace(gpu.host_machine("strict"), place=Place(strict))
    found = [each for each in gpu.subjects(0.01) if each.needs_array_api]
    assert len(found) == 4
    assert gpu.print_table(iter(found), gpu.host_machine(), other)


def test_session_that_fell_back_to_the_cpu_is_not_measured_as_a_gpu(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.models.providers.has_gpu", lambda: False)
    other = replace(gpu.host_machine("GPU"), provider="cuda")
    found = [each for each in gpu.subjects(0.01) if each.name.startswith("net@1")]
    assert gpu.print_table(iter(found), gpu.host_machine(), other)
    assert capsys.readouterr().out.count("left out, onnxruntime runs on cpu here") == 3


@pytest.mark.parametrize("shift", [1e-3, np.nan])
def test_number_that_differs_gets_no_time(capsys: pytest.CaptureFixture[str], shift: float) -> None:
    def make(machine: gpu.Machine) -> Any:
        values = np.arange(1.0, 5.0)
        if machine.name == "GPU":
            values[2] += shift
        return lambda: values

    def found() -> Iterator[gpu.Subject]:
        yield gpu.Subject("odd", gpu.EXACT, make)

    assert not gpu.print_table(found(), gpu.host_machine(), gpu.host_machine("GPU"))
    [cells] = rows(capsys.readouterr().out).values()
    assert cells[:3] == ["-", "-", "WRONG"]
