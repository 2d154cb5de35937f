"""The API over the machines that trade: one order for one key, traced from the request down to the fill."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve.desk.front_desk import FrontDesk
from serve.http.app import build_app
from tests.serve.simulated_desk import SimulatedDesk, front_desk
from trading.codec import decode
from trading.desk_facts import OrderRequested, requests_stream
from trading.events import OrderFilled
from trading.identifiers import account_stream

Send = Callable[..., httpx.Response]
BUY = {"symbol": "AAPL", "side": "BUY", "quantity": "3"}


@pytest.fixture
def real(tmp_path: Path) -> FrontDesk:
    return front_desk(tmp_path)


@pytest.fixture
def market(real: FrontDesk) -> SimulatedDesk:
    assert isinstance(real.trading, SimulatedDesk)
    return real.trading


@pytest.fixture
def send(real: FrontDesk) -> Send:
    app = build_app(real.forecasts, desk=real)

    def sent(method: str, path: str, **options: Any) -> httpx.Response:
        async def work() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
                return await client.request(method, path, **options)

        return asyncio.run(work())

    return sent


def ours(market: SimulatedDesk, reply: httpx.Response) -> list[Any]:
    """Return what the venue received of the order that a reply is about."""
    name = reply.json()["client_order_id"]
    return [each for each in market.exchange_orders() if each.client_order_id == name]


def journalled(market: SimulatedDesk, client_order_id: str) -> list[Any]:
    """Return the facts of an order, from the journal itself."""
    blueprint = market.link.blueprint
    streams = (
        requests_stream(blueprint.account_id),
        account_stream(blueprint.venue, blueprint.account_id),
    )
    found = []
    with market.link.journal() as journal:
        for stream in streams:
            for record in journal.read(stream, 0):
                fact = decode(record.payload)
                is_request = isinstance(fact, OrderRequested)
                order = fact.order if is_request else fact  # type: ignore[union-attr]
                if getattr(order, "client_order_id", None) == client_order_id:
                    found.append(fact)
    return found


def test_the_request_id_follows_the_order_down_to_the_fill(
    send: Send, market: SimulatedDesk
) -> None:
    headers = {"Idempotency-Key": "trace-1", "X-Correlation-Id": "mine-42"}
    reply = send("POST", "/v1/orders", json=BUY, headers=headers)
    assert (reply.status_code, reply.headers["x-correlation-id"]) == (201, "mine-42")
    name = reply.json()["client_order_id"]
    facts = journalled(market, name)
    assert isinstance(facts[0], OrderRequested)
    assert any(isinstance(fact, OrderFilled) for fact in facts)
    assert {fact.correlation_id for fact in facts} == {"mine-42"}
    story = send("GET", reply.headers["location"]).json()
    assert story["order"]["status"] == "FILLED"
    assert {step["correlation_id"] for step in story["steps"]} == {"mine-42"}
    fills = send("GET", "/v1/fills?symbol=AAPL&strategy=operator").json()["fills"]
    assert [Decimal(row["quantity"]) for row in fills] == [Decimal(3)]
    recorded = send("GET", "/v1/audit").json()["requests"][0]
    assert (recorded["correlation_id"], recorded["action"]) == ("mine-42", "POST /v1/orders")


def test_one_key_is_one_order_however_often_it_comes(send: Send, market: SimulatedDesk) -> None:
    headers = {"Idempotency-Key": "once"}
    first = send("POST", "/v1/orders", json=BUY, headers=headers)
    again = send("POST", "/v1/orders", json=BUY, headers=headers)
    assert [first.status_code, again.status_code] == [201, 201]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json() | {"is_repeated": True}
    assert len(ours(market, first)) == 1
    other = send("POST", "/v1/orders", json=BUY | {"quantity": "4"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "CONFLICT")
    assert len(ours(market, first)) == 1


def test_what_risk_denies_is_a_problem_and_never_reaches_the_venue(
    send: Send, market: SimulatedDesk
) -> None:
    before = len(market.exchange_orders())
    large = BUY | {"quantity": "100000000"}
    replies = [
        send("POST", "/v1/orders", json=large, headers={"Idempotency-Key": "large"})
        for _ in range(2)
    ]
    for reply in replies:
        assert (reply.status_code, reply.json()["code"]) == (422, "RISK_MAX_SHARES")
        assert "max_shares=5000" in reply.json()["detail"]
        assert reply.json()["client_order_id"]
    assert replies[1].headers["idempotent-replayed"] == "true"
    assert len(market.exchange_orders()) == before


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [({"symbol": "NOPE"}, 404, "NOT_FOUND"), ({"order_type": "LIMIT"}, 422, "USAGE")],
)
def test_an_order_that_makes_no_sense_never_reaches_the_venue(
    send: Send, market: SimulatedDesk, changes: dict[str, Any], status: int, code: str
) -> None:
    before = len(market.exchange_orders())
    reply = send("POST", "/v1/orders", json=BUY | changes, headers={"Idempotency-Key": "odd"})
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert len(market.exchange_orders()) == before


def test_a_working_order_is_changed_and_canceled(send: Send, market: SimulatedDesk) -> None:
    limit = BUY | {"order_type": "LIMIT", "limit_price": "1", "time_in_force": "GTC"}
    reply = send("POST", "/v1/orders", json=limit, headers={"Idempotency-Key": "rest"})
    assert reply.status_code == 201, reply.text
    where = reply.headers["location"]
    assert send("PATCH", where, json={"limit_price": "2"}).status_code in {200, 202}
    (row,) = send("GET", "/v1/orders?open=true&strategy=operator").json()["orders"]
    assert (row["client_order_id"], Decimal(row["limit_price"])) == (
        reply.json()["client_order_id"],
        Decimal(2),
    )
    assert send("DELETE", where).status_code in {200, 202}
    assert send("GET", where).json()["order"]["status"] == "CANCELED"


def test_the_kill_switch_stops_orders_until_it_is_reset(send: Send, market: SimulatedDesk) -> None:
    killed = send("POST", "/v1/trading/kill", json={"reason": "test"}).json()["reports"]
    assert [report["reached"] for report in killed] == [True]
    assert send("GET", "/v1/trading").json()["is_killed"] is True
    refused = send("POST", "/v1/orders", json=BUY, headers={"Idempotency-Key": "k1"})
    assert refused.status_code == 422
    assert send("POST", "/v1/trading/reset", json={"reason": "over"}).status_code == 200
    assert send("POST", "/v1/trading/resume", json={}).json() == {"state": "ACTIVE"}
    market.advance(1)
    allowed = send("POST", "/v1/orders", json=BUY, headers={"Idempotency-Key": "k2"})
    assert allowed.status_code == 201, allowed.text


def test_a_pause_is_in_force_at_once(send: Send) -> None:
    paused = send("POST", "/v1/trading/pause", json={"state": "HALTED", "reason": "lunch"})
    assert paused.json() == {"state": "HALTED"}
    refused = send("POST", "/v1/orders", json=BUY, headers={"Idempotency-Key": "p1"})
    assert refused.status_code == 422
    assert send("POST", "/v1/trading/resume", json={}).json() == {"state": "ACTIVE"}


def test_a_limit_is_changed_and_reset(send: Send) -> None:
    changed = send("PUT", "/v1/risk/limits/max_shares", json={"value": "2", "reason": "small"})
    assert (changed.status_code, changed.json()["limit"]) == (200, "2")
    refused = send("POST", "/v1/orders", json=BUY, headers={"Idempotency-Key": "l1"})
    assert (refused.status_code, refused.json()["code"]) == (422, "RISK_MAX_SHARES")
    assert send("GET", "/v1/risk/limits/max_shares").json()["changed_by"] == "http:127.0.0.1"
    assert send("DELETE", "/v1/risk/limits/max_shares").json()["limit"] == "5000"
    assert send("GET", "/v1/risk/limits/nonsense").status_code == 404


def test_answers_follow_the_market(send: Send, market: SimulatedDesk) -> None:
    before = {path: send("GET", path).json() for path in ("/v1/portfolio", "/v1/cluster/standing")}
    assert before["/v1/portfolio"]["source"] == "paper"
    market.advance(4)
    for path, answer in before.items():
        assert send("GET", path).json() != answer
    points = send("GET", "/v1/equity?points=50").json()["points"]
    assert len(points) >= 2
    assert points == sorted(points, key=lambda point: point["at"])


def test_readiness_names_what_is_down(send: Send, market: SimulatedDesk) -> None:
    def reasons() -> list[str]:
        reply = send("GET", "/readyz")
        assert reply.status_code == 503
        found: list[str] = reply.json()["reasons"]
        return found

    (model,) = reasons()  # the model is not loaded in this test
    assert model.startswith("forecasts:")
    market.crash("risk", restart_after_s=60.0)
    assert any("risk manager is down" in reason for reason in reasons())
    market.go_down()
    assert any(reason.startswith("CLUSTER_UNREACHABLE") for reason in reasons())
    assert send("GET", "/healthz").json() == send("GET", "/health").json() == {"status": "ok"}
