"""Versions appear whole, once and for good; decisions are a history."""

import json
import multiprocessing
from pathlib import Path

import msgspec
import pytest

from actors.models.manifest import ModelFile, ModelManifest, TrainingData
from actors.models.opening import open_registry
from actors.models.registry import ModelRegistry
from trading.errors import ModelCorrupt, ModelRefused, ModelUnknown, UsageError
from trading.forecasting.monitoring import MonitorReport

GRAPH = b"a graph"


def a_manifest(name: str = "nhits", **changes: object) -> ModelManifest:
    plain = ModelManifest(
        name=name,
        version=0,
        kind="nhits",
        horizon=5,
        input_size=60,
        data=TrainingData(source="sp500", digest="d", symbols=("AAPL",), first_ts=1, last_ts=2),
        code="0.1.0",
        parameters={"seed": 1},
        metrics={"crps": 0.5},
        baselines={"naive": {"crps": 0.6}},
        beats_naive=True,
        files=(ModelFile(name="model.onnx", sha256="", size_bytes=0),),
        created_at=3,
    )
    return msgspec.structs.replace(plain, **changes)


def said(reason: str = "because") -> dict[str, object]:
    return {"by": "me", "why": reason, "at": 7}


@pytest.fixture(params=["file", "memory"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> ModelRegistry:
    folder = str(tmp_path) if request.param == "file" else f"memory://{tmp_path.name}"
    return ModelRegistry(folder)


def with_versions(registry: ModelRegistry, count: int) -> ModelRegistry:
    for number in range(count):
        registry.register(a_manifest(), {"model.onnx": GRAPH + bytes([number])})
    return registry


def test_registered_version_is_read_as_it_was_written(registry: ModelRegistry) -> None:
    stored = registry.register(a_manifest(), {"model.onnx": GRAPH})
    assert stored.reference == "nhits@1"
    assert registry.manifest("nhits@1") == stored
    assert registry.read(stored, "model.onnx") == GRAPH
    assert stored.files[0].size_bytes == len(GRAPH)
    assert registry.names() == ("nhits",)


def test_versions_count_up_and_stay(registry: ModelRegistry) -> None:
    with_versions(registry, 3)
    assert registry.versions("nhits") == (1, 2, 3)
    assert [
        registry.read(registry.manifest(f"nhits@{n}"), "model.onnx")[-1] for n in (1, 2, 3)
    ] == [
        0,
        1,
        2,
    ]


def test_unknown_names_versions_and_parts_say_what_there_is(registry: ModelRegistry) -> None:
    with_versions(registry, 2)
    with pytest.raises(ModelUnknown, match="no model 'lstm'; known are: nhits"):
        registry.manifest("lstm")
    with pytest.raises(
        ModelUnknown, match=r"no 'nhits@9'; nhits has the versions 1, 2, and no champion"
    ):
        registry.manifest("nhits@9")
    for reference in ("nhits", "nhits@challenger", "nhits@best", "nhits@-1", "nhits@"):
        with pytest.raises(ModelUnknown):
            registry.manifest(reference)


@pytest.mark.parametrize(
    "reference",
    ["../models/nhits@1", "./nhits@1", "nhits/../nhits@1", "\0", "n" * 5000, "nhits@" + "9" * 5000],
)
def test_reference_never_becomes_a_path_of_its_own(registry: ModelRegistry, reference: str) -> None:
    with_versions(registry, 1)
    with pytest.raises(ModelUnknown) as caught:
        registry.manifest(reference)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["", "Nhits", "a/b", "../x", "a@b", "-a", "a" * 64])
def test_name_that_is_no_folder_name_is_refused(registry: ModelRegistry, name: str) -> None:
    with pytest.raises(UsageError, match="no model name"):
        registry.register(a_manifest(name), {"model.onnx": GRAPH})
    assert registry.names() == ()


def test_promotion_and_rollback_walk_the_history(registry: ModelRegistry) -> None:
    with_versions(registry, 3)
    for version in (1, 2, 3):
        registry.promote(f"nhits@{version}", "champion", **said(f"try {version}"))
    assert registry.resolve("nhits") == ("nhits", 3)
    assert registry.rollback("nhits", **said()).champion == 2
    assert registry.rollback("nhits", **said()).champion == 1
    with pytest.raises(ModelRefused, match="no other champion"):
        registry.rollback("nhits", **said())
    registry.promote("nhits@3", "champion", **said())
    assert registry.rollback("nhits", **said()).champion == 1
    history = registry.history("nhits")
    assert [each.sequence for each in history] == list(range(1, 8))
    assert [each.champion for each in history] == [1, 2, 3, 2, 1, 3, 1]
    assert history[0].why == "try 1"
    assert {each.by for each in history} == {"me"}


def test_a_version_plays_one_part(registry: ModelRegistry) -> None:
    with_versions(registry, 2)
    registry.promote("nhits@1", "champion", **said())
    registry.promote("nhits@2", "challenger", **said())
    assert registry.resolve("nhits@challenger") == ("nhits", 2)
    after = registry.promote("nhits@2", "champion", **said())
    assert (after.champion, after.challenger) == (2, None)
    after = registry.promote("nhits@2", "archived", **said())
    assert (after.champion, after.archived) == (None, (2,))
    assert after.part_of(2) == "archived"
    assert registry.promote("nhits@2", "champion", **said()).archived == ()


def test_model_that_does_not_beat_naive_needs_force(registry: ModelRegistry) -> None:
    registry.register(a_manifest(beats_naive=False), {"model.onnx": GRAPH})
    with pytest.raises(ModelRefused, match="does not beat the naive forecast"):
        registry.promote("nhits@1", "champion", **said())
    assert registry.history("nhits") == ()
    assert registry.promote("nhits@1", "challenger", **said()).challenger == 1
    assert registry.promote("nhits@1", "champion", force=True, **said()).champion == 1


def test_alarm_in_service_blocks_promotion(registry: ModelRegistry) -> None:
    with_versions(registry, 1)
    report = MonitorReport(
        forecasts=200,
        coverage={"0.8": 0.5},
        input_drift={},
        error_ratio=1.0,
        alerts=("the 80 % interval covered 50 %",),
        updated_at=1,
    )
    assert registry.report("nhits@1") is None
    registry.write_report("nhits@1", report)
    assert registry.report("nhits@1") == report
    with pytest.raises(ModelRefused, match="covered 50 %"):
        registry.promote("nhits@1", "champion", **said())
    registry.write_report("nhits@1", msgspec.structs.replace(report, alerts=()))
    assert registry.promote("nhits@1", "champion", **said()).champion == 1


def test_split_of_the_traffic_ends_with_a_new_champion(registry: ModelRegistry) -> None:
    with_versions(registry, 2)
    registry.promote("nhits@1", "champion", **said())
    assert registry.split("nhits", {1: 0.9, 2: 0.1}, **said()).weights == {1: 0.9, 2: 0.1}
    assert registry.promote("nhits@2", "challenger", **said()).weights == {1: 0.9, 2: 0.1}
    assert registry.promote("nhits@2", "champion", **said()).weights == {}
    for wrong in ({1: 0.5}, {1: 1.5, 2: -0.5}):
        with pytest.raises(UsageError, match="add up to 1"):
            registry.split("nhits", wrong, **said())
    with pytest.raises(ModelUnknown):
        registry.split("nhits", {9: 1.0}, **said())


def test_changed_or_lost_graph_is_refused_by_name(tmp_path: Path) -> None:
    registry = with_versions(ModelRegistry(str(tmp_path)), 1)
    manifest = registry.manifest("nhits@1")
    place = tmp_path / "files" / manifest.files[0].sha256
    place.write_bytes(b"another graph")
    with pytest.raises(ModelCorrupt, match=r"nhits@1: model.onnx is not what was registered"):
        registry.read(manifest, "model.onnx")
    place.unlink()
    with pytest.raises(ModelCorrupt, match=r"nhits@1: model.onnx is missing"):
        registry.read(manifest, "model.onnx")
    with pytest.raises(ModelUnknown, match=r"has no model\.int8\.onnx"):
        registry.read(manifest, "model.int8.onnx")


def test_damaged_manifest_is_refused_by_name(tmp_path: Path) -> None:
    registry = with_versions(ModelRegistry(str(tmp_path)), 1)
    place = tmp_path / "models/nhits/versions/000001.json"
    place.write_text(json.dumps({"name": "nhits"}))
    with pytest.raises(ModelCorrupt, match=r"000001.json is damaged"):
        registry.manifest("nhits@1")


def test_version_without_a_manifest_is_not_visible(tmp_path: Path) -> None:
    """What a writer leaves that was killed before its last step."""
    registry = ModelRegistry(str(tmp_path))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / ".abc.1.2.part").write_bytes(b"half")
    versions = tmp_path / "models/nhits/versions"
    versions.mkdir(parents=True)
    (versions / ".000001.json.1.2.part").write_bytes(b"{")
    assert registry.names() == ()
    with pytest.raises(ModelUnknown):
        registry.manifest("nhits@1")
    assert registry.register(a_manifest(), {"model.onnx": GRAPH}).version == 1


