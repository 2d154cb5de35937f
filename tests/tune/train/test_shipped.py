"""The model in the package is what its manifest says, and what its script makes."""

import hashlib

import numpy as np
import pytest

from actors.feeds.sources import load_prices, symbols_of
from actors.models.manifest import ONNX
from actors.models.opening import SHIPPED, open_registry
from actors.models.session import load_session
from trading.strategies.strategy import Bars
from tune.train import shipped
from tune.train.baselines import baseline_predictions
from tune.train.evaluation import evaluate
from tune.train.splits import split_windows


@pytest.fixture(scope="module")
def bars() -> Bars:
    table = load_prices(shipped.SOURCE, symbols_of(shipped.SOURCE))
    return Bars.of_closes(table.ts, table.instrument_ids, table.close)


def test_files_are_those_of_the_manifest_and_small() -> None:
    manifest = shipped.read()
    for file in manifest.files:
        content = (SHIPPED / shipped.NAME / file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
    graph = (SHIPPED / shipped.NAME / ONNX).read_bytes()
    assert len(graph) <= 2_000_000
    assert b"site-packages" not in graph


def test_scores_of_the_manifest_are_those_of_the_graph(
    bars: Bars, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Five years that training did not see, through the registry as a user opens it."""
    registry = open_registry(str(tmp_path_factory.mktemp("models")))
    session = load_session(registry, "nhits")
    split = split_windows(bars, shipped.shipped_plan())
    assert split.test.ts[0] > session.manifest.data.last_ts
    baselines = baseline_predictions(
        split.train, split.test, season=shipped.shipped_plan().season, held_out=split.calibration
    )
    found = evaluate(session.predict, split.test, baselines)
    for name, value in session.manifest.metrics.items():
        assert found.metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert found.beats_naive
    for coverage in (80, 95):
        assert found.metrics[f"coverage_{coverage}"] == pytest.approx(coverage / 100, abs=0.03)
    assert np.unique(split.test.ts).size > 5 * 248


def test_its_script_makes_it_again() -> None:
    made, _ = shipped.make()
    assert shipped.differences(made.metrics, shipped.read().metrics) == []
    assert made.data == shipped.read().data


def test_another_score_is_a_difference() -> None:
    known = shipped.read().metrics
    for name, value in known.items():
        allowed = shipped.tolerance(name, value)
        assert shipped.differences({**known, name: value + 0.99 * allowed}, known) == []
        (line,) = shipped.differences({**known, name: value - 1.01 * allowed}, known)
        assert line.startswith(f"{name}: ")
    assert len(shipped.differences({}, known)) == len(known)
