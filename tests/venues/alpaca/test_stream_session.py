"""One websocket, kept open, and closed while it is being closed."""

import asyncio
import base64
import hashlib
from typing import Any

import pytest
from websockets.legacy.client import connect

from actors.venues.alpaca.stream_session import SessionListener, StreamSession

pytestmark = pytest.mark.asyncio

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


async def _mute_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept a websocket, never say a word, and hang up soon after the client's goodbye."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line.partition(b": ") for line in head.split(b"\r\n")]
    key = next(value for name, _, value in lines if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    await reader.read(1024)
    await asyncio.sleep(0.2)
    writer.close()


class _Dialect:
    """A stream that is confirmed at once, and whose peer answers nothing."""

    def __init__(self, port: int) -> None:
        self._url = f"ws://127.0.0.1:{port}"
        self.is_closing = asyncio.Event()

    async def open(self) -> tuple[Any, bool]:
        socket = await connect(self._url, close_timeout=1, ping_interval=None)
        close = socket.close

        async def told_close() -> None:
            asyncio.get_running_loop().call_later(0.1, self.is_closing.set)  # it has said goodbye
            await close()

        socket.close = told_close
        return socket, True

    async def probe(self) -> bool:
        return True

    async def take(self, frame: bytes | str) -> bool:
        return False


async def test_stop_while_a_mute_stream_is_being_closed_ends_the_session():
    server = await asyncio.start_server(_mute_server, "127.0.0.1", 0)
    dialect, reasons = _Dialect(server.sockets[0].getsockname()[1]), []
    listener = SessionListener(lambda: None, lambda reason, is_final: reasons.append(reason))
    session = StreamSession(dialect, listener, timeout_s=0.2, open_timeout_s=5.0)
    try:
        session.start()
        async with asyncio.timeout(10):
            await dialect.is_closing.wait()
            await session.stop()
        assert reasons == []  # who stopped it hears nothing more
    finally:
        server.close()
