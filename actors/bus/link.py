"""One connection to one life of one host, and whether it is up."""

from struct import Struct

import zmq

from actors.bus.curve import CurveKeys
from actors.bus.endpoints import is_tcp
from actors.bus.wire import HostAddress

HEARTBEAT_IVL_MS = 100
HEARTBEAT_TIMEOUT_MS = 300
"""A peer that is frozen counts as gone after at most the sum of the two."""
_HANDSHAKE_IVL_MS = 1_000
_RECONNECT_IVL_MS = 10
_RECONNECT_IVL_MAX_MS = 200

_UP = zmq.EVENT_HANDSHAKE_SUCCEEDED
WATCHED_EVENTS = (
    _UP
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
_EVENT = Struct("=hi")


def prepare_client(socket: zmq.Socket[bytes], endpoint: str, keys: CurveKeys | None) -> None:
    """Set the options that every connecting socket of the data plane shares."""
    socket.linger = 0
    socket.ipv6 = True
    socket.reconnect_ivl = _RECONNECT_IVL_MS
    socket.reconnect_ivl_max = _RECONNECT_IVL_MAX_MS
    socket.handshake_ivl = _HANDSHAKE_IVL_MS
    if keys is not None and is_tcp(endpoint):
        keys.unlock(socket)


def prepare_dealer(socket: zmq.Socket[bytes], endpoint: str, keys: CurveKeys | None) -> None:
    """Set the options of a socket for commands or requests: nothing queues for a dead peer."""
    prepare_client(socket, endpoint, keys)
    socket.immediate = True
    socket.sndhwm = 0  # what may wait is bounded by who sends, and dropped with the connection
    socket.rcvhwm = 0
    socket.heartbeat_ivl = HEARTBEAT_IVL_MS
    socket.heartbeat_timeout = HEARTBEAT_TIMEOUT_MS


def watch_connection(
    context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes], name: str
) -> zmq.Socket[bytes]:
    """Return a socket that tells what happens to the connection of `socket`.

    No bound on the events: libzmq blocks its I/O thread when nobody reads them.
    """
    endpoint = f"inproc://monitor/{name}"
    socket.monitor(endpoint, WATCHED_EVENTS)
    monitor = context.socket(zmq.PAIR)
    monitor.linger = 0
    monitor.rcvhwm = 0
    monitor.connect(endpoint)
    return monitor


def is_up_event(parts: list[bytes]) -> bool:
    """Return whether the connection is up after the monitor event in `parts`."""
    return bool(_EVENT.unpack(parts[0])[0] == _UP)


class Link:
    """A DEALER that connects, and connects again, to the ROUTER of one host.

    Attributes
    ----------
    is_up : bool
        Between handshake and disconnection, as far as the events have been read.
    has_news : bool
        Whether the first attempt to connect has come to an end, one way or the other.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: HostAddress,
        identity: bytes,
        keys: CurveKeys | None,
    ) -> None:
        self.address = address
        self.is_up = False
        self.has_news = False
        self.socket = context.socket(zmq.DEALER)
        prepare_dealer(self.socket, address.router, keys)
        self.socket.routing_id = identity
        self.monitor = watch_connection(context, self.socket, identity.decode())
        self.socket.connect(address.router)

    def transmit(self, frame: bytes) -> bool:
        """Hand one frame to ZeroMQ; False when the connection has just been lost."""
        try:
            self.socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def read_change(self) -> bool:
        """Take one event off the monitor. Returns False when there is none."""
        try:
            parts = self.monitor.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return False
        self.is_up = is_up_event(parts)
        self.has_news = True
        if self.is_up:
            # Lets libzmq attach the new connection to the socket now, not at some later send.
            self.socket.getsockopt(zmq.EVENTS)
        return True

    def close(self) -> None:
        self.socket.disable_monitor()
        self.monitor.close()
        self.socket.close()
