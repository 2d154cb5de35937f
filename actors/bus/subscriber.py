"""The receiving end of publications: one socket, connected to every publisher that is known."""

import zmq

from actors.bus.counters import Counters
from actors.bus.curve import CurveKeys
from actors.bus.drain import drain
from actors.bus.link import prepare_client
from actors.bus.wire import Inbound, Published, parse_publication

HEARTBEAT_IVL_MS = 1_000
HEARTBEAT_TIMEOUT_MS = 5_000
"""A reader that is behind reads no heartbeats either; that must not cost it the connection."""


class Subscriber:
    """Loses, and never slows the publisher down, when it reads too slowly.

    Parameters
    ----------
    queued_max : int
        Publications that wait here for each publisher.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        keys: CurveKeys | None,
        counters: Counters,
        queued_max: int,
    ) -> None:
        self._keys = keys
        self._counters = counters
        self._publishers: set[str] = set()
        self.socket = context.socket(zmq.SUB)
        self.socket.rcvhwm = queued_max
        self.socket.heartbeat_ivl = HEARTBEAT_IVL_MS
        self.socket.heartbeat_timeout = HEARTBEAT_TIMEOUT_MS

    def connect(self, publishers: set[str]) -> None:
        """Be connected to these endpoints and to no others."""
        for endpoint in self._publishers - publishers:
            self.socket.disconnect(endpoint)
        for endpoint in publishers - self._publishers:
            prepare_client(self.socket, endpoint, self._keys)
            self.socket.connect(endpoint)
        self._publishers = publishers

    def subscribe(self, prefix: str) -> None:
        self.socket.subscribe(prefix.encode())

    def read(self, into: list[Inbound], count_max: int) -> None:
        """Append what waits, at most `count_max`; without the answers to subscriptions."""

        def take(frame: bytes) -> None:
            try:
                topic, payload = parse_publication(frame)
            except ValueError:
                self._counters.malformed += 1
                return
            if payload:
                self._counters.publications_received += 1
                into.append(Published(topic, payload))

        drain(self.socket, self.socket.recv, take, count_max)

    def close(self) -> None:
        self.socket.close(0)
