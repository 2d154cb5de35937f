"""The HTTP application of one replica.

Routers are added here; what all of them share is set once: who may ask (`guard`), the id of a request, and errors as
problems. `Entrance` stands in front of all, and its endpoint asks the same guard.
"""

from importlib.metadata import version
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serve.forecast.question import Question
from serve.forecast.service import Answers, ForecastService
from serve.http import cluster_routes, forecast_routes, model_routes
from serve.http.correlation import Correlation
from serve.http.forecast_endpoint import Entrance, ForecastEndpoint
from serve.http.guard import Guard, open_to_all
from serve.http.problems import PROBLEM_JSON, Problem, RequestRefused, problem_of
from trading.errors import TradingError
from trading.forecasting.forecast import Forecast

_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
_SCHEMA_REF = "#/components/schemas/{name}"


def build_app(
    service: ForecastService,
    *,
    guard: Guard = open_to_all,
    overview: cluster_routes.Overview | None = None,
) -> Entrance:
    """Return the ASGI application.

    Parameters
    ----------
    overview : callable, optional
        Where `/v1/cluster` comes from; by default this service alone.
    """
    app = FastAPI(
        title="neural-trader",
        summary="Neural forecasts with calibrated intervals and a deadline.",
        version=version("neural-trader"),
        responses={
            "4XX": _problem("The request is wrong."),
            "5XX": _problem("The service failed."),
        },
    )
    app.state.service = service
    app.state.guard = guard
    app.state.overview = overview or cluster_routes.alone(service)
    for routes in (forecast_routes, model_routes, cluster_routes):
        app.include_router(routes.router)
    for error in (TradingError, RequestRefused, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(error, _as_problem)
    app.add_middleware(Correlation)
    _document(app)
    return Entrance(app, ForecastEndpoint(service, guard))


async def _as_problem(request: Request, error: Exception) -> Response:
    state = request.scope.get("state", {})
    problem = problem_of(_named(error), request.url.path, state.get("correlation_id", ""))
    headers = getattr(error, "headers", None)
    return Response(msgspec.json.encode(problem), problem.status, headers, PROBLEM_JSON)


def _named(error: Exception) -> Exception:
    """Return the framework's own errors as ours."""
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        hint = "; send a JSON object as application/json" if place == "body" else ""
        is_json = first["type"] != "json_invalid"
        status, code = (422, "REQUEST_INVALID") if is_json else (400, "REQUEST_NOT_JSON")
        return RequestRefused(status, code, f"{first['msg']} - at `{place}`{hint}.")
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "REQUEST_REFUSED")
        return RequestRefused(error.status_code, code, f"{error.detail}; see /docs.")
    return error


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": _SCHEMA_REF.format(name="Problem")}
    return {"description": description, "content": {PROBLEM_JSON: {"schema": schema}}}


def _document(app: FastAPI) -> None:
    """Add the schemas of our own structs to the generated OpenAPI document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        _, schemas = msgspec.json.schema_components(
            (Question, Forecast, Answers, Problem), ref_template=_SCHEMA_REF
        )
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend it
