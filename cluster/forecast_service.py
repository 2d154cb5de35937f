"""A running forecasting service, asked over HTTP."""

import os
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec

from serve.forecast.question import BARS_MAX
from serve.forecast.status import ServiceStatus
from trading.errors import (
    AuthError,
    ClusterUnreachable,
    ForecastError,
    ForecastInvalid,
    ForecastLate,
    ForecastRefused,
    ModelCorrupt,
    ModelRefused,
    ModelUnknown,
    TradingError,
    UsageError,
)
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History

TIMEOUT_S = 30.0
KEY = "DESK_KEY"
"""Variable with the key for a service that asks who comes in."""
_ERRORS: dict[str, type[TradingError]] = {
    error.code: error
    for error in (
        ForecastError,
        ForecastInvalid,
        ForecastLate,
        ModelCorrupt,
        ModelRefused,
        ModelUnknown,
    )
}


class _Problem(msgspec.Struct):
    """What we read of an `application/problem+json` body."""

    code: str = ""
    detail: str = ""


def ask(url: str, reference: str, history: History, horizon: int | None) -> Forecast:
    """Return the forecast that the service at `url` makes of these bars.

    Parameters
    ----------
    url : str
        Such as `http://127.0.0.1:8000`.
    reference : str
        Model, `name@version` or `name@alias`.
    horizon : int or None
        Bars ahead; None for all of the model's.

    Raises
    ------
    UsageError
        If `url` is no HTTP address.
    ClusterUnreachable
        If nobody answers there.
    AuthError
        If it asks who we are, and DESK_KEY is no good.
    ForecastError, ModelError
        As the service says.
    """
    body = msgspec.json.encode(_question(reference, history, horizon))
    try:
        return msgspec.json.decode(_answer(url, "/v1/forecast", body), type=Forecast)
    except msgspec.DecodeError:
        raise ForecastError(f"{url} answered what is no forecast; is it `trader serve`?") from None


def read_status(url: str) -> ServiceStatus:
    """Return what a service says of itself.

    Raises
    ------
    UsageError, AuthError, ClusterUnreachable
        As `ask`; also if what answers there is no forecasting service.
    """
    try:
        return msgspec.json.decode(_answer(url, "/v1/cluster", None), type=ServiceStatus)
    except msgspec.DecodeError as error:
        raise ClusterUnreachable(
            f"no forecasting service answers at {url} ({error}); start one with `trader serve`."
        ) from None


def _answer(url: str, path: str, body: bytes | None) -> bytes:
    """Return the body of the answer to a POST, or a GET without a body; the key of DESK_KEY is sent along."""
    headers = {"Content-Type": "application/json"}
    key = os.environ.get(KEY, "")
    if key:
        headers["X-API-Key"] = key
    request = Request(f"{checked_url(url)}{path}", body, headers)  # noqa: S310  # the scheme was checked
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            found: bytes = answer.read()
            return found
    except HTTPError as error:
        raise _problem_of(error.code, error.read()) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ClusterUnreachable(
            f"no forecasting service answers at {url} ({reason}); start one with `trader serve`."
        ) from None


def checked_url(url: str) -> str:
    """Return the address of a service without a slash at its end.

    Raises
    ------
    UsageError
        If `url` is no HTTP address.
    """
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"--url {url!r}: write it as http://127.0.0.1:8000.")
    return url.rstrip("/")


def error_of(code: str, detail: str) -> TradingError:
    """Return the error that a code of ours and its sentence stand for; a code without a class is a refusal."""
    return _ERRORS[code](detail) if code in _ERRORS else ForecastRefused(code, detail)


def _question(reference: str, history: History, horizon: int | None) -> dict[str, object]:
    question: dict[str, object] = {"symbol": history.symbol, "model": reference}
    if horizon is not None:
        question["horizon"] = horizon
    columns = {name: getattr(history, name) for name in ("ts", "close", "volume", "sentiment")}
    sent = {name: c[-BARS_MAX:].tolist() for name, c in columns.items() if c is not None}
    return question | sent


def _problem_of(status: int, body: bytes) -> TradingError:
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    if status in (401, 403):
        return AuthError(
            f"the service does not let us in ({problem.code or status}); put a key into {KEY}, "
            "from `trader keys create`."
        )
    if problem.code in _ERRORS or (problem.code and status < 500):
        return error_of(problem.code, problem.detail)
    return ForecastError(problem.detail or f"the service answered with HTTP status {status}.")
