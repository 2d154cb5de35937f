"""A FIX venue on fixcore, an engine that shares nothing with the client's: its own thread, loop and store."""

import asyncio
import contextlib
import logging
import threading
import time

from fixcore.application import Application
from fixcore.log.base import Log, LogFactory
from fixcore.message.message import Message, apply_poss_dup
from fixcore.session.session import Session
from fixcore.session.session_settings import SessionSettings
from fixcore.session.state import SessionState
from fixcore.transport.acceptor import SocketAcceptor

from tests.venues.faults import Fault
from tests.venues.fix.floor import Floor, How
from tests.venues.fix.venue_messages import GARBAGE, Fields, stamp

SETTINGS = """[DEFAULT]
ConnectionType=acceptor
SocketAcceptHost=127.0.0.1
SocketAcceptPort=0
[SESSION]
BeginString=FIX.4.4
SenderCompID=VENUE
TargetCompID=CLIENT
HeartBtInt=30
"""


class Transcript(Log, LogFactory):
    """Keeps what went over the wire, as text with bars."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def create(self, session_id):
        return self

    def on_incoming(self, message: str) -> None:
        self.lines.append(("in", message))

    def on_outgoing(self, message: str) -> None:
        self.lines.append(("out", message))

    def on_event(self, text: str) -> None:
        self.lines.append(("event", text))

    def of(self, direction: str, part: str = "") -> list[str]:
        return [text for way, text in self.lines if way == direction and part in text]


class FixcoreVenue(Application):
    """One acceptor with one session. What happens while nobody is logged on is numbered and kept.

    Attributes
    ----------
    begun, ended : int
        Connections that the session had, and those of them that are over.
    """

    engine = "fixcore"

    def __init__(
        self, floor: Floor, username: str = "", password: str = "", settings: str = ""
    ) -> None:
        self.floor = floor
        self.port = 0
        self.transcript = Transcript()
        self.logons = 0
        self.begun = 0
        self.ended = 0
        self.queued = 0
        self._credentials = (username, password)
        self._settings = SETTINGS + settings
        self._is_mute = False
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_complain)
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="fix venue", daemon=True
        )
        self._thread.start()
        floor.say, floor.post = self._say, self._loop_soon
        self._run(self._start())

    # -- for tests

    def run(self, function, *arguments):
        """Call a function in the venue's thread and return what it returns."""

        async def whole():
            found = function(*arguments)
            return await found if asyncio.iscoroutine(found) else found

        return self._run(whole())

    @property
    def session(self) -> Session:
        return next(iter(self._acceptor.sessions.values()))

    async def send_raw(self, kind: str, body: str) -> None:
        """Send a message whose body is exactly this text, numbered like any other."""
        message = _RawMessage()
        message.header.set(35, kind)
        encode = message.encode

        def encoded() -> bytes:
            inner = encode().partition(b"\x01")[2].partition(b"\x01")[2].rpartition(b"10=")[0]
            inner += body.encode()
            head = b"8=FIX.4.4\x019=%d\x01" % len(inner)
            return head + inner + b"10=%03d\x01" % (sum(head + inner) % 256)

        message.encode = encoded
        await self.session._send_message(message, is_admin=False)

    def cut(self) -> None:
        self.run(self.session.disconnect)

    async def forget(self, number: int) -> None:
        """Break the connection, and expect messages from this number on: before anybody can be back."""
        await self.session.disconnect()
        self.session._store.set_next_target_msg_seq_num(number)

    def close(self) -> None:
        try:
            self._run(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(60)
            self._loop.close()

    # -- what fixcore calls

    def on_logon(self, session_id) -> None:
        self.logons += 1

    def on_logout(self, session_id) -> None:
        self._is_mute = False

    def to_admin(self, message, session_id) -> None:
        self._stamp(message)

    def to_app(self, message, session_id) -> None:
        self._stamp(message)

    def from_app(self, message, session_id) -> None:
        fields = {**dict(message.header.items()), **message.body}
        if self.floor.faults.happens(Fault.DROP_STREAM):
            self._cutting = asyncio.ensure_future(self.session.disconnect())
        self.floor.take(fields)

    # -- inside

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def _loop_soon(self, function, *arguments) -> None:
        self._loop.call_soon_threadsafe(function, *arguments)

    async def _start(self) -> None:
        logging.getLogger("fixcore").setLevel(logging.CRITICAL)
        settings = SessionSettings.from_string(self._settings)
        self._acceptor = SocketAcceptor(settings, self, log_factory=self.transcript)
        self._outgoing: asyncio.Queue[tuple[Fields, How]] = asyncio.Queue()
        self._patch(self.session)
        await self._acceptor.start()
        self.port = self._acceptor._server.sockets[0].getsockname()[1]
        self._pumping = asyncio.create_task(self._pump())

    async def _stop(self) -> None:
        """Stop; raise what ended the pump, if anything did: from then on the venue said nothing more."""
        self._pumping.cancel()
        await self._acceptor.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await self._pumping

    def _patch(self, session: Session) -> None:
        """Let the session check the credentials of a logon, go mute on order, and count its connections."""
        logon, transmit = session._on_logon, session._transmit
        sequenced = session._handle_sequenced
        connect, disconnect = session.on_connect, session.on_disconnect

        async def begin(*functions) -> None:
            self.begun += 1
            await connect(*functions)

        async def end() -> None:
            await disconnect()
            self.ended += 1

        async def checked(message) -> None:
            given = (message.get_field_or(553), message.get_field_or(554))
            if given != self._credentials or self.floor.faults.happens(Fault.BAD_CREDENTIALS):
                await session._send_logout("Invalid username or password")
                await session._disconnect()
            else:
                await logon(message)

        async def written(raw: bytes) -> None:
            """Write; what a broken connection does not carry is in the store, for a resend."""
            if self.floor.faults.happens(Fault.MUTE_STREAM):
                self.floor.faults.clear(
                    Fault.MUTE_STREAM
                )  # this connection is dead; the next one is not
                self._is_mute = True
            if not self._is_mute:
                with contextlib.suppress(ConnectionError):
                    await transmit(raw)

        async def in_turn(message) -> None:
            """Answer a resend request at once: behind a gap, fixcore would wait for it, and then drop it."""
            number = int(message.header.get(34))
            if message.msg_type == "2" and number > session._store.next_target_msg_seq_num():
                await session._on_resend_request(message)
            await sequenced(message)

        session._on_logon, session._transmit = checked, written
        session._handle_sequenced = in_turn
        session.on_connect, session.on_disconnect = begin, end

    def _stamp(self, message) -> None:
        ahead = 3.0 if self.floor.faults.happens(Fault.CLOCK_SKEW) else 0.0
        message.header.set(52, stamp(ahead_s=ahead))

    def _say(self, fields: Fields, how: How) -> None:
        self.queued += 1
        self._outgoing.put_nowait((fields, how))

    async def _pump(self) -> None:
        while True:
            fields, how = await self._outgoing.get()
            while self.session.state in (SessionState.LOGON_TIMEOUT, SessionState.LOGOUT_TIMEOUT):  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            await self._send(fields, how)
            self.queued -= 1

    async def _send(self, fields: Fields, how: How) -> None:
        session = self.session
        if fields == GARBAGE:
            await self._write(b"8=FIX.4.4\x019=12\x0135=8\x0134=77\x0110=000\x01")
            return
        if how in (How.HALF, How.LOST) and session._send_fn is not None:
            write = session._send_fn

            async def broken(raw: bytes) -> None:
                if how is How.HALF:
                    await write(raw[: len(raw) // 2])

            session._send_fn = broken
            await session._send_message(message_of(fields), is_admin=False)
            await session.disconnect()
            return
        message = message_of(fields)
        await session._send_message(message, is_admin=False)
        if how is How.AGAIN:
            await self._send_again(message, fields)

    async def _send_again(self, message: Message, fields: Fields) -> None:
        await self._write(apply_poss_dup(message.encode(), stamp()))
        again = message_of(fields)
        again.header.set(97, "Y")
        await self.session._send_message(again, is_admin=False)

    async def _write(self, raw: bytes) -> None:
        """Write bytes that have no number of their own."""
        async with self.session._send_lock:
            await self.session._transmit(raw)


class _RawMessage(Message):
    """A message whose `encode` can be replaced."""


def _complain(loop, context) -> None:
    """Writing to a connection that is gone is what a cut is for."""
    if not isinstance(context.get("exception"), ConnectionError):
        loop.default_exception_handler(context)


def message_of(fields: Fields) -> Message:
    """Return a message; a tag that comes again goes into the group that `534` counts."""
    message = Message.from_fields(fields)
    members = [(tag, value) for tag, value in fields if tag in (41, 535)]
    if dict(fields).get(35) == "r" and members:
        from fixcore.message.field import Group

        for tag in (41, 535):
            message.body.pop(tag, None)
        for first, second in zip(members[::2], members[1::2], strict=True):
            group = Group()
            group.set_field(*first)
            group.set_field(*second)
            message.add_group(534, group)
    return message


def wait_until(holds, bound_s: float = 20.0) -> None:
    """Wait in a thread that is not an event loop."""
    end = time.monotonic() + bound_s
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("not in time")
        time.sleep(0.005)
