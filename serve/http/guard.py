"""Who may ask: one place that every route, the fast one too, goes through."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import Scope

from serve.desk.principal import ALL, Principal
from serve.forecast.service import ForecastService

Guard = Callable[[Scope], Principal]
"""From a request to who makes it. Raises `AuthError` when nobody known does."""


def open_to_all(scope: Scope) -> Principal:
    """Let everybody in: the service then listens on loopback alone."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    name = f"http:{address}" if address else "http"
    return Principal(name=name, permissions=ALL, came_by="loopback", address=address)


async def principal(connection: HTTPConnection) -> Principal:
    """Return who asks, as the guard of the app says (`app.state.guard`); a guard does not wait for anything."""
    guard: Guard = connection.app.state.guard
    return guard(connection.scope)


async def service_of(connection: HTTPConnection) -> ForecastService:
    """Return the service of the app (`app.state.service`)."""
    service: ForecastService = connection.app.state.service
    return service


Caller = Annotated[Principal, Depends(principal)]
Service = Annotated[ForecastService, Depends(service_of)]
