"""What holds for every route: it is documented, asks for a permission, and is on record when it may change something."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from serve.desk.principal import Permission

Ask = Callable[..., Any]
SAFE = {"GET", "HEAD", "OPTIONS"}
OPEN = {"/healthz", "/readyz", "/health", "/metrics"}
"""For probes; `/metrics` asks the guard alone."""
OTHERS = ("/v1/auth", "/auth", "/docs", "/redoc", "/web", "/mcp", "/.well-known")
"""Parts of the application with rules, and tests, of their own."""
UNRECORDED = {"/v1/forecast"}
"""Changes nothing, and is asked thousands of times a second."""


def routes(app: Any) -> Iterator[Any]:
    for context in iter_route_contexts(app.app.routes):
        is_ours = context.path != "/" and not context.path.startswith(OTHERS)
        if is_ours and isinstance(context.original_route, APIRoute):
            yield context


def calls(dependant: Dependant) -> set[Any]:
    found = {dependant.call}
    for each in dependant.dependencies:
        found |= calls(each)
    return found


def test_there_are_many_routes(app: Any) -> None:
    assert len(list(routes(app))) > 100


def test_every_unsafe_route_is_recorded(app: Any) -> None:
    missing = [
        route.path
        for route in routes(app)
        if route.methods - SAFE
        and not any(getattr(call, "is_recorded", False) for call in calls(route.dependant))
    ]
    assert set(missing) == UNRECORDED


def test_every_route_asks_who_it_is(app: Any) -> None:
    missing = {
        route.path
        for route in routes(app)
        if not any(getattr(call, "__name__", "") == "permitted" for call in calls(route.dependant))
    }
    assert missing == OPEN


def test_who_has_no_permission_gets_nothing(app: Any, ask: Ask, app_for: Any) -> None:
    nobody = app_for()
    for route in routes(app):
        if route.path in OPEN | UNRECORDED:
            continue
        path = re.sub(r"{[^}]*}", "champion", route.path)
        for method in route.methods:
            reply = ask(method, path, of=nobody, json={})
            assert reply.status_code == 403, f"{method} {path}: {reply.text}"
            assert reply.json()["code"] == "PERMISSION_MISSING"


def test_a_reader_may_change_nothing(app: Any, ask: Ask, app_for: Any) -> None:
    """What a reader may post calculates, or starts a calculation."""
    reader = app_for(Permission.READ)
    allowed = set()
    for route in routes(app):
        path = re.sub(r"{[^}]*}", "champion", route.path)
        for method in route.methods - SAFE:
            if ask(method, path, of=reader, json={"nonsense": 1}).status_code != 403:
                allowed.add(f"{method} {route.path}")
    assert {each for each in allowed if each.partition(" ")[2].startswith("/v1")} == {
        "POST /v1/backtests",
        "POST /v1/checks",
        "POST /v1/data/checks",
        "POST /v1/forecast",
        "POST /v1/forecasts",
        "DELETE /v1/jobs/{job_id}",
        "POST /v1/market/correlation",
        "POST /v1/market/correlation-matrix",
        "POST /v1/models/comparisons",
        "POST /v1/models/verifications",
        "POST /v1/orders/preview",
        "POST /v1/portfolio/rebalance",
        "POST /v1/risk/analysis",
        "POST /v1/risk/kelly",
        "POST /v1/risk/reports",
        "POST /v1/risk/stress",
        "POST /v1/strategies/compare",
        "POST /v1/strategies/recommend",
        "POST /v1/sweeps",
        "POST /v1/tunings",
    }


@pytest.fixture
def document(ask: Ask) -> dict[str, Any]:
    reply = ask("GET", "/openapi.json")
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_operation_has_a_stable_id_a_summary_a_tag_and_a_schema(
    document: dict[str, Any],
) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert {"get_portfolio", "submit_order", "stream_events", "start_backtest"} <= set(ids)
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert re.fullmatch(r"[a-z][a-z0-9_]*", operation["operationId"]), where
        assert operation["summary"], where
        assert operation["tags"], where
        assert {"4XX", "5XX"} <= set(operation["responses"]), where
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                (content,) = response["content"].values()
                assert "schema" in content, where
        body = operation.get("requestBody")
        assert body is None or "application/json" in body["content"], where


def test_every_reference_of_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                yield from references(each)

    known = set(document["components"]["schemas"])
    assert {each.rpartition("/")[2] for each in references(document)} <= known


def test_the_document_has_the_current_paths_alone(document: dict[str, Any]) -> None:
    others = {path for path in document["paths"] if not path.startswith("/v1/")}
    assert others == {"/healthz", "/readyz", "/metrics"}
