"""One replica: what it answers, by whom, when, and what it refuses."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from serve.forecast.question import Question
from serve.forecast.service import Answers, ForecastService
from trading.errors import (
    ForecastInvalid,
    ForecastLate,
    ForecastRefused,
    ModelCorrupt,
    ModelUnknown,
)
from trading.forecasting.conformal import Calibration
from trading.forecasting.history import inputs_of

Ask = Callable[..., Any]
Make = Callable[..., ForecastService]


def test_a_forecast_is_what_the_graph_says(ask: Ask, net: Any) -> None:
    found = ask(symbol="A", horizon=2)
    last = float(net.known["A"].close[-1])
    expected = {
        level: tuple(last * math.exp(0.001 * step + spread) for step in (1, 2))
        for level, spread in zip(found.quantiles, net.spread, strict=True)
    }
    for level, prices in expected.items():
        assert found.quantiles[level] == pytest.approx(prices, rel=1e-12)
    assert (found.model, found.version, found.provider) == ("net", 1, "cpu")
    assert found.as_of == 30 * net.day
    assert found.expires_at > found.as_of
    assert found.last_close == last
    assert not found.is_cached
    assert found.latency_ms > 0


def test_a_forecast_equals_that_of_a_session(ask: Ask, net: Any, registry: ModelRegistry) -> None:
    found = ask(symbol="B")
    session = load_session(registry, "net")
    inputs = inputs_of([net.known["B"]], net.input_size)
    prices = session.predict(inputs).prices(inputs["close"][:, -1])[0]
    answered = np.array(list(found.quantiles.values())).T
    assert answered == pytest.approx(prices, rel=1e-12)


def test_wanted_miscoverage_moves_the_intervals(
    make_service: Make, ask: Ask, net: Any, registry: ModelRegistry
) -> None:
    """Scores from 1 to 100 deviations of 0.01: the share that may miss says which one widens."""
    grid = tuple(rank / 100 for rank in range(1, 101))
    scores = tuple(tuple(tuple(100 * each for each in grid) for _ in range(3)) for _ in range(4))
    calibration = Calibration(windows=100, grid=grid, scores=scores)
    net.promote(registry, net.register(registry, 0.0, calibration=calibration))
    service = make_service()
    usual = ask(service, symbol="A", horizon=1)
    wide = ask(service, symbol="A", horizon=1, miscoverage=[0.5, 0.1, 0.05, 0.01])
    last = usual.last_close
    assert usual.quantiles["0.9"][0] == pytest.approx(last * math.exp(0.02 + 0.8))
    assert wide.quantiles["0.9"][0] == pytest.approx(last * math.exp(0.02 + 0.9))
    assert not wide.is_cached
    assert ask(service, symbol="A", horizon=1, miscoverage=[0.5, 0.1, 0.05, 0.01]).is_cached


def test_own_bars_need_no_known_symbol(ask: Ask, net: Any) -> None:
    close = [100.0 + step % 5 for step in range(net.input_size)]
    found = ask(symbol="mine", close=close, horizon=1)
    assert found.last_close == close[-1]
    assert found.expires_at < 365 * net.day, "without times nobody may trade on it"
    ts = [10**18 + step * net.day for step in range(net.input_size)]
    assert ask(symbol="mine", close=close, ts=ts).as_of == ts[-1]


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"symbol": "SHORT"}, "FORECAST_HISTORY_SHORT"),
        ({"symbol": "nobody"}, "FORECAST_SYMBOL_UNKNOWN"),
        ({"symbol": "A", "horizon": 4}, "FORECAST_HORIZON"),
        ({"symbol": "x", "close": [5.0] * 20}, "FORECAST_HISTORY_CONSTANT"),
        ({"symbol": "x", "close": []}, "FORECAST_HISTORY_SHORT"),
        ({"symbol": "x", "close": [*range(19), -1.0]}, "FORECAST_HISTORY_INVALID"),
        ({"symbol": "x", "close": [1.0, 2.0] * 10, "ts": [1, 2]}, "FORECAST_HISTORY_INVALID"),
        ({"symbol": "x", "close": [1.0, 2.0] * 10, "ts": [7] * 20}, "FORECAST_HISTORY_INVALID"),
        ({"symbol": "x", "close": [1.0] * 20, "ts": [10**30] * 20}, "FORECAST_HISTORY_INVALID"),
    ],
)
def test_what_cannot_be_forecast_is_refused_by_code(ask: Ask, question: Any, code: str) -> None:
    with pytest.raises(ForecastRefused) as refused:
        ask(**question)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "reference", ["nobody", "net@9", "net@challenger", "net@best", "../net", "net@", "NET", "a@b@c"]
)
def test_unknown_models_are_refused(ask: Ask, reference: str) -> None:
    with pytest.raises(ModelUnknown):
        ask(symbol="A", model=reference)
    with pytest.raises(ModelUnknown):
        ask(symbols=["A", "B"], model=reference)


def test_nan_is_an_error_and_spoils_no_other_answer(make_service: Make) -> None:
    async def work() -> list[Any]:
        service = make_service()
        asked = [Question(symbol=symbol) for symbol in ("A", "HIGH", "B")]
        await service.start()
        found = await asyncio.gather(
            *(service.forecast(each, time.perf_counter()) for each in asked),
            return_exceptions=True,
        )
        model = service.status().models[0]
        await service.stop()
        return [*found, model]

    first, bad, last, model = asyncio.run(work())
    assert (first.symbol, last.symbol) == ("A", "B")
    assert isinstance(bad, ForecastInvalid)
    assert (model.runs, model.windows) == (1, 3), "they were joined"


def test_several_symbols_get_what_there_is(ask: Ask) -> None:
    found = ask(symbols=["A", "nobody", "B", "SHORT", "HIGH"], horizon=1)
    assert isinstance(found, Answers)
    assert [each.symbol for each in found.forecasts] == ["A", "B"]
    assert {each.symbol: each.code for each in found.errors} == {
        "nobody": "FORECAST_SYMBOL_UNKNOWN",
        "SHORT": "FORECAST_HISTORY_SHORT",
        "HIGH": "FORECAST_OUTPUT_INVALID",
    }


def test_a_late_answer_is_none(make_service: Make) -> None:
    async def work() -> ForecastService:
        service = make_service()
        await service.start()
        with pytest.raises(ForecastLate):
            await service.forecast(
                Question(symbol="A", deadline_ms=50.0), time.perf_counter() - 0.06
            )
        with pytest.raises(ForecastLate):  # the batch is not run within a nanosecond
            await service.forecast(Question(symbol="B", deadline_ms=1e-6), time.perf_counter())
        await service.stop()
        return service

    service = asyncio.run(work())
    assert service.status().failures == {"FORECAST_LATE": 2}
    assert service.status().queued == 0


def test_a_known_answer_that_comes_too_late_is_none_either(make_service: Make) -> None:
    async def work() -> None:
        service = make_service()
        await service.forecast(Question(symbol="A"), time.perf_counter())
        late = Question(symbol="A", deadline_ms=50.0)
        with pytest.raises(ForecastLate):
            await service.forecast(late, time.perf_counter() - 0.06)

    asyncio.run(work())


def test_the_same_bars_are_computed_once(make_service: Make, net: Any) -> None:
    async def work() -> None:
        service = make_service(cache_entries=2)
        first = await service.forecast(Question(symbol="A"), time.perf_counter())
        second = await service.forecast(Question(symbol="A"), time.perf_counter())
        assert (first.is_cached, second.is_cached) == (False, True)
        assert second.quantiles == first.quantiles
        close = net.known["A"].close.tolist()
        changed = Question(symbol="A", close=[*close[:-1], close[-1] + 1.0])
        assert not (await service.forecast(changed, time.perf_counter())).is_cached
        shorter = Question(symbol="A", horizon=1)
        assert not (await service.forecast(shorter, time.perf_counter())).is_cached
        assert not (await service.forecast(Question(symbol="A"), time.perf_counter())).is_cached
        assert len(service.cache) == 2

    asyncio.run(work())


def test_no_cache_keeps_nothing(make_service: Make) -> None:
    async def work() -> None:
        service = make_service(cache_entries=0)
        for _ in range(2):
            found = await service.forecast(Question(symbol="A"), time.perf_counter())
            assert not found.is_cached

    asyncio.run(work())


def test_a_new_champion_answers_after_a_look(
    make_service: Make, registry: ModelRegistry, net: Any
) -> None:
    async def work() -> None:
        service = make_service()
        question = Question(symbol="A")
        assert (await service.forecast(question, time.perf_counter())).version == 1
        net.promote(registry, "net@2")
        assert (await service.forecast(question, time.perf_counter())).version == 1
        await service.lineup.look()
        after = await service.forecast(question, time.perf_counter())
        assert (after.version, after.is_cached) == (2, False)
        numbered = Question(symbol="A", model="net@1")
        assert (await service.forecast(numbered, time.perf_counter())).version == 1

    asyncio.run(work())


def test_the_challenger_is_compared_and_never_heard(
    make_service: Make, registry: ModelRegistry, net: Any
) -> None:
    net.promote(registry, "net@2", "challenger")

    async def work() -> None:
        service = make_service()
        for symbol in ("A", "B", "A"):  # the third comes from the cache
            found = await service.forecast(Question(symbol=symbol), time.perf_counter())
            assert found.version == 1
        await service.shadow.settle()
        report = service.status().shadow["net@2"]
        assert (report.compared, report.failed, report.dropped) == (2, 0, 0)
        # medians drift by 0.001 and 0.002 a step, over 3 steps; the spread adds 0.01565 ** 2 / 2 to both
        expected = math.expm1(0.006 + 0.0156068**2 / 2) - math.expm1(0.003 + 0.0156068**2 / 2)
        assert report.mean_difference == pytest.approx(expected, rel=1e-4)
        assert report.mean_absolute_difference == report.mean_difference

    asyncio.run(work())


def test_a_challenger_that_fails_is_counted_and_harms_nobody(
    make_service: Make, registry: ModelRegistry, net: Any
) -> None:
    net.promote(registry, net.register(registry, 0.0, input_size=25), "challenger")

    async def work() -> None:
        service = (
            make_service()
        )  # its graph takes 20 closes, its manifest says 25: it is refused at load
        assert (await service.forecast(Question(symbol="A"), time.perf_counter())).version == 1
        await service.shadow.settle()
        assert "net@3" in service.status().refused
        assert service.status().shadow == {}

    asyncio.run(work())


def test_shares_of_the_traffic_are_fixed_by_the_bars(
    make_service: Make, registry: ModelRegistry
) -> None:
    registry.split("net", {1: 0.5, 2: 0.5}, by="test", why="try", at=1)

    async def versions() -> list[int]:
        service = make_service(cache_entries=0)
        asked = [Question(symbol=f"S{number}") for number in range(40)]
        found = [await service.forecast(each, time.perf_counter()) for each in asked]
        return [each.version for each in found]

    first = asyncio.run(versions())
    assert set(first) == {1, 2}
    assert 8 <= first.count(1) <= 32
    assert asyncio.run(versions()) == first


def test_a_service_does_not_start_without_any_champion_that_works(
    make_service: Make, registry: ModelRegistry, net: Any
) -> None:
    net.corrupt(registry, "net@1")
    with pytest.raises(ModelCorrupt, match="net@1"):
        asyncio.run(make_service().start())
