"""Every MCP tool against a living cluster, and a trade that waits for a person's yes."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serve.desk.front_desk import FrontDesk
from serve.desk.principal import ALL, Principal
from serve.mcp.call import DeskHolder
from serve.mcp.server import DeskServer, build_server
from serve.mcp.toolsets import toolsets_of
from tests.ray.test_front_desk import desk_of, risk_has_seen_prices, submissions
from tests.serve.mcp.calls import JOB, ORDER, TRADE, VALID
from tests.serve.mcp.mcp_scene import Person, ScriptedJobs, called, facts
from tests.serve.simulated_desk import front_desk

Cluster = Any

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300), pytest.mark.usefixtures("patient_desk")]

ANN = Principal(name="ann", permissions=ALL, came_by="stdio")
LAST = ("pause_trading", "resume_trading", "kill_switch")
"""After these the others would be refused."""
RESTING = TRADE | {"order_type": "limit", "limit_price": "1.5", "time_in_force": "gtc"}
HERE = {'"trend"': '"momentum"', '"reversion"': '"mean_reversion"', "JNJ": "XOM"}
"""What the scene of the other tests runs and trades has other names in this cluster."""


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """The replay outlasts the test, and begins after what the shipped model was trained on."""
    made = make_cluster(data={"days": 1_000, "pace_slices_per_s": 5.0})
    made.wait(risk_has_seen_prices, "risk to see prices")
    return made


@pytest.fixture
def desk(cluster: Cluster, tmp_path: Path) -> FrontDesk:
    """The desk that trades; jobs alone are scripted, they have tests of their own."""
    made = front_desk(tmp_path, trading=desk_of(cluster))
    jobs = ScriptedJobs()
    jobs.start("backtest", ["momentum"], ANN)
    return replace(made, jobs=jobs)


def server_of(desk: FrontDesk) -> DeskServer:
    return build_server(DeskHolder(lambda: desk), lambda _: ANN, toolsets=toolsets_of("all"))


def test_every_tool_answers_about_the_cluster_that_runs(desk: FrontDesk) -> None:
    server, person = server_of(desk), Person()

    async def work() -> dict[str, Any]:
        found = {}
        for name in [*(each for each in VALID if each not in LAST), *LAST]:
            arguments = _meant(VALID[name])
            if ORDER in arguments.values():
                placed = facts(await asked(server, "execute_trade", RESTING, person))
                arguments = {**arguments, "client_order_id": placed["client_order_id"]}
            result = await asked(server, name, arguments, person)
            assert not result.is_error, (name, result.content)
            found[name] = facts(result)
        return found

    found = asyncio.run(work())
    assert set(found) == set(VALID)
    assert found["get_portfolio_status"]["accounts"][0]["account"] == "DEMO"
    assert found["execute_trade"]["status"] == "FILLED"
    assert found["cancel_order"]["status"] == "CANCELED"
    assert all("as_of" in answer for answer in found.values())


def test_when_a_person_declines_the_exchange_hears_nothing_and_once_when_they_agree(
    cluster: Cluster, desk: FrontDesk
) -> None:
    server, named = server_of(desk), {"client_order_id": "one-and-only"}

    async def work() -> tuple[Any, Any, Any]:
        declined = await called(server, "execute_trade", TRADE | named, Person(answer="decline"))
        agreed = await asked(server, "execute_trade", TRADE | named, Person())
        again = await asked(server, "execute_trade", TRADE | named, Person())
        return declined, agreed, again

    declined, agreed, again = asyncio.run(work())
    assert declined.is_error
    assert "declined" in declined.content[0].text
    key = facts(agreed)["client_order_id"]
    assert facts(again)["client_order_id"] == key
    assert submissions(cluster, key) == 1


async def asked(server: DeskServer, name: str, arguments: dict[str, Any], person: Person) -> Any:
    """Call a tool, and again when a bar of the replay came between question and yes and moved the price too far."""
    while True:
        result = await called(server, name, arguments, person)
        if not (result.is_error and "nothing was sent, ask again" in result.content[0].text):
            return result


def _meant(arguments: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(arguments)
    for theirs, ours in HERE.items():
        text = text.replace(theirs, ours)
    found: dict[str, Any] = json.loads(text.replace(JOB, "job-1"))
    return found
