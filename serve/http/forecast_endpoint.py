"""`POST /v1/forecast`: from the raw body to the raw answer.

The same function serves the documented FastAPI route and the endpoint in front of it, which spares this one route
the work of a framework: reading the body as a model, dependency injection, building a response object.
"""

import time
from collections.abc import Mapping

import msgspec
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from serve.desk.principal import Permission
from serve.forecast.question import Question
from serve.forecast.service import ForecastService
from serve.http.body import read_body
from serve.http.correlation import HEADER, correlation_id
from serve.http.guard import Guard
from serve.http.problems import PROBLEM_JSON, RequestRefused, problem_of
from serve.http.security_headers import ALWAYS, NOT_KEPT
from serve.http.strict_json import require_strict_json

PATH = "/v1/forecast"
_DECODER = msgspec.json.Decoder(Question)
_ENCODER = msgspec.json.Encoder()


def question_of(body: bytes) -> Question:
    """Read a question from strict JSON.

    Raises
    ------
    RequestRefused
        422 if it is none (`REQUEST_INVALID`), 400 if a text in it is no Unicode (`REQUEST_NOT_JSON`).
    """
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise RequestRefused(422, "REQUEST_INVALID", f"{error}.") from None
    except msgspec.DecodeError as error:
        raise RequestRefused(400, "REQUEST_NOT_JSON", f"The body is not JSON: {error}.") from None


async def forecast_body(service: ForecastService, body: bytes, began: float) -> bytes:
    """Return the answer to the question in `body`, whatever content type the client claims; as JSON.

    Raises
    ------
    RequestRefused
        As `require_strict_json` and `question_of`.
    TradingError
        As `ForecastService.forecast`.
    """
    await require_strict_json(body)
    return _ENCODER.encode(await service.forecast(question_of(body), began))


class ForecastEndpoint:
    """Answers `POST /v1/forecast` straight from ASGI messages."""

    def __init__(self, service: ForecastService, guard: Guard) -> None:
        self._service = service
        self._guard = guard

    @staticmethod
    def is_meant(scope: Scope) -> bool:
        """Say whether a request is one for this endpoint."""
        return bool(scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        status, content_type, more = 200, b"application/json", ALWAYS
        correlation = correlation_id(scope["headers"])
        try:
            self._guard(scope).require(Permission.READ)
            body = await read_body(scope, receive, self._service.settings.max_body_bytes)
            answer = await forecast_body(self._service, body, began)
        except Exception as error:
            problem = problem_of(error, PATH, correlation)
            status, content_type = problem.status, PROBLEM_JSON.encode("ascii")
            answer = _ENCODER.encode(problem)
            more = [*ALWAYS, *_said(error)]
        headers = [
            (b"content-type", content_type),
            (b"content-length", str(len(answer)).encode("ascii")),
            (HEADER, correlation.encode("ascii")),
            NOT_KEPT,
            *more,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def _said(error: Exception) -> list[tuple[bytes, bytes]]:
    """Return the headers that a refusal brings along: when to come again, how to say who one is."""
    given: Mapping[str, str] = getattr(error, "headers", None) or {}
    return [(name.lower().encode("ascii"), text.encode("ascii")) for name, text in given.items()]


class Entrance:
    """ASGI: requests for the endpoint go to it, all others to `app`.

    Attributes
    ----------
    api : FastAPI
        The application itself, without what stands in front of it.
    """

    def __init__(self, app: ASGIApp, endpoint: ForecastEndpoint, api: FastAPI) -> None:
        self.app = app
        self.endpoint = endpoint
        self.api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self.endpoint if ForecastEndpoint.is_meant(scope) else self.app
        await chosen(scope, receive, send)
