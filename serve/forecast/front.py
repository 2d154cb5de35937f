"""The short way to a forecast inside a Serve replica.

Serve wraps every request of a replica in two tasks, a queue slot, metadata, metrics and an access log, which costs about
as much as ten forecasts. It lets the operator put middleware in front of that (`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH`):
ours answers `POST /v1/forecast` in place, when the process holds a replica of ours, and passes on everything else.
What Serve then does not see, the replica counts itself: see `status` and `scaling`.
"""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serve.http.forecast_endpoint import ForecastEndpoint

IMPORT_PATH = "serve.forecast.front.middlewares"

_endpoint: ForecastEndpoint | None = None


def open_front(endpoint: ForecastEndpoint) -> None:
    """Let requests of this process go to `endpoint` without detour; a process holds one replica."""
    global _endpoint  # noqa: PLW0603  # Serve makes the middleware; there is nothing else to pass it through
    _endpoint = endpoint


class Front:
    """Middleware of Serve's HTTP servers: also of proxies, which have no endpoint."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _endpoint is not None and ForecastEndpoint.is_meant(scope):
            await _endpoint(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def middlewares() -> list[Middleware]:
    """Return what Serve puts in front of its HTTP servers."""
    return [Middleware(Front)]
