"""Alpaca's market data on 127.0.0.1: msgpack streams, one connection per feed, and paged history."""

import time
from typing import Any

import msgpack
from aiohttp import WSMsgType, web

CHANNELS = {"q": "quotes", "t": "trades", "b": "bars", "o": "orderbooks"}


class MarketServer:
    """Part of the simulator; everything runs in its thread.

    Attributes
    ----------
    history : dict of (name, symbol) to rows, for example ("bars", "AAPL")
    page : int
        Rows of one page.
    symbol_limit : int
    refuse_with : (code, message) or None
        Answer to the next authentication.
    connects : list of (path, monotonic time)
    """

    def __init__(self, simulator: Any) -> None:
        self._simulator = simulator
        self.history: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.books: dict[str, dict[str, Any]] = {}
        self.page = 10_000
        self.symbol_limit = 30
        self.refuse_with: tuple[int, str] | None = None
        self.is_mute = False
        self.connects: list[tuple[str, float]] = []
        self.subscribed: dict[str, dict[str, set[str]]] = {}
        self._of_feed: dict[str, web.WebSocketResponse] = {}

    @property
    def sockets(self) -> list[web.WebSocketResponse]:
        return list(self._of_feed.values())

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/stocks/{name}", self._rows),
            web.get("/v1beta3/crypto/us/latest/orderbooks", self._book),
            web.get("/v1beta3/crypto/us/{name}", self._rows),
            web.get("/v1beta1/options/{name}", self._rows),
            web.get("/v2/{feed:iex|sip|delayed_sip}", self._stream),
            web.get("/v1beta3/crypto/us", self._stream),
            web.get("/v1beta1/{feed:indicative|opra}", self._stream),
        ]

    # -- history

    async def _rows(self, request: web.Request) -> web.Response:
        name, query = request.match_info["name"], request.query
        symbol = query["symbols"]
        rows = [
            row
            for row in self.history.get((name, symbol), [])
            if query["start"] <= row["t"] <= query["end"]
        ]
        begin = int(query.get("page_token") or 0)
        end = begin + min(self.page, int(query.get("limit", "1000")))
        token = str(end) if end < len(rows) else None
        return web.json_response({name: {symbol: rows[begin:end]}, "next_page_token": token})

    async def _book(self, request: web.Request) -> web.Response:
        symbol = request.query["symbols"]
        return web.json_response({"orderbooks": {symbol: self.books[symbol]}})

    # -- streams

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        feed = request.path
        self.connects.append((feed, time.monotonic()))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self._say(socket, {"T": "success", "msg": "connected"})
        channels: dict[str, set[str]] = {}
        is_in = False
        try:
            async for message in socket:
                if message.type is not WSMsgType.BINARY:
                    break
                said = msgpack.unpackb(message.data)
                if said["action"] == "auth":
                    is_in = await self._authenticate(socket, feed, said)
                    if is_in:
                        self.subscribed[feed] = channels
                elif is_in:
                    await self._subscribe(socket, channels, said)
        finally:
            if self._of_feed.get(feed) is socket:
                del self._of_feed[feed]
                self.subscribed.pop(feed, None)
        return socket

    async def _authenticate(self, socket: web.WebSocketResponse, feed: str, said: Any) -> bool:
        refusal, self.refuse_with = self.refuse_with, None
        if not self._simulator.knows((said.get("key"), said.get("secret"))):
            refusal = (402, "auth failed")
        elif feed in self._of_feed:
            refusal = (406, "connection limit exceeded")
        if refusal is not None:
            await self._say(socket, {"T": "error", "code": refusal[0], "msg": refusal[1]})
            return False
        self._of_feed[feed] = socket
        await self._say(socket, {"T": "success", "msg": "authenticated"})
        return True

    async def _subscribe(
        self, socket: web.WebSocketResponse, channels: dict[str, set[str]], said: dict[str, Any]
    ) -> None:
        changes = {k: set(v) for k, v in said.items() if k != "action"}
        if said["action"] == "subscribe":
            symbols = set().union(*channels.values(), *changes.values())
            if len(symbols) > self.symbol_limit:
                await self._say(socket, {"T": "error", "code": 405, "msg": "symbol limit exceeded"})
                return
            for channel, symbols in changes.items():
                channels.setdefault(channel, set()).update(symbols)
        else:
            for channel, symbols in changes.items():
                channels.setdefault(channel, set()).difference_update(symbols)
        state = {channel: sorted(symbols) for channel, symbols in channels.items()}
        await self._say(socket, {"T": "subscription", **state})

    async def _say(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        if not self.is_mute:
            await socket.send_bytes(msgpack.packb([message]))

    async def publish(self, feed: str, *items: dict[str, Any]) -> None:
        """Send ticks to whoever subscribed to them; `t` in ns becomes the venue's timestamp."""
        socket = self._of_feed.get(feed)
        if socket is None or self.is_mute:
            return
        channels = self.subscribed[feed]
        wanted = [
            {**item, "t": msgpack.Timestamp.from_unix_nano(item["t"])}
            for item in items
            if item["S"] in channels.get(CHANNELS[item["T"]], ())
        ]
        if wanted:
            await socket.send_bytes(msgpack.packb(wanted))

    async def say_raw(self, feed: str, frame: bytes) -> None:
        await self._of_feed[feed].send_bytes(frame)
