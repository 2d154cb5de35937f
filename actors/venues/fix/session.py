"""A FIX session that is kept up: connect, log on, fill gaps, watch the clock, and again after every loss."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from actors.venues.backoff import reconnect_delays
from actors.venues.clock import clock_skew
from actors.venues.fix.dialect import Texts
from actors.venues.fix.engine import Engine, EngineListener, EngineSettings
from actors.venues.fix.messages import Fields, MsgType, parse_fields
from actors.venues.fix.parse import venue_time
from actors.venues.fix.refusals import says
from actors.venues.fix.schedule import Schedule
from trading.errors import ConfigError, OutcomeUnknown, VenueError, VenueUnreachable

log = logging.getLogger(__name__)

PROBE_AGAIN_S = 0.5
REFUSALS_MAX = 3
"""So many logons may be refused in a row, for whatever reason, before somebody has to look."""


@dataclass(frozen=True, slots=True)
class SessionListener:
    """Whom a session tells.

    Attributes
    ----------
    keep : function of str
        Called in the engine's thread with every application message, before it counts as received.
    on_up : function
        Logged on, and everything that was missed has been told.
    on_down : function of str, bool
        Why; True when nobody tries again.
    on_clock : function of int
        The venue's clock minus ours (ns).
    on_message : function of str, fields
    """

    keep: Callable[[str], None]
    on_up: Callable[[], None]
    on_down: Callable[[str, bool], None]
    on_clock: Callable[[int], None]
    on_message: Callable[[str, Fields], None]


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How to connect.

    Attributes
    ----------
    engine : EngineSettings
        The times of the day are added at each attempt.
    dictionary : str
        Written to the file that `engine` names; empty: the file is the user's.
    credentials : dict of tag to text
        Of the logon.
    """

    engine: EngineSettings
    schedule: Schedule | None
    texts: Texts
    clock_interval_s: float
    dictionary: str
    credentials: dict[int, str] = field(repr=False)


