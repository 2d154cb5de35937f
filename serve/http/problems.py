"""Errors as RFC 9457 problems: `application/problem+json` with a stable `code` and the id of the request."""

import logging
from http import HTTPStatus

import msgspec

from trading.errors import (
    AuthError,
    ForecastInvalid,
    ForecastLate,
    ForecastRefused,
    ModelCorrupt,
    ModelRefused,
    ModelUnknown,
    TradingError,
    UsageError,
)

log = logging.getLogger("ray.serve")

PROBLEM_JSON = "application/problem+json"
_STATUS: tuple[tuple[type[TradingError], HTTPStatus], ...] = (
    (ForecastRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ForecastInvalid, HTTPStatus.INTERNAL_SERVER_ERROR),
    (ForecastLate, HTTPStatus.GATEWAY_TIMEOUT),
    (ModelUnknown, HTTPStatus.NOT_FOUND),
    (ModelCorrupt, HTTPStatus.INTERNAL_SERVER_ERROR),
    (ModelRefused, HTTPStatus.CONFLICT),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (AuthError, HTTPStatus.UNAUTHORIZED),
)
_STATUS_OF_CODE = {"FORECAST_SYMBOL_UNKNOWN": HTTPStatus.NOT_FOUND}


class RequestRefused(Exception):
    """The request is wrong as HTTP: before any of our own rules looks at it."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


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
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    code: str
    correlation_id: str


def problem_of(error: Exception, instance: str, correlation_id: str) -> Problem:
    """Return what the client is told: of an error that is not ours, nothing but the id to look for in the log."""
    if isinstance(error, RequestRefused):
        status, code, detail = error.status, error.code, str(error)
    elif isinstance(error, TradingError):
        status, code, detail = _status_of(error), error.code, str(error)
    else:
        status, code = int(HTTPStatus.INTERNAL_SERVER_ERROR), "FAILED"
        detail = f"The service failed; its log says more under {correlation_id}."
        log.error("%s %s failed", instance, correlation_id, exc_info=error)
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=instance,
        code=code,
        correlation_id=correlation_id,
    )


def _status_of(error: TradingError) -> int:
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    found = (status for kind, status in _STATUS if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)
