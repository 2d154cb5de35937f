"""The application behind its gate: nothing reaches a route, a tool or the page but through here."""

from http import HTTPStatus

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.auth.gate import Gate
from serve.auth.refusals import CHALLENGE
from serve.http.body_limit import has_body, received
from serve.http.client_address import is_tls
from serve.http.correlation import HEADER, correlation_id
from serve.http.problems import PROBLEM_JSON, problem_of
from serve.http.rate_limit import Standing
from serve.http.security_headers import with_security

_ALLOWED_HEADERS = (
    "Authorization", "Content-Type", "Idempotency-Key", "X-API-Key", "X-Correlation-Id",
)  # fmt: skip
_EXPOSED_HEADERS = (
    "Location", "Retry-After", "X-Correlation-Id",
    "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
)  # fmt: skip
_POLICY_VIOLATED = 1008
"""Of WebSocket."""


def protect(app: ASGIApp, gate: Gate) -> ASGIApp:
    """Return `app` behind `gate`, with CORS for the origins in its settings (none by default)."""
    guarded: ASGIApp = Protected(app, gate)
    if not gate.settings.origins:
        return guarded
    return CORSMiddleware(
        guarded,
        allow_origins=gate.settings.origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=_ALLOWED_HEADERS,
        expose_headers=_EXPOSED_HEADERS,
    )


class Protected:
    """Middleware: gate, bounded body, and the headers that every answer has."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state.setdefault("correlation_id", correlation_id(scope["headers"]))
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        answer = self._sender(scope, send)
        try:
            self._gate.admit(scope)
            receive = await self._bounded(scope, receive)
        except Exception as error:
            await refuse(scope, answer, error, self._gate)
            return
        await self._app(scope, receive, answer)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._gate.admit(scope)
        except Exception as error:
            await receive()  # its `websocket.connect`
            if "websocket.http.response" in scope.get("extensions", {}):
                await refuse(scope, send, error, self._gate)
            else:
                problem = problem_of(error, scope["path"], "")
                reason = f"{problem.code}: {problem.status}"
                await send({"type": "websocket.close", "code": _POLICY_VIOLATED, "reason": reason})
            return
        await self._app(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        headers = dict(scope["headers"])
        if not has_body(headers):
            return receive
        settings = self._gate.settings
        return await received(
            scope, receive, headers, settings.max_body_bytes, settings.body_timeout_s
        )

    def _sender(self, scope: Scope, send: Send) -> Send:
        under_tls = is_tls(scope, self._gate.settings.trusted_proxies)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = with_security(message.get("headers", ()), under_tls=under_tls)
                rate: Standing | None = scope["state"].get("rate")
                if rate is not None:
                    headers += rate.headers
                message = {**message, "headers": headers}
            await send(message)

        return answer


async def refuse(scope: Scope, send: Send, error: Exception, gate: Gate) -> None:
    """Answer a request that goes no further with a problem."""
    correlation = str(scope["state"]["correlation_id"])
    problem = problem_of(error, scope["path"], correlation)
    body = msgspec.json.encode(problem)
    headers = [
        (b"content-type", PROBLEM_JSON.encode("ascii")),
        (b"content-length", b"%d" % len(body)),
        (HEADER, correlation.encode("ascii")),
    ]
    said: dict[str, str] = getattr(error, "headers", None) or {}
    if CHALLENGE in said and scope["path"].startswith("/mcp"):
        said = {**said, CHALLENGE: _for_mcp(said[CHALLENGE], _metadata(scope, gate))}
    headers += [
        (name.lower().encode("ascii"), value.encode("ascii")) for name, value in said.items()
    ]
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    status = HTTPStatus(problem.status)
    await send({"type": f"{kind}.start", "status": int(status), "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


def _for_mcp(challenge: str, metadata: str) -> str:
    scheme, _, rest = challenge.partition(" ")
    parts = [part for part in (rest, f'resource_metadata="{metadata}"') if part]
    return f"{scheme} {', '.join(parts)}"


def _metadata(scope: Scope, gate: Gate) -> str:
    """Return where an MCP client reads who gives out tokens (RFC 9728)."""
    settings = gate.settings
    scheme = "https" if is_tls(scope, settings.trusted_proxies) else "http"
    host = dict(scope["headers"]).get(b"host", b"localhost").decode("ascii", "replace")
    base = settings.public_url.rstrip("/") or f"{scheme}://{host}"
    return f"{base}/.well-known/oauth-protected-resource/mcp"
