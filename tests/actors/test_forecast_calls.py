"""Every question to a model has exactly one outcome, whatever the model does, and nobody waits for it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import numpy as np
import pytest
from aiohttp import web

from actors.blueprint import Blueprint, ForecastPlan, ReplayPlan
from actors.forecast_calls import ForecastService, LocalModel, answer_of, ask_model
from actors.forecast_sessions import ForecastSessions, port_of
from actors.models.forecaster import ModelAccess
from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from actors.runner import Command
from tests.dead_port import nobody_at
from trading.effects import AskModel
from trading.errors import ForecastInvalid, ModelCorrupt
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History, inputs_of
from trading.forecasting.prediction import LEVELS
from trading.identifiers import AccountId, machine_name
from trading.outcomes import ModelAnswered, ModelFailed

SECOND, DAY = 10**9, 86_400 * 10**9
SOURCE = machine_name("forecast", "desk")
TIMEOUT_NS = 60 * SECOND
"""More than any answer takes, a model loaded included; who is to be late has its own."""


def history(name: str, seed: int = 1, bars: int = 12) -> History:
    moves = np.random.default_rng(seed).normal(0, 0.01, bars)
    return History(name, np.arange(1, bars + 1) * DAY, 50 * np.exp(np.cumsum(moves)))


def ask(*names: str, timeout_ns: int = TIMEOUT_NS, horizon: int = 5) -> AskModel:
    histories = tuple(history(name, seed) for seed, name in enumerate(names or ("A.X",)))
    return AskModel(histories, horizon, 7, timeout_ns)


def a_forecast(symbol: str = "A.X") -> Forecast:
    return Forecast(
        symbol=symbol,
        model="nhits",
        version=3,
        provider="cpu",
        horizon=2,
        as_of=12 * DAY,
        data_cutoff=5,
        expires_at=13 * DAY,
        last_close=50.0,
        quantiles={str(level): (50.0, 50.0 + level) for level in LEVELS},
        expected_return=0.01,
        deviation=0.02,
        latency_ms=1.0,
    )


class Port:
    """Does what the test says."""

    def __init__(self, act: Callable[[AskModel], Awaitable[Sequence[Forecast]]]) -> None:
        self.forecast = act

    async def open(self) -> None: ...

    async def close(self) -> None: ...


def outcome(act: Callable[[AskModel], Awaitable[Sequence[Forecast]]], **given: Any) -> Any:
    return asyncio.run(ask_model(Port(act), ask(**given), lambda: 99))


# -- outcomes


def test_answer_holds_the_last_step_as_simple_returns() -> None:
    async def act(_: AskModel) -> list[Forecast]:
        return [a_forecast()]

    found = outcome(act)
    assert found == ModelAnswered(ts_init=99, sequence=7, answers=(answer_of(a_forecast()),))
    (answer,) = found.answers
    assert (answer.instrument_id, answer.model, answer.data_cutoff) == ("A.X", "nhits@3", 5)
    np.testing.assert_allclose(answer.quantiles, np.array(LEVELS) / 50.0)
    np.testing.assert_array_equal(answer.path, np.zeros((1, 9)))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ForecastInvalid("Model x answered NaN."), "Model x answered NaN."),
        (RuntimeError("no memory"), "RuntimeError: no memory"),
        (ConnectionRefusedError("x"), "ConnectionRefusedError: x"),
    ],
)
def test_error_becomes_a_failure_with_its_reason(error: Exception, reason: str) -> None:
    async def act(_: AskModel) -> list[Forecast]:
        raise error

    assert outcome(act) == ModelFailed(ts_init=99, sequence=7, reason=reason)


def test_model_that_does_not_answer_is_given_up() -> None:
    async def act(_: AskModel) -> list[Forecast]:
        await asyncio.Event().wait()
        raise AssertionError

    found = outcome(act, timeout_ns=SECOND // 50)
    assert found.reason == "no answer within 0.02 s"


# -- the model of this process


@pytest.fixture
def registry(tmp_path: Path, register_trend: Callable[..., Any]) -> ModelRegistry:
    registry = ModelRegistry(str(tmp_path / "models"))
    register_trend(registry)
    return registry


def test_local_model_says_what_its_session_says(registry: ModelRegistry) -> None:
    session = load_session(registry, "nhits")
    question = ask("A.X", "B.X", horizon=3)

    async def run() -> Sequence[Forecast]:
        model = LocalModel(lambda: session)
        await model.open()
        try:
            return await model.forecast(question)
        finally:
            await model.close()

    found = asyncio.run(run())
    signals = session.predict(inputs_of(question.histories, 12)).signals(3)
    assert [each.symbol for each in found] == ["A.X", "B.X"]
    np.testing.assert_allclose([each.expected_return for each in found], signals["forecast_return"])
    assert {each.model for each in found} == {"nhits"}


def test_model_that_cannot_be_loaded_is_tried_again_at_every_question(
    registry: ModelRegistry,
) -> None:
    problems = [ModelCorrupt("damaged"), ModelCorrupt("damaged")]

    def load() -> Any:
        if problems:
            raise problems.pop()
        return load_session(registry, "nhits")

    async def run() -> list[Any]:
        model = LocalModel(load)
        found = [await ask_model(model, ask(), lambda: 0) for _ in range(3)]
        await model.close()
        return found

    first, second, third = asyncio.run(run())
    assert first.reason == second.reason == "damaged"
    assert isinstance(third, ModelAnswered)


def test_loop_goes_on_while_a_model_hangs() -> None:
    release = threading.Event()

    def load() -> Any:
        release.wait()
        raise ModelCorrupt("too late")

    async def run() -> tuple[Any, Any]:
        model = LocalModel(load)
        question = ask(timeout_ns=SECOND // 50)
        found = await asyncio.gather(
            ask_model(model, question, lambda: 0), ask_model(model, question, lambda: 0)
        )
        release.set()
        await model.close()
        return found[0], found[1]

    for each in asyncio.run(run()):
        assert each.reason == "no answer within 0.02 s"


# -- a service


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/forecast", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        await runner.cleanup()


def ask_service(
    handler: Callable[[web.Request], Awaitable[web.Response]], question: AskModel
) -> Any:
    async def run() -> Any:
        async with serving(handler) as url:
            service = ForecastService(url, "nhits@champion")
            await service.open()
            try:
                return await ask_model(service, question, lambda: 0)
            finally:
                await service.close()

    return asyncio.run(run())


def json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status)


def test_service_is_asked_for_every_instrument_with_its_bars() -> None:
    seen: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.Response:
        question = await request.json()
        seen.append(question)
        return json(a_forecast(question["symbol"]))

    question = ask("A.X", "B.X")
    found = ask_service(handler, question)
    assert [each.instrument_id for each in found.answers] == ["A.X", "B.X"]
    first = min(seen, key=lambda each: each["symbol"])
    assert first == {
        "symbol": "A.X",
        "model": "nhits@champion",
        "horizon": 5,
        "deadline_ms": 54_000.0,
        "ts": question.histories[0].ts.tolist(),
        "close": question.histories[0].close.tolist(),
    }


def test_service_is_asked_for_the_miscoverage_when_there_is_one() -> None:
    seen: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return json(a_forecast())

    shares = (0.4, 0.15, 0.03, 0.002)
    ask_service(handler, msgspec.structs.replace(ask(), miscoverage=shares))
    assert seen[0]["miscoverage"] == list(shares)


def test_question_is_one_that_the_service_understands() -> None:
    from serve.forecast.question import Question, own_history

    bodies: list[bytes] = []

    async def handler(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return json(a_forecast())

    question = ask()
    ask_service(handler, question)
    understood = own_history(msgspec.json.decode(bodies[0], type=Question), (), "1d")
    np.testing.assert_array_equal(understood.close, question.histories[0].close)
    np.testing.assert_array_equal(understood.ts, question.histories[0].ts)


def test_instrument_that_the_service_refuses_is_missing_and_the_others_are_there() -> None:
    async def handler(request: web.Request) -> web.Response:
        symbol = (await request.json())["symbol"]
        if symbol == "B.X":
            return json({"code": "FORECAST_HISTORY_CONSTANT", "detail": "B.X does not move."}, 422)
        return json(a_forecast(symbol))

    found = ask_service(handler, ask("A.X", "B.X"))
    assert [each.instrument_id for each in found.answers] == ["A.X"]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b'{"code": "MODEL_UNKNOWN", "detail": "No model."}', 404, "MODEL_UNKNOWN: No model."),
        (b"<html>bad gateway</html>", 502, "HTTP 502"),
        (b"[1]", 500, "HTTP 500"),
        (b'{"symbol": "A"}', 200, "the service answered what is no forecast"),
        (b"NaN", 200, "the service answered what is no forecast"),
    ],
)
def test_answer_that_is_no_forecast_is_a_failure_with_its_reason(
    body: bytes, status: int, reason: str
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status)

    found = ask_service(handler, ask())
    assert isinstance(found, ModelFailed)
    assert found.reason.startswith(reason)


def test_service_that_hangs_is_given_up() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    found = ask_service(handler, ask(timeout_ns=SECOND // 10))
    assert found.reason == "no answer within 0.1 s"


def test_service_that_is_not_there_is_a_failure() -> None:
    async def run() -> Any:
        with nobody_at() as port:
            service = ForecastService(f"http://127.0.0.1:{port}/", "nhits")
            await service.open()
            found = await ask_model(service, ask(), lambda: 0)
            await service.close()
        return found

    found = asyncio.run(run())
    assert "Cannot connect" in found.reason


# -- the thread of a host


def a_blueprint(registry: ModelRegistry, **changes: Any) -> Blueprint:
    plan = ForecastPlan(name="desk", model="nhits@1", input_size=12, **changes)
    return Blueprint(
        account_id=AccountId("A"),
        initial_cash=Decimal(1),
        replay=ReplayPlan(source="sp500", symbols=("A",), days=5, pace_ns=0, settle_timeout_ns=1),
        strategies=(),
        forecasts=(plan,),
        models=ModelAccess(url=registry.url),
    )


def test_host_asks_in_a_thread_and_hears_by_a_command(registry: ModelRegistry) -> None:
    arrived: SimpleQueue[Command] = SimpleQueue()
    sessions = ForecastSessions(a_blueprint(registry), (SOURCE, machine_name("book", "paper")))
    sessions.start(arrived.put)
    try:
        sessions.ask(SOURCE, ask("A.X", "B.X"))
        command = arrived.get(timeout=60)
    finally:
        sessions.close()
    assert command.to == SOURCE
    assert isinstance(command.message, ModelAnswered)
    assert len(command.message.answers) == 2


def test_host_without_a_source_starts_nothing(registry: ModelRegistry) -> None:
    before = set(threading.enumerate())
    sessions = ForecastSessions(a_blueprint(registry), (machine_name("book", "paper"),))
    sessions.start(lambda _: None)
    assert set(threading.enumerate()) <= before
    sessions.close()


def test_url_decides_who_is_asked(registry: ModelRegistry) -> None:
    (near,) = a_blueprint(registry).forecasts
    (far,) = a_blueprint(registry, url="http://127.0.0.1:1").forecasts
    assert isinstance(port_of(near, ModelAccess()), LocalModel)
    assert isinstance(port_of(far, ModelAccess()), ForecastService)
