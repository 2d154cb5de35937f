"""`/v1/models` and `/v1/cluster` over ASGI: what there is, and decisions that are safe to send twice."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from actors.models.registry import ModelRegistry
from serve.forecast.service import ForecastService
from serve.http.app import build_app

Make = Callable[..., ForecastService]
Call = Callable[..., Any]


def test_models_and_versions_are_shown(make_service: Make, call: Call) -> None:
    async def work() -> None:
        app = build_app(make_service())
        (model,) = (await call(app, "GET", "/v1/models")).json
        assert (model["name"], model["versions"]) == ("net", [1, 2])
        assert model["aliases"]["champion"] == 1
        detail = (await call(app, "GET", "/v1/models/net")).json
        assert [each["champion"] for each in detail["history"]] == [1]
        for version in ("1", "champion"):
            found = (await call(app, "GET", f"/v1/models/net/{version}")).json
            assert (found["manifest"]["version"], found["part"]) == (1, "champion")
            assert found["manifest"]["input_size"] == 20
            assert found["report"] is None

    asyncio.run(work())


def test_a_promotion_over_http_rules_at_once(
    make_service: Make, call: Call, registry: ModelRegistry
) -> None:
    async def work() -> None:
        app = build_app(make_service())
        ask = ("POST", "/v1/forecast", b'{"symbol":"A"}')
        assert (await call(app, *ask)).json["version"] == 1
        body = json.dumps({"alias": "champion", "why": "better"}).encode()
        decided = await call(app, "POST", "/v1/models/net/2/promote", body)
        assert (decided.status, decided.json["champion"]) == (200, 2)
        assert decided.json["by"] == "http:127.0.0.1"
        assert decided.json["why"] == "better"
        assert (await call(app, *ask)).json["version"] == 2

    asyncio.run(work())
    assert registry.aliases("net").champion == 2


def test_a_rollback_that_arrives_twice_goes_back_once(
    make_service: Make, call: Call, registry: ModelRegistry, net: Any
) -> None:
    net.promote(registry, "net@2")
    net.promote(registry, net.register(registry, 0.003))
    body = json.dumps({"champion": 3, "why": "worse"}).encode()

    async def work() -> list[Any]:
        app = build_app(make_service())
        return [await call(app, "POST", "/v1/models/net/rollback", body) for _ in range(2)]

    first, second = asyncio.run(work())
    assert (first.status, first.json["champion"]) == (200, 2)
    assert (second.status, second.json["code"]) == (409, "MODEL_REFUSED")
    assert registry.aliases("net").champion == 2


def test_a_model_that_loses_to_the_naive_forecast_needs_force(
    make_service: Make, call: Call, registry: ModelRegistry, net: Any
) -> None:
    net.register(registry, 0.5, beats_naive=False)
    body = {"alias": "champion", "why": "I like it"}

    async def work(asked: dict[str, Any]) -> Any:
        path = "/v1/models/net/3/promote"
        return await call(build_app(make_service()), "POST", path, json.dumps(asked).encode())

    refused = asyncio.run(work(body))
    assert (refused.status, refused.json["code"]) == (409, "MODEL_REFUSED")
    assert asyncio.run(work(body | {"force": True})).status == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/models/net/9/promote", '{"alias":"champion","why":"x"}', 404, "MODEL_UNKNOWN"),
        ("/v1/models/nobody/1/promote", '{"alias":"champion","why":"x"}', 404, "MODEL_UNKNOWN"),
        ("/v1/models/net/2/promote", '{"alias":"king","why":"x"}', 422, "USAGE"),
        ("/v1/models/net/2/promote", '{"alias":"champion"}', 422, "REQUEST_INVALID"),
        ("/v1/models/net/2/promote", '{"alias":"champion","why":""}', 422, "REQUEST_INVALID"),
        ("/v1/models/net/2/promote", "{", 400, "REQUEST_NOT_JSON"),
        ("/v1/models/net/x/promote", '{"alias":"champion","why":"x"}', 422, "REQUEST_INVALID"),
        ("/v1/models/net/rollback", '{"why":"x"}', 422, "REQUEST_INVALID"),
        ("/v1/models/net/rollback", '{"champion":1,"why":"x"}', 409, "MODEL_REFUSED"),
    ],
)
def test_wrong_decisions_are_problems(
    make_service: Make,
    call: Call,
    registry: ModelRegistry,
    path: str,
    body: str,
    status: int,
    code: str,
) -> None:
    reply = asyncio.run(call(build_app(make_service()), "POST", path, body.encode()))
    assert (reply.status, reply.json["code"]) == (status, code)
    assert registry.aliases("net").sequence == 1


def test_a_form_of_a_web_page_decides_nothing(
    make_service: Make, call: Call, registry: ModelRegistry
) -> None:
    for content_type in ("application/x-www-form-urlencoded", "text/plain"):
        reply = asyncio.run(
            call(
                build_app(make_service()),
                "POST",
                "/v1/models/net/2/promote",
                b'{"alias":"champion","why":"x"}',
                content_type=content_type,
            )
        )
        assert (reply.status, reply.json["code"]) == (422, "REQUEST_INVALID")
        assert "application/json" in reply.json["detail"]
    assert registry.aliases("net").champion == 1


def test_the_service_says_how_it_is(make_service: Make, call: Call) -> None:
    async def work() -> None:
        service = make_service()
        app = build_app(service)
        assert (await call(app, "GET", "/healthz")).status == 200
        assert (await call(app, "GET", "/readyz")).status == 503
        await service.start()
        assert (await call(app, "GET", "/readyz")).status == 200
        await call(app, "POST", "/v1/forecast", b'{"symbol":"A"}')
        await call(app, "POST", "/v1/forecast", b'{"symbol":"A"}')
        await call(app, "POST", "/v1/forecast", b'{"symbol":"nobody"}')
        found = (await call(app, "GET", "/v1/cluster")).json
        assert (found["asked"], found["queued"], found["cache_hits"]) == (3, 0, 1)
        assert found["versions"] == {"net": ["net@1"]}
        (replica,) = found["replicas"]
        assert replica["failures"] == {"FORECAST_SYMBOL_UNKNOWN": 1}
        assert replica["models"][0]["parts"] == ["champion"]
        assert replica["p50_ms"] <= replica["p99_ms"]
        text = (await call(app, "GET", "/metrics")).body.decode()
        assert 'forecast_asked_total{replica="alone"} 3' in text
        assert 'forecast_failures_total{replica="alone",code="FORECAST_SYMBOL_UNKNOWN"} 1' in text
        await service.stop()

    asyncio.run(work())
