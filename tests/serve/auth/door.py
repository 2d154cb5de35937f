"""What tests of the door share: users, a clock that tests move, a small application behind the gate."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from actors.journal.open import open_journal
from serve.auth.access import Access, Granted
from serve.auth.gate import Gate
from serve.auth.protect import protect
from serve.auth.routes import add_auth
from serve.auth.settings import AccessSettings
from serve.auth.tokens import Tokens
from serve.desk.principal import ALL, Permission
from serve.http.app import _as_problem
from serve.http.correlation import Correlation
from serve.http.guard import Caller
from serve.http.offline_docs import add_docs
from serve.http.problems import RequestRefused
from trading.errors import TradingError
from trading.values import NANOS_PER_SECOND

SECRET = b"0123456789abcdef0123456789abcdef"
PASSWORD = "correct horse battery staple"
OTHER = "tr0ub4dor and three more"
HOST = "http://127.0.0.1:8000"
NOW = 1_800_000_000 * NANOS_PER_SECOND


class Clock:
    """Host time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / NANOS_PER_SECOND

    def move(self, seconds: float) -> None:
        self.now += int(seconds * NANOS_PER_SECOND)


@dataclass
class Door:
    """One replica's door."""

    settings: AccessSettings
    access: Access
    clock: Clock
    folder: Path
    app: FastAPI = field(init=False)
    gate: Gate = field(init=False)
    entrance: ASGIApp = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.settings, self.access)
        for bucket in (self.gate._requests, self.gate._trades, self.gate._logins):
            if bucket is not None:  # else a pause of the machine fills them again
                bucket._clock = self.clock.seconds
        self.app = small_app(self.gate)
        self.entrance = protect(self.app, self.gate)

    def with_people(self) -> "Door":
        self.access.add_user("alice", PASSWORD, ALL, "test")
        self.access.add_user("bob", PASSWORD, [Permission.READ], "test")
        return self

    def replica(self) -> "Door":
        """Another replica of the same cluster, with a journal connection of its own."""
        return a_door(self.folder, clock=self.clock)

    def login(self, user: str = "alice", **options: Any) -> Granted:
        return self.access.login(user, PASSWORD, "192.0.2.7", **options)

    def bearer(self, user: str = "alice") -> dict[str, str]:
        return {"authorization": f"Bearer {self.login(user).access_token}"}

    def client(self, address: str = "192.0.2.7", **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.entrance, client=(address, 4321))
        return httpx.AsyncClient(transport=transport, base_url=HOST, **options)


def a_door(folder: Path, *, clock: Clock | None = None, **changes: Any) -> Door:
    given = {"is_on": True, "cluster": "test", "logins_per_min": 1000.0} | changes
    settings = AccessSettings(journal=f"sqlite://{folder / 'access'}", **given)
    clock = clock or Clock()
    from datetime import timedelta

    tokens = Tokens(SECRET, settings.cluster, timedelta(hours=24))
    access = Access(open_journal(settings.journal), settings.cluster, tokens, clock=clock)
    return Door(settings, access, clock, folder)


class Order(BaseModel):
    symbol: str
    quantity: float = 1.0
    extra: Any = None


def small_app(gate: Gate) -> FastAPI:
    """One route for each permission, one for bodies, one WebSocket, the routes of the door, the documentation."""
    app = FastAPI(docs_url=None, redoc_url=None, generate_unique_id_function=lambda r: r.name)
    app.state.guard = gate
    for permission in Permission:
        app.add_api_route(
            f"/v1/only/{permission}", _needing(permission), methods=["POST"], name=permission
        )

    @app.get("/v1/portfolio")
    async def portfolio(by: Caller) -> dict[str, str]:
        return {"by": by.name, "came_by": by.came_by, "address": by.address}

    @app.get("/v1/forgotten")
    async def forgotten() -> dict[str, str]:
        """A route whose author forgot to ask who it is."""
        return {"secret": "42"}

    @app.post("/v1/orders")
    async def orders(order: Order) -> Order:
        return order

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.websocket("/v1/quotes")
    async def quotes(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json({"bid": 1})
        await socket.close()

    add_auth(app, gate)
    add_docs(app)
    for error in (TradingError, RequestRefused, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(error, _as_problem)
    app.add_middleware(Correlation)
    return app


def _needing(permission: Permission) -> Any:
    async def route(by: Caller) -> dict[str, str]:
        by.require(permission)
        return {"by": by.name}

    return route