class Session:
    """Belongs to the event loop in which it was opened.

    Attributes
    ----------
    is_up : bool
        Logged on, and everything that was missed has been told.
    """

    def __init__(self, settings: SessionSettings, listener: SessionListener) -> None:
        self._settings = settings
        self._listener = listener
        self._engine: Engine | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[tuple[str, bool]] | None = None
        self._synced: asyncio.Future[None] | None = None
        self._is_logged_on = False
        self._asked_at: dict[str, int] = {}
        self._probe_count = 0
        self.is_up = False
        self._refusals = 0
        self._said = ""

    def open(self) -> None:
        """Begin to connect, and go on trying."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep_up())

    async def close(self) -> None:
        """Log out, and end everything that was started."""
        keeper, self._keeper = self._keeper, None
        if self._engine is not None and self._ended is not None and self.is_up:
            self._engine.logout()
            await asyncio.wait({self._ended}, timeout=0.5)
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        if self._stopping is not None:
            await self._stopping  # two engines of one session at a time would crash the process

    def send(self, kind: MsgType, fields: Fields) -> int:
        """Send a message; return its MsgSeqNum. Errors as of `Engine.send`.

        Not before the session is up: what is sent while the venue asks for older messages may be taken
        for a part of that gap.
        """
        if self._engine is None or not self.is_up:
            raise VenueUnreachable("the FIX session is not up; nothing was sent")
        return self._engine.send(kind, fields)

    # -- one attempt after the other

    async def _keep_up(self) -> None:
        generator = np.random.default_rng()
        delays = reconnect_delays(generator)
        while True:
            await self._await_opening()
            self.is_up = False
            try:
                engine = self._engine_settings()
                await asyncio.to_thread(self._write_files, engine)
                is_over = await self._attempt(engine)
            except (ConfigError, OSError) as error:
                self._listener.on_down(str(error), True)
                return
            if is_over:
                return
            if self.is_up:
                delays = reconnect_delays(generator)
            await asyncio.sleep(next(delays))

    def _write_files(self, engine: EngineSettings) -> None:
        """Write what the engine reads at its start."""
        engine.path.write_text(engine.text(), encoding="utf-8")
        if self._settings.dictionary:
            Path(engine.data_dictionary).write_text(self._settings.dictionary, encoding="utf-8")

    async def _await_opening(self) -> None:
        schedule = self._settings.schedule
        wait_s = schedule.opens_in_s(time.time_ns()) if schedule is not None else 0.0
        if wait_s > 0:
            self._listener.on_down(f"the session of the venue opens in {wait_s:.0f} s", False)
            await asyncio.sleep(wait_s)

    async def _attempt(self, settings: EngineSettings) -> bool:
        """Connect, and stay until it ends; say whether that was the last time."""
        loop = asyncio.get_running_loop()
        self._ended, self._synced = loop.create_future(), loop.create_future()
        self._is_logged_on = False
        self._asked_at.clear()
        life = EngineListener(
            keep=self._listener.keep,
            on_logon=self._logged_on,
            on_message=self._arrived,
            on_end=self._end,
        )
        self._engine = Engine(settings, self._settings.credentials, life)
        try:
            return self._tell_end(*await self._live(self._ended, self._synced))
        finally:
            engine, self._engine = self._engine, None
            self._stopping = asyncio.ensure_future(asyncio.to_thread(engine.stop))
            await asyncio.shield(self._stopping)

    def _tell_end(self, reason: str, was_refused: bool) -> bool:
        final = self._final_reason(reason, was_refused)
        if final or self.is_up or reason != self._said:
            self._said = reason
            self._listener.on_down(final or reason, bool(final))
        return bool(final)

    async def _live(
        self, ended: asyncio.Future[tuple[str, bool]], synced: asyncio.Future[None]
    ) -> tuple[str, bool]:
        if not await self._synchronise(ended, synced):
            limit_s = self._settings.engine.logon_timeout_s
            return f"no answer to the logon within {limit_s:g} s", False
        while not ended.done():
            await asyncio.wait({ended}, timeout=self._settings.clock_interval_s)
            if not ended.done():
                self._probe()
        return ended.result()

    async def _synchronise(self, *either: asyncio.Future[Any]) -> bool:
        """Wait until the session is up or over; ask again, since a gap may swallow a test request."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.engine.logon_timeout_s
        while not any(each.done() for each in either):
            left_s = until - loop.time()
            if left_s <= 0:
                return False
            pause_s = min(left_s, PROBE_AGAIN_S)
            done, _ = await asyncio.wait(either, timeout=pause_s, return_when="FIRST_COMPLETED")
            if not done and self._is_logged_on:
                self._probe()
        return True

    def _engine_settings(self) -> EngineSettings:
        engine, schedule = self._settings.engine, self._settings.schedule
        if schedule is None:
            return engine
        return replace(engine, session_times=schedule.utc_times(time.time_ns()))

    def _final_reason(self, reason: str, was_refused: bool) -> str:
        """Return why it is of no use to go on; empty when it is."""
        texts = self._settings.texts
        if says(reason, texts.sequence):
            return (
                f"sequence numbers do not fit: {reason}. The store {self._settings.engine.store_dir} is "
                "not that of the venue's session, or one side began anew: agree with the venue on a "
                "reset, set reset_on_logon = true for one start, and look at the fills of that time."
            )
        if not was_refused:
            self._refusals = 0
            return ""
        if says(reason, texts.credentials):
            return f"the venue refuses the credentials: {reason}"
        self._refusals += not says(reason, texts.closed)
        if self._refusals < REFUSALS_MAX:
            return ""
        return f"the venue refused the logon {self._refusals} times: {reason}"

    # -- what the engine says

    def _end(self, reason: str, was_refused: bool) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result((reason, was_refused))

    def _arrived(self, text: str) -> None:
        try:
            fields = parse_fields(text)
            if fields.get(35) == MsgType.HEARTBEAT:
                self._answered(fields)
            else:
                self._listener.on_message(text, fields)
        except OutcomeUnknown as error:
            log.warning("a message of the venue cannot be read: %s", error)

    def _logged_on(self) -> None:
        self._is_logged_on = True
        self._probe()

    def _probe(self) -> None:
        """Ask for a heartbeat: its answer comes behind all that was missed, and tells the venue's time."""
        self._probe_count += 1
        name = f"sync-{self._probe_count}"
        self._asked_at[name] = time.time_ns()
        if self._engine is None:
            return
        try:
            self._engine.send(MsgType.TEST_REQUEST, {112: name})
        except VenueError as error:
            log.debug("no test request was sent: %s", error)

    def _answered(self, fields: Fields) -> None:
        asked_at = self._asked_at.get(fields.get(112, ""))
        if asked_at is None:
            return
        self._asked_at.clear()
        if self._synced is not None and not self._synced.done():
            self._synced.set_result(None)
            self.is_up, self._refusals, self._said = True, 0, ""
            self._listener.on_up()
        if fields.get(52):
            reading = venue_time(fields[52])
            self._listener.on_clock(clock_skew(reading, asked_at, time.time_ns()))
