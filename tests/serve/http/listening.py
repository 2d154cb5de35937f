"""An application behind uvicorn on a free port, for requests that no client library would send."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from serve.http.bounded_http import BoundedHttp

TIMEOUT_S = 60.0


class PatientHttp(BoundedHttp):
    """Waits for a head as long as a test waits: only who says nothing at all is cut off."""

    head_timeout_s = 2 * TIMEOUT_S


class QuickHttp(BoundedHttp):
    """Gives up sooner: for clients that are too slow on purpose, and for nobody else."""

    head_timeout_s = 0.3


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_ready.set()


@contextmanager
def listening(app: ASGIApp, http: type[BoundedHttp] = PatientHttp) -> Iterator[int]:
    """Serve until the context ends; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=http,
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        server_header=False,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        assert server.is_ready.wait(TIMEOUT_S)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(TIMEOUT_S)
        listener.close()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)


def answer(connection: socket.socket) -> bytes:
    """Return all that the server says until it closes; a reset after the answer is an end too."""
    parts: list[bytes] = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def status_of(reply: bytes) -> int:
    return int(reply.split(b" ", 2)[1])


def head(method: str, path: str, *headers: str, host: str = "127.0.0.1") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