def _register_many(folder: str, writer: int) -> None:
    registry = ModelRegistry(folder)
    for number in range(10):
        content = f"{writer}/{number}".encode()
        stored = registry.register(
            a_manifest(parameters={"content": content.decode()}), {"model.onnx": content}
        )
        registry.promote(stored.reference, "champion", by=str(writer), why="", at=number)


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_register_many, args=(str(tmp_path), n)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(100)
        assert writer.exitcode == 0
    registry = ModelRegistry(str(tmp_path))
    assert registry.versions("nhits") == tuple(range(1, 41))
    manifests = [registry.manifest(f"nhits@{n}") for n in range(1, 41)]
    contents = [registry.read(m, "model.onnx").decode() for m in manifests]
    assert contents == [m.parameters["content"] for m in manifests]
    assert sorted(contents) == sorted(f"{w}/{n}" for w in range(4) for n in range(10))
    history = registry.history("nhits")
    assert [each.sequence for each in history] == list(range(1, 41))
    assert sorted(each.champion for each in history) == list(range(1, 41))


def _shipped(folder: Path) -> Path:
    place = folder / "nhits"
    place.mkdir(parents=True)
    (place / "manifest.json").write_bytes(msgspec.json.encode(a_manifest()))
    (place / "model.onnx").write_bytes(GRAPH)
    return folder


