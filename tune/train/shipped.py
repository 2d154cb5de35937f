"""The model that ships with the package, made again from the data that ships with skfolio.

    python -m tune.train.shipped            trains it and compares it with the one in the package
    python -m tune.train.shipped --write    and puts it in its place

The same machine and libraries give the same file; another processor may round differently, so the comparison is of the
scores. The five years of the test were seen by nothing but the evaluation.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import msgspec

from actors.feeds.sources import load_prices, symbols_of
from actors.models.manifest import ONNX, ModelManifest
from actors.models.opening import SHIPPED
from actors.models.registry import ModelRegistry
from trading.strategies.strategy import Bars
from tune.manifest import PACKAGE
from tune.train.fit import Progress
from tune.train.pipeline import train_model
from tune.train.plan import TrainingPlan, plan_of
from tune.train.weights import WEIGHTS

NAME = "nhits"
SOURCE = "sp500"
MADE_AT = 1_795_219_200_000_000_000
"""2026-11-21: a clock would make another file every time."""
SCORE_TOLERANCE = 0.01
"""What another processor may change: of an error relative to it, of a share (direction, coverage) as it is."""
STATISTIC_TOLERANCE = 0.1
"""Of a statistic whose own noise is 1. It divides a small difference of errors by its deviation: 0.02 % more of the CRPS
moves it by 0.03."""


def shipped_plan() -> TrainingPlan:
    """Return how it is trained: 1990 to 2011, early stopping on 2012 and 2013, calibration on 2014 to 2017."""
    return plan_of(
        "nhits",
        name=NAME,
        seed=7,
        validation_share=0.06,
        calibration_share=0.12,
        test_share=0.1525,
    )


def make() -> tuple[ModelManifest, dict[str, bytes]]:
    """Train it, and return its manifest, and its graph and weights by file name."""
    table = load_prices(SOURCE, symbols_of(SOURCE))
    bars = Bars.of_closes(table.ts, table.instrument_ids, table.close)
    with tempfile.TemporaryDirectory() as folder:
        registry = ModelRegistry(folder)
        made = train_model(bars, shipped_plan(), registry, SOURCE, progress=_tell)
        contents = {name: registry.read(made, name) for name in (ONNX, WEIGHTS)}
    files = tuple(file for file in made.files if file.name in contents)
    code = version(PACKAGE)
    return msgspec.structs.replace(made, files=files, code=code, created_at=MADE_AT), contents


def read() -> ModelManifest:
    """Return the manifest of the one in the package."""
    path = SHIPPED / NAME / "manifest.json"
    return msgspec.json.decode(path.read_bytes(), type=ModelManifest)


def write(manifest: ModelManifest, contents: Mapping[str, bytes]) -> None:
    """Put a model into the package."""
    folder = SHIPPED / NAME
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (folder / "manifest.json").write_bytes(text + b"\n")


def differences(made: Mapping[str, float], known: Mapping[str, float]) -> list[str]:
    """Return a line for each score that is not reproduced."""
    return [
        f"{name}: {made.get(name)} instead of {value}"
        for name, value in known.items()
        if not abs(made.get(name, float("nan")) - value) <= tolerance(name, value)
    ]


def tolerance(name: str, value: float) -> float:
    """Return how far a score may be from its known value."""
    if name == "dm_vs_naive":
        return STATISTIC_TOLERANCE
    if name.startswith(("directional_", "coverage_", "dm_vs_naive_p")):
        return SCORE_TOLERANCE
    return SCORE_TOLERANCE * abs(value)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, compare or write; the exit code is 1 when a score is not reproduced."""
    parser = argparse.ArgumentParser(prog="python -m tune.train.shipped")
    parser.add_argument("--write", action="store_true", help="replace the model in the package")
    wanted = parser.parse_args(arguments)
    manifest, contents = make()
    if wanted.write:
        write(manifest, contents)
        return
    found = differences(manifest.metrics, read().metrics)
    sys.exit("\n".join(found) if found else 0)


def _tell(progress: Progress) -> None:
    if progress.validation_loss is not None:
        sys.stderr.write(f"step {progress.step} of {progress.of}: {progress.validation_loss:.5f}\n")


if __name__ == "__main__":
    main()
