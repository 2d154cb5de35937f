"""A running forecasting service, asked over HTTP."""

from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec

from trading.errors import (
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
BARS_MAX = 2_000
"""Newest bars that are sent along; no model reads more."""
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
    ForecastError, ModelError
        As the service says.
    """
    address = f"{checked_url(url)}/v1/forecast"
    body = msgspec.json.encode(_question(reference, history, horizon))
    request = Request(  # noqa: S310  # the scheme was checked
        address, body, {"Content-Type": "application/json"}
    )
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return msgspec.json.decode(answer.read(), type=Forecast)
    except HTTPError as error:
        raise _problem_of(error.code, error.read()) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ClusterUnreachable(
            f"no forecasting service answers at {url} ({reason}); start one with `trader serve`."
        ) from None
    except msgspec.DecodeError:
        raise ForecastError(f"{url} answered what is no forecast; is it `trader serve`?") from None


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
    if problem.code in _ERRORS or (problem.code and status < 500):
        return error_of(problem.code, problem.detail)
    return ForecastError(problem.detail or f"the service answered with HTTP status {status}.")
