"""The MCP server behind a real HTTP server on a free port of loopback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from serve.http.correlation import Correlation
from serve.http.guard import open_to_all
from serve.mcp.mount import add_mcp
from serve.mcp.toolsets import toolsets_of


def an_app(
    desk: Any, *, guard: Any = open_to_all, toolsets: str | None = "", **options: Any
) -> FastAPI:
    """Return a host application with a route of its own and MCP."""
    app = FastAPI()
    app.add_middleware(Correlation)
    app.add_api_route("/healthz", lambda: {"status": "ok"})
    add_mcp(
        app, desk, guard, toolsets=None if toolsets is None else toolsets_of(toolsets), **options
    )
    return app


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application in a thread; yield its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    started = threading.Event()
    config = uvicorn.Config(app, log_level="error", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    before = server.startup

    async def startup(sockets: Any = None) -> None:
        await before(sockets)
        started.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert started.wait(60), "the server did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)
        listening.close()
        assert not thread.is_alive()
