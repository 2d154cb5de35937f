"""A venue for benches: streams numbered quotes over a TCP connection, at a given rate, and ends with an empty frame."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from trading.values import NANOS_PER_SECOND

SYMBOLS = tuple(f"S{number:03}" for number in range(100))
LENGTH = struct.Struct(">I")
STEP_S = 0.001


def msgpack_frame(symbol: str, at: int, price: float) -> bytes:
    seconds, nanos = divmod(at, NANOS_PER_SECOND)
    moment = msgspec.msgpack.Ext(-1, struct.pack(">Iq", nanos, seconds))
    quote = {
        "T": "q",
        "S": symbol,
        "t": moment,
        "bp": price,
        "ap": price + 0.02,
        "bs": 100.0,
        "as": 200.0,
        "bx": "V",
        "ax": "V",
        "c": ["R"],
        "z": "C",
    }
    return msgspec.msgpack.encode([quote])


def json_frame(symbol: str, at: int, price: float) -> bytes:
    quote = {"T": "q", "S": symbol, "t": at, "bp": price, "ap": price + 0.02, "bs": 100, "as": 200}
    return json.dumps([quote | {"bx": "V", "ax": "V", "c": ["R"], "z": "C"}]).encode()


FRAMES: dict[str, Callable[[str, int, float], bytes]] = {
    "msgpack": msgpack_frame,
    "json": json_frame,
}


def send(port: int, encoding: str, rate: int, seconds: float, pipe: Any) -> None:
    """Send quotes, then an empty frame; report how many were sent in which time, and the last prices."""
    frame_of = FRAMES[encoding]
    stream = socket.create_connection(("127.0.0.1", port))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sent, last = 0, {}
    begun = time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        frames = []
        while sent < elapsed * rate:
            symbol, price = SYMBOLS[sent % len(SYMBOLS)], 100.0 + sent % 977 * 0.01
            frame = frame_of(symbol, time.time_ns(), price)
            frames += [LENGTH.pack(len(frame)), frame]
            last[symbol] = price
            sent += 1
        stream.sendall(b"".join(frames))
        time.sleep(STEP_S)
    stream.sendall(LENGTH.pack(0))
    pipe.send((sent, time.perf_counter() - begun, last))
    pipe.recv()
    stream.close()


async def frames_of(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield frames until the empty one."""
    buffer = bytearray()
    while True:
        at = 0
        while len(buffer) - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(buffer, at)
            if len(buffer) - at - LENGTH.size < length:
                break
            frame = bytes(buffer[at + LENGTH.size : at + LENGTH.size + length])
            at += LENGTH.size + length
            yield frame
            if not frame:
                return
        del buffer[:at]
        buffer += await reader.read(65_536)
