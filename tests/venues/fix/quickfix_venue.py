"""The same venue on QuickFIX's own acceptor: what both engines do alike is no accident of one of them."""
# ruff: noqa: N802  # names of the library

import queue
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
        self._venue.begun += 1

    def onLogout(self, session_id) -> None:
        self._venue.ended = self._venue.begun  # also said of a logon that was refused

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
        # The library needs a number. This socket never listens, and keeps the number from everybody else.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]
        self.logons = 0
        self.begun = 0
        self.ended = 0
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
        self._jobs: queue.SimpleQueue[tuple] = queue.SimpleQueue()
        self._is_listening, self._is_closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve, name="quickfix venue", daemon=True)
        self._thread.start()
        assert self._is_listening.wait(60)

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
        done = threading.Event()
        self._post(quickfix.Session.lookupSession(self._id).disconnect)
        self._post(done.set)
        assert done.wait(60)

    def close(self) -> None:
        self._is_closing.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        del self._acceptor
        self._reserved.close()
        self._folder.cleanup()

    def _serve(self) -> None:
        """Poll, cut and stop in one thread: from another one they race with connections that end."""
        while not self._is_closing.is_set():
            while not self._jobs.empty():
                function, *arguments = self._jobs.get()
                self.run(function, *arguments)
            self._acceptor.poll()
            self._is_listening.set()
            time.sleep(0.001)
        self._acceptor.stop(True)

    def _post(self, function, *arguments) -> None:
        """Let the venue's thread call it: who posts may hold the lock of the desk."""
        self._jobs.put((function, *arguments))

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
