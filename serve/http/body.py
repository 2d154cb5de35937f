"""Request bodies of bounded size."""

from starlette.types import Receive, Scope

from serve.http.problems import RequestRefused

DRAINED_MAX_BYTES = 32 * 1_048_576
"""Of a body that is too large, so much is read and thrown away, so that the client hears why it was refused."""


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Return the body.

    Raises
    ------
    RequestRefused
        If it is larger than `max_bytes`, or the client went away.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(body) <= max_bytes:
        _require_connected(message["type"])
        return body
    return await _read_rest(receive, body, max_bytes, more=message.get("more_body", False))


async def _read_rest(receive: Receive, first: bytes, max_bytes: int, *, more: bool) -> bytes:
    parts, size = [first], len(first)
    while more and size <= DRAINED_MAX_BYTES:
        message = await receive()
        _require_connected(message["type"])
        more = message.get("more_body", False)
        part = message.get("body", b"")
        size += len(part)
        if size <= max_bytes:
            parts.append(part)
        else:
            parts.clear()
    if size > max_bytes:
        raise RequestRefused(
            413,
            "REQUEST_TOO_LARGE",
            f"The body is larger than {max_bytes} bytes; ask for less at once.",
        )
    return b"".join(parts)


def _require_connected(kind: str) -> None:
    if kind == "http.disconnect":
        raise RequestRefused(
            400, "REQUEST_INCOMPLETE", "The client went away before the body ended."
        )
