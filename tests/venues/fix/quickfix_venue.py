"""The same venue on QuickFIX's own acceptor: what both engines do alike is no accident of one of them."""
# ruff: noqa: N802  # names of the library

import socket
import tempfile
import threading
import time

import quickfix

from tests.venues.faults import Fault
from tests.venues.fix.floor import Floor, How
from tests.venues.fix.venue_messages import Fields

SETTINGS = """[SESSION]
ConnectionType=acceptor
SocketAcceptPort={port}
SocketReuseAddress=Y
FileStorePath={folder}
NonStopSession=Y
UseDataDictionary=N
BeginString=FIX.4.4
SenderCompID=VENUE
TargetCompID=CLIENT
"""


class _Callbacks(quickfix.Application):
    def __init__(self, venue) -> None:
        super().__init__()
        self._venue = venue

    def onCreate(self, session_id) -> None:
        pass

    def onLogon(self, session_id) -> None:
        self._venue.logons += 1

    def onLogout(self, session_id) -> None:
        pass

    def toAdmin(self, message, session_id) -> None:
        pass

    def toApp(self, message, session_id) -> None:
        pass

    def fromAdmin(self, message, session_id) -> None:
        if message.getHeader().getField(35) == "A" and not self._venue.admits(message):
            raise quickfix.RejectLogon("Invalid username or password")

    def fromApp(self, message, session_id) -> None:
        pairs = (part.split("=", 1) for part in message.toString().split("\x01") if part)
        self._venue.take({int(tag): value for tag, value in pairs})


class QuickfixVenue:
    """Has what `FixcoreVenue` has, but for faults below the application."""

    engine = "quickfix"

    def __init__(self, floor: Floor, username: str = "", password: str = "") -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.logons = 0
        self._floor = floor
        self._credentials = (username, password)
        self._lock = threading.RLock()
        self._folder = tempfile.TemporaryDirectory(prefix="quickfix-venue-")
        floor.say, floor.post = self._say, self._post
        self._id = quickfix.SessionID("FIX.4.4", "VENUE", "CLIENT")
        self._callbacks = _Callbacks(self)
        self._settings = quickfix.SessionSettings()
        self._settings.setFromString(SETTINGS.format(port=self.port, folder=self._folder.name))
        self._store = quickfix.FileStoreFactory(self._settings)
        self._acceptor = quickfix.SocketAcceptor(self._callbacks, self._store, self._settings)
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="quickfix venue", daemon=True)
        self._thread.start()

    def admits(self, message) -> bool:
        given = tuple(
            message.getField(tag) if message.isSetField(tag) else "" for tag in (553, 554)
        )
        return given == self._credentials and not self._floor.faults.happens(Fault.BAD_CREDENTIALS)

    def take(self, fields: dict[int, str]) -> None:
        with self._lock:
            self._floor.take(fields)

    def run(self, function, *arguments):
        with self._lock:
            return function(*arguments)

    def cut(self) -> None:
        quickfix.Session.lookupSession(self._id).disconnect()

    def close(self) -> None:
        self._is_closing.set()
        self._thread.join(10)
        del self._acceptor
        self._folder.cleanup()

    def _serve(self) -> None:
        """Poll, and stop in the same thread: `stop` from another one races with connections that end."""
        while not self._is_closing.is_set():
            self._acceptor.poll()
            time.sleep(0.001)
        self._acceptor.stop(True)

    def _post(self, function, *arguments) -> None:
        self.run(function, *arguments)

    def _say(self, fields: Fields, how: How) -> None:
        """Send, or number and keep until the client is back."""
        message, kind = quickfix.Message(), dict(fields)[35]
        message.getHeader().setField(35, kind)
        if how is How.AGAIN:
            message.getHeader().setField(97, "Y")
        members = [pair for pair in fields if kind == "r" and pair[0] in (41, 535)]
        for tag, value in fields:
            if tag != 35 and (tag, value) not in members and tag != 534:
                message.setField(tag, value)
        for first, second in zip(members[::2], members[1::2], strict=True):
            group = quickfix.Group(534, 41)
            group.setField(*first)
            group.setField(*second)
            message.addGroup(group)
        quickfix.Session.sendToTarget(message, self._id)
