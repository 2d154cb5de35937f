"""The members of an ensemble: models, each with the replicas that can be asked for its forecasts."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from actors.models.registry import ModelRegistry
from actors.models.session import ModelSession
from serve.forecast.question import Question
from serve.http.problems import Problem
from trading.errors import (
    ForecastError,
    ForecastInvalid,
    ForecastLate,
    ForecastRefused,
    UsageError,
)
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History
from tune.forecast_each import forecast_each

if TYPE_CHECKING:
    from aiohttp import ClientSession

Outcome = Forecast | ForecastError
"""Of one history: its forecast, or why the model has none for it, wherever it is asked."""
Ask = Callable[[Question], Awaitable[Forecast]]
"""One question to a forecasting service."""


class Replica(Protocol):
    """One place where a model can be asked."""

    async def forecast(
        self, histories: Sequence[History], horizon: int, left_s: float
    ) -> Sequence[Outcome]:
        """Return the outcome of each history.

        Parameters
        ----------
        horizon : int
            Bars ahead.
        left_s : float
            Time until the answer is of no use any more: it is not waited for longer.

        Raises
        ------
        Exception
            Of any kind, when this replica cannot answer; another one may.
        """


@dataclass(frozen=True, slots=True)
class Member:
    """One model of an ensemble.

    Attributes
    ----------
    name : str
        Such as `nhits@champion`.
    replicas : tuple of Replica
        At least one; the requests are spread over them.
    loss : float or None
        Recent CRPS (log return), see `recent_loss`; the aggregation "weighted" needs it.
    """

    name: str
    replicas: tuple[Replica, ...]
    loss: float | None = None


def recent_loss(registry: ModelRegistry, reference: str) -> float:
    """Return the CRPS of a version out of sample, times how its error changed in service.

    Raises
    ------
    ModelUnknown
        If there is no such version.
    UsageError
        If it was registered without a CRPS.
    """
    manifest, report = registry.manifest(reference), registry.report(reference)
    if "crps" not in manifest.metrics:
        raise UsageError(f"{manifest.reference} has no CRPS; choose an aggregation without losses.")
    ratio = None if report is None else report.error_ratio
    return manifest.metrics["crps"] * (1.0 if ratio is None else ratio)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A session in this process. A run that is not waited for any more ends by itself, in its thread."""

    session: ModelSession

    async def forecast(
        self,
        histories: Sequence[History],
        horizon: int,
        left_s: float,  # a run cannot be stopped
    ) -> Sequence[Outcome]:
        """Run the model in a thread. See `Replica`."""
        return await asyncio.to_thread(
            forecast_each, self.session, histories, horizon, time.monotonic_ns
        )


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model of a forecasting service, asked with bars of our own.

    Attributes
    ----------
    ask : callable
        What `asked_by_http` or `asked_by_handle` returns.
    model : str
        `name@version` or `name@alias`, as the service knows it.
    bars : int
        Newest bars that are sent of each history: at least what the model reads.
    """

    ask: Ask
    model: str
    bars: int = 512

    async def forecast(
        self, histories: Sequence[History], horizon: int, left_s: float
    ) -> Sequence[Outcome]:
        """Ask for all at once, each with a request of its own; the service joins them. See `Replica`."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._one(history, horizon, left_s)) for history in histories
            ]
        return [task.result() for task in tasks]

    async def _one(self, history: History, horizon: int, left_s: float) -> Outcome:
        question = Question(
            symbol=history.symbol,
            horizon=horizon,
            model=self.model,
            deadline_ms=left_s * 1000.0,
            close=history.close[-self.bars :].tolist(),
            ts=history.ts[-self.bars :].tolist(),
            volume=None if history.volume is None else history.volume[-self.bars :].tolist(),
            sentiment=(
                None if history.sentiment is None else history.sentiment[-self.bars :].tolist()
            ),
        )
        try:
            return await self.ask(question)
        except (ForecastRefused, ForecastInvalid) as error:  # about these bars alone
            return error


def asked_by_handle(handle: Any) -> Ask:
    """Return how the replicas behind a handle of Ray Serve are asked (`serve.forecast.launch.RunningService.handle`).

    Ray wraps an error of a replica into one of its own; what is raised is the error of the replica.
    """
    from ray.exceptions import RayTaskError

    async def ask(question: Question) -> Forecast:
        try:
            answer: Forecast = await handle.forecast.remote(question)
        except RayTaskError as error:
            raise error.cause from error
        return answer

    return ask


def asked_by_http(client: "ClientSession", url: str) -> Ask:
    """Return how a service at `url` (such as http://127.0.0.1:8000) is asked.

    Problems are raised as the errors that the service met; what is none of ours is a `ForecastError`.
    """

    async def ask(question: Question) -> Forecast:
        headers = {"content-type": "application/json"}
        body = msgspec.json.encode(question)
        async with client.post(f"{url}/v1/forecast", data=body, headers=headers) as response:
            content = await response.read()
        if response.status == 200:
            return msgspec.json.decode(content, type=Forecast)
        raise _error(url, response.status, content)

    return ask


def _error(url: str, status: int, content: bytes) -> ForecastError:
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except msgspec.DecodeError:
        return ForecastError(f"{url} answered with HTTP status {status}.")
    if problem.code in (ForecastInvalid.code, ForecastLate.code):
        kind = ForecastInvalid if problem.code == ForecastInvalid.code else ForecastLate
        return kind(problem.detail)
    if problem.code.startswith("FORECAST_"):
        return ForecastRefused(problem.code, problem.detail)
    return ForecastError(f"{problem.code}: {problem.detail}")
