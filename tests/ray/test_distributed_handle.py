"""An ensemble whose members are replicas of Ray Serve, asked through their handle."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from serve.forecast.distributed import predict_distributed
from serve.forecast.members import Member, ServedModel, asked_by_handle
from serve.forecast.question import Question
from trading.errors import ForecastInvalid, ForecastRefused, ModelUnknown
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History
from trading.forecasting.prediction import LEVELS

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

HORIZON = 2
DEADLINE_S = 60.0
FLAT = History("FLAT", np.arange(1, 11, dtype=np.int64), np.full(10, 100.0) + np.arange(10))
SHORT = History("SHORT", FLAT.ts[:2], FLAT.close[:2])


class Answering:
    """A deployment; its model is the drift per level."""

    def __init__(self) -> None:
        self._held = 0

    async def held(self) -> int:
        """Return how many questions were taken that nobody answers."""
        return self._held

    async def forecast(self, question: Question) -> Forecast:
        if question.model == "nobody":
            raise ModelUnknown("There is no model 'nobody'.")
        if question.model == "nan":
            raise ForecastInvalid("Model nan answered NaN.")
        if question.model == "never":
            self._held += 1
            await asyncio.Event().wait()
        close = question.close or []
        if len(close) < 5:
            raise ForecastRefused("FORECAST_HISTORY_SHORT", f"{question.symbol} has 2 bars.")
        prices = [close[-1] * (1.0 + float(question.model or 0) * (k + 1)) for k in range(9)]
        return Forecast(
            symbol=question.symbol or "",
            model="m",
            version=1,
            provider="cpu",
            horizon=question.horizon or 0,
            as_of=(question.ts or [])[-1],
            data_cutoff=1,
            expires_at=99,
            last_close=close[-1],
            quantiles={
                str(level): (price,) * HORIZON for level, price in zip(LEVELS, prices, strict=True)
            },
            expected_return=0.0,
            deviation=0.1,
            latency_ms=1.0,
        )


@pytest.fixture(scope="module")
def handle(ray_session: Any) -> Iterator[Any]:
    from ray import serve as ray_serve

    ray_serve.start(proxy_location="Disabled")
    deployment = ray_serve.deployment(Answering).options(
        ray_actor_options={"num_cpus": 0.1}, graceful_shutdown_timeout_s=1.0
    )
    yield ray_serve.run(deployment.bind(), name="members", route_prefix=None)
    ray_serve.shutdown()


def test_replicas_of_serve_answer_as_members(handle: Any) -> None:
    ask = asked_by_handle(handle)
    members = [
        Member("low", (ServedModel(ask, "0.001"),)),
        Member("high", (ServedModel(ask, "0.003"),)),
        Member("moved", (ServedModel(ask, "nobody"), ServedModel(ask, "0.002"))),
        Member("nobody", (ServedModel(ask, "nobody"),)),
        Member("nan", (ServedModel(ask, "nan"),)),
    ]
    found = asyncio.run(
        predict_distributed(
            [FLAT, SHORT], members, HORIZON, deadline_ms=60_000.0, method="median", quorum=3
        )
    )
    assert [(each.member, each.state, each.repeated) for each in found.members] == [
        ("low", "ok", 0),
        ("high", "ok", 0),
        ("moved", "ok", 1),
        ("nobody", "failed", 0),
        ("nan", "failed", 0),
    ]
    assert found.members[3].code == "MODEL_UNKNOWN"
    assert found.members[3].reason == "There is no model 'nobody'."
    [one] = found.forecasts
    assert one.quantiles["0.005"] == pytest.approx([109.0 * 1.002] * 2)
    assert one.quantiles["0.995"] == pytest.approx([109.0 * 1.018] * 2)
    assert [(error.symbol, error.code) for error in found.errors] == [
        ("SHORT", "FORECAST_HISTORY_SHORT")
    ]


class HastyLoop(asyncio.SelectorEventLoop):
    """Its clock can be put forward: a deadline of a minute passes when the test says so, not before."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


def test_replica_that_never_answers_is_late(handle: Any) -> None:
    served = asked_by_handle(handle)
    loop = HastyLoop()
    passing: list[asyncio.Task[None]] = []

    async def ask(question: Question) -> Forecast:
        """Let the deadline pass as soon as one has answered and the other holds its question."""
        answer = await served(question)
        while not await handle.held.remote():  # noqa: ASYNC110  another process holds it
            await asyncio.sleep(0.02)
        passing.append(asyncio.create_task(pass_deadline()))
        return answer

    async def pass_deadline() -> None:
        for _ in range(100):  # turns of the loop; the one that answered needs a few to be through
            await asyncio.sleep(0)
        loop.ahead_s = DEADLINE_S

    members = [
        Member("quick", (ServedModel(ask, "0.001"),)),
        Member("never", (ServedModel(ask, "never"),)),
    ]
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        found = runner.run(
            predict_distributed([FLAT], members, HORIZON, deadline_ms=DEADLINE_S * 1000.0)
        )
    assert [(each.member, each.state) for each in found.members] == [
        ("quick", "ok"),
        ("never", "late"),
    ]
    assert found.members[1].latency_ms >= DEADLINE_S * 1000.0
