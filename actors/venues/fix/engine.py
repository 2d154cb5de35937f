"""One life of the QuickFIX engine: from the start of a connection to its end.

The engine has a thread of its own. Its callbacks copy what they are given, hand it over to the event loop and
return; they never raise, because the library ends the process when one does.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import quickfix

from actors.venues.fix.messages import Fields, MsgType, message_text
from trading.errors import ConfigError, OutcomeUnknown, VenueUnreachable

log = logging.getLogger(__name__)

BEGIN_STRING = "FIX.4.4"
_ONE_ATTEMPT_S = 86_400
"""Longer than any attempt: when to try again is decided outside of the engine."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How one connection is made. `session_times` is start and end (UTC), None for a session without end."""

    host: str
    port: int
    sender_comp_id: str
    target_comp_id: str
    store_dir: str
    heartbeat_s: int
    logon_timeout_s: float
    session_times: tuple[str, str] | None
    reset_on_logon: bool
    data_dictionary: str

    @property
    def path(self) -> Path:
        """File of `text`, which the engine reads."""
        return Path(self.store_dir) / f"{self.sender_comp_id}-{self.target_comp_id}.cfg"

    def text(self) -> str:
        """Return them in the engine's own words.

        Messages are not kept for a resend: after a long silence the venue must not get an order of
        minutes ago, and the store must not hold the password of the logon. A gap is filled instead.
        """
        lines = {
            "ConnectionType": "initiator",
            "ReconnectInterval": _ONE_ATTEMPT_S,
            "SocketConnectHost": self.host,
            "SocketConnectPort": self.port,
            "SocketNodelay": "Y",
            "FileStorePath": self.store_dir,
            "PersistMessages": "N",
            "HeartBtInt": self.heartbeat_s,
            "LogonTimeout": max(1, round(self.logon_timeout_s)),
            "ResetOnLogon": "Y" if self.reset_on_logon else "N",
            "CheckLatency": "N",
            **self._schedule(),
            "UseDataDictionary": "Y",
            "DataDictionary": self.data_dictionary,
            "AllowUnknownMsgFields": "Y",
            "ValidateUserDefinedFields": "N",
            "ValidateFieldsHaveValues": "N",
            "ValidateFieldsOutOfOrder": "N",
            "BeginString": BEGIN_STRING,
            "SenderCompID": self.sender_comp_id,
            "TargetCompID": self.target_comp_id,
        }
        return "[SESSION]\n" + "".join(f"{key}={value}\n" for key, value in lines.items())

    def _schedule(self) -> dict[str, str]:
        if self.session_times is None:
            return {"NonStopSession": "Y"}
        return {"StartTime": self.session_times[0], "EndTime": self.session_times[1]}


@dataclass(frozen=True, slots=True)
class EngineListener:
    """Whom an engine tells. All but `keep` are called in the event loop.

    Attributes
    ----------
    keep : function of str
        Called in the engine's thread with every application message, before it counts as received.
    on_logon : function
    on_message : function of str
        Application messages, heartbeats and rejections, as text.
    on_end : function of str, bool
        Why the connection is over; called once. True when the venue refused the logon in so many words.
    """

    keep: Callable[[str], None]
    on_logon: Callable[[], None]
    on_message: Callable[[str], None]
    on_end: Callable[[str, bool], None]


