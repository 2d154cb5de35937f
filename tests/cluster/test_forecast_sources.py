"""From the configuration to strategies that trade on a model: beside them, and through a source."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.blueprint import Blueprint, build
from actors.forecast_calls import ask_model
from actors.forecast_sessions import port_of
from actors.local_bus import LocalBus
from actors.models.in_service import put_down
from actors.models.manifest import InputBins
from actors.models.registry import ModelRegistry
from actors.runner import Runner
from actors.simulation.memory_journal import Disk, MemoryJournal
from cluster.config import Config, load_config
from cluster.launch import blueprint_of, plan_of
from cluster.topology import place
from trading.effects import AskModel, ReportModel
from trading.errors import ConfigError, ModelRefused, ModelUnknown, UsageError
from trading.forecasting.conformal import Calibration
from trading.identifiers import MachineName, machine_name
from trading.outcomes import Outcome
from trading.values import NANOS_PER_SECOND

EXAMPLE = Path(__file__).parents[2] / "examples" / "neural.toml"
START_NS = 1_700_000_000 * NANOS_PER_SECOND
SYMBOLS = "AAPL,BAC,JNJ,KO,MSFT,XOM"
SECRET = b"a secret of the tests, 32 bytes."


@pytest.fixture
def registry(tmp_path: Path, register_trend: Callable[..., Any]) -> ModelRegistry:
    registry = ModelRegistry(str(tmp_path / "models"))
    register_trend(registry)
    return registry


@pytest.fixture
def configured(
    registry: ModelRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Config]:
    def load(**env: str) -> Config:
        given = {"MODELS__FOLDER": registry.url, "DATA__DAYS": "60", "DATA__SYMBOLS": SYMBOLS}
        for name, value in (given | env).items():
            monkeypatch.setenv(f"TRADER_{name}", value)
        return load_config(EXAMPLE)

    return load


def test_example_says_which_version_it_will_trade_on(
    configured: Callable[..., Config], registry: ModelRegistry
) -> None:
    plan = plan_of(configured(), {})
    assert {s.strategy_id: s.forecaster for s in plan.blueprint.strategies} == {
        "in_lane": "nhits@1",
        "from_source": "autoregression",
    }
    (source,) = plan.blueprint.forecasts
    assert (source.name, source.model, source.input_size) == ("desk", "nhits@1", 12)
    assert (source.horizon_bars, source.valid_bars, source.timeout_ns) == (5, 1, NANOS_PER_SECOND)
    assert plan.blueprint.models.url == registry.url
    host = next(host for host in plan.hosts if "forecast:desk" in host.machines)
    assert host.machines == ("forecast:desk",)  # a model shares no process with an order


def test_version_of_a_plan_does_not_change_with_the_champion(
    configured: Callable[..., Config],
    registry: ModelRegistry,
    register_trend: Callable[..., Any],
) -> None:
    blueprint = blueprint_of(configured())
    register_trend(registry)
    registry.promote("nhits@2", "champion", by="t", why="better", at=2)
    machine = build(blueprint, machine_name("strategy", "in_lane"), SECRET)()
    assert machine.view()["forecaster"] == "nhits@1"
    assert blueprint_of(configured()).forecasts[0].model == "nhits@2"


def test_service_is_asked_for_what_is_champion_at_the_question(
    configured: Callable[..., Config],
) -> None:
    config = configured(FORECASTS__DESK__URL="http://127.0.0.1:8000")
    (source,) = blueprint_of(config).forecasts
    assert (source.model, source.url) == ("nhits@champion", "http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("env", "error", "words"),
    [
        ({"FORECASTS__DESK__MODEL": "oracle"}, ModelUnknown, "no model 'oracle'; known are: nhits"),
        ({"FORECASTS__DESK__HORIZON_BARS": "9"}, ConfigError, "nhits@1 reaches 5 bars"),
        ({"STRATEGIES__IN_LANE__FORECASTER": "oracle"}, UsageError, "no forecaster 'oracle'"),
        ({"STRATEGIES__IN_LANE__FORECASTER": "nhits@7"}, UsageError, "no 'nhits@7'"),
    ],
)
def test_wrong_model_is_refused_before_anything_starts(
    configured: Callable[..., Config], env: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        plan_of(configured(**env), {})


def run(blueprint: Blueprint, on_report: Callable[[ReportModel], None] | None = None) -> LocalBus:
    """Trade the whole replay in this process, with the real model and a perfect network."""
    disk = Disk()
    bus = LocalBus(START_NS)
    (plan,) = blueprint.forecasts
    port = port_of(plan, blueprint.models)

    def answer(ask: AskModel, now: int) -> Outcome:
        # The bus says what is late; how long this machine really takes counts for nothing.
        unhurried = msgspec.structs.replace(ask, timeout_ns=60 * NANOS_PER_SECOND)
        return asyncio.run(ask_model(port, unhurried, lambda: now))

    def maker(name: MachineName) -> Callable[[], Runner]:
        factory = build(blueprint, name, SECRET)
        return lambda: Runner({name: factory}, MemoryJournal(disk), holder="test")

    bus.answer, bus.on_report = answer, on_report
    for name in blueprint.machines():
        bus.add_host(str(name), frozenset({name}), maker(name))
    bus.start()
    replay = blueprint.name("replay")
    assert bus.run(lambda: bool(bus.machine(replay).view()["finished"]), 600 * NANOS_PER_SECOND)
    return bus


def test_both_strategies_of_the_example_trade(configured: Callable[..., Config]) -> None:
    bus = run(blueprint_of(configured(DATA__PACE_SLICES_PER_S="8")))
    in_lane = bus.machine(machine_name("strategy", "in_lane")).view()
    from_source = bus.machine(machine_name("strategy", "from_source")).view()
    source = bus.machine(machine_name("forecast", "desk")).view()
    assert (in_lane["disabled"], from_source["disabled"]) == ("", "")
    assert in_lane["orders_sent"] > 5
    assert from_source["orders_sent"] > 5
    assert (in_lane["forecaster"], from_source["forecaster"]) == ("nhits@1", "")
    assert source["answered_by"] == "nhits@1"
    assert source["asked"] == source["published"] >= 59
    assert (source["late"], source["failed"]) == (0, 0)
    assert source["facts"] == 6 * source["published"] == from_source["published"]["heard"]


def test_inputs_unlike_those_of_the_training_block_the_promotion(
    configured: Callable[..., Config], registry: ModelRegistry, trend_model: Callable[..., Any]
) -> None:
    manifest, files = trend_model("nhits")
    others = InputBins(edges=(5.0, 6.0), shares=(0.2, 0.3, 0.5))  # trends as no stock has them
    made = registry.register(msgspec.structs.replace(manifest, inputs={"trend": others}), files)
    registry.promote(made.reference, "champion", by="t", why="better", at=2)
    blueprint = blueprint_of(configured(DATA__PACE_SLICES_PER_S="8"))
    bus = run(blueprint, lambda effect: put_down(registry, effect.reference, effect.report))
    watch = bus.machine(machine_name("forecast", "desk")).view()["watch"]
    assert watch["model"] == "nhits@2"
    assert watch["forecasts"] == 6 * (watch["moments"])
    assert watch["moments"] >= 54
    with pytest.raises(ModelRefused, match=r"nhits@2 has an alarm \(The input trend"):
        registry.promote("nhits@2", "champion", by="t", why="again", at=3)
    registry.promote("nhits@1", "champion", by="t", why="nobody complains of it", at=4)


def test_source_expects_what_the_manifest_says(
    configured: Callable[..., Config], registry: ModelRegistry, trend_model: Callable[..., Any]
) -> None:
    manifest, files = trend_model("nhits")
    facts = {
        "metrics": {"pinball_in_deviations": 0.4},
        "calibration": Calibration(windows=1, grid=(1.0,), scores=(((0.0,),),)),
    }
    registry.register(msgspec.structs.replace(manifest, **facts), files)
    registry.promote("nhits@2", "champion", by="t", why="better", at=2)
    (near,) = blueprint_of(configured()).forecasts
    assert (near.expected.model, near.expected.loss) == ("nhits@2", 0.4)
    assert near.expected.is_adaptive


def test_strategies_do_not_trade_on_bars_of_the_training(
    configured: Callable[..., Config], registry: ModelRegistry, register_trend: Callable[..., Any]
) -> None:
    register_trend(registry, last_ts=START_NS)  # later than every bar of the replay
    registry.promote("nhits@2", "champion", by="t", why="newer", at=2)
    bus = run(blueprint_of(configured(DATA__PACE_SLICES_PER_S="8")))
    for name in ("in_lane", "from_source"):
        assert bus.machine(machine_name("strategy", name)).view()["orders_sent"] == 0
    assert bus.machine(machine_name("forecast", "desk")).view()["asked"] == 0


def test_source_can_be_placed_by_hand() -> None:
    machines = tuple(MachineName(name) for name in ("forecast:a", "forecast:b", "book:paper"))
    homes = {
        p.name: p.machines
        for p in place(machines, {"x": ("forecast:a", "book"), "y": ("forecast:b",)})
    }
    assert homes == {"x": ("forecast:a", "book:paper"), "y": ("forecast:b",)}


def test_status_tells_how_the_questions_of_a_source_ended(
    configured: Callable[..., Config],
) -> None:
    from cluster.cli.observe import _facts
    from serve.desk.view import ClusterSnapshot

    config = configured()
    bus = run(blueprint_of(config))
    view = bus.machine(machine_name("forecast", "desk")).view()
    facts = _facts(config, ClusterSnapshot(machines={"forecast:desk": view}))
    asked, late = view["asked"], view["late"]
    assert facts["forecasts desk"] == (
        f"nhits@1: {asked} asked, {view['published']} published, {late} late, 0 failed"
        f"; 80 % held {view['watch']['coverage']['0.8']:.0%}, {len(view['watch']['alerts'])} alerts"
    )
