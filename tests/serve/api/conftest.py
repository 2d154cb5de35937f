"""An application over a front desk that says what a test wants, and a way to ask it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve.desk.front_desk import FrontDesk
from serve.desk.principal import Permission, Principal
from serve.forecast.service import ForecastService
from serve.http.app import build_app
from serve.http.guard import open_to_all
from tests.serve.api.fake_desk import FakeTrading, fake_desk


@pytest.fixture
def desk(tmp_path: Path, make_service: Callable[..., ForecastService]) -> FrontDesk:
    return fake_desk(tmp_path, make_service())


@pytest.fixture
def trading(desk: FrontDesk) -> FakeTrading:
    assert isinstance(desk.trading, FakeTrading)
    return desk.trading


@pytest.fixture
def app(desk: FrontDesk) -> Any:
    return build_app(desk.forecasts, desk=desk, guard=open_to_all)


@pytest.fixture
def app_for(desk: FrontDesk) -> Callable[..., Any]:
    """Return a function from permissions to an application where everybody has those alone."""

    def made(*permissions: Permission, name: str = "ann") -> Any:
        caller = Principal(
            name=name, permissions=frozenset(permissions), came_by="key", address="10.0.0.7"
        )
        return build_app(desk.forecasts, desk=desk, guard=lambda _: caller)

    return made


@pytest.fixture
def ask(app: Any) -> Callable[..., httpx.Response]:
    """Return a function that sends one request: `ask("GET", "/v1/portfolio")`."""

    def sent(method: str, path: str, *, of: Any = None, **options: Any) -> httpx.Response:
        async def work() -> httpx.Response:
            transport = httpx.ASGITransport(of or app)
            async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
                return await client.request(method, path, **options)

        return asyncio.run(work())

    return sent


@pytest.fixture
def outcomes(desk: FrontDesk) -> Callable[[], list[tuple[str, str, str]]]:
    """Return a function that reads the audit trail: (action, subject, outcome), the oldest first."""

    def read() -> list[tuple[str, str, str]]:
        facts = desk.audit.read(100)[::-1]
        return [(fact.action, fact.subject, fact.outcome) for fact in facts]

    return read
