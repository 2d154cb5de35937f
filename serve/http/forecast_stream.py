"""Forecasts as server-sent events: one at once for each symbol, then one whenever the answer changes.

An answer changes when there is a new bar, or when another version answers. Each event has the id
`<model>@<version>/<symbol>/<as_of>`; an unchanged answer is not sent again, and a comment every few seconds shows
that the connection lives. After some minutes the stream ends; a browser's `EventSource` comes back by itself, so that a
replica which is replaced is left soon.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import msgspec

from serve.forecast.question import Question
from serve.forecast.service import ForecastService
from serve.http.problems import problem_of
from trading.errors import TradingError
from trading.forecasting.forecast import Forecast

LOOK_EVERY_S = 1.0
COMMENT_EVERY = 15
"""Looks without news between two signs of life."""
LIFE_S = 300.0


async def events(
    service: ForecastService,
    symbols: Sequence[str],
    horizon: int | None,
    model: str | None,
    correlation_id: str,
) -> AsyncIterator[bytes]:
    """Yield server-sent events."""
    ends_at = time.monotonic() + LIFE_S
    said: dict[str, str] = {}
    silent = 0
    yield b"retry: 1000\n\n"
    while time.monotonic() < ends_at:
        news = []
        for symbol in symbols:
            event, text = await _event(service, symbol, horizon, model, correlation_id)
            if said.get(symbol) != event:
                said[symbol] = event
                news.append(text)
        silent = 0 if news else silent + 1
        if news:
            yield "".join(news).encode()
        elif silent % COMMENT_EVERY == 0:
            yield b": alive\n\n"
        await asyncio.sleep(LOOK_EVERY_S)


async def _event(
    service: ForecastService,
    symbol: str,
    horizon: int | None,
    model: str | None,
    correlation_id: str,
) -> tuple[str, str]:
    """Return what makes the event differ from the one before, and its text."""
    question = Question(symbol=symbol, horizon=horizon, model=model)
    try:
        answer = await service.forecast(question, time.perf_counter())
    except TradingError as error:
        problem = problem_of(error, "/v1/forecast/stream", correlation_id)
        return problem.code, _text("problem", f"{problem.code}/{symbol}", problem)
    assert isinstance(answer, Forecast)
    event_id = f"{answer.model}@{answer.version}/{symbol}/{answer.as_of}"
    return event_id, _text("forecast", event_id, answer)


def _text(kind: str, event_id: str, body: msgspec.Struct) -> str:
    return f"event: {kind}\nid: {event_id}\ndata: {msgspec.json.encode(body).decode()}\n\n"
