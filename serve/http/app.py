"""The HTTP application of one replica.

Routers are added here; what all of them share is set once: who may ask (`guard`), the id of a request, and errors as
problems. `Entrance` stands in front of all, and its endpoint asks the same guard.
"""

from importlib.metadata import version
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serve.api import readiness
from serve.api.routes import add_api
from serve.auth.gate import Gate
from serve.auth.mcp_tokens import McpTokens
from serve.auth.protect import protect
from serve.auth.routes import add_auth
from serve.desk.front_desk import FrontDesk
from serve.forecast.question import Question
from serve.forecast.service import Answers, ForecastService
from serve.forecast.status import ServiceStatus
from serve.http import cluster_routes, forecast_routes, model_routes
from serve.http.correlation import Correlation
from serve.http.forecast_endpoint import Entrance, ForecastEndpoint
from serve.http.guard import Guard, open_to_all
from serve.http.json_response import SCHEMA_REF
from serve.http.offline_docs import add_docs
from serve.http.problems import PROBLEM_JSON, Problem, RequestRefused, ours, problem_of
from serve.mcp.mount import add_mcp
from serve.monitoring.routes import add_monitoring
from serve.web.routes import add_page
from trading.errors import TradingError
from trading.forecasting.forecast import Forecast

_STRUCTS = (
    Question,
    Forecast,
    Answers,
    Problem,
    ServiceStatus,
    model_routes.ModelSummary,
    model_routes.ModelDetail,
    model_routes.VersionDetail,
)
"""What is answered without pydantic; the document names their schemas."""


def build_app(
    service: ForecastService,
    *,
    desk: FrontDesk | None = None,
    guard: Guard = open_to_all,
    overview: cluster_routes.Overview | None = None,
) -> Entrance:
    """Return the ASGI application.

    Parameters
    ----------
    desk : FrontDesk, optional
        What everything beside forecasts and models stands on; without it there is nothing else.
    guard : callable
        Who asks. A `Gate` stands in front of everything; by default everybody may do everything.
    overview : callable, optional
        Where `/v1/cluster` comes from; by default this service alone.
    """
    gate = guard if isinstance(guard, Gate) else None
    app = FastAPI(
        title="neural-trader",
        summary="A trading cluster: its accounts, orders, risk, forecasts and laboratory.",
        version=version("neural-trader"),
        responses={
            "4XX": _problem("The request is wrong."),
            "5XX": _problem("The service failed."),
        },
        generate_unique_id_function=_name_of,
        docs_url=None,
        redoc_url=None,
    )
    add_docs(app)
    app.state.service = service
    app.state.desk = desk
    app.state.guard = guard
    app.state.overview = overview or cluster_routes.alone(service)
    for routes in (forecast_routes, cluster_routes, readiness):
        app.include_router(routes.router)
    app.include_router(model_routes.router, prefix="/v1")
    add_monitoring(app)
    if gate is not None:
        add_auth(app, gate)
    if desk is not None:
        add_api(app, desk)
        add_page(app, desk)
        _add_mcp(app, desk, guard, gate)
    for error in (TradingError, RequestRefused, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(error, _as_problem)
    app.add_middleware(Correlation)
    _document(app)
    whole = app if gate is None else protect(app, gate)
    return Entrance(whole, ForecastEndpoint(service, guard), app)


def _add_mcp(app: FastAPI, desk: FrontDesk, guard: Guard, gate: Gate | None) -> None:
    """Add the tools; with authentication on, as a resource server that says where tokens come from."""
    access = None if gate is None else gate.access
    if gate is None or access is None:
        add_mcp(app, desk, guard, hosts=() if gate is None else gate.settings.hosts)
        return
    settings = gate.settings
    url = settings.public_url or f"http://{settings.host}"
    tokens = McpTokens(access, f"{url}/mcp")
    add_mcp(app, desk, guard, verifier=tokens, url=url, hosts=settings.hosts)


async def _as_problem(request: Request, error: Exception) -> Response:
    known = ours(error)
    state = request.scope.get("state", {})
    problem = problem_of(known, request.url.path, state.get("correlation_id", ""))
    headers = getattr(known, "headers", None)
    return Response(msgspec.json.encode(problem), problem.status, headers, PROBLEM_JSON)


def _name_of(route: APIRoute) -> str:
    """Return the id of an operation: the name of its function."""
    return route.name


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": SCHEMA_REF.format(name="Problem")}
    return {"description": description, "content": {PROBLEM_JSON: {"schema": schema}}}


def _document(app: FastAPI) -> None:
    """Add the schemas of our own structs to the generated OpenAPI document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        _, schemas = msgspec.json.schema_components(_STRUCTS, ref_template=SCHEMA_REF)
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend it
