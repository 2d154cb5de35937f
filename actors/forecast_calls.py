"""One question to a model from start to outcome: whatever the model does, exactly one `Outcome` comes of it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import msgspec

from actors.models.forecasting import forecast_histories
from actors.models.session import ModelSession
from trading.effects import AskModel
from trading.errors import ForecastError, ForecastInvalid, TradingError
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History
from trading.identifiers import InstrumentId
from trading.outcomes import ModelAnswer, ModelAnswered, ModelFailed, Outcome

PATH = "/v1/forecast"
DEADLINE_SHARE = 0.9
"""Part of the time-out that a service gets, so that one slow instrument is refused before all are given up."""


class ForecastPort(Protocol):
    """Who can be asked for forecasts."""

    async def open(self) -> None:
        """Get ready; what goes wrong here is told by the first answers."""

    async def forecast(self, ask: AskModel) -> Sequence[Forecast]:
        """Return the forecasts that there are. Raises when there is none."""

    async def close(self) -> None: ...


async def ask_model(port: ForecastPort, ask: AskModel, now: Callable[[], int]) -> Outcome:
    """Perform `ask` on `port` and say what became of it.

    Parameters
    ----------
    now : function
        The host's clock (ns UTC).

    Raises
    ------
    asyncio.CancelledError
        If the task itself is cancelled; nothing else is raised.
    """
    timeout_s = ask.timeout_ns / 1e9
    try:
        async with asyncio.timeout(timeout_s):
            forecasts = await port.forecast(ask)
        answers = tuple(answer_of(each) for each in forecasts)
    except TimeoutError:
        return failed(ask, f"no answer within {timeout_s:g} s", now())
    except TradingError as error:
        return failed(ask, str(error), now())
    except Exception as error:  # a model or a service is a guest: whatever it raises stays here
        return failed(ask, f"{type(error).__name__}: {error}", now())
    return ModelAnswered(ts_init=now(), sequence=ask.sequence, answers=answers)


def failed(ask: AskModel, reason: str, now: int) -> ModelFailed:
    """Return the outcome of a question without an answer."""
    return ModelFailed(ts_init=now, sequence=ask.sequence, reason=reason)


def answer_of(forecast: Forecast) -> ModelAnswer:
    """Return what is published of a forecast: simple returns."""
    prices = [forecast.quantiles[level] for level in sorted(forecast.quantiles, key=float)]
    *path, last = (
        tuple(price / forecast.last_close - 1.0 for price in step)
        for step in zip(*prices, strict=True)
    )
    return ModelAnswer(
        instrument_id=InstrumentId(forecast.symbol),
        model=f"{forecast.model}@{forecast.version}",
        provider=forecast.provider,
        data_cutoff=forecast.data_cutoff,
        expected_return=forecast.expected_return,
        deviation=forecast.deviation,
        quantiles=last,
        path=tuple(path),
    )


class LocalModel:
    """A model session of this process, in a thread of its own: the loop never waits for it."""

    def __init__(self, load: Callable[[], ModelSession]) -> None:
        self._load = load
        self._session: ModelSession | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def open(self) -> None:
        """Load and warm the model up, so that the first question does not pay for it."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._loaded)

    async def forecast(self, ask: AskModel) -> Sequence[Forecast]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._forecast, ask)

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    # -- in the model's thread

    def _loaded(self) -> ModelSession:
        if self._session is None:
            session = self._load()
            session.warm_up()
            self._session = session
        return self._session

    def _forecast(self, ask: AskModel) -> Sequence[Forecast]:
        return forecast_histories(
            self._loaded(),
            ask.histories,
            ask.horizon,
            time.perf_counter_ns,
            miscoverage=ask.miscoverage,
        )


class ForecastService:
    """A forecasting service that is asked by HTTP: one request for each instrument, all at once.

    Parameters
    ----------
    url : str
        Such as http://127.0.0.1:8000.
    model : str
        `name`, `name@champion` or `name@3`: the service resolves it at every question.
    """

    def __init__(self, url: str, model: str) -> None:
        self._url = url.rstrip("/") + PATH
        self._model = model
        self._client: Any = None

    async def open(self) -> None:
        import aiohttp

        self._client = aiohttp.ClientSession()

    async def forecast(self, ask: AskModel) -> Sequence[Forecast]:
        """Return what the service answered; an instrument that it refused is missing.

        Raises
        ------
        ForecastError
            If there is none at all, with the first reason.
        """
        found = await asyncio.gather(
            *(self._one(each, ask) for each in ask.histories), return_exceptions=True
        )
        forecasts = [each for each in found if isinstance(each, Forecast)]
        errors = [each for each in found if isinstance(each, BaseException)]
        if errors and not forecasts:
            raise errors[0]
        return forecasts

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _one(self, history: History, ask: AskModel) -> Forecast:
        question = {
            "symbol": history.symbol,
            "model": self._model,
            "horizon": ask.horizon,
            "deadline_ms": DEADLINE_SHARE * ask.timeout_ns / 1e6,
            "ts": history.ts.tolist(),
            "close": history.close.tolist(),
        }
        if history.volume is not None:
            question["volume"] = history.volume.tolist()
        if ask.miscoverage is not None:
            question["miscoverage"] = ask.miscoverage
        async with self._client.post(self._url, json=question) as response:
            body = await response.read()
        if response.status != 200:
            raise ForecastError(_problem(response.status, body))
        return _forecast_of(body)


def _forecast_of(body: bytes) -> Forecast:
    try:
        return msgspec.json.decode(body, type=Forecast)
    except msgspec.DecodeError as error:
        raise ForecastInvalid(f"the service answered what is no forecast: {error}") from None


def _problem(status: int, body: bytes) -> str:
    """Return the code and the sentence of a problem+json."""
    try:
        problem = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        problem = {}
    code, detail = problem.get("code", f"HTTP {status}"), problem.get("detail", "")
    return f"{code}: {detail}" if detail else str(code)
