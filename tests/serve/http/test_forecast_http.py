"""`POST /v1/forecast` over ASGI: the short way and the documented route answer alike, errors are problems."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from serve.forecast.service import ForecastService
from serve.http.app import build_app
from trading.errors import AuthError

Make = Callable[..., ForecastService]
Call = Callable[..., Any]

WAYS = ["short", "documented"]
OWN = {"symbol": "x", "close": [100.0 + step % 5 for step in range(20)]}


def sent(make: Make, call: Call, way: str, body: bytes, **options: Any) -> Any:
    async def work() -> Any:
        app = build_app(make(max_body_bytes=100_000))
        return await call(
            app if way == "short" else app.app, "POST", "/v1/forecast", body, **options
        )

    return asyncio.run(work())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"]
)
def test_a_forecast_needs_no_content_type(
    make_service: Make, call: Call, way: str, content_type: str
) -> None:
    body = b'{"symbol":"A","horizon":2}'
    reply = sent(make_service, call, way, body, content_type=content_type)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-correlation-id"]
    found = reply.json
    assert (found["symbol"], found["model"], found["version"]) == ("A", "net", 1)
    assert found["provider"] == "cpu"
    assert found["is_fallback"] is False
    assert set(found["quantiles"]) >= {"0.025", "0.5", "0.975"}
    assert all(len(prices) == 2 for prices in found["quantiles"].values())
    assert np.all(np.diff(np.array(list(found["quantiles"].values())), axis=0) > 0)


@pytest.mark.parametrize("way", WAYS)
def test_several_symbols_are_answered_in_part(make_service: Make, call: Call, way: str) -> None:
    reply = sent(make_service, call, way, b'{"symbols":["A","nobody"]}')
    assert reply.status == 200
    assert [each["symbol"] for each in reply.json["forecasts"]] == ["A"]
    (error,) = reply.json["errors"]
    assert error["code"] == "FORECAST_SYMBOL_UNKNOWN"


def own(**changes: Any) -> bytes:
    return json.dumps(OWN | changes).encode()


WRONG: list[tuple[bytes, int, str]] = [
    (b"", 400, "REQUEST_NOT_JSON"),
    (b"{", 400, "REQUEST_NOT_JSON"),
    (b"symbol=A&horizon=5", 400, "REQUEST_NOT_JSON"),
    (b"\xff\xfe", 400, "REQUEST_NOT_JSON"),
    (b'{"symbol":"\xff\xfe"}', 400, "REQUEST_NOT_JSON"),
    (b'{"symbol":"\\ud800"}', 400, "REQUEST_NOT_JSON"),
    (b'{"symbol":"B","symbol":"A"}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"A","miscoverage":' + b"[" * 40 + b"]" * 40 + b"}", 422, "REQUEST_INVALID"),
    (b'{"symbol":"A"} {}', 400, "REQUEST_NOT_JSON"),
    (b"[" * 90_000, 422, "REQUEST_INVALID"),
    (b'{"symbol":"x","close":[1,NaN]}', 400, "REQUEST_NOT_JSON"),
    (b'{"symbol":"x","close":[1,Infinity]}', 400, "REQUEST_NOT_JSON"),
    (b'{"symbol":"x","close":[1,1e999]}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"x","close":[1,null]}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"x","close":["1"]}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"x","close":"abc"}', 422, "REQUEST_INVALID"),
    (b"{}", 422, "REQUEST_INVALID"),
    (b'["A"]', 422, "REQUEST_INVALID"),
    (b'{"symbol":7}', 422, "REQUEST_INVALID"),
    (b'{"symbol":""}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"A","symbols":["B"]}', 422, "REQUEST_INVALID"),
    (b'{"symbols":[]}', 422, "REQUEST_INVALID"),
    (b'{"symbols":["A"],"close":[1.0]}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"A","ts":[1]}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"A","horzon":5}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"A","horizon":0}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"A","horizon":"5"}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"A","horizon":2.5}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"A","deadline_ms":-1}', 422, "REQUEST_INVALID"),
    (b'{"symbol":"A","horizon":4}', 422, "FORECAST_HORIZON"),
    (b'{"symbol":"nobody"}', 404, "FORECAST_SYMBOL_UNKNOWN"),
    (b'{"symbol":"A","model":"nobody"}', 404, "MODEL_UNKNOWN"),
    (b'{"symbol":"A","model":"net@77"}', 404, "MODEL_UNKNOWN"),
    (b'{"symbol":"A","model":"../../etc/passwd"}', 404, "MODEL_UNKNOWN"),
    (b'{"symbol":"SHORT"}', 422, "FORECAST_HISTORY_SHORT"),
    (own(close=[1.0, 2.0]), 422, "FORECAST_HISTORY_SHORT"),
    (own(close=[100.0] * 20), 422, "FORECAST_HISTORY_CONSTANT"),
    (own(close=[*range(19, 0, -1), 0.0]), 422, "FORECAST_HISTORY_INVALID"),
    (own(close=[*range(1, 20), -3.0]), 422, "FORECAST_HISTORY_INVALID"),
    (own(ts=[1, 2, 3]), 422, "FORECAST_HISTORY_INVALID"),
    (own(ts=list(range(20, 0, -1))), 422, "FORECAST_HISTORY_INVALID"),
    (own(close=[*range(1, 20), 2e6]), 500, "FORECAST_OUTPUT_INVALID"),
    (b'{"symbol":"A","deadline_ms":0.000001}', 504, "FORECAST_LATE"),
    (b'{"symbol":"A' + b" " * 100_001 + b'"}', 413, "REQUEST_TOO_LARGE"),
    (b"x" * 10_000_000, 413, "REQUEST_TOO_LARGE"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("body", "status", "code"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_what_is_wrong_is_a_problem_with_a_code(
    make_service: Make, call: Call, way: str, body: bytes, status: int, code: str
) -> None:
    reply = sent(make_service, call, way, body, headers={"x-correlation-id": "mine-1"})
    assert (reply.status, reply.json["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-correlation-id"] == "mine-1"
    problem = reply.json
    assert problem["correlation_id"] == "mine-1"
    assert problem["status"] == status
    assert problem["instance"] == "/v1/forecast"
    assert problem["title"]
    assert problem["detail"].endswith((".", "...")), problem["detail"]


@pytest.mark.parametrize("way", WAYS)
def test_a_failure_of_our_own_tells_nothing_but_its_id(
    make_service: Make, call: Call, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        raise ZeroDivisionError("secret 42")

    async def work() -> Any:
        service = make_service()
        monkeypatch.setattr(service, "forecast", breaks)
        app = build_app(service)

        async def served(scope: Any, receive: Any, send: Any) -> None:
            with suppress(ZeroDivisionError):  # the framework answers, then raises for the log
                await (app if way == "short" else app.app)(scope, receive, send)

        return await call(served, "POST", "/v1/forecast", b'{"symbol":"A"}')

    reply = asyncio.run(work())
    assert (reply.status, reply.json["code"]) == (500, "FAILED")
    assert b"secret" not in reply.body


def test_ids_that_are_not_plain_are_replaced(make_service: Make, call: Call) -> None:
    headers = {"x-correlation-id": "a\nb<script>"}
    reply = sent(make_service, call, "short", b'{"symbol":"A"}', headers=headers)
    assert reply.headers["x-correlation-id"].isascii()
    assert "<" not in reply.headers["x-correlation-id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("GET", "/v1/forecast", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/v1/forecast", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/v1/models", 405, "METHOD_NOT_ALLOWED"),
    ],
)
def test_other_paths_and_methods_are_problems_too(
    make_service: Make, call: Call, method: str, path: str, status: int, code: str
) -> None:
    reply = asyncio.run(call(build_app(make_service()), method, path))
    assert (reply.status, reply.json["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/forecast"),
        ("GET", "/v1/forecast/stream?symbols=A"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/net"),
        ("GET", "/v1/models/net/1"),
        ("POST", "/v1/models/net/2/promote"),
        ("POST", "/v1/models/net/rollback"),
        ("GET", "/v1/cluster"),
        ("GET", "/metrics"),
    ],
)
def test_the_guard_stands_before_every_route(
    make_service: Make, call: Call, method: str, path: str
) -> None:
    def nobody(scope: Any) -> str:
        raise AuthError("Say who you are.")

    app = build_app(make_service(), guard=nobody)
    for way in (app, app.app):
        reply = asyncio.run(call(way, method, path, b"{}"))
        assert (reply.status, reply.json["code"]) == (401, "AUTH_REFUSED")


def test_the_document_describes_the_body_with_examples_that_work(
    make_service: Make, call: Call
) -> None:
    async def work() -> None:
        app = build_app(make_service())
        document = (await call(app, "GET", "/openapi.json")).json
        post = document["paths"]["/v1/forecast"]["post"]
        content = post["requestBody"]["content"]["application/json"]
        schemas = document["components"]["schemas"]
        assert content["schema"]["$ref"].rpartition("/")[2] in schemas
        assert {"Question", "Forecast", "Answers", "Problem"} <= set(schemas)
        assert set(post["responses"]) >= {"200", "4XX", "5XX"}
        for example in content["examples"].values():
            body = json.dumps(example["value"]).encode()
            reply = await call(app, "POST", "/v1/forecast", body)
            assert reply.json.get("code") != "REQUEST_INVALID"
        references = set(_references(document))
        assert {each.rpartition("/")[2] for each in references} <= set(schemas)

    asyncio.run(work())


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for value in node.values() for each in _references(value)]
    return [each for value in node for each in _references(value)] if isinstance(node, list) else []
