"""Resources and prompts."""

import asyncio
import json
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from serve.desk.principal import Permission
from tests.serve.mcp.mcp_scene import Scene, called, connected, facts

URIS = [
    "portfolio://status",
    "risk://limits",
    "strategies://available",
    "neural://models",
    "jobs://recent",
    "neural://forecasts/KO",
    "agents://calm/card",
]


def read(scene: Scene, uri: str, permissions: frozenset[Permission] = frozenset(Permission)) -> Any:
    async def work() -> str:
        async with connected(scene.server("", permissions)) as client:
            (content,) = (await client.read_resource(uri)).contents
            return content.text

    return json.loads(asyncio.run(work()))


def refusal(
    scene: Scene, uri: str, permissions: frozenset[Permission] = frozenset(Permission)
) -> str:
    async def work() -> str:
        async with connected(scene.server("", permissions)) as client:
            with pytest.raises(MCPError) as raised:
                await client.read_resource(uri)
            return str(raised.value)

    return asyncio.run(work())


@pytest.mark.parametrize("uri", URIS)
def test_resource_is_read(scene: Scene, uri: str) -> None:
    assert read(scene, uri)


def test_portfolio_is_that_of_the_cluster(fresh: Scene) -> None:
    before = read(fresh, "portfolio://status")
    fresh.trading.advance(5)
    assert read(fresh, "portfolio://status")["as_of"] > before["as_of"]


def test_job_is_read_by_its_id(scene: Scene) -> None:
    made = facts(asyncio.run(called(scene.server(), "list_agents", {})))
    assert read(scene, f"jobs://{made['job_id']}")["job_id"] == made["job_id"]


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("neural://forecasts/NOPE", "NOT_FOUND"),
        ("jobs://nobody-knows", "NOT_FOUND"),
        ("agents://..%2F..%2Fetc/card", ""),
        ("nothing://at/all", ""),
    ],
)
def test_what_is_not_there_is_an_error_with_a_code(scene: Scene, uri: str, told: str) -> None:
    assert told in refusal(scene, uri)


def test_who_may_not_read_reads_nothing(scene: Scene) -> None:
    trader = frozenset({Permission.TRADE_PAPER})
    assert "PERMISSION_MISSING" in refusal(scene, "portfolio://status", trader)


def test_resources_and_prompts_are_listed(scene: Scene) -> None:
    async def work() -> tuple[set[str], set[str], set[str]]:
        async with connected(scene.server("")) as client:
            return (
                {str(each.uri) for each in (await client.list_resources()).resources},
                {
                    each.uri_template
                    for each in (await client.list_resource_templates()).resource_templates
                },
                {each.name for each in (await client.list_prompts()).prompts},
            )

    resources, templates, prompts = asyncio.run(work())
    assert resources == set(URIS[:5])
    assert templates == {"neural://forecasts/{symbol}", "jobs://{job_id}", "agents://{name}/card"}
    assert prompts == {"research", "risk_review", "post_mortem"}


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("research", {"symbol": "KO"}, "Research KO"),
        ("risk_review", {}, "risk_analysis"),
        ("post_mortem", {"subject": "order 7"}, "order 7"),
    ],
)
def test_prompt_names_tools_that_exist(
    scene: Scene, name: str, arguments: dict[str, str], said: str
) -> None:
    async def work() -> str:
        async with connected(scene.server("")) as client:
            (message,) = (await client.get_prompt(name, arguments)).messages
            return message.content.text

    text = asyncio.run(work())
    assert said in text
    assert "untrusted" in text
