"""The front desk of one process, over HTTP on loopback: what `trader run` shows beside its screen."""

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from serve.auth.settings import AccessSettings

if TYPE_CHECKING:
    import uvicorn

    from serve.desk.front_desk import FrontDesk

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
STOP_S = 1
"""How long open streams are waited for at the end."""


class Page:
    """A server in a thread of its own. The port is ours from the beginning; answers come when all is imported.

    Attributes
    ----------
    url : str

    Parameters
    ----------
    make_desk : callable
        Makes the front desk, in that thread.
    port : int
        The wanted one; any free one when it is taken.
    access : AccessSettings
        Who may come in.
    """

    def __init__(
        self, make_desk: "Callable[[], FrontDesk]", port: int, access: AccessSettings
    ) -> None:
        self._make_desk = make_desk
        self._access = access
        self._socket = _listen(port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}/"
        self._server: uvicorn.Server | None = None
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="page", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Answer no more; open streams are cut off after a moment."""
        self._is_stopping.set()
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _work(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:  # trading goes on without a page
            log.exception("the page ends")

    async def _serve(self) -> None:
        import uvicorn

        from serve.auth.opening import open_gate
        from serve.http.app import build_app
        from serve.http.bounded_http import BoundedHttp

        desk = await asyncio.to_thread(self._make_desk)
        service = desk.forecasts
        config = uvicorn.Config(
            build_app(service, desk=desk, guard=open_gate(self._access)),
            http=BoundedHttp,
            proxy_headers=False,
            server_header=False,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=STOP_S,
        )
        self._server = uvicorn.Server(config)
        if self._is_stopping.is_set():
            return
        loading = asyncio.create_task(service.start())
        loading.add_done_callback(_tell)
        await self._server.serve(sockets=[self._socket])
        loading.cancel()
        await service.stop()


@contextmanager
def serving_page(
    make_desk: "Callable[[], FrontDesk]", port: int, access: AccessSettings
) -> Iterator[Page]:
    """Serve the page for as long as the context lasts."""
    page = Page(make_desk, port, access)
    page.start()
    try:
        yield page
    finally:
        page.stop()


def _listen(port: int) -> socket.socket:
    """Return a socket that listens on the port, or on a free one when somebody else does."""
    for wanted in (port, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, wanted))
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            listener.listen()
            return listener
    raise AssertionError("there is always a free port")


def _tell(loading: "asyncio.Task[None]") -> None:
    """Say in the log why there are no forecasts; everything else works."""
    if not loading.cancelled() and loading.exception() is not None:
        log.error("the forecasting model cannot be loaded", exc_info=loading.exception())
