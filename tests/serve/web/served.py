"""The page over real HTTP: the whole application of a replica on a thread, over the simulated cluster."""

import socket
import threading
from pathlib import Path
from typing import Any

import uvicorn

from serve.http.app import build_app
from serve.http.guard import Guard, open_to_all
from tests.serve.simulated_desk import SimulatedDesk, front_desk


class Mutable:
    """ASGI in front of the application: streams that are open when `mute` is called say nothing any more.

    So it is when a connection has died without either end having been told.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._generation = 0
        self.streams = 0

    def mute(self) -> None:
        self._generation += 1

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/v1/stream":
            await self._app(scope, receive, send)
            return
        self.streams += 1
        opened = self._generation

        async def perhaps(message: Any) -> None:
            if opened == self._generation or message["type"] != "http.response.body":
                await send(message)

        await self._app(scope, receive, perhaps)


class Served:
    """A server that can be stopped and started again at the same address."""

    def __init__(self, folder: Path, trading: SimulatedDesk, guard: Guard = open_to_all) -> None:
        self.trading = trading
        self._folder = folder
        self._guard = guard
        self._place = socket.socket()  # bound to the end: no other process gets the port meanwhile
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = self._place.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve, with an application of its own: one belongs to one event loop."""
        self.desk = front_desk(self._folder, trading=self.trading)
        self.app = Mutable(build_app(self.desk.forecasts, desk=self.desk, guard=self._guard))
        listening = socket.create_server(("127.0.0.1", self.port))
        self._server = uvicorn.Server(
            uvicorn.Config(self.app, lifespan="off", log_config=None, ws="none")
        )
        self._thread = threading.Thread(target=self._server.run, args=([listening],))
        self._thread.start()

    def stop(self) -> None:
        """Go away at once, in the middle of every answer."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join(60)
            assert not self._thread.is_alive(), "the server did not stop"
        self._server = None

    def close(self) -> None:
        """Go away for good."""
        self.stop()
        self._place.close()
