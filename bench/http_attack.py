"""Clients that mean harm (fault 25 of the reliability rules), each kind at a rate of its own.

    python -m bench.http_attack PORT SECONDS KIND [KIND ...]

prints how many attacks of each kind the server ended, and by which status; `0` is a connection that it closed without one.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from itertools import cycle

SLOW_CONNECTIONS = 200
DRIP_S = 0.5
MEGABYTE = b" " * 1_000_000
BODIES = (
    b'{"symbol":"\xff\xfe"}',
    b'{"symbol":"A","symbol":"B"}',
    b'{"symbol":"A","horizon":1e400}',
    b'{"symbol":"A","extra":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"symbol":"A"',
    b"\x00",
    b"[" * 500_000,
)


def head(*lines: str, method: str = "POST") -> bytes:
    written = [f"{method} /v1/forecast HTTP/1.1", "Host: localhost", *lines, "", ""]
    return "\r\n".join(written).encode()


async def ten_megabytes() -> AsyncIterator[bytes]:
    yield head("Content-Type: application/json", "Content-Length: 10000002") + b"["
    for _ in range(10):
        yield MEGABYTE
    yield b"]"


async def endless_body() -> AsyncIterator[bytes]:
    yield head("Content-Type: application/json", "Transfer-Encoding: chunked")
    while True:
        yield b"10000\r\n" + b" " * 65_536 + b"\r\n"


_MANY_HEADERS = head(*(f"x-{number}: {number}" for number in range(10_000)), method="GET")


async def many_headers() -> AsyncIterator[bytes]:
    yield _MANY_HEADERS


async def slow_headers() -> AsyncIterator[bytes]:
    yield b"GET /v1/portfolio HTTP/1.1\r\nHost: localhost\r\n"
    while True:
        await asyncio.sleep(DRIP_S)
        yield b"x: y\r\n"


_turns = cycle(BODIES)


async def bad_bodies() -> AsyncIterator[bytes]:
    body = next(_turns)
    yield head(
        "Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close"
    )
    yield body


KINDS: dict[str, tuple[Callable[[], AsyncIterator[bytes]], int, float]] = {
    "10 MB bodies": (ten_megabytes, 2, 0.5),
    "endless bodies": (endless_body, 2, 0.5),
    "10,000 headers": (many_headers, 2, 0.2),
    "slow headers": (slow_headers, SLOW_CONNECTIONS, 0.1),
    "bad JSON": (bad_bodies, 4, 0.1),
}
"""Of each: what is sent, over how many connections at once, and the pause between two attacks of one."""


async def attack(port: int, parts: AsyncIterator[bytes]) -> int:
    """Send until the server has had enough; return the status that it answers with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reply = asyncio.ensure_future(reader.read(12))
    try:
        with suppress(ConnectionError):
            async for part in parts:
                writer.write(part)
                await writer.drain()
                if reply.done():
                    break
        with suppress(ConnectionError):
            said = await reply
            return int(said[9:12]) if len(said) == 12 else 0
        return 0
    finally:
        reply.cancel()
        await asyncio.gather(reply, return_exceptions=True)
        writer.transport.abort()


async def repeat(port: int, kind: str, ends_at: float, seen: Counter[int]) -> None:
    make, _, pause_s = KINDS[kind]
    while time.monotonic() < ends_at:
        with suppress(OSError):
            seen[await attack(port, make())] += 1
        await asyncio.sleep(pause_s)


async def all_of(port: int, seconds: float, kinds: Iterable[str]) -> dict[str, dict[int, int]]:
    ends_at = time.monotonic() + seconds
    seen: dict[str, Counter[int]] = {kind: Counter() for kind in kinds}
    work: list[Awaitable[None]] = [
        repeat(port, kind, ends_at, seen[kind]) for kind in seen for _ in range(KINDS[kind][1])
    ]
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds + 0.5):
            await asyncio.gather(*work)
    return {kind: dict(counts) for kind, counts in seen.items()}


if __name__ == "__main__":
    found = asyncio.run(all_of(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
    print(json.dumps(found))
