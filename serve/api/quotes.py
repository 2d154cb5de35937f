"""`/v1/quotes`: best bid and ask over a WebSocket, at most ten times a second for each symbol."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from serve.api.permitted import Desk
from serve.api.watch import PROBLEM, Content, Listener, Wanted, Watch
from serve.desk.answers import Listed, Quote
from serve.desk.port import TradingDesk
from serve.desk.principal import Permission
from serve.http.guard import principal
from serve.http.problems import RequestRefused, problem_of
from trading.errors import NotFound, TradingError, UsageError

router = APIRouter(tags=["streams"])
LOOK_EVERY_S = 0.1
PATIENCE_S = 15.0
SYMBOLS_MAX = 64
REASON_MAX_BYTES = 120
"""A close frame carries no more than 123."""
CLOSE = {401: 4401, 403: 4403, 404: 4404, 422: 4422, 503: 1013}
"""HTTP's status as the code of a close frame; 1013 is "try again later", all others are 1011."""


@router.websocket("/quotes")
async def quotes(socket: WebSocket, desk: Desk, symbols: str = "") -> None:
    """Send every quote that changed, as JSON; what the client sends is not read.

    It closes with a code and a reason: 4401 and 4403 (who asks), 4404 (no such symbol), 4422 (no symbols), 1013 (the cluster does
    not answer, or too many listen: try again later).
    """
    await socket.accept()
    try:
        (await principal(socket)).require(Permission.READ)
        wanted = await asyncio.to_thread(_listed, desk.trading, symbols)
        with _watch_of(socket, desk.trading).listener(wanted) as listener:
            await _until_gone(socket, listener)
    except WebSocketDisconnect:
        pass
    except (TradingError, RequestRefused) as error:
        await _close(socket, error)


async def _until_gone(socket: WebSocket, listener: Listener) -> None:
    """Send until the client goes away, or the cluster does."""
    sending = asyncio.ensure_future(_send(socket, listener))
    hearing = asyncio.ensure_future(_hear(socket))
    try:
        await asyncio.wait((sending, hearing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, hearing):
            task.cancel()
        await asyncio.gather(sending, hearing, return_exceptions=True)
    if not sending.cancelled():
        sending.result()


async def _send(socket: WebSocket, listener: Listener) -> None:
    while True:
        for name, content in (await listener.news(PATIENCE_S)).items():
            if name == PROBLEM:
                raise RequestRefused(503, "QUOTES_UNAVAILABLE", "The cluster does not answer.")
            await socket.send_text(content.body.decode())


async def _hear(socket: WebSocket) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()


async def _close(socket: WebSocket, error: Exception) -> None:
    problem = problem_of(error, "/v1/quotes", "")
    reason = f"{problem.code}: {problem.detail}".encode()[:REASON_MAX_BYTES]
    with suppress(RuntimeError):  # the client was faster
        await socket.close(CLOSE.get(problem.status, 1011), reason.decode(errors="ignore"))


def _watch_of(socket: WebSocket, trading: TradingDesk) -> Watch:
    state = socket.app.state
    if not hasattr(state, "quote_watch"):
        state.quote_watch = Watch(
            lambda wanted: _contents(trading.quotes(), wanted), LOOK_EVERY_S, "/v1/quotes"
        )
    watch: Watch = state.quote_watch
    return watch


def _contents(found: list[Quote], wanted: Wanted) -> Mapping[str, Content]:
    """Return the wanted quotes; their age alone is no news."""
    return {
        quote.instrument_id: Content(
            body=quote.model_dump_json().encode(),
            mark=quote.model_dump_json(exclude={"age_s"}).encode(),
        )
        for quote in found
        if quote.instrument_id in wanted
    }


def _listed(trading: TradingDesk, symbols: str) -> Wanted:
    """Return the instruments that are meant.

    Raises
    ------
    UsageError, NotFound
        If no symbol is given, too many are, or one is not traded here.
    """
    names = list(dict.fromkeys(part.strip() for part in symbols.split(",") if part.strip()))
    if not 1 <= len(names) <= SYMBOLS_MAX:
        raise UsageError(f"Give from 1 to {SYMBOLS_MAX} symbols: /v1/quotes?symbols=AAPL,KO.")
    known: list[Listed] = trading.instruments()
    found: set[str] = set()
    for name in names:
        meant = {row.instrument_id for row in known if name in (row.symbol, row.instrument_id)}
        if not meant:
            raise NotFound(f"{name!r} is not traded here.")
        found |= meant
    return frozenset(found)
