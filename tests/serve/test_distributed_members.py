"""The members of an ensemble against a real session and a real service, in process and over HTTP."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import numpy as np
import pytest
import uvicorn

from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from serve.forecast.distributed import predict_distributed
from serve.forecast.members import (
    LocalModel,
    Member,
    Replica,
    ServedModel,
    asked_by_http,
    recent_loss,
)
from serve.forecast.question import Question
from serve.forecast.service import ForecastService
from serve.http.app import build_app
from tests.dead_port import nobody_at
from trading.errors import (
    ForecastError,
    ForecastInvalid,
    ForecastLate,
    ForecastRefused,
    ModelUnknown,
    UsageError,
)
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History
from trading.forecasting.monitoring import MonitorReport

DAY = 86_400_000_000_000
HORIZON = 2
PATIENT_S = 60.0
Made = Callable[..., ForecastService]


def a_history(symbol: str, count: int = 30, last: float = 70.0) -> History:
    close = 100.0 + np.arange(count, dtype=np.float64) % 7
    close[-1] = last
    ts = DAY * np.arange(1, count + 1, dtype=np.int64)
    return History(symbol, ts, close, volume=np.ones(count))


GOOD, OTHER = a_history("GOOD"), a_history("OTHER", last=80.0)
SHORT, NAN = a_history("SHORT", 5), a_history("NAN", last=5e6)


def in_process(service: ForecastService) -> Callable[[Question], Any]:
    async def ask(question: Question) -> Forecast:
        found = await service.forecast(question, time.perf_counter())
        assert isinstance(found, Forecast)
        return found

    return ask


@asynccontextmanager
async def over_http(service: ForecastService) -> AsyncIterator[Callable[[Question], Any]]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(build_app(service), lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with aiohttp.ClientSession() as client:
            yield asked_by_http(client, url)
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
def silent_port() -> Iterator[int]:
    with nobody_at() as port:
        yield port


def medians(forecasts: Any) -> dict[str, tuple[float, ...]]:
    return {each.symbol: each.quantiles["0.5"] for each in forecasts}


def expected(drift: float, last: float) -> Any:
    return pytest.approx([last * np.exp(drift * step) for step in (1, 2)], rel=1e-12)


def test_session_answers_for_those_that_it_can(registry: ModelRegistry) -> None:
    replica = LocalModel(load_session(registry, "net@2"))
    found = asyncio.run(replica.forecast([GOOD, SHORT, NAN, OTHER], HORIZON, PATIENT_S))
    kinds = [each.code if isinstance(each, ForecastError) else each.symbol for each in found]
    assert kinds == ["GOOD", "FORECAST_HISTORY_SHORT", "FORECAST_OUTPUT_INVALID", "OTHER"]
    assert medians(found[::3]) == {"GOOD": expected(0.002, 70.0), "OTHER": expected(0.002, 80.0)}


@pytest.mark.parametrize("way", ["in process", "http"])
def test_service_answers_about_the_bars_that_it_is_sent(
    registry: ModelRegistry, make_service: Made, way: str
) -> None:
    async def work() -> Any:
        service = make_service()
        async with over_http(service) as http:
            ask = http if way == "http" else in_process(service)
            replica = ServedModel(ask, "net@2", bars=25)
            return await replica.forecast([GOOD, SHORT, OTHER, NAN], HORIZON, PATIENT_S)

    good, short, other, nan = asyncio.run(work())
    assert medians([good, other]) == {"GOOD": expected(0.002, 70.0), "OTHER": expected(0.002, 80.0)}
    assert (good.as_of, good.last_close, good.version) == (30 * DAY, 70.0, 2)
    assert isinstance(short, ForecastRefused)
    assert short.code == "FORECAST_HISTORY_SHORT"
    assert isinstance(nan, ForecastInvalid)


@pytest.mark.parametrize("way", ["in process", "http"])
def test_what_the_service_cannot_do_is_raised(make_service: Made, way: str) -> None:
    async def work(model: str, left_s: float) -> Any:
        service = make_service()
        async with over_http(service) as http:
            ask = http if way == "http" else in_process(service)
            return await ServedModel(ask, model).forecast([GOOD], HORIZON, left_s)

    for model, left_s, message in (
        ("nobody", PATIENT_S, "no model 'nobody'"),
        ("net@champion", 1e-9, "no answer within"),
    ):
        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(work(model, left_s))
        [error] = caught.value.exceptions
        assert message in str(error)
        assert isinstance(error, ForecastLate) == (model != "nobody")


def test_answer_that_is_no_problem_is_told_with_its_status() -> None:
    class Response:
        status = 502

        async def read(self) -> bytes:
            return b"<html>bad gateway</html>"

        async def __aenter__(self) -> "Response":
            return self

        async def __aexit__(self, *_: object) -> None: ...

    class Client:
        def post(self, *_: object, **__: object) -> Response:
            return Response()

    ask = asked_by_http(Client(), "http://x")  # type: ignore[arg-type]
    with pytest.raises(ForecastError, match="http://x answered with HTTP status 502"):
        asyncio.run(ask(Question(symbol="A")))


def test_ensemble_of_all_kinds_of_members_survives_a_dead_url(
    registry: ModelRegistry, make_service: Made, silent_port: int
) -> None:
    async def work() -> Any:
        service = make_service()
        async with over_http(service) as http, aiohttp.ClientSession() as client:
            dead = ServedModel(asked_by_http(client, f"http://127.0.0.1:{silent_port}"), "net@2")
            local: Replica = LocalModel(load_session(registry, "net@1"))
            members = [
                Member("net@1", (local,), loss=recent_loss(registry, "net@1")),
                Member("net@2", (dead, ServedModel(http, "net@2")), loss=0.25),
                Member("gone", (dead,), loss=0.5),
                Member("served", (ServedModel(in_process(service), "net@champion"),), loss=0.5),
            ]
            return await predict_distributed(
                [GOOD, SHORT],
                members,
                HORIZON,
                deadline_ms=1000.0 * PATIENT_S,
                method="weighted",
                quorum=3,
            )

    found = asyncio.run(work())
    assert [(each.member, each.state) for each in found.members] == [
        ("net@1", "ok"),
        ("net@2", "ok"),
        ("gone", "failed"),
        ("served", "ok"),
    ]
    assert found.members[1].repeated == 1
    # Weights 1/0.5, 1/0.25 and 1/0.5 of drifts 0.001, 0.002 and 0.001.
    assert medians(found.forecasts) == {"GOOD": expected(0.0015, 70.0)}
    assert found.voices == {"GOOD": ("net@1", "net@2", "served")}
    assert [(error.symbol, error.code) for error in found.errors] == [
        ("SHORT", "FORECAST_HISTORY_SHORT")
    ]


def test_recent_loss_follows_what_was_seen_in_service(registry: ModelRegistry) -> None:
    assert recent_loss(registry, "net@1") == 0.5
    report = MonitorReport(
        forecasts=9, coverage={}, input_drift={}, error_ratio=1.5, alerts=(), updated_at=1
    )
    registry.write_report("net@1", report)
    assert recent_loss(registry, "net@1") == 0.75
    registry.write_report("net@1", msgspec.structs.replace(report, error_ratio=None))
    assert recent_loss(registry, "net@1") == 0.5
    with pytest.raises(ModelUnknown):
        recent_loss(registry, "net@9")
    bare = msgspec.structs.replace(registry.manifest("net@1"), metrics={})
    graph = registry.read(bare, "model.onnx")
    stored = registry.register(bare, {"model.onnx": graph})
    with pytest.raises(UsageError, match=f"{stored.reference} has no CRPS"):
        recent_loss(registry, stored.reference)
