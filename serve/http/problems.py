"""Errors as RFC 9457 problems: `application/problem+json` with a stable `code` and the id of the request."""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from trading.errors import (
    AuthError,
    ClusterUnreachable,
    Conflict,
    DataError,
    ForecastInvalid,
    ForecastLate,
    ForecastRefused,
    JournalUnavailable,
    ModelCorrupt,
    ModelRefused,
    ModelUnknown,
    NotFound,
    OrderRefused,
    PermissionMissing,
    TradingError,
    UsageError,
)

log = logging.getLogger("ray.serve")

PROBLEM_JSON = "application/problem+json"
FAILED = "FAILED"
_STATUS: tuple[tuple[type[TradingError], HTTPStatus], ...] = (
    (ForecastRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ForecastInvalid, HTTPStatus.INTERNAL_SERVER_ERROR),
    (ForecastLate, HTTPStatus.GATEWAY_TIMEOUT),
    (ModelUnknown, HTTPStatus.NOT_FOUND),
    (ModelCorrupt, HTTPStatus.INTERNAL_SERVER_ERROR),
    (ModelRefused, HTTPStatus.CONFLICT),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (PermissionMissing, HTTPStatus.FORBIDDEN),
    (AuthError, HTTPStatus.UNAUTHORIZED),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (OrderRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ClusterUnreachable, HTTPStatus.SERVICE_UNAVAILABLE),
    (JournalUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)
_CODES = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "REQUEST_TOO_LARGE",
}
_KEY = ("header", "Idempotency-Key")
_STATUS_OF_CODE = {"FORECAST_SYMBOL_UNKNOWN": HTTPStatus.NOT_FOUND}


class RequestRefused(Exception):
    """The request is wrong as HTTP: before any of our own rules looks at it.

    Parameters
    ----------
    headers : dict, optional
        Of the response.
    client_order_id : str, optional
        The order that the refusal is about.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        client_order_id: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = headers
        self.client_order_id = client_order_id


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every error.

    Attributes
    ----------
    title : str
        Name of the HTTP status.
    detail : str
        One sentence: what is wrong, and what to do.
    instance : str
        Path of the request.
    code : str
        Stable, `CATEGORY_CONDITION`.
    correlation_id : str
        Also in the response header `X-Correlation-Id`.
    client_order_id : str, optional
        The order that was refused.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    code: str
    correlation_id: str
    client_order_id: str | msgspec.UnsetType = msgspec.UNSET


def ours(error: Exception) -> Exception:
    """Return the framework's own errors as ours."""
    if isinstance(error, RequestValidationError):
        return _invalid(error.errors()[0])
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "REQUEST_REFUSED")
        headers = dict(error.headers or {}) or None
        detail = f"{error.detail}; see /docs."
        return RequestRefused(error.status_code, code, detail, headers=headers)
    return error


def _invalid(first: dict[str, Any]) -> RequestRefused:
    if first["type"] == "missing" and first["loc"] == _KEY:
        return RequestRefused(
            400,
            "IDEMPOTENCY_KEY_MISSING",
            "Send the header Idempotency-Key, new for each order and the same when you repeat one: a repeated "
            "request must not become a second order.",
        )
    place = ".".join(str(part) for part in first["loc"])
    hint = "; send a JSON object as application/json" if place == "body" else ""
    is_json = first["type"] != "json_invalid"
    status, code = (422, "REQUEST_INVALID") if is_json else (400, "REQUEST_NOT_JSON")
    return RequestRefused(status, code, f"{first['msg']} - at `{place}`{hint}.")


def code_of(error: Exception) -> str:
    """Return the code that the client is told."""
    known = ours(error)
    return known.code if isinstance(known, RequestRefused | TradingError) else FAILED


def problem_of(error: Exception, instance: str, correlation_id: str) -> Problem:
    """Return what the client is told: of an error that is not ours, nothing but the id to look for in the log."""
    if isinstance(error, RequestRefused):
        status, code, detail = error.status, error.code, str(error)
    elif isinstance(error, TradingError):
        status, code, detail = _status_of(error), error.code, str(error)
    else:
        status, code = int(HTTPStatus.INTERNAL_SERVER_ERROR), FAILED
        detail = f"The service failed; its log says more under {correlation_id}."
        log.error("%s %s failed", instance, correlation_id, exc_info=error)
    order = getattr(error, "client_order_id", "")
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=instance,
        code=code,
        correlation_id=correlation_id,
        client_order_id=order or msgspec.UNSET,
    )


def _status_of(error: TradingError) -> int:
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    found = (status for kind, status in _STATUS if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)