class _Callbacks(quickfix.Application):  # type: ignore[misc]
    """What the engine calls, in its own thread; `toApp` in that of `send`.

    `is_let_through` tells `send` whether the engine may have written anything.
    """

    def __init__(self, credentials: dict[int, str], listener: EngineListener) -> None:
        super().__init__()
        self._credentials = credentials
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._reason = ""
        self._is_logged_on = False
        self.is_let_through = False

    def onCreate(self, session_id: object) -> None:  # noqa: N802
        """Nothing to prepare."""

    def onLogon(self, session_id: object) -> None:  # noqa: N802
        self._is_logged_on = True
        self._tell(self._listener.on_logon)

    def onLogout(self, session_id: object) -> None:  # noqa: N802
        what = "was lost" if self._is_logged_on else "could not be made, or was closed at once"
        is_refused = bool(self._reason) and not self._is_logged_on
        self._tell(self._listener.on_end, self._reason or f"the connection {what}", is_refused)

    def toAdmin(self, message: quickfix.Message, session_id: object) -> None:  # noqa: N802
        try:
            kind = message.getHeader().getField(35)
            if kind == MsgType.LOGON:
                for tag, value in self._credentials.items():
                    message.setField(tag, value)
            elif kind == MsgType.LOGOUT and message.isSetField(58):
                self._reason = self._reason or message.getField(58)
        except Exception:
            log.exception("a session message could not be prepared")

    def toApp(self, message: quickfix.Message, session_id: object) -> None:  # noqa: N802
        if message.getHeader().isSetField(43) or not _is_up(session_id):
            raise quickfix.DoNotSend("not logged on, or a resend")
        self.is_let_through = True

    def fromAdmin(self, message: quickfix.Message, session_id: object) -> None:  # noqa: N802
        try:
            kind = message.getHeader().getField(35)
            if kind == MsgType.LOGOUT:
                self._reason = message.getField(58) if message.isSetField(58) else "logged out"
            elif kind == MsgType.REJECT and not self._is_logged_on:
                self._reason = message.getField(58) if message.isSetField(58) else "rejected"
            elif kind in {MsgType.HEARTBEAT, MsgType.REJECT}:
                self._tell(self._listener.on_message, message.toString())
        except Exception:
            log.exception("a session message could not be read")

    def fromApp(self, message: quickfix.Message, session_id: object) -> None:  # noqa: N802
        try:
            text = message.toString()
            self._listener.keep(text)
            self._tell(self._listener.on_message, text)
        except Exception:
            log.exception("a message of the venue could not be handed over")

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            log.info("the event loop is closed; a message of the venue was not handed over")


class Engine:
    """A started engine. Belongs to the event loop in which it was made; `stop` must be called.

    Parameters
    ----------
    settings : EngineSettings
        Its text must be in its file.
    credentials : dict of tag to text
        Go into the logon, and nowhere else.

    Raises
    ------
    ConfigError
        If the settings are wrong, or the store cannot be written.
    """

    def __init__(
        self, settings: EngineSettings, credentials: dict[int, str], listener: EngineListener
    ) -> None:
        # The library keeps bare pointers: whatever is not referenced here crashes the process.
        self._callbacks = _Callbacks(credentials, listener)
        self._id = quickfix.SessionID(
            BEGIN_STRING, settings.sender_comp_id, settings.target_comp_id
        )
        try:
            self._settings = quickfix.SessionSettings(str(settings.path))
            self._store = quickfix.FileStoreFactory(self._settings)
            self._initiator = quickfix.SocketInitiator(self._callbacks, self._store, self._settings)
            self._initiator.start()
        except quickfix.FIXException as error:
            raise ConfigError(f"the FIX engine does not start: {error}.") from None

    def send(self, kind: MsgType, fields: Fields) -> int:
        """Send a message; return its MsgSeqNum.

        Raises
        ------
        VenueUnreachable
            If nobody is logged on: nothing was sent, nor will be.
        OutcomeUnknown
            If it may have been sent in part.
        """
        message = quickfix.Message(message_text(kind, fields), False)
        self._callbacks.is_let_through = False
        try:
            is_sent = quickfix.Session.sendToTarget(message, self._id)
        except quickfix.SessionNotFound:
            raise VenueUnreachable("the FIX session is closed; nothing was sent") from None
        if not is_sent and not self._callbacks.is_let_through:
            raise VenueUnreachable("the FIX session is not logged on; nothing was sent")
        if not is_sent:
            raise OutcomeUnknown("the FIX session broke while the message was sent")
        return int(message.getHeader().getField(34))

    def logout(self) -> None:
        """Begin an orderly end; nothing can be sent any more."""
        session = quickfix.Session.lookupSession(self._id)
        if session is not None:
            session.logout("the client closes the session")
            session.next(quickfix.UtcTimeStamp.now())  # the engine itself looks once a second only

    def stop(self) -> None:
        """Close the connection and end the engine's thread. Blocks for up to a second."""
        begun = time.monotonic()
        self._initiator.stop(True)
        del self._initiator
        log.debug("the FIX engine stopped within %.1f s", time.monotonic() - begun)


def _is_up(session_id: object) -> bool:
    session = quickfix.Session.lookupSession(session_id)
    return session is not None and session.isLoggedOn() and not session.sentLogout()
