"""Over HTTP: a whole piece of work, two replicas, tokens, foreign hosts and pages."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.provider import AccessToken
from mcp.shared.exceptions import MCPError

from serve.auth.mcp_tokens import McpTokens
from serve.auth.protect import protect
from serve.desk.principal import Permission, Principal
from serve.mcp.mount import METADATA
from tests.serve.auth.door import a_door
from tests.serve.mcp.mcp_scene import BUY, LEGACY, MODERN, Person, Scene, code, facts
from tests.serve.mcp.serving import an_app, served

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = {"accept": "application/json, text/event-stream"}
PATIENT_S = 60.0


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, str, str]]:
    """Two replicas in front of one cluster."""
    scene = Scene(tmp_path_factory.mktemp("http"))
    with served(an_app(scene.desk)) as one, served(an_app(scene.desk)) as other:
        yield scene, f"{one}/mcp", f"{other}/mcp"


def test_whole_piece_of_work(replicas: tuple[Scene, str, str]) -> None:
    """Portfolio, forecast, backtest, simulate, trade with a yes, with a no, without an answer."""
    scene, url, _ = replicas
    seen: list[Any] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    async def work() -> None:
        person = Person()
        async with Client(url, elicitation_callback=person, mode=MODERN) as client:
            portfolio = facts(await client.call_tool("get_portfolio_status", {}))
            assert portfolio["source"] == "paper"
            forecast = facts(await client.call_tool("neural_forecast", {"symbol": "KO"}))
            assert forecast["model"]["id"] == "nhits@1"
            scene.jobs.progress = "3 of 4"
            given = {
                "strategy": "momentum", "symbol": "KO", "start_date": "2015-01-01", "end_date": "2016-12-31",
            }  # fmt: skip
            tested = facts(await client.call_tool("run_backtest", given, progress_callback=heard))
            assert tested["state"] == "done"
            simulated = facts(await client.call_tool("simulate_trade", BUY))
            assert simulated["is_allowed"]
            assert scene.sent() == []
            traded = facts(await client.call_tool("execute_trade", BUY))
            assert traded["status"] == "FILLED"
            for answer in ("decline", "cancel"):
                person.answer = answer
                assert code(await client.call_tool("execute_trade", BUY)) == "NOT_CONFIRMED"
            assert len(person.questions) == 3

    asyncio.run(work())
    assert len(scene.sent()) == 1
    (argv,) = [each[1] for each in scene.jobs.asked if each[0] == "backtest"]
    assert argv[0] == "momentum"
    assert "--symbols=KO" in argv


def test_question_at_one_replica_answer_at_the_other_replayed_at_both(
    replicas: tuple[Scene, str, str],
) -> None:
    scene, one, other = replicas
    before = len(scene.sent())

    async def work() -> list[Any]:
        async with Client(one, elicitation_callback=Person(), mode=MODERN) as client:
            asked = await client.session.call_tool("execute_trade", BUY, allow_input_required=True)
        assert isinstance(asked, types.InputRequiredResult)
        yes = types.ElicitResult(action="accept", content={"confirm": True})
        found = []
        for url in (other, one, other):
            async with Client(url, elicitation_callback=Person(), mode=MODERN) as client:
                found.append(
                    facts(
                        await client.session.call_tool(
                            "execute_trade",
                            BUY,
                            input_responses=dict.fromkeys(asked.input_requests or {}, yes),
                            request_state=asked.request_state,
                        )
                    )
                )
        return found

    found = asyncio.run(work())
    assert len(scene.sent()) == before + 1
    assert [each["is_repeated"] for each in found] == [False, True, True]


def test_older_client_reads_but_is_told_that_it_cannot_trade(
    replicas: tuple[Scene, str, str],
) -> None:
    scene, url, _ = replicas
    before = len(scene.sent())

    async def work() -> Any:
        async with Client(url, elicitation_callback=Person(), mode=LEGACY) as client:
            facts(await client.call_tool("get_portfolio_status", {}))
            return await client.call_tool("execute_trade", BUY)

    assert code(asyncio.run(work())) == "CONFIRMATION_IMPOSSIBLE"
    assert len(scene.sent()) == before


def test_id_of_the_request_reaches_the_order_and_the_trail(
    replicas: tuple[Scene, str, str],
) -> None:
    scene, url, _ = replicas

    async def work() -> Any:
        headers = {"x-correlation-id": "case-4711"}
        async with httpx.AsyncClient(headers=headers, timeout=PATIENT_S) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, elicitation_callback=Person(), mode=MODERN) as client:
                return facts(await client.call_tool("execute_trade", BUY))

    told = asyncio.run(work())
    assert scene.desk.audit.read(1)[0].correlation_id == "case-4711"
    story = scene.trading.story(told["client_order_id"])
    assert {step.correlation_id for step in story.steps} >= {"case-4711"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9"}, 200),
    ],
)
def test_foreign_names_and_pages_are_refused(
    replicas: tuple[Scene, str, str], headers: dict[str, str], status: int
) -> None:
    _, url, _ = replicas
    reply = httpx.post(url, json=HELLO, headers=ACCEPT | headers, timeout=PATIENT_S)
    assert reply.status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [("desk.example.org", 200), ("desk.example.org:8443", 200), ("else.example.org", 421)],
)
def test_names_of_ones_own_are_let_in(scene: Scene, host: str, status: int) -> None:
    with served(an_app(scene.desk, hosts=["desk.example.org"])) as url:
        reply = httpx.post(
            f"{url}/mcp", json=HELLO, headers=ACCEPT | {"host": host}, timeout=PATIENT_S
        )
    assert reply.status_code == status


def test_environment_says_which_tools_are_shown(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLSETS", "data")

    async def work() -> set[str]:
        async with Client(f"{url}/mcp", mode=MODERN) as client:
            return {each.name for each in (await client.list_tools()).tools}

    with served(an_app(scene.desk, toolsets=None)) as url:
        assert asyncio.run(work()) == {"get_bars", "list_symbols"}


def test_large_body_is_refused_and_the_host_goes_on(replicas: tuple[Scene, str, str]) -> None:
    _, url, _ = replicas
    big = HELLO | {"padding": "x" * 2_000_000}
    assert httpx.post(url, json=big, headers=ACCEPT, timeout=PATIENT_S).status_code == 413
    assert httpx.get(url.replace("/mcp", "/healthz"), timeout=PATIENT_S).json() == {"status": "ok"}


class Tokens:
    """Knows two tokens."""

    async def verify_token(self, token: str) -> AccessToken | None:
        scopes = {"trader": ["read", "trade:paper"], "reader": ["read"]}.get(token)
        if scopes is None:
            return None
        return AccessToken(token=token, client_id=token, scopes=scopes, subject=token)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, str]]:
    """A server that wants a token."""
    scene = Scene(tmp_path_factory.mktemp("closed"))
    app = an_app(scene.desk, verifier=Tokens(), url="https://desk.example.org")
    with served(app) as url:
        yield scene, url


def as_bearer(url: str, token: str, tool: str, arguments: dict[str, Any], person: Person) -> Any:
    async def work() -> Any:
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(headers=headers, timeout=PATIENT_S) as http:
            transport = streamable_http_client(f"{url}/mcp", http_client=http)
            async with Client(transport, elicitation_callback=person, mode=MODERN) as client:
                return await client.call_tool(tool, arguments)

    return asyncio.run(work())


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic dHJhZGVy", "Bearer"])
def test_without_a_good_token_it_is_401_and_says_where_to_get_one(
    closed: tuple[Scene, str], token: str
) -> None:
    _, url = closed
    headers = ACCEPT | ({"authorization": token} if token else {})
    reply = httpx.post(f"{url}/mcp", json=HELLO, headers=headers, timeout=PATIENT_S)
    assert reply.status_code == 401
    challenge = reply.headers["www-authenticate"]
    assert challenge.startswith("Bearer")
    assert f'resource_metadata="https://desk.example.org{METADATA}"' in challenge


def test_metadata_of_the_resource_is_public(closed: tuple[Scene, str]) -> None:
    _, url = closed
    told = httpx.get(f"{url}{METADATA}", timeout=PATIENT_S).json()
    assert told["resource"] == "https://desk.example.org/mcp"
    assert told["scopes_supported"] == ["read"]


def test_token_is_the_caller_and_its_scopes_are_what_they_may(closed: tuple[Scene, str]) -> None:
    scene, url = closed
    person = Person()
    assert code(as_bearer(url, "reader", "execute_trade", BUY, person)) == "PERMISSION_MISSING"
    assert person.questions == []
    facts(as_bearer(url, "trader", "execute_trade", BUY, person))
    assert len(scene.sent()) == 1
    assert scene.desk.audit.read(1)[0].actor == "trader"


def test_yes_under_another_token_is_refused(closed: tuple[Scene, str]) -> None:
    scene, url = closed
    before = len(scene.sent())

    async def traded(token: str, **more: Any) -> Any:
        async with httpx.AsyncClient(
            headers={"authorization": f"Bearer {token}"}, timeout=PATIENT_S
        ) as http:
            transport = streamable_http_client(f"{url}/mcp", http_client=http)
            async with Client(transport, elicitation_callback=Person(), mode=MODERN) as client:
                try:
                    return await client.session.call_tool(
                        "execute_trade", BUY, allow_input_required=True, **more
                    )
                except MCPError as error:
                    return str(error)

    async def work() -> None:
        asked = await traded("trader")
        yes = types.ElicitResult(action="accept", content={"confirm": True})
        answer = {
            "input_responses": dict.fromkeys(asked.input_requests, yes),
            "request_state": asked.request_state,
        }
        assert "requestState" in await traded("reader", **answer)

    asyncio.run(work())
    assert len(scene.sent()) == before


def test_key_of_a_program_opens_the_whole_door(tmp_path: Path) -> None:
    """Gate, verifier and tools as they are put together: the key is the caller, everywhere."""
    scene, door = Scene(tmp_path / "desk"), a_door(tmp_path).with_people()
    allowed = frozenset({Permission.READ, Permission.TRADE_PAPER})
    _, key = door.access.issue_key("bot", allowed, "test")
    verifier = McpTokens(door.access, "https://desk.example.org/mcp")
    app = an_app(scene.desk, guard=door.gate, verifier=verifier, url="https://desk.example.org")
    with served(protect(app, door.gate)) as url:
        assert (
            httpx.post(f"{url}/mcp", json=HELLO, headers=ACCEPT, timeout=PATIENT_S).status_code
            == 401
        )
        twice = json.dumps(HELLO).replace('"id": 1', '"id": 1, "id": 2')
        for body, status in ((json.dumps(HELLO), 200), (twice, 422), (twice[:-1], 400)):
            reply = httpx.post(
                f"{url}/mcp",
                content=body,
                headers={
                    **ACCEPT,
                    "authorization": f"Bearer {key}",
                    "content-type": "application/json",
                },
                timeout=PATIENT_S,
            )
            assert reply.status_code == status
        facts(as_bearer(url, key, "execute_trade", BUY, Person()))
        refused = as_bearer(
            url, key, "set_risk_limit", {"name": "x", "value": "1", "reason": "y"}, Person()
        )
        assert code(refused) in ("PERMISSION_MISSING", "TOOL_HIDDEN")
    door.access.close()
    assert len(scene.sent()) == 1
    assert "bot" in scene.desk.audit.read(2)[-1].actor


def test_guard_of_the_host_decides_where_there_is_no_verifier(tmp_path: Path) -> None:
    scene = Scene(tmp_path)

    def only_readers(scope: Any) -> Principal:
        return Principal(name="ann", permissions=frozenset({Permission.READ}), came_by="key")

    with served(an_app(scene.desk, guard=only_readers)) as url:

        async def work() -> Any:
            async with Client(f"{url}/mcp", elicitation_callback=Person(), mode=MODERN) as client:
                return await client.call_tool("execute_trade", BUY)

        assert code(asyncio.run(work())) == "PERMISSION_MISSING"
