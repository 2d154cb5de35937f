"""The id of a request: the client's, or a new one. Every response names it."""

import itertools
import re
import secrets
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = b"x-correlation-id"
SERVE_HEADER = b"x-request-id"
"""What Ray Serve itself names a request with."""
TRACE_HEADER = b"traceparent"
"""W3C: version, trace id, span id, flags; the trace id then is ours."""
_TRACE = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_PLAIN = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_PROCESS = secrets.token_hex(6)
_COUNT = itertools.count(1)


def correlation_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id that the client gave, when it is plain, or that of its trace, or a new one."""
    given = dict(headers)
    if _PLAIN.fullmatch(given.get(HEADER, b"")):
        return given[HEADER].decode("ascii")
    trace = _TRACE.fullmatch(given.get(TRACE_HEADER, b""))
    if trace is not None:
        return trace[1].decode("ascii")
    if _PLAIN.fullmatch(given.get(SERVE_HEADER, b"")):
        return given[SERVE_HEADER].decode("ascii")
    return f"{_PROCESS}-{next(_COUNT)}"


class Correlation:
    """Middleware: puts the id into `scope["state"]` and into the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        if not state.get("correlation_id"):  # else the door has named it
            state["correlation_id"] = correlation_id(scope["headers"])
        found: str = state["correlation_id"]

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (HEADER, found.encode("ascii"))]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_id)
