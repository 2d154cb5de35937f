"""Secrets of the front desk never come out of it: not in an answer, a log, a metric, a journal, a tool or a traceback."""

import asyncio
import json
import logging
from pathlib import Path

import httpx
import pytest

from actors.journal.open import open_journal
from serve.auth.access import Access
from serve.auth.gate import Gate
from serve.auth.settings import AccessSettings
from serve.auth.tokens import Tokens
from serve.desk.principal import ALL, Permission
from serve.http.app import build_app
from tests.serve.auth.route_walk import requests_of
from tests.serve.simulated_desk import SimulatedDesk, front_desk

PASSWORD = "canary-password-do-not-tell-1"
VENUE_SECRET = "canary-venue-secret-do-not-tell-2"
JWT_SECRET = b"canary-jwt-secret-do-not-tell-3!"
CLUSTER_SECRET = b"canary-cluster-secret-no-tell-4!"
SKIPPED = {"/v1/stream", "/stream", "/v1/forecast/stream", "/forecast/stream", "/mcp"}
"""Streams do not end; the tools are called on their own."""


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Everything that came out while every door was tried with a good key, a bad password and a broken desk."""
    from datetime import timedelta

    monkeypatch.setenv("ALPACA_SECRET_KEY", VENUE_SECRET)
    settings = AccessSettings(
        is_on=True,
        cluster="canary",
        journal=f"sqlite://{tmp_path / 'access'}",
        requests_per_s=0.0,
        trades_per_s=0.0,
        logins_per_min=1000.0,
    )
    access = Access(
        open_journal(settings.journal), "canary", Tokens(JWT_SECRET, "canary", timedelta(hours=1))
    )
    access.add_user("eva", PASSWORD, ALL, "test")
    _, key = access.issue_key("bot", Permission, "test")
    trading = SimulatedDesk(tmp_path)
    desk = front_desk(tmp_path, trading=trading)
    object.__setattr__(desk, "secret", CLUSTER_SECRET)
    app = build_app(desk.forecasts, desk=desk, guard=Gate(settings, access))
    kept = _Kept()
    loggers = [logging.getLogger(name) for name in (None, "ray.serve", "mcp", "uvicorn")]
    for each in loggers:
        each.addHandler(kept)
    try:
        found = asyncio.run(_walk(app, key, trading))
    finally:
        for each in loggers:
            each.removeHandler(kept)
        access.close()
    for job in desk.jobs.list():
        desk.jobs.wait(job.id, 60.0)  # its files come and go until it is over
    found["log"] = "\n".join(kept.lines)
    found["desk"] = repr(desk)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    found["files"] = "\n".join(path.read_bytes().decode("latin-1") for path in files)
    found["key"] = key
    return found


async def _walk(app, key: str, trading: SimulatedDesk) -> dict[str, str]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 1))
    headers = {"x-api-key": key}
    answers: dict[str, str] = {}

    async with (
        app.api.router.lifespan_context(app.api),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):

        async def say(name: str, method: str, path: str, **options) -> httpx.Response:
            reply = await client.request(method, path, **options)
            shown = [f"{key}: {value}" for key, value in reply.headers.items()]
            answers[name] = "\n".join([*shown, reply.text])
            return reply

        for method, path in requests_of(app.api):
            if method == "GET" and path not in SKIPPED:
                await say(f"{method} {path}", method, path, headers=headers)
        wrong = {"username": "eva", "password": PASSWORD + "x"}
        await say("wrong password", "POST", "/v1/auth/login", json=wrong)
        right = {"username": "eva", "password": PASSWORD}
        reply = await client.post("/v1/auth/login", json=right)
        answers["token is not the secret"] = reply.text
        await say("bad token", "GET", "/v1/portfolio", headers={"authorization": "Bearer a.b.c"})
        mcp = {"authorization": f"Bearer {key}", "accept": "application/json, text/event-stream"}
        for tool in ("ping", "get_portfolio_status", "list_orders", "get_system_metrics"):
            call = {"name": tool, "arguments": {}}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
            answered = await say(f"tool {tool}", "POST", "/mcp", json=body, headers=mcp)
            assert answered.status_code == 200, (tool, answered.text)
        trading.go_down()
        await say("a cluster that is gone", "GET", "/v1/portfolio", headers=headers)
        trading.snapshot = _broken  # type: ignore[method-assign]
        failed = await say("a desk that fails", "GET", "/v1/portfolio", headers=headers)
        assert failed.status_code == 500, "the traceback is the point"
    return answers


def _broken():
    secrets = (PASSWORD, VENUE_SECRET, JWT_SECRET, CLUSTER_SECRET)
    raise RuntimeError(f"a bug with {len(secrets)} secrets in reach")


def test_whatever_is_asked_no_secret_comes_out(told: dict[str, str]) -> None:
    assert len(told) > 30
    key = told.pop("key")
    canaries = [PASSWORD, VENUE_SECRET, JWT_SECRET.decode(), CLUSTER_SECRET.decode(), key]
    leaks = {(name, canary) for name, text in told.items() for canary in canaries if canary in text}
    assert leaks == set()
    assert "RuntimeError" in told["log"], "the log tells of the bug"
    assert "RuntimeError" not in told["a desk that fails"], "the client gets no traceback"
    assert json.loads(told["a cluster that is gone"].rpartition("\n")[2])["code"]
