"""The connection to the exchange at one address: requests out, replies and execution reports in.

The sockets are plain ones, read to the end whenever one of their descriptors stirs. That keeps the
order between "connection lost" and what came after it, which separate awaiting tasks would not.
"""

import asyncio
import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass

import zmq

from actors.bus.curve import CurveKeys
from actors.bus.link import is_up_event, prepare_client, prepare_dealer, watch_connection
from actors.bus.wire import REPLY, parse_answer, parse_publication

log = logging.getLogger(__name__)

HEARTBEAT_IVL_MS = 100
HEARTBEAT_TIMEOUT_MS = 300
REPORTS_QUEUED_MAX = 10_000
BATCH_MAX = 500


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a session tells; called in the event loop.

    Attributes
    ----------
    on_state : function of bool
        The session came up, or went down. Up means: requests reach the exchange, and no report
        that it publishes from now on is missed.
    on_reply : function of request id, payload
    on_report : function of payload
    """

    on_state: Callable[[bool], None]
    on_reply: Callable[[int, bytes], None]
    on_report: Callable[[bytes], None]


class Session:
    """Belongs to the event loop in which it was opened.

    Parameters
    ----------
    router, pub : str
        Endpoints of the exchange's host.
    topic : str
        Under which the exchange publishes the reports of this account.
    """

    def __init__(
        self, router: str, pub: str, topic: str, keys: CurveKeys | None, listener: Listener
    ) -> None:
        self.endpoints = (router, pub)
        self.is_up = False
        self._topic = topic
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._is_requesting = False
        self._is_listening = False
        self._is_subscribed = False
        self._context = zmq.Context()
        self._dealer = self._context.socket(zmq.DEALER)
        prepare_dealer(self._dealer, router, keys)
        self._dealer_monitor = watch_connection(self._context, self._dealer, "dealer")
        self._sub = self._context.socket(zmq.SUB)
        prepare_client(self._sub, pub, keys)
        self._sub.rcvhwm = REPORTS_QUEUED_MAX
        self._sub.heartbeat_ivl = HEARTBEAT_IVL_MS
        self._sub.heartbeat_timeout = HEARTBEAT_TIMEOUT_MS
        self._sub.subscribe(topic.encode())
        self._sub_monitor = watch_connection(self._context, self._sub, "sub")
        self._dealer.connect(router)
        self._sub.connect(pub)
        for socket in self._sockets:
            self._loop.add_reader(socket.fileno(), self._read)
        self._loop.call_soon(self._read)

    def send(self, frame: bytes) -> bool:
        """Send one request; False when nothing was sent."""
        try:
            self._dealer.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        finally:
            # Sending may swallow the signal of something that has arrived.
            self._loop.call_soon(self._read)
        return True

    def close(self) -> None:
        """Close the sockets; the listener hears nothing more."""
        if not self._is_open:
            return
        self._is_open = False
        for socket in self._sockets:
            self._loop.remove_reader(socket.fileno())
        self._dealer.disable_monitor()
        self._sub.disable_monitor()
        for socket in self._sockets:
            socket.close(0)
        self._context.term()

    @property
    def _sockets(self) -> tuple[zmq.Socket[bytes], ...]:
        return (self._dealer_monitor, self._sub_monitor, self._dealer, self._sub)

    def _read(self) -> None:
        if not self._is_open:
            return
        self._read_changes()
        self._drain(self._dealer, self._take_reply)
        self._drain(self._sub, self._take_report)

    def _drain(self, socket: zmq.Socket[bytes], take: Callable[[bytes], None]) -> None:
        try:
            for _ in range(BATCH_MAX):
                if not self._is_open:  # whom we tell may close the session
                    return
                self._take(socket.recv(zmq.NOBLOCK), take)
        except zmq.Again:
            return
        self._loop.call_soon(self._read)

    def _take(self, frame: bytes, take: Callable[[bytes], None]) -> None:
        try:
            take(frame)
        except (struct.error, ValueError) as error:
            log.warning("a frame from %s is none of ours: %s", self.endpoints[0], error)

    def _read_changes(self) -> None:
        for monitor in (self._dealer_monitor, self._sub_monitor):
            try:
                while self._is_open:
                    self._change(monitor, is_up=is_up_event(monitor.recv_multipart(zmq.NOBLOCK)))
            except zmq.Again:
                continue

    def _change(self, monitor: zmq.Socket[bytes], *, is_up: bool) -> None:
        if monitor is self._dealer_monitor:
            self._is_requesting = is_up
            if is_up:
                self._dealer.getsockopt(zmq.EVENTS)  # attach the new connection now
        else:
            self._is_listening = is_up
            self._is_subscribed = False
        self._tell()

    def _take_reply(self, frame: bytes) -> None:
        kind, number, payload = parse_answer(frame)
        if kind == REPLY:
            self._listener.on_reply(number, payload)

    def _take_report(self, frame: bytes) -> None:
        topic, payload = parse_publication(frame)
        if topic != self._topic:
            return
        if payload:
            self._listener.on_report(payload)
        else:
            self._confirm_subscription()

    def _confirm_subscription(self) -> None:
        self._read_changes()  # a loss before this confirmation must not count after it
        self._is_subscribed = self._is_listening
        self._tell()

    def _tell(self) -> None:
        is_up = self._is_requesting and self._is_subscribed
        if self._is_open and is_up != self.is_up:
            self.is_up = is_up
            self._listener.on_state(is_up)
