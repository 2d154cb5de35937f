"""One websocket, kept open, and closed while it is being closed."""

import asyncio
import base64
import hashlib
from typing import Any

import pytest
from websockets.legacy.client import connect

from actors.venues.alpaca import stream_session
from actors.venues.alpaca.stream_session import SessionListener, StreamSession

pytestmark = pytest.mark.asyncio

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class _MuteServer:
    """Accepts a websocket, never says a word, and hangs up when it may, after the client's goodbye."""

    def __init__(self) -> None:
        self.heard_goodbye = asyncio.Event()
        self.may_hang_up = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _accept(reader, writer)
        await reader.read(1024)
        self.heard_goodbye.set()
        await self.may_hang_up.wait()
        writer.close()


async def _accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line.partition(b": ") for line in head.split(b"\r\n")]
    key = next(value for name, _, value in lines if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


class _Dialect:
    """A stream that is confirmed at once, and whose peer answers nothing."""

    def __init__(self, port: int) -> None:
        self._url = f"ws://127.0.0.1:{port}"

    async def open(self) -> tuple[Any, bool]:
        return await connect(self._url, close_timeout=60, ping_interval=None), True

    async def probe(self) -> bool:
        return True

    async def take(self, frame: bytes | str) -> bool:
        return False


async def test_stop_while_a_mute_stream_is_being_closed_ends_the_session(monkeypatch):
    monkeypatch.setattr(stream_session, "_CLOSE_TIMEOUT_S", 60)  # only the server ends the closing
    mute = _MuteServer()
    server = await asyncio.start_server(mute.serve, "127.0.0.1", 0)
    dialect, reasons = _Dialect(server.sockets[0].getsockname()[1]), []
    listener = SessionListener(lambda: None, lambda reason, is_final: reasons.append(reason))
    session = StreamSession(dialect, listener, timeout_s=0.2, open_timeout_s=60.0)
    try:
        session.start()
        async with asyncio.timeout(30):
            await mute.heard_goodbye.wait()
            stopping = asyncio.create_task(session.stop())
            await asyncio.sleep(0)  # it has asked the session to end
            mute.may_hang_up.set()
            await stopping
        assert reasons == []  # who stopped it hears nothing more
    finally:
        server.close()
