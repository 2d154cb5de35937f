"""`/v1/quotes`: quotes that change, and a close that says why."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from serve.desk.answers import Quote
from serve.desk.principal import Permission
from serve.http.app import build_app
from tests.serve.api.fake_desk import MOMENT, FakeTrading
from trading.errors import AuthError


def a_quote(symbol: str, bid: float, age_s: float = 1.0) -> Quote:
    return Quote(
        instrument_id=f"{symbol}.XNAS",
        symbol=symbol,
        venue="XNAS",
        bid=bid,
        bid_size=1.0,
        ask=bid + 0.01,
        ask_size=1.0,
        at=MOMENT + timedelta(seconds=bid),
        age_s=age_s,
    )


class Socket:
    """A client of a WebSocket."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.received.put_nowait({"type": "websocket.connect"})

    async def quote(self) -> Any:
        message = await self.sent.get()
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])


@asynccontextmanager
async def connected(app: Any, query: str) -> AsyncIterator[Socket]:
    socket = Socket()
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/v1/quotes",
        "raw_path": b"/v1/quotes",
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"desk")],
        "subprotocols": [],
        "client": ("127.0.0.1", 1),
        "server": ("desk", 80),
    }
    serving = asyncio.ensure_future(app(scope, socket.received.get, socket.sent.put))
    assert (await socket.sent.get())["type"] == "websocket.accept"
    try:
        yield socket
    finally:
        socket.received.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(serving, 60)


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(work(), 100))  # type: ignore[arg-type]


def closed(app: Any, query: str) -> tuple[int, str]:
    async def work() -> tuple[int, str]:
        async with connected(app, query) as socket:
            message = await socket.sent.get()
            assert message["type"] == "websocket.close"
            return message["code"], message["reason"]

    found: tuple[int, str] = run(work)
    return found


def test_quotes_of_the_wanted_symbols_are_sent_when_they_change(
    app: Any, trading: FakeTrading
) -> None:
    trading.shown = [a_quote("AAPL", 1.0), a_quote("KO", 5.0)]

    async def work() -> None:
        async with connected(app, "symbols=AAPL") as socket:
            assert (await socket.quote())["bid"] == 1.0
            trading.shown = [a_quote("AAPL", 1.0, age_s=9.0), a_quote("KO", 6.0)]
            looks = trading.quote_looks
            while trading.quote_looks < looks + 4:  # noqa: ASYNC110 - a thread is looking
                await asyncio.sleep(0.01)
            assert socket.sent.empty(), "older alone is no news, and nobody asked for KO"
            trading.shown = [a_quote("AAPL", 2.0)]
            found = await socket.quote()
            assert (found["symbol"], found["bid"]) == ("AAPL", 2.0)
        assert not app.app.state.quote_watch.is_looking

    run(work)


@pytest.mark.parametrize(
    ("query", "code", "word"),
    [("", 4422, "symbols"), ("symbols=,", 4422, "symbols"), ("symbols=AAPL,XYZ", 4404, "XYZ")],
)
def test_symbols_that_are_not_traded_close_it_with_a_reason(
    app: Any, query: str, code: int, word: str
) -> None:
    found, reason = closed(app, query)
    assert found == code
    assert word in reason


def test_an_outage_closes_it_with_try_again_later(app: Any, trading: FakeTrading) -> None:
    trading.is_down = True
    code, reason = closed(app, "symbols=AAPL")
    assert code == 1013
    assert "QUOTES_UNAVAILABLE" in reason


def test_the_guard_stands_before_it(desk: Any, app_for: Callable[..., Any]) -> None:
    def nobody(_: Any) -> Any:
        raise AuthError("Say who you are.")

    guarded = build_app(desk.forecasts, desk=desk, guard=nobody)
    assert closed(guarded, "symbols=AAPL") == (4401, "AUTH_REFUSED: Say who you are.")
    assert closed(app_for(Permission.TRADE_PAPER), "symbols=AAPL")[0] == 4403
