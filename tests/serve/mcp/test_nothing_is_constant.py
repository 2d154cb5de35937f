"""No tool answers the same of two different clusters, and none of those that do not ask the cluster ignores its input."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from serve.desk.jobs import JobState
from serve.mcp.shelf import load_tools
from serve.mcp.tool import TOOLS
from tests.serve.mcp.calls import TRADE, VALID
from tests.serve.mcp.mcp_scene import Person, Scene, called, facts

load_tools()
OF_THE_CLUSTER = {
    "get_portfolio_status": {},
    "get_positions": {},
    "performance_report": VALID["performance_report"],
    "get_execution_analytics": {},
    "monitor_strategy_health": VALID["monitor_strategy_health"],
    "run_benchmark": {"strategy": "momentum"},
    "simulate_trade": TRADE,
    "list_orders": {},
    "get_risk_limits": {},
    "quick_analysis": VALID["quick_analysis"],
    "get_strategy_comparison": VALID["get_strategy_comparison"],
    "recommend_strategy": VALID["recommend_strategy"],
    "adaptive_strategy_selection": VALID["adaptive_strategy_selection"],
    "portfolio_rebalance": VALID["portfolio_rebalance"],
    "cross_asset_correlation_matrix": VALID["cross_asset_correlation_matrix"],
    "risk_analysis": {},
    "correlation_analysis": VALID["correlation_analysis"],
    "neural_evaluate": VALID["neural_evaluate"],
    "get_bars": VALID["get_bars"],
    "list_symbols": {},
}
"""Asked of a cluster, and again when its market has moved on and somebody has traded."""

OF_THE_INPUT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "get_system_metrics": ({"metrics": ["cpu"]}, {"metrics": ["memory"]}),
    "get_strategy_info": ({"strategy": "momentum"}, {"strategy": "pairs"}),
    "calculate_kelly_criterion": (
        {"probability": 0.6, "odds": 2.0, "bankroll": 1_000},
        {"probability": 0.6, "odds": 2.0, "bankroll": 1_000, "confidence": 0.5},
    ),
    "neural_forecast": ({"symbol": "KO"}, {"symbol": "JNJ"}),
    "neural_model_status": ({}, {"model_id": "nhits@1"}),
    "neural_predict_distributed": (
        {"cluster_id": "solo", "input_data": {"symbols": ["KO"]}},
        {"cluster_id": "solo", "input_data": {"symbols": ["JNJ"]}},
    ),
}
OF_THE_JOBS = {"get_report_card", "list_agents", "get_job", "list_jobs"}
OF_THE_SERVER = {"ping", "list_toolsets", "list_strategies", "neural_cluster_status", "get_order"}


def answer(scene: Scene, name: str, arguments: dict[str, Any], toolsets: str = "all") -> str:
    told = dict(facts(asyncio.run(called(scene.server(toolsets), name, arguments))))
    for unfair in ("as_of", "latency_ms"):
        told.pop(unfair, None)
    return json.dumps(told, sort_keys=True)


@pytest.fixture(scope="module")
def two_states(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, str]]:
    scene = Scene(tmp_path_factory.mktemp("states"))
    before = {name: answer(scene, name, given) for name, given in OF_THE_CLUSTER.items()}
    scene.trading.advance(12)
    facts(asyncio.run(called(scene.server(), "execute_trade", TRADE, Person())))
    scene.trading.advance(1)
    return before, {name: answer(scene, name, given) for name, given in OF_THE_CLUSTER.items()}


@pytest.mark.parametrize("name", sorted(OF_THE_CLUSTER))
def test_answer_follows_the_cluster(
    two_states: tuple[dict[str, str], dict[str, str]], name: str
) -> None:
    before, after = two_states
    assert before[name] != after[name]


@pytest.mark.parametrize("name", sorted(OF_THE_INPUT))
def test_answer_follows_the_input(scene: Scene, name: str) -> None:
    if name == "neural_predict_distributed" and "solo" not in _clusters(scene):
        made = {"name": "solo", "models": ["nhits@1"]}
        facts(asyncio.run(called(scene.server(), "neural_cluster_init", made)))
    one, other = OF_THE_INPUT[name]
    if name == "neural_model_status":
        before = answer(scene, name, {})
        answer(scene, "neural_forecast", {"symbol": "KO"})
        assert answer(scene, name, {}) != before or '"is_loaded": true' in before
        return
    assert answer(scene, name, one) != answer(scene, name, other)


def _clusters(scene: Scene) -> list[str]:
    from serve.mcp.committees import Committees

    return Committees(scene.desk.forecasts.registry).names()


@pytest.mark.parametrize("name", ["get_report_card", "list_agents"])
def test_answer_is_what_the_job_said(scene: Scene, name: str) -> None:
    found = set()
    for said in ({"name": "calm"}, {"name": "wild"}):
        scene.jobs.result = said
        found.add(answer(scene, name, VALID[name]))
    assert len(found) == 2
    scene.jobs.result = {"ok": True}


def test_job_is_told_as_it_stands(scene: Scene) -> None:
    scene.jobs.state = JobState.RUNNING
    started = facts(asyncio.run(called(scene.server(), "list_agents", {"wait_seconds": 0})))
    scene.jobs.state = JobState.DONE
    assert started["state"] == "running"
    assert started["job_id"] in started["next_step"]
    ended = facts(asyncio.run(called(scene.server(), "cancel_job", {"job_id": started["job_id"]})))
    assert ended["state"] == "canceled"
    assert answer(scene, "list_jobs", {"limit": 1}) != answer(scene, "list_jobs", {})


def test_ping_tells_the_market_time_of_the_cluster(fresh: Scene) -> None:
    told = [facts(asyncio.run(called(fresh.server(), "ping", {}))) for _ in range(2)]
    fresh.trading.advance(1)
    told.append(facts(asyncio.run(called(fresh.server(), "ping", {}))))
    assert told[0] == told[1]
    assert told[1]["as_of"] < told[2]["as_of"]


def test_toolsets_are_told_as_this_server_shows_them(scene: Scene) -> None:
    assert answer(scene, "list_toolsets", {}) != answer(scene, "list_toolsets", {}, "")


def test_strategies_are_told_as_the_cluster_runs_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    before = answer(scene, "list_strategies", {})
    scene.trading.go_down()
    assert answer(scene, "list_strategies", {}) != before


def test_order_is_told_as_it_stands(fresh: Scene) -> None:
    waiting = TRADE | {"order_type": "limit", "limit_price": 50, "time_in_force": "gtc"}
    made = facts(asyncio.run(called(fresh.server(), "execute_trade", waiting, Person())))
    order = {"client_order_id": made["client_order_id"]}
    before = answer(fresh, "get_order", order)
    asyncio.run(called(fresh.server(), "cancel_order", order))
    fresh.trading.advance(1)
    assert answer(fresh, "get_order", order) != before


def test_cluster_of_models_is_told_as_it_stands(fresh: Scene) -> None:
    server = fresh.server()
    asyncio.run(called(server, "neural_cluster_init", {"name": "one", "models": ["nhits@1"]}))
    before = answer(fresh, "neural_cluster_status", {"cluster_id": "one"})
    asked = {"cluster_id": "one", "input_data": {"symbols": ["KO"]}}
    facts(asyncio.run(called(server, "neural_predict_distributed", asked)))
    assert answer(fresh, "neural_cluster_status", {"cluster_id": "one"}) != before


def test_every_tool_that_reads_is_in_one_of_the_lists() -> None:
    lists = [OF_THE_CLUSTER, OF_THE_INPUT, OF_THE_JOBS, OF_THE_SERVER]
    assert {name for each in lists for name in each} == {
        name for name, spec in TOOLS.items() if not spec.changes
    }
