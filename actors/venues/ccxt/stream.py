"""Keeps the streams of a session up: opens, listens, notices silence, closes, and begins again."""

import asyncio
import decimal
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import numpy as np

from actors.venues.backoff import reconnect_delays
from actors.venues.ccxt.failures import CredentialsRefused
from actors.venues.ccxt.session import CcxtSession

log = logging.getLogger(__name__)

GLANCE_S = 0.05
STEADY_S = 60.0
"""A stream that was up for so long has a fresh start after it breaks."""


class StreamBroken(Exception):
    """The connection has to be opened anew."""


class Listener(Protocol):
    """Whom a `StreamKeeper` serves."""

    async def prepare(self) -> None:
        """Do what comes before the streams are opened: markets, clock."""

    def watching(self) -> list[Awaitable[Any]]:
        """Return the work that keeps the streams open; it ends with an exception when one breaks."""

    def is_up(self) -> bool:
        """Say whether all streams are subscribed."""

    def came_up(self) -> None: ...

    def went_down(self, reason: str, *, is_final: bool) -> None: ...


class StreamKeeper:
    """One task that never gives up, unless the credentials are refused.

    Parameters
    ----------
    silence_s : float
        A connection on which nothing came for so long, not even an answer to a ping, is cut.
    """

    def __init__(
        self,
        session: CcxtSession,
        listener: Listener,
        silence_s: float,
        generator: np.random.Generator | None = None,
    ) -> None:
        self._session = session
        self._listener = listener
        self._silence_s = silence_s
        self._generator = np.random.default_rng() if generator is None else generator
        self._broken: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_up = False

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Close the streams for good."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def end(self, error: Exception) -> None:
        """Cut the streams now: for good if `error` says that the credentials are refused."""
        if self._broken is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _run(self) -> None:
        delays = reconnect_delays(self._generator)
        while True:
            began = time.monotonic()
            try:
                await self._attempt()
            except Exception as error:
                failure = self._failure(error)
                is_final = isinstance(failure, CredentialsRefused)
                self._is_up = False
                self._listener.went_down(str(failure), is_final=is_final)
                if is_final:
                    return
            if time.monotonic() - began > STEADY_S:
                delays = reconnect_delays(self._generator)
            await asyncio.sleep(next(delays))

    def _failure(self, error: Exception) -> Exception:
        return error if isinstance(error, StreamBroken) else self._session.failure_of(error)

    async def _attempt(self) -> None:
        """Bring the streams up and hold them; ends with an exception."""
        self._broken = asyncio.get_running_loop().create_future()
        tasks: set[asyncio.Task[Any]] = set()
        try:
            await self._listener.prepare()
            self._ping_often()
            work = [*self._listener.watching(), self._watch_over(), self._wait_for_break()]
            with decimal.localcontext():  # inherited by whatever ccxt starts
                tasks = {asyncio.ensure_future(each) for each in work}
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise StreamBroken("a stream ended")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._session.cut_streams()

    async def _wait_for_break(self) -> None:
        assert self._broken is not None
        await self._broken

    async def _watch_over(self) -> None:
        """Tell when the streams are up, and end with an exception when one has fallen silent."""
        deadline = time.monotonic() + 2 * self._session.options.request_timeout_s
        while True:
            if not self._is_up and self._listener.is_up():
                self._is_up = True
                self._listener.came_up()
            if not self._is_up and time.monotonic() > deadline:
                raise StreamBroken("the streams were not confirmed in time")
            silent = self._silent()
            if silent:
                raise StreamBroken(f"{silent} has said nothing for {self._silence_s:g} s")
            await asyncio.sleep(GLANCE_S if not self._is_up else min(1.0, self._silence_s / 8))

    def _silent(self) -> str:
        """Return the host of a connection that has been silent for too long."""
        now = time.time() * 1000
        for client in list((self._session.exchange.clients or {}).values()):
            heard = client.last_message_at or client.connectionEstablished
            if client.isConnected and heard and now - heard > self._silence_s * 1000:
                return str(client.url).partition("://")[2].partition("?")[0]
        return ""

    def _ping_often(self) -> None:
        """Let ccxt ping at least three times in the time that a stream may be silent."""
        streaming = dict(self._session.exchange.streaming or {})
        often = int(self._silence_s * 1000 / 3)
        streaming["keepAlive"] = min(streaming.get("keepAlive") or often, often)
        streaming["maxPingPongMisses"] = 10  # silence is noticed here
        self._session.exchange.streaming = streaming


def forever(call: Callable[[], Awaitable[Any]], then: Callable[[Any], None]) -> Awaitable[None]:
    """Call again and again, and hand on every answer; ends with the exception of a call."""

    async def loop() -> None:
        while True:
            then(await call())

    return loop()
