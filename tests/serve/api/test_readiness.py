"""Ready means: every account agrees with its venue, risk is up, market data is fresh, a model is warm."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from serve.api.readiness import reasons_of
from serve.desk.view import VenueView
from tests.serve.api.fake_desk import FakeTrading


def test_a_cluster_in_order_gives_no_reason(trading: FakeTrading) -> None:
    assert list(reasons_of(trading.snapshot())) == []


def test_every_reason_is_named(trading: FakeTrading) -> None:
    trading.broker["is_ready"] = False
    trading.risk.clear()
    trading.venue = VenueView(name="ALPACA", feed_problem="STALE")  # type: ignore[arg-type]
    assert list(reasons_of(trading.snapshot())) == [
        "A1: not reconciled with its venue",
        "A1: its risk manager is down",
        "A1: market data: STALE",
    ]


def test_a_replica_is_ready_when_its_model_is(app: Any, desk: Any, trading: FakeTrading) -> None:
    async def work() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            early = await client.get("/readyz")
            await desk.forecasts.start()
            ready = await client.get("/readyz")
            trading.is_down = True
            late = await client.get("/readyz")
            await desk.forecasts.stop()
            return early, ready, late

    early, ready, late = asyncio.run(work())
    assert early.status_code == 503
    assert early.json()["reasons"] == ["forecasts: the model is being loaded"]
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})
    assert late.status_code == 503
    assert late.json()["reasons"][0].startswith("CLUSTER_UNREACHABLE: ")


def test_probes_need_nobody(ask: Callable[..., Any], app_for: Any) -> None:
    assert ask("GET", "/healthz", of=app_for()).status_code == 200