def test_shipped_model_is_there_at_once_and_once(tmp_path: Path) -> None:
    shipped = _shipped(tmp_path / "shipped")
    url = str(tmp_path / "registry")
    for _ in range(2):
        registry = open_registry(url, shipped)
        assert registry.versions("nhits") == (1,)
        assert registry.resolve("nhits") == ("nhits", 1)
        assert len(registry.history("nhits")) == 1
    registry.register(a_manifest(), {"model.onnx": b"mine"})
    registry.promote("nhits@2", "champion", **said())
    assert open_registry(url, shipped).resolve("nhits") == ("nhits", 2)


def test_seeding_that_was_killed_half_way_is_finished(tmp_path: Path) -> None:
    shipped = _shipped(tmp_path / "shipped")
    open_registry(str(tmp_path / "registry"), shipped)
    decision = tmp_path / "registry/models/nhits/aliases/000001.json"
    decision.unlink()
    assert open_registry(str(tmp_path / "registry"), shipped).resolve("nhits") == ("nhits", 1)


def test_own_model_of_that_name_is_not_made_champion(tmp_path: Path) -> None:
    shipped = _shipped(tmp_path / "shipped")
    url = str(tmp_path / "registry")
    ModelRegistry(url).register(a_manifest(), {"model.onnx": b"mine"})
    registry = open_registry(url, shipped)
    assert registry.versions("nhits") == (1,)
    assert registry.aliases("nhits").champion is None


def test_damaged_installation_says_so(tmp_path: Path) -> None:
    shipped = _shipped(tmp_path / "shipped")
    (shipped / "nhits" / "model.onnx").unlink()
    with pytest.raises(ModelCorrupt, match="install neural-trader again"):
        open_registry(str(tmp_path / "registry"), shipped)
