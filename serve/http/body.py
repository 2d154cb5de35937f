"""Request bodies of bounded size that arrive in bounded time."""

import asyncio

from starlette.types import Receive, Scope

from serve.http.problems import RequestRefused

DRAINED_MAX_BYTES = 16 * 1_048_576
"""Of a body that is too large, so much is read and thrown away, so that the client hears why it was refused."""


BODY_TIMEOUT_S = 10.0


async def read_body(
    scope: Scope, receive: Receive, max_bytes: int, timeout_s: float = BODY_TIMEOUT_S
) -> bytes:
    """Return the body.

    Raises
    ------
    RequestRefused
        413 if it is larger than `max_bytes`, 408 if it has not arrived after `timeout_s`, 400 if the client went away.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _read(receive, max_bytes)
    except TimeoutError:
        raise _broken_off(
            408,
            "REQUEST_TOO_SLOW",
            f"The body did not arrive within {timeout_s:g} s; send it again.",
        ) from None


async def _read(receive: Receive, max_bytes: int) -> bytes:
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
        raise _broken_off(
            413,
            "REQUEST_TOO_LARGE",
            f"The body is larger than {max_bytes} bytes; ask for less at once.",
        )
    return b"".join(parts)


def _require_connected(kind: str) -> None:
    if kind == "http.disconnect":
        raise _broken_off(400, "REQUEST_INCOMPLETE", "The client went away before the body ended.")


def _broken_off(status: int, code: str, detail: str) -> RequestRefused:
    """Nothing more can be asked over a connection whose body was not read to its end."""
    return RequestRefused(status, code, detail, headers={"Connection": "close"})
