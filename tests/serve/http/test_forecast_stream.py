"""A stream says each forecast once, and again when another version answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from actors.models.registry import ModelRegistry
from serve.forecast.service import ForecastService
from serve.http import forecast_stream
from serve.http.app import build_app

Make = Callable[..., ForecastService]


async def heard(stream: AsyncIterator[bytes]) -> bytes:
    """Return all that a client hears before it goes away."""
    text = b""
    with suppress(asyncio.CancelledError):
        async for part in stream:
            text += part
    return text


def parsed(text: bytes) -> list[dict[str, str]]:
    blocks = [block for block in text.decode().split("\n\n") if block]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def test_an_event_for_each_symbol_and_for_each_new_champion(
    make_service: Make, registry: ModelRegistry, net: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def next_look(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            net.promote(registry, "net@2")
            await service.lineup.look()
        if looks == 5:
            raise asyncio.CancelledError  # the client goes away

    service = make_service()
    monkeypatch.setattr(forecast_stream.asyncio, "sleep", next_look)
    stream = forecast_stream.events(service, ["A", "nobody"], 1, None, "id-1")
    events = parsed(asyncio.run(heard(stream)))
    assert events[0] == {"retry": "1000"}
    assert [(each["event"], each["id"]) for each in events[1:]] == [
        ("forecast", f"net@1/A/{30 * net.day}"),
        ("problem", "FORECAST_SYMBOL_UNKNOWN/nobody"),
        ("forecast", f"net@2/A/{30 * net.day}"),
    ]
    assert json.loads(events[3]["data"])["version"] == 2
    assert json.loads(events[2]["data"])["correlation_id"] == "id-1"


def test_a_silent_stream_shows_that_it_lives(
    make_service: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def next_look(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks > forecast_stream.COMMENT_EVERY:
            raise asyncio.CancelledError

    monkeypatch.setattr(forecast_stream.asyncio, "sleep", next_look)
    stream = forecast_stream.events(make_service(), ["A"], None, None, "")
    assert asyncio.run(heard(stream)).endswith(b"\n\n: alive\n\n")


@pytest.mark.parametrize(
    "query", ["symbols=", "symbols=,", "symbols=" + ",".join(map(str, range(65)))]
)
def test_too_few_and_too_many_symbols_are_refused(
    make_service: Make, call: Callable[..., Any], query: str
) -> None:
    reply = asyncio.run(call(build_app(make_service()), "GET", f"/v1/forecast/stream?{query}"))
    assert (reply.status, reply.json["code"]) == (422, "REQUEST_INVALID")
