"""Every operation of the OpenAPI document with generated requests: no 5xx, and answers as they are documented."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serve.http.app import build_app
from tests.serve.api.fake_desk import FakeJobs
from tests.serve.simulated_desk import front_desk

EXAMPLES = 5
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
TESTED_ELSEWHERE = r"/(stream|readyz)$"
"""Streams do not end, and a replica that is not ready says so with 503."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The document of an application over the simulated desk; its jobs end at once, and nothing is run."""
    desk = replace(front_desk(tmp_path_factory.mktemp("desk")), jobs=FakeJobs(is_quick=True))
    app = build_app(desk.forecasts, desk=desk)

    async def once_alive(scope: Any, receive: Any, send: Any) -> None:
        """The application lives once; Schemathesis would start it for each request."""
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})

    return schemathesis.openapi.from_asgi("/openapi.json", once_alive)


def operations(api: Any) -> Iterator[Any]:
    for found in api.exclude(path_regex=TESTED_ELSEWHERE).get_all_operations():
        yield found.ok()


def troubles_of(operation: Any, mode: GenerationMode, statuses: Counter[int]) -> list[str]:
    """Return what is wrong with the answers to one operation."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers_as_documented(case: Any) -> None:
        response = case.call()
        statuses[response.status_code] += 1
        case.validate_response(response, checks=list(CHECKS))

    try:
        answers_as_documented()
    except Unsatisfiable:
        return []  # there is nothing to get wrong
    except (schemathesis.errors.SchemathesisError, FailureGroup) as error:
        return [
            f"{operation.label}: {error}\n{each}" for each in getattr(error, "exceptions", [error])
        ]
    return []


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_operation_answers_as_it_is_documented(api: Any, mode: GenerationMode) -> None:
    troubles: list[str] = []
    statuses: dict[str, Counter[int]] = {}
    for operation in operations(api):
        found = statuses.setdefault(operation.label, Counter())
        troubles += troubles_of(operation, mode, found)
    assert not troubles, "\n\n".join(troubles)
    answered = [label for label, found in statuses.items() if found]
    assert len(answered) > 50, answered


WORKING: list[tuple[str, str, dict[str, str], Any]] = [
    ("GET", "/v1/market/{symbol}/bars", {"symbol": "AAPL"}, None),
    ("GET", "/v1/market/{symbol}/analysis", {"symbol": "KO"}, None),
    ("GET", "/v1/market/{symbol}/strategy", {"symbol": "KO"}, None),
    ("GET", "/v1/strategies/{strategy}", {"strategy": "momentum_trader"}, None),
    ("GET", "/v1/risk/limits/{name}", {"name": "max_shares"}, None),
    ("PUT", "/v1/risk/limits/{name}", {"name": "max_shares"}, {"value": "4000"}),
    ("GET", "/v1/models/{name}", {"name": "nhits"}, None),
    ("GET", "/v1/models/{name}/{version}", {"name": "nhits", "version": "champion"}, None),
    ("POST", "/v1/orders", {}, {"symbol": "AAPL", "side": "BUY", "quantity": "1"}),
    ("POST", "/v1/orders/preview", {}, {"symbol": "AAPL", "side": "SELL", "quantity": 2}),
    ("POST", "/v1/forecast", {}, {"symbol": "AAPL", "horizon": 2}),
    ("POST", "/v1/market/correlation", {}, {"symbols": ["AAPL", "KO"]}),
    ("POST", "/v1/market/correlation-matrix", {}, {"symbols": ["AAPL", "KO"]}),
    ("POST", "/v1/strategies/compare", {}, {"strategies": ["momentum", "mean_reversion"]}),
    ("POST", "/v1/strategies/recommend", {}, {}),
    ("POST", "/v1/portfolio/rebalance", {}, {"target_allocations": {"AAPL": 0.5}}),
    ("POST", "/v1/risk/analysis", {}, {}),
    ("POST", "/v1/risk/kelly", {}, {"probability": 0.6, "odds": 2, "bankroll": 100}),
    ("POST", "/v1/backtests", {}, {"strategy": "momentum", "symbols": ["AAPL"]}),
    ("POST", "/v1/tunings", {}, {"strategy": "momentum"}),
    ("POST", "/v1/sweeps", {}, {"strategy": "momentum", "values": {"fast": "5:10"}}),
    ("POST", "/v1/checks", {}, {"strategy": "momentum"}),
    ("POST", "/v1/trainings", {}, {"kinds": ["linear"]}),
]


@pytest.mark.parametrize(
    ("method", "path", "places", "body"), WORKING, ids=[f"{m} {p}" for m, p, *_ in WORKING]
)
def test_what_makes_sense_succeeds_and_is_answered_as_documented(
    api: Any, method: str, path: str, places: dict[str, str], body: Any
) -> None:
    given: dict[str, Any] = (
        {"body": body, "media_type": "application/json"} if body is not None else {}
    )
    if path == "/v1/orders":
        given["headers"] = {"Idempotency-Key": "schema-1"}
    case = api[path][method].Case(path_parameters=places, **given)
    response = case.call_and_validate(checks=list(CHECKS))
    assert response.status_code in {200, 201, 202}, response.text
