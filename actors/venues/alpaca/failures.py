"""What a failed request means: the only place that knows the venue's statuses, codes and bodies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import requests
from alpaca.common.exceptions import APIError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from trading.errors import OutcomeUnknown, VenueError, VenueRefused, VenueUnreachable
from trading.refusals import RefusalCode
from trading.values import NANOS_PER_SECOND

AUTH_REFUSED = "AUTH_REFUSED"
NOT_FOUND_CODES = frozenset({"40410000", "HTTP_404"})
"""The venue itself knows no such thing; a 404 of a gateway has no such body and is no answer."""
_SHOWN = 300
_LONGEST_PAUSE_S = 120.0
_FORBIDDEN = frozenset({"", "forbidden", "access forbidden", "access denied", "unauthorized"})


class ErrorBody(msgspec.Struct, frozen=True):
    """`code` is missing where the gateway answers instead of the venue behind it (401, 403, 429)."""

    message: str
    code: int | str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """`pause_s` is for how long nothing should be sent; None when the venue does not say, 0 when it may."""

    error: VenueError
    is_auth: bool = False
    is_rate_limit: bool = False
    pause_s: float | None = 0.0


def failure_of(error: Exception, now: int) -> Failure:
    """Return what an exception of the client library means.

    Parameters
    ----------
    now : int
        Host time (ns UTC), for a rate limit that ends at a time of day.
    """
    if isinstance(error, APIError):
        response = error.response
        if response is not None:
            return answered(response.status_code, response.headers, response.content, now)
    if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
        return Failure(VenueUnreachable("no connection to Alpaca; nothing was sent"))
    return Failure(OutcomeUnknown(f"no usable answer: {type(error).__name__}"))


def answered(status: int, headers: Mapping[str, str], body: bytes, now: int) -> Failure:
    """Return what an answer with an error status means."""
    if status == 429:
        return Failure(
            VenueUnreachable("Alpaca turned the request away: too many requests"),
            is_rate_limit=True,
            pause_s=_pause(headers, now),
        )
    said = _said(body)
    if said is None or not 400 <= status < 500 or status == 408:
        if status == 401:
            return _unauthorized("unauthorized")
        return Failure(OutcomeUnknown(f"Alpaca answered with HTTP {status}"))
    message = said.message[:_SHOWN]
    if status == 401 or (status == 403 and _is_about_keys(said)):
        return _unauthorized(message)
    if "client_order_id must be unique" in message:
        return Failure(VenueRefused(RefusalCode.DUPLICATE_CLIENT_ORDER_ID, message))
    return Failure(VenueRefused(str(said.code) or f"HTTP_{status}", message))


def _unauthorized(message: str) -> Failure:
    reason = (
        f"Alpaca refused the credentials ({message}); correct ALPACA_API_KEY and ALPACA_SECRET_KEY"
    )
    return Failure(VenueRefused(AUTH_REFUSED, reason), is_auth=True)


def _is_about_keys(said: ErrorBody) -> bool:
    """A 403 with a code is about the order (buying power, day trades); one with a sentence about the subscription."""
    return said.code == "" and said.message.strip().rstrip(".").lower() in _FORBIDDEN


def _said(body: bytes) -> ErrorBody | None:
    try:
        return msgspec.json.decode(body, type=ErrorBody)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _pause(headers: Mapping[str, str], now: int) -> float | None:
    after = _seconds(headers.get("Retry-After"))
    if after is not None:
        return min(max(after, 0.0), _LONGEST_PAUSE_S)
    reset = _seconds(headers.get("X-RateLimit-Reset"))
    if reset is None:
        return None
    return min(max(reset - now / NANOS_PER_SECOND, 0.0), _LONGEST_PAUSE_S)


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _never_connected(error: BaseException) -> bool:
    """Say whether the connection itself was refused, so that no byte of the request left."""
    if not isinstance(error, requests.ConnectionError):
        return False
    cause: Any = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    return isinstance(cause, NewConnectionError)
