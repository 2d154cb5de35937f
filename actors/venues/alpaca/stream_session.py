"""One websocket of the venue, kept open: probed, cut when it is mute, opened again with jittered pauses."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from actors.venues.backoff import reconnect_delays

log = logging.getLogger(__name__)

_STEADY_S = 30.0
"""A session that lived for so long begins again with the shortest pause."""
_PROBES = 3
_CLOSE_TIMEOUT_S = 0.5

quiet = logging.getLogger(f"{__name__}.frames")
quiet.setLevel(
    logging.INFO
)  # at DEBUG the websocket library logs whole frames, the keys among them


class SessionRefused(Exception):
    """The venue will not let us in, however often we ask: keys, or what the subscription includes."""


class StreamBroken(Exception):
    """The stream is of no use any more; the sentence says why."""


class Dialect(Protocol):
    """What one kind of stream says and understands."""

    async def open(self) -> tuple[Any, bool]:
        """Return an authenticated websocket, and whether it is confirmed already: nothing was asked for.

        Raises
        ------
        SessionRefused
            If there is no point in trying again.
        """

    async def probe(self) -> bool:
        """Ask something that the venue answers; False when there is nothing to ask for."""

    async def take(self, frame: bytes | str) -> bool:
        """Take one frame; True when it confirms that from now on nothing is missed."""


@dataclass(frozen=True, slots=True)
class SessionListener:
    """Whom a session tells: the stream is up; it is down, for a reason, and maybe for good."""

    on_up: Callable[[], None]
    on_down: Callable[[str, bool], None]


class StreamSession:
    """Runs in one event loop.

    The venue's streams say nothing while nothing happens, and a dead one looks the same. So a quiet stream is asked
    something every third of `timeout_s`, and cut when it has said nothing for `timeout_s`.

    Parameters
    ----------
    open_timeout_s : float
        Longest time until the stream is confirmed.
    secrets : tuple of str
        Cut out of every reason.
    """

    def __init__(
        self,
        dialect: Dialect,
        listener: SessionListener,
        *,
        timeout_s: float,
        open_timeout_s: float,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.is_up = False
        self._dialect = dialect
        self._listener = listener
        self._timeout_s = timeout_s
        self._open_timeout_s = open_timeout_s
        self._secrets = secrets
        self._socket: Any = None
        self._task: asyncio.Task[None] | None = None
        self._was_told_down = False

    def start(self) -> None:
        """Begin to connect, and go on trying."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Close the stream; the listener hears nothing more."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._close()
        self.is_up = False

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        delays = _delays()
        while True:
            began = loop.time()
            try:
                await self._serve()
            except SessionRefused as error:
                await self._close()
                self._down(str(error), is_final=True)
                return
            except Exception as error:
                # Whatever broke: nothing more can be read from this socket.
                await self._close()
                self._down(self._reason(error), is_final=False)
            if loop.time() - began > _STEADY_S:
                delays = _delays()
            await asyncio.sleep(next(delays))

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._open_timeout_s
        async with asyncio.timeout_at(give_up_at):
            self._socket, is_confirmed = await self._dialect.open()
        if is_confirmed:
            self._up()
        heard_at = loop.time()
        while True:
            pause_s = self._timeout_s / _PROBES if self.is_up else give_up_at - loop.time()
            try:
                async with asyncio.timeout(pause_s):
                    frame = await self._socket.recv()
            except TimeoutError:
                if not self.is_up:
                    raise StreamBroken("the stream was not confirmed in time") from None
                if loop.time() - heard_at >= self._timeout_s:
                    raise StreamBroken(f"mute for {self._timeout_s:g} s") from None
                if not await self._dialect.probe():
                    heard_at = (
                        loop.time()
                    )  # nobody waits for it; pings tell whether it is still there
                continue
            if await self._dialect.take(frame) and not self.is_up:
                self._up()
            heard_at = loop.time()  # what it took to understand the frame is no silence

    def _up(self) -> None:
        self.is_up = True
        self._was_told_down = False
        self._listener.on_up()

    def _down(self, reason: str, *, is_final: bool) -> None:
        self.is_up = False
        if is_final or not self._was_told_down:
            self._listener.on_down(reason, is_final)
        self._was_told_down = True
        log.warning("Alpaca stream: %s", reason)

    def _reason(self, error: Exception) -> str:
        known = isinstance(error, StreamBroken)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def _close(self) -> None:
        """Say goodbye, but do not wait for a venue that does not answer."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await socket.close()
        except Exception as error:
            log.debug("closing a stream: %s", type(error).__name__)
            socket.fail_connection()
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError  # the websocket library swallows it when it closes


def _delays() -> Any:
    return reconnect_delays(np.random.default_rng())
