"""The stream of trade updates: JSON in binary frames, told now, later, twice, or not at all."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from tests.venues.faults import Fault, Faults


class UpdateStream:
    """Part of the simulator; everything runs in its thread.

    Parameters
    ----------
    knows : function
        Whether a pair of keys is good.

    Attributes
    ----------
    connects : list of monotonic times
    held : list of updates that `REORDER_FILLS` keeps back
    is_holding : bool
        Updates wait for `flush`: the answer to the request comes first.
    """

    def __init__(self, faults: Faults, knows: Callable[[tuple[Any, Any]], bool]) -> None:
        self.faults = faults
        self.knows = knows
        self.connects: list[float] = []
        self.held: list[dict[str, Any]] = []
        self.is_holding = False
        self._sockets: dict[web.WebSocketResponse, asyncio.Queue[bytes]] = {}
        self._listening: set[web.WebSocketResponse] = set()
        self._backlog: list[dict[str, Any]] = []

    @property
    def sockets(self) -> list[web.WebSocketResponse]:
        return list(self._sockets)

    def release(self) -> None:
        """Tell what was held back, the last one first."""
        held, self.held = self.held, []
        for update in reversed(held):
            self._send(update)

    def say(self, raw: bytes) -> None:
        for socket in self._listening:
            self._sockets[socket].put_nowait(raw)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        self.connects.append(time.monotonic())
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._sockets[socket] = outbox
        writer = asyncio.create_task(self._write(socket, outbox))
        is_in = False
        try:
            async for message in socket:
                if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    break
                is_in = self._understand(socket, json.loads(message.data), is_in)
        finally:
            writer.cancel()
            self._listening.discard(socket)
            del self._sockets[socket]
        return socket

    def _understand(self, socket: web.WebSocketResponse, said: dict[str, Any], is_in: bool) -> bool:
        if said.get("action") == "authenticate":
            data = said["data"]
            is_in = self.knows((data["key_id"], data["secret_key"]))
            status = "authorized" if is_in else "unauthorized"
            self._answer(socket, "authorization", {"status": status, "action": "authenticate"})
        elif said.get("action") == "listen":
            if not is_in:
                self._answer(
                    socket, "authorization", {"status": "unauthorized", "action": "listen"}
                )
                return is_in
            self._listening.add(socket)
            self._answer(socket, "listening", {"streams": said["data"]["streams"]})
        return is_in

    def _answer(self, socket: web.WebSocketResponse, stream: str, data: dict[str, Any]) -> None:
        if not self.faults.happens(Fault.MUTE_STREAM):
            self._sockets[socket].put_nowait(json.dumps({"stream": stream, "data": data}).encode())

    async def _write(self, socket: web.WebSocketResponse, outbox: asyncio.Queue[bytes]) -> None:
        while True:
            frame = await outbox.get()
            try:
                await socket.send_bytes(frame)
            except ConnectionError:
                return

    def tell(self, update: dict[str, Any]) -> None:
        """Tell the listeners now, or once the answer to the request has left."""
        if self.is_holding:
            self._backlog.append(update)
        else:
            self._dispatch(update)

    def flush(self) -> None:
        backlog, self._backlog = self._backlog, []
        for update in backlog:
            self._dispatch(update)

    def _dispatch(self, update: dict[str, Any]) -> None:
        is_fill = "fill" in update["event"]
        if is_fill and self.faults.happens(Fault.REORDER_FILLS):
            self.held.append(update)
            return
        times = 3 if is_fill and self.faults.happens(Fault.DUPLICATE_FILLS) else 1
        for _ in range(times):
            self._send(update)

    def _send(self, update: dict[str, Any]) -> None:
        if not self._listening or self.faults.happens(Fault.MUTE_STREAM):
            return
        frames = [json.dumps({"stream": "trade_updates", "data": update}).encode()]
        if self.faults.happens(Fault.MALFORMED):
            frames = [
                b'{"stream":"trade_upd',
                b'{"stream":"moon_phase","data":{"phase":1}}',
                *frames,
            ]
        for socket in self._listening:
            for frame in frames:
                self._sockets[socket].put_nowait(frame)
