"""Keeps a connection to TWS open: heartbeat, reconnect with pauses, and the state between TWS and IB."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

from actors.venues.backoff import reconnect_delays
from actors.venues.clock import clock_skew
from actors.venues.ib.config import IbOptions
from actors.venues.ib.connection import CURRENT_TIME, ClientIdInUse, Connection, Listener
from actors.venues.ib.error_codes import ErrorKind
from actors.venues.ib.messages import TwsError
from trading.errors import AuthError, VenueError, VenueUnreachable
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.values import NANOS_PER_SECOND

log = logging.getLogger(__name__)
# What the library logs of a failed attempt is in our own sentence too: to the log, not to a bare standard error.
logging.getLogger("ib_async").addHandler(logging.NullHandler())

CLOCK_INTERVAL_S = 60.0
CLOSE_TIMEOUT_S = 1.0

LinkMessage = VenueConnected | VenueDisconnected | VenueClockRead


@dataclass(frozen=True, slots=True)
class LinkUser:
    """Whose link it is.

    Attributes
    ----------
    prepare : coroutine function of connection, is_new
        Called before `VenueConnected`, whenever TWS and IB are (again) connected; `is_new` when what was
        subscribed is gone. Raises `AuthError` when this session must never be used.
    tell : function of message
    listener : Listener
        Of each connection.
    """

    prepare: Callable[[Connection, bool], Awaitable[None]]
    tell: Callable[[LinkMessage], None]
    listener: Listener


class Link:
    """One client id at one TWS, kept connected from `start` to `stop`.

    Up means: TWS is connected, it is connected to IB, and the user has prepared the session.
    """

    def __init__(
        self,
        options: IbOptions,
        client_id: int,
        user: LinkUser,
        generator: np.random.Generator | None = None,
    ) -> None:
        self._options = options
        self._client_id = client_id
        self._user = user
        self._generator = np.random.default_rng() if generator is None else generator
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._is_up = False
        self._is_cut_off = False
        self._reason = "the session was not opened"
        self._clock_read_at = -CLOCK_INTERVAL_S
        self._first_in_use_at: float | None = None

    @property
    def is_up(self) -> bool:
        return self._is_up

    def connection(self) -> Connection:
        """Return the connection.

        Raises
        ------
        VenueUnreachable
            If it is not up; nothing was sent.
        """
        if not self._is_up or self._connection is None or not self._connection.is_open:
            raise VenueUnreachable(f"{self._reason}; nothing was sent")
        return self._connection

    def start(self) -> None:
        """Begin to connect, and go on trying."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Close the session for good."""
        task, self._task = self._task, None
        connection = self._connection
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        if connection is not None:
            await asyncio.wait({connection.closed}, timeout=CLOSE_TIMEOUT_S)
        self._down("the session was closed")

    # -- the loop

    async def _run(self) -> None:
        delays = reconnect_delays(self._generator)
        while True:
            connection = Connection(self._options, self._client_id, self._listener())
            self._connection = connection
            self._is_cut_off = False
            try:
                was_up, reason = await self._live(connection)
            except AuthError as error:
                self._down(str(error), is_final=True)
                return
            except Exception as error:  # a defect must not end the attempts in silence
                log.exception("the session with TWS failed")
                was_up, reason = False, f"{type(error).__name__}: {error}"
            finally:
                self._stop_preparing()
                connection.close(self._reason)
            self._down(reason)
            if was_up:
                delays = reconnect_delays(self._generator)
            await asyncio.sleep(next(delays))

    async def _live(self, connection: Connection) -> tuple[bool, str]:
        """Live one session; return whether it was up, and why it ended."""
        try:
            await connection.open()
            self._first_in_use_at = None
            await self._read_clock(connection)
            await self._prepare(connection, is_new=True)
        except ClientIdInUse as error:
            self._check_patience(error)
            return False, str(error)
        except VenueError as error:
            return False, str(error)
        return True, await self._beat(connection)

    def _check_patience(self, error: ClientIdInUse) -> None:
        """Give TWS some time to notice that an older session of ours is dead; then give up."""
        now = time.monotonic()
        if self._first_in_use_at is None:
            self._first_in_use_at = now
        if now - self._first_in_use_at >= self._options.client_id_wait_s:
            raise AuthError(f"{error}; another program uses it: give each its own client_id")

    async def _beat(self, connection: Connection) -> str:
        """Ask for the time again and again; return why the connection ended."""
        while True:
            await asyncio.wait({connection.closed}, timeout=self._options.heartbeat_s)
            if connection.closed.done():
                return connection.closed.result()
            try:
                async with asyncio.timeout(self._options.heartbeat_s):
                    await self._read_clock(connection)
            except TimeoutError:
                return f"TWS is mute: no heartbeat for {self._options.heartbeat_s:g} s"
            except VenueError as error:
                return str(error)

    async def _read_clock(self, connection: Connection) -> None:
        sent = time.time_ns()
        rows = await connection.ask_kind(CURRENT_TIME, "reqCurrentTime")
        now = time.time_ns()
        is_due = time.monotonic() - self._clock_read_at >= CLOCK_INTERVAL_S
        if rows and (is_due or not self._is_up):
            self._clock_read_at = time.monotonic()
            reading = (int(rows[0][0]) * NANOS_PER_SECOND, NANOS_PER_SECOND)
            skew = clock_skew(reading, sent, now)
            self._user.tell(VenueClockRead(ts_event=now, ts_init=now, skew_ns=skew))

    async def _prepare(self, connection: Connection, *, is_new: bool) -> None:
        await self._user.prepare(connection, is_new)
        if self._is_cut_off:
            return  # TWS lost IB meanwhile; it will say when they are together again
        self._is_up = True
        now = time.time_ns()
        self._user.tell(VenueConnected(ts_event=now, ts_init=now))

    # -- what TWS says of itself

    def _listener(self) -> Listener:
        own = self._user.listener
        return Listener(own.on_order, self._on_error, own.on_unreadable)

    def _on_error(self, error: TwsError) -> None:
        match error.kind:
            case ErrorKind.LOST:
                self._stop_preparing()
                self._is_cut_off = True
                self._down(f"TWS lost IB ({error.code}): {error.text}")
            case ErrorKind.RESTORED | ErrorKind.RESUBSCRIBE:
                self._stop_preparing()
                self._is_cut_off = False
                is_new = error.kind is ErrorKind.RESUBSCRIBE
                work = self._prepare_again(is_new=is_new)
                self._preparing = asyncio.get_running_loop().create_task(work)
            case _ if error.request_id < 0:
                log.info("TWS: %d %s", error.code, error.text)
            case _:
                pass  # of one order or stream: its owner speaks of it
        self._user.listener.on_error(error)

    async def _prepare_again(self, *, is_new: bool) -> None:
        connection = self._connection
        if connection is None or not connection.is_open:
            return
        try:
            await self._prepare(connection, is_new=is_new)
        except (VenueError, AuthError) as error:
            connection.close(str(error))

    def _stop_preparing(self) -> None:
        task, self._preparing = self._preparing, None
        if task is not None:
            task.cancel()

    def _down(self, reason: str, *, is_final: bool = False) -> None:
        is_news = self._is_up or is_final or reason != self._reason
        self._is_up = False
        self._reason = reason
        if is_news:
            now = time.time_ns()
            self._user.tell(
                VenueDisconnected(ts_event=now, ts_init=now, reason=reason, is_final=is_final)
            )
