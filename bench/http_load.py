"""A client that keeps some connections busy with one request after another: `python -m bench.http_load HELP`.

Raw sockets and no parsing beyond status and length, so that the client costs little beside the server.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

WARM_UP_S = 0.5


class Connection(asyncio.Protocol):
    """One connection: a request leaves when the answer to the one before is complete."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: Any = None
        self._buffer = b""
        self._began = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.ask()

    def ask(self) -> None:
        if time.perf_counter() >= self._load.ends_at:
            self._transport.close()
            return
        self._began = time.perf_counter_ns()
        self._transport.write(self._load.request())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        if len(rest) < length:
            return
        self._buffer = b""
        self._load.answered(self._began, int(head[9:12]))
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        if time.perf_counter() < self._load.ends_at:
            self._load.broken += 1
            asyncio.get_running_loop().create_task(self._load.connect())


@dataclass
class Load:
    host: str
    port: int
    bodies: list[bytes]
    begins_at: float
    ends_at: float

    def __post_init__(self) -> None:
        self.latencies_ns: list[int] = []
        self.statuses: Counter[int] = Counter()
        self.broken = 0
        self._next = 0
        head = "POST /v1/forecast HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._requests = [
            f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in self.bodies
        ]

    def request(self) -> bytes:
        self._next = (self._next + 1) % len(self._requests)
        return self._requests[self._next]

    def answered(self, began_ns: int, status: int) -> None:
        now = time.perf_counter_ns()
        if now / 1e9 >= self.begins_at:
            self.latencies_ns.append(now - began_ns)
            self.statuses[status] += 1

    async def connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: Connection(self), self.host, self.port
            )
        except OSError:
            self.broken += 1


async def run(
    host: str, port: int, bodies: list[bytes], connections: int, seconds: float
) -> dict[str, Any]:
    now = time.perf_counter()
    load = Load(host, port, bodies, now + WARM_UP_S, now + WARM_UP_S + seconds)
    for _ in range(connections):
        await load.connect()
    await asyncio.sleep(WARM_UP_S + seconds + 0.2)
    latencies = sorted(load.latencies_ns)
    return {
        "per_s": len(latencies) / seconds,
        "p50_ns": latencies[len(latencies) // 2] if latencies else None,
        "p99_ns": latencies[int(len(latencies) * 0.99)] if latencies else None,
        "statuses": dict(load.statuses),
        "broken": load.broken,
    }


def load(port: int, bodies: list[bytes], connections: int, seconds: float) -> dict[str, Any]:
    """Run the client in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.http_load", str(port), str(connections), str(seconds)],
        input=json.dumps([body.decode() for body in bodies]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    bodies = [body.encode() for body in json.load(sys.stdin)]
    found = uvloop.run(run("127.0.0.1", options.port, bodies, options.connections, options.seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
