"""Few tools are shown, and what is not shown cannot be called."""

import asyncio
import json
from typing import Any

import pytest

from serve.mcp.shelf import load_tools
from serve.mcp.tool import TOOLS
from serve.mcp.toolsets import Toolset, toolsets_of
from tests.serve.mcp.mcp_scene import BUY, Person, Scene, called, code, connected, facts
from trading.errors import UsageError

load_tools()
CHARACTERS_PER_TOKEN = 4
"""Of JSON in English, about; no tokenizer is asked."""


def listed(scene: Scene, toolsets: str) -> list[Any]:
    async def work() -> list[Any]:
        async with connected(scene.server(toolsets)) as client:
            return list((await client.list_tools()).tools)

    return asyncio.run(work())


def test_default_set_fits_into_a_context(scene: Scene) -> None:
    tools = listed(scene, "")
    text = json.dumps(
        [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in tools]
    )
    assert len(tools) <= 25
    assert len(text) / CHARACTERS_PER_TOKEN <= 8_000


def test_default_set_carries_a_whole_piece_of_work(scene: Scene) -> None:
    names = {each.name for each in listed(scene, "")}
    assert {
        "get_portfolio_status", "neural_forecast", "run_backtest", "simulate_trade", "execute_trade",
        "get_job", "list_toolsets", "kill_switch",
    } <= names  # fmt: skip


def test_all_shows_everything_once(scene: Scene) -> None:
    names = [each.name for each in listed(scene, "all")]
    assert len(names) == len(set(names))
    assert set(names) == TOOLS.keys()


def test_toolsets_show_their_own(scene: Scene) -> None:
    names = {each.name for each in listed(scene, "neural, jobs")}
    assert names == {
        spec.name for spec in TOOLS.values() if spec.toolset in (Toolset.NEURAL, Toolset.JOBS)
    }


def test_hidden_tool_called_by_name_is_refused_and_does_nothing(scene: Scene) -> None:
    person = Person()
    result = asyncio.run(called(scene.server("portfolio"), "execute_trade", BUY, person))
    assert code(result) == "TOOL_HIDDEN"
    assert "trading" in result.structured_content["message"]
    assert person.questions == []
    assert scene.sent() == []
    assert scene.audited()[-1] == ("mcp execute_trade", "TOOL_HIDDEN")


def test_tool_that_does_not_exist_is_refused(scene: Scene) -> None:
    assert code(asyncio.run(called(scene.server(), "rm_rf", {}))) == "TOOL_UNKNOWN"


def test_list_toolsets_tells_what_is_hidden_and_how_to_show_it(scene: Scene) -> None:
    told = facts(asyncio.run(called(scene.server(""), "list_toolsets", {})))
    by_name = {each["name"]: each for each in told["toolsets"]}
    assert set(by_name) == set(Toolset)
    assert by_name["core"]["hidden"] == []
    assert "neural_train" in by_name["neural"]["hidden"]
    assert "TOOLSETS" in told["how"]


@pytest.mark.parametrize(
    ("text", "found"),
    [("", {Toolset.CORE}), ("all", set(Toolset)), ("Risk,DATA", {Toolset.RISK, Toolset.DATA})],
)
def test_names_are_read(text: str, found: set[Toolset]) -> None:
    assert toolsets_of(text) == found


def test_name_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean trading"):
        toolsets_of("core,tradng")
