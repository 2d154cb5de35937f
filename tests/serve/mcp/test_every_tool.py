"""Every tool over a simulated cluster: what works has provenance and fits its schema, what does not has a code."""

import asyncio
from datetime import datetime
from typing import Any

import jsonschema
import pytest

from serve.mcp.shelf import load_tools
from serve.mcp.tool import TOOLS
from serve.mcp.toolsets import Toolset
from tests.serve.mcp.calls import JOB, ORDER, TRADE, VALID, WRONG
from tests.serve.mcp.mcp_scene import Person, Scene, called, code, connected, facts

load_tools()
SOURCES = {"live", "paper", "computed", "registry"}


def with_ids(scene: Scene, arguments: dict[str, Any]) -> dict[str, Any]:
    """Put the ids of a working order and of a job where they are wanted."""
    found = dict(arguments)
    if found.get("client_order_id") == ORDER:
        waiting = TRADE | {"order_type": "limit", "limit_price": 50, "time_in_force": "gtc"}
        made = asyncio.run(called(scene.server(), "execute_trade", waiting, Person()))
        found["client_order_id"] = facts(made)["client_order_id"]
    if found.get("job_id") == JOB:
        made = asyncio.run(called(scene.server(), "list_agents", {}))
        found["job_id"] = facts(made)["job_id"]
    return found


def test_every_tool_has_a_call() -> None:
    assert VALID.keys() == TOOLS.keys()
    takes_something_wrong = {"ping", "get_portfolio_status", "list_orders", "cancel_all_orders"}
    takes_something_wrong |= {"get_risk_limits", "list_strategies", "list_agents", "sandbox_status"}
    takes_something_wrong |= {"list_symbols", "list_jobs", "list_toolsets"}
    assert {name for name, _, _ in WRONG} == TOOLS.keys() - takes_something_wrong


def test_tools_work_one_after_another(fresh: Scene) -> None:
    """In this order: what is stopped by one is let go on by the next."""
    schemas = {}

    async def listed() -> None:
        async with connected(fresh.server()) as client:
            for each in (await client.list_tools()).tools:
                schemas[each.name] = each.output_schema

    asyncio.run(listed())
    for name, arguments in VALID.items():
        given = with_ids(fresh, arguments)
        result = asyncio.run(called(fresh.server(), name, given, Person()))
        told = facts(result)
        assert told["source"] in SOURCES, name
        assert datetime.fromisoformat(told["as_of"]).utcoffset() is not None, name
        assert schemas[name] is not None, name
        jsonschema.validate(told, schemas[name])
        assert told.keys() == schemas[name]["properties"].keys(), name
        if "use_gpu" in TOOLS[name].parameters:
            assert told["processing"]["why"], name
        if name == "kill_switch":
            facts(
                asyncio.run(
                    called(fresh.server(), "resume_trading", {"reason": "drill over"}, Person())
                )
            )


@pytest.mark.parametrize(("name", "arguments", "told"), WRONG)
def test_wrong_input_is_refused_with_a_code_and_a_sentence(
    scene: Scene, name: str, arguments: dict[str, Any], told: str
) -> None:
    before = len(scene.sent()), len(scene.jobs.asked)
    result = asyncio.run(called(scene.server(), name, arguments, Person()))
    assert code(result) == told
    text = result.structured_content["message"]
    assert len(text) > 20, text
    assert "Traceback" not in text
    assert (len(scene.sent()), len(scene.jobs.asked)) == before


@pytest.mark.parametrize(
    ("name", "arguments", "hint"),
    [
        ("get_positions", {"strategy": "trendy"}, "trend"),
        ("get_strategy_info", {"strategy": "momentun"}, "momentum"),
        ("quick_analysis", {"symbl": "KO"}, "symbol"),
        (
            "set_risk_limit",
            {"name": "max_ordr_value", "value": "1", "reason": "x"},
            "max_order_value",
        ),
        ("get_portfolio", {}, "get_portfolio_status"),
    ],
)
def test_refusal_names_what_is_nearest(
    scene: Scene, name: str, arguments: dict[str, Any], hint: str
) -> None:
    result = asyncio.run(called(scene.server(), name, arguments, Person()))
    assert f"did you mean {hint}?" in result.structured_content["message"]


def test_cluster_that_is_down_is_said_so(fresh: Scene) -> None:
    fresh.trading.go_down()
    server = fresh.server()
    assert code(asyncio.run(called(server, "get_portfolio_status", {}))) == "CLUSTER_UNREACHABLE"
    assert (
        code(asyncio.run(called(server, "execute_trade", TRADE, Person()))) == "CLUSTER_UNREACHABLE"
    )
    told = facts(asyncio.run(called(server, "ping", {})))
    assert "no cluster" in told["reason"]
    fresh.trading.go_down(is_down=False)
    facts(asyncio.run(called(server, "get_portfolio_status", {})))


def test_failure_that_is_none_of_ours_says_nothing_but_an_id(
    fresh: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise RuntimeError("secret-canary-in-a-traceback")

    monkeypatch.setattr(fresh.trading, "snapshot", broken)
    result = asyncio.run(called(fresh.server(), "get_portfolio_status", {}))
    assert code(result) == "FAILED"
    assert "canary" not in str(result)


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_descriptions_and_annotations_say_what_it_does(name: str) -> None:
    spec = TOOLS[name]
    hints = spec.annotations
    assert 15 < len(spec.description) < 260
    assert spec.description.endswith(".")
    assert hints.read_only_hint is not spec.changes
    if spec.is_confirmed:
        assert hints.destructive_hint
        assert not hints.read_only_hint
    assert spec.toolset is not Toolset.CORE or name == "list_toolsets"
