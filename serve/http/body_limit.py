"""Requests of bounded size that arrive in bounded time: the whole body is read before anybody works on it."""

from starlette.types import Message, Receive, Scope

from serve.http.body import read_body
from serve.http.problems import RequestRefused
from serve.http.strict_json import require_strict_json

HEADERS_MAX = 100
HEADER_BYTES_MAX = 32_768
OWN_READER = "/v1/forecast"
"""It is as strict by itself, and takes any content type."""


def require_few_headers(scope: Scope) -> None:
    """Check number and size of the headers.

    Raises
    ------
    RequestRefused
        431, if there are too many.
    """
    headers = scope["headers"]
    if len(headers) > HEADERS_MAX or sum(len(k) + len(v) for k, v in headers) > HEADER_BYTES_MAX:
        raise RequestRefused(
            431,
            "REQUEST_HEADERS_TOO_LARGE",
            f"Send at most {HEADERS_MAX} headers with {HEADER_BYTES_MAX} bytes.",
        )


def has_body(headers: dict[bytes, bytes]) -> bool:
    """Say whether a request announces a body."""
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


async def received(
    scope: Scope, receive: Receive, headers: dict[bytes, bytes], max_bytes: int, timeout_s: float
) -> Receive:
    """Read the body, and return a `receive` that hands it out again.

    Raises
    ------
    RequestRefused
        413 if it is too large, 408 if it does not come, 400 if it breaks off, and as `require_strict_json`.
    """
    body = await read_body(scope, receive, max_bytes, timeout_s)
    is_json = _is_json(headers.get(b"content-type", b"application/json"))
    if body and is_json and scope["path"] != OWN_READER:
        await require_strict_json(body)
    return _again(body, receive)


def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind.endswith((b"/json", b"+json"))


def _again(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
