"""An event loop in a thread of its own: for libraries that are asyncio, beside a host that is not."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from actors.venues.credentials import masked

log = logging.getLogger(__name__)

Work = Coroutine[Any, Any, None]
_BLOCKED_S = 1.0
"""When a loop is so late with its end, something blocks it."""


class LoopThread:
    """Runs work in an event loop of its own. Methods may be called from any thread.

    Parameters
    ----------
    name : str
        Of the thread.
    close_timeout_s : float
        How long `close` waits for work that is to finish, and then for each thing that it closes. What has
        not ended by then is left behind with the process.
    """

    def __init__(self, name: str, close_timeout_s: float) -> None:
        self._name = name
        self._close_timeout_s = close_timeout_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._to_finish: set[asyncio.Task[None]] = set()

    @property
    def is_running(self) -> bool:
        """Started, and not closed."""
        return self._thread is not None

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
        self._thread.start()

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the loop, behind what waits there already."""
        assert self._loop is not None, f"{self._name} are called after start"
        self._loop.call_soon_threadsafe(function, *arguments)

    def spawn(self, work: Work, *, must_finish: bool = False) -> None:
        """Run work in the loop; what it raises is logged.

        Parameters
        ----------
        must_finish : bool
            `close` waits for it instead of ending it at once.
        """
        self.call_soon(self._begin, work, self._to_finish if must_finish else self._running)

    def close(self, closings: Mapping[str, Callable[[], Work]]) -> None:
        """End all work, close what it used, and end the thread. Does nothing when it is not running.

        Parameters
        ----------
        closings : mapping of name to coroutine function
            All are called at once: one that fails or takes too long is logged, and keeps no other open.
        """
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._thread = None
        ending = asyncio.run_coroutine_threadsafe(self._end(closings), loop)
        try:
            ending.result(2 * self._close_timeout_s + _BLOCKED_S)
        except TimeoutError:
            log.warning("the thread of the %s is blocked and is left behind", self._name)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_BLOCKED_S)
        if not thread.is_alive():
            loop.close()

    # -- in the thread

    def _begin(self, work: Work, among: set[asyncio.Task[None]]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)
        task.add_done_callback(self._complain)

    def _complain(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of the %s failed", self._name, exc_info=task.exception())

    async def _end(self, closings: Mapping[str, Callable[[], Work]]) -> None:
        for task in self._running:
            task.cancel()
        if self._to_finish:
            await asyncio.wait(self._to_finish, timeout=self._close_timeout_s)
        await asyncio.gather(*(self._close(name, close) for name, close in closings.items()))

    async def _close(self, name: str, close: Callable[[], Work]) -> None:
        try:
            async with asyncio.timeout(self._close_timeout_s):
                await close()
        except TimeoutError:
            log.warning("%s: not closed within %g s", name, self._close_timeout_s)
        except Exception as error:  # the others must be closed all the same
            log.warning("%s: not closed: %s", name, masked(str(error)))
