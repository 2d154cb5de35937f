"""`trader models`: what it lists, what it changes, and what it refuses."""

import getpass
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.models.manifest import ModelManifest
from actors.models.registry import ModelRegistry
from cluster.cli.models_compare import best_of
from trading.forecasting.monitoring import MonitorReport

Trader = Callable[..., Any]


@pytest.fixture
def trader(trader: Any, registry: ModelRegistry) -> Any:
    return partial(trader, "models")


def walks(listed: Any) -> dict[str, Any]:
    """The versions of `walk` alone: a model ships with the package."""
    return {row["reference"]: row for row in listed.json["models"] if row["name"] == "walk"}


def test_list_shows_every_version_with_part_and_scores(trader: Trader) -> None:
    rows = walks(trader("list", "--json"))
    assert list(rows) == ["walk@1", "walk@2", "walk@3"]
    assert [row["part"] for row in rows.values()] == ["champion", "", ""]
    assert rows["walk@2"]["crps"] == 0.0119
    assert rows["walk@2"]["naive_crps"] == 0.0124
    assert rows["walk@3"]["beats_naive"] is False
    shown = re.sub(" +", " ", trader("list").out)
    assert "| walk@1 | champion | linear | 20 | 5 | 0.01200 | 0.01240 | yes |" in shown


def test_list_of_nothing_says_how_to_begin(trader: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelRegistry, "names", lambda _: ())
    assert "`trader train" in trader("list").out


def test_promotion_is_kept_with_who_and_why(trader: Trader, registry: ModelRegistry) -> None:
    ended = trader("promote", "walk@2", "champion", "--why", "lower CRPS")
    assert (ended.status, ended.out) == (0, "walk@2 is champion (was walk@1).\n")
    last = registry.history("walk")[-1]
    assert (last.by, last.why, last.champion) == (getpass.getuser(), "lower CRPS", 2)
    assert last.at > 1_700_000_000_000_000_000
    ended = trader("promote", "walk@3", "archived", "--json")
    assert ended.json["decision"]["archived"] == [3]
    rows = trader("history", "walk", "--json").json["decisions"]
    assert [row["sequence"] for row in rows] == [1, 2, 3]
    assert "lower CRPS" in trader("history", "walk").out


def test_model_that_is_no_better_than_naive_is_refused_without_force(trader: Trader) -> None:
    ended = trader("promote", "walk@3", "champion")
    assert (ended.status, ended.out) == (6, "")
    assert "walk@3 does not beat the naive forecast" in ended.err
    assert "[MODEL_REFUSED]" in ended.err
    assert trader("promote", "walk@3", "champion", "--force").status == 0


def test_unknown_models_and_parts_end_with_a_usage_code(trader: Trader) -> None:
    for words in (("show", "ghost"), ("promote", "walk@9", "champion"), ("history", "ghost")):
        ended = trader(*words)
        assert (ended.status, ended.out) == (2, "")
        assert "[MODEL_UNKNOWN]" in ended.err
    assert trader("promote", "walk@1", "king").status == 2


def test_rollback_goes_back_to_the_champion_before(trader: Trader) -> None:
    trader("promote", "walk@2", "champion")
    ended = trader("rollback", "walk", "--why", "worse live")
    assert (ended.status, ended.out) == (0, "walk@1 is champion again (was walk@2).\n")
    ended = trader("rollback", "walk")
    assert ended.status == 6
    assert "no other champion" in ended.err


def test_split_shares_the_traffic_and_nothing_ends_it(trader: Trader) -> None:
    assert trader("split", "walk", "1=0.9", "2=0.1").out == "Traffic: walk@1 90%, walk@2 10%.\n"
    assert walks(trader("list", "--json"))["walk@2"]["share"] == 0.1
    assert "champion 90%" in trader("list").out
    assert trader("split", "walk").out == "Traffic: all to the champion of walk.\n"
    for wrong in (("1=0.9", "2=0.2"), ("1:0.9",), ("one=1",)):
        assert trader("split", "walk", *wrong).status == 2


def test_show_prints_the_card_with_lineage_and_service(
    trader: Trader, registry: ModelRegistry
) -> None:
    report = MonitorReport(
        forecasts=50, coverage={"0.8": 0.6}, input_drift={}, error_ratio=1.2,
        alerts=("The 80 % interval held 60 %.",), updated_at=1,
    )  # fmt: skip
    registry.write_report("walk@2", report)
    ended = trader("show", "walk@2")
    assert ended.status == 0
    assert "walk@1 > walk@2" in ended.out
    assert "80% interval held 60%" in ended.out
    assert "Alarm: The 80 % interval held 60 %." in ended.err
    shown = trader("show", "walk@2", "--json").json
    assert shown["lineage"] == ["walk@1", "walk@2"]
    assert shown["manifest"]["metrics"] == {"crps": 0.0119}
    assert shown["in_service"]["forecasts"] == 50


