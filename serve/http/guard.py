"""Who may ask: one place that every route, the fast one too, goes through."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import Scope

from serve.forecast.service import ForecastService

Guard = Callable[[Scope], str]
"""From a request to the name of who makes it. Raises `AuthError` when nobody known does."""


def open_to_all(scope: Scope) -> str:
    """Let everybody in: the service then listens on loopback alone."""
    client = scope.get("client")
    return f"http:{client[0]}" if client else "http"


def principal(connection: HTTPConnection) -> str:
    """Return who asks, as the guard of the app says (`app.state.guard`)."""
    guard: Guard = connection.app.state.guard
    return guard(connection.scope)


def service_of(connection: HTTPConnection) -> ForecastService:
    """Return the service of the app (`app.state.service`)."""
    service: ForecastService = connection.app.state.service
    return service


Principal = Annotated[str, Depends(principal)]
Service = Annotated[ForecastService, Depends(service_of)]