def test_verify_names_the_file_that_is_not_what_was_registered(
    trader: Trader, registry: ModelRegistry, folder: Path
) -> None:
    assert trader("verify", "walk@1").status == 0
    known = registry.manifest("walk@3").files[0]
    (folder / "files" / known.sha256).write_bytes(b"something else")
    ended = trader("verify", "--json")
    assert (ended.status, ended.json["ok"]) == (1, False)
    bad = [row for row in ended.json["files"] if row["problem"]]
    assert [row["reference"] for row in bad] == ["walk@3"]
    assert "checksum differs" in bad[0]["problem"]
    assert trader("verify", "walk@1").status == 0


def test_verify_names_graphs_and_manifests_that_cannot_be_read(
    trader: Trader, registry: ModelRegistry, folder: Path, add_model: Callable[..., ModelManifest]
) -> None:
    manifest = registry.manifest("walk@1")
    registry.register(manifest, {"model.onnx": b"no graph"})
    (folder / "models/walk/versions/000002.json").write_bytes(b"{")
    problems = {
        (row["reference"], row["file"]): row["problem"]
        for row in trader("verify", "--json").json["files"]
        if row["problem"]
    }
    assert set(problems) == {("walk@2", "manifest"), ("walk@4", "model.onnx")}
    assert "is damaged" in problems["walk@2", "manifest"]
    assert "no graph that onnxruntime" in problems["walk@4", "model.onnx"]


def test_compare_takes_the_manifests_when_they_were_judged_on_the_same_windows(
    trader: Trader, add_model: Callable[..., ModelManifest]
) -> None:
    ended = trader("compare", "walk@1", "walk@2")
    assert ended.status == 0
    assert "walk@2 has the lowest CRPS, 0.83% below walk@1" in ended.out
    assert "| crps | 0.01200 | 0.01190 * |" in re.sub(" +", " ", ended.out)
    assert "Against the naive forecast: walk@1 better (p = 0.250)." in ended.out
    add_model(baselines={"naive": {"crps": 0.5}})
    ended = trader("compare", "walk", "walk@4", "--json")
    assert "different windows" in ended.json["verdict"]


def test_compare_on_data_scores_all_on_windows_after_their_training(
    trader: Trader, add_model: Callable[..., ModelManifest]
) -> None:
    add_model(width=0.3)
    words = ("--data", "sp500", "--symbols", "AAPL,KO", "--end", "2017-12", "--json")
    found = trader("compare", "walk@1", "walk@4", *words).json
    first, last = np.array([found["first_ts"], found["last_ts"]], "datetime64[ns]")
    assert first > np.datetime64("2015-12-31T23")
    assert last < np.datetime64("2018-01-01")
    assert found["windows"] == 2 * found["moments"]
    assert found["moments"] == 503 - 5, "sessions of two years, the last ones without an outcome"
    assert found["best"] == "walk@1"
    assert found["chance"]["walk@4"] < 0.01
    assert "more than luck" in found["verdict"]
    assert found["scores"]["walk@4"]["coverage_80"] < found["scores"]["walk@1"]["coverage_80"]


def test_compare_refuses_what_says_nothing(trader: Trader) -> None:
    assert "at least two" in trader("compare", "walk@1", "walk").err
    assert trader("compare", "walk@1", "walk@2", "--start", "2020").status == 2
    ended = trader("compare", "walk@1", "walk@2", "--data", "sp500", "--end", "2010")
    assert ended.status == 2
    assert "No window lies after the training" in ended.err


def test_metric_speaks_for_the_lower_the_higher_or_the_nearer() -> None:
    assert best_of("crps", {"a": 0.2, "b": 0.1, "c": None}) == "b"
    assert best_of("directional_accuracy", {"a": 0.5, "b": 0.6}) == "b"
    assert best_of("coverage_80", {"a": 0.99, "b": 0.78}) == "b"
    assert best_of("coverage_80", {"a": 0.8, "b": 0.8}) == ""
    assert best_of("windows", {"a": 10.0, "b": 20.0}) == ""
