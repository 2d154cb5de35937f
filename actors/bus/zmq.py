"""ZmqBus: the data plane of one host process, over ZeroMQ.

Commands are kept until they are acknowledged and come once and in order from each life of each
sender; after a restart of either side they may come again, and machines apply them once by their
business ids. Requests, replies and publications may get lost and are never repeated.
"""

import math
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import zmq

from actors.bus.alarm import Alarm
from actors.bus.counters import Counters
from actors.bus.curve import CurveKeys, Gatekeeper
from actors.bus.drain import drain
from actors.bus.endpoints import is_tcp, listening_endpoints, remove_sockets
from actors.bus.inbox import Inbox
from actors.bus.link import Link
from actors.bus.outbox import Outbox
from actors.bus.subscriber import Subscriber
from actors.bus.wire import (
    ACK,
    COMMAND,
    PAYLOAD_BYTES_MAX,
    REPLY,
    REQUEST,
    Command,
    HostAddress,
    Inbound,
    LinkChanged,
    ReplyReceived,
    Request,
    Routes,
    Token,
    Woken,
    ack_frame,
    parse_answer,
    parse_command,
    parse_request,
    publication,
    reply_frame,
    request_frame,
)
from trading.errors import ConfigError
from trading.identifiers import MachineName

BATCH_MAX = 500
"""Messages that one `poll` takes from one socket; the others get their turn in between."""
PUBLICATIONS_QUEUED_MAX = 50_000
"""Publications that wait for one slow subscriber, here and there; it loses what is beyond."""

ACK_INTERVAL_S = 0.002
"""A busy receiver acknowledges so often: one by one would cost the sender a wake-up each."""
ACK_DELAY_MS = 20
"""An idle one waits so long. A shorter timer per `poll` was measured to cost 10 us per command."""

_Unreadable = (struct.error, ValueError, IndexError)


class ZmqBus:
    """Commands, publications and requests of one host. Used by one thread, but for `wake`.

    Parameters
    ----------
    host, incarnation : str
        The name of this host, and of this life of it (never used before).
    run_dir : Path
        Folder for the sockets of `ipc`; made if absent, for its owner alone.
    bind : str
        `ipc`, or the IP address of this machine to listen on, with or without `:port`.
    secret : bytes or None
        The cluster secret. With it every TCP connection is encrypted and authenticated by CurveZMQ;
        all hosts of a cluster must agree. Sockets of `ipc` are guarded by their folder.

    Raises
    ------
    ConfigError
        If the address is in use, not of this machine, or open to strangers.
    """

    def __init__(
        self,
        host: str,
        incarnation: str,
        *,
        run_dir: Path,
        bind: str = "ipc",
        secret: bytes | None = None,
    ) -> None:
        self._name = f"{host}@{incarnation}"
        self._keys = None if secret is None else CurveKeys.derive(secret)
        self._endpoints = listening_endpoints(
            host, incarnation, run_dir, bind, has_keys=self._keys is not None
        )
        self._counters = Counters()
        self._inbox = Inbox(self._counters)
        self._outboxes: dict[MachineName, Outbox] = {}
        self._links: dict[HostAddress, Link] = {}
        self._link_count = 0
        self._routes: Routes = {}
        self._news: list[Inbound] = []
        self._readers: dict[object, Callable[[], None]] = {}
        self._poller = zmq.Poller()
        self._context = zmq.Context()
        self._gatekeeper: Gatekeeper | None = None
        self._alarm = Alarm()
        self._router = self._context.socket(zmq.ROUTER)
        self._pub = self._context.socket(zmq.XPUB)
        self._subscriber = Subscriber(
            self._context, self._keys, self._counters, PUBLICATIONS_QUEUED_MAX
        )
        if not is_tcp(self._endpoints[0]):
            remove_sockets(host, run_dir)
        try:
            router, pub = self._listen(self._endpoints)
        except zmq.ZMQError as error:
            self.close()
            raise ConfigError(
                f"cannot listen on {self._endpoints[0]}: {error.strerror}. "
                "Give an address of this machine and a free port."
            ) from error
        self.address = HostAddress(host, incarnation, router, pub)
        self._read_with(self._router, self._read_router)
        self._read_with(self._alarm.fileno(), self._read_alarm)
        self._read_with(self._pub, self._read_subscriptions)
        self._read_with(self._subscriber.socket, self._read_publications)

    # -- sending

    def send(self, sender: MachineName, to: MachineName, payload: bytes) -> None:
        """Deliver a command to one machine, wherever it is: at least once, in order.

        A command to a machine that is down, or that nobody has named yet, waits for it.

        Raises
        ------
        LinkFull
            If 100,000 commands to that machine are not acknowledged; this one was not taken.
        """
        outbox = self._outboxes.get(to) or self._open(to)
        outbox.send(sender, payload)

    def ack(self, token: Token) -> None:
        """Acknowledge a command and every earlier one from that host to the same machine.

        Call it when their effects are durable. It leaves with one of the
        next calls of `poll`, one frame for all that came before.
        """
        self._inbox.ack(token)

    def request(self, to: MachineName, payload: bytes, request_id: int) -> None:
        """Ask a machine; its answer, if one comes, is a `ReplyReceived` with `request_id`."""
        outbox = self._outboxes.get(to) or self._open(to)
        link = outbox.link
        self._counters.requests += 1
        frame = request_frame(request_id, to, payload)
        if link is None or not link.is_up or not link.transmit(frame):
            self._counters.unreachable += 1

    def reply(self, token: Token, payload: bytes) -> None:
        """Answer a request; lost when the one who asked is gone."""
        self._answer(token.identity, reply_frame(token.number, payload))

    def publish(self, topic: str, payload: bytes) -> None:
        """Tell every other host that subscribed to a prefix of `topic`. Never waits.

        Raises
        ------
        ValueError
            If the payload is empty: that is the answer to a new subscription.
        """
        if not payload:
            raise ValueError(f"a publication about {topic} has no payload")
        self._pub.send(publication(topic, payload), zmq.NOBLOCK)
        self._counters.published += 1

    # -- knowing the others

    def set_routes(self, routes: Routes) -> None:
        """Say where every machine is from now on. Commands that wait follow their machine."""
        self._routes = dict(routes)
        for outbox in self._outboxes.values():
            outbox.move(self._link_to(outbox.to))
        used = {outbox.link for outbox in self._outboxes.values()}
        for address in [a for a, link in self._links.items() if link not in used]:
            self._close_link(address)
        self._subscriber.connect({a.pub for a in routes.values()} - {self.address.pub})
        self._report()

    def watch(self, machine: MachineName) -> None:
        """Open the link to `machine`; from now on `LinkChanged` tells whether it is up.

        The first one comes when the first attempt to connect has ended, at once without a route.
        Machines that something was sent to are watched too.
        """
        if machine not in self._outboxes:
            self._open(machine)

    def subscribe(self, prefix: str) -> None:
        """Receive what other hosts publish under topics that begin with `prefix`."""
        self._subscriber.subscribe(prefix)

    # -- receiving

    def poll(self, timeout_s: float) -> list[Inbound]:
        """Return what has arrived, waiting up to `timeout_s` for something to arrive.

        The list is bounded (500 messages of each kind) and may be empty before the time is over.
        """
        timeout_ms = 0 if self._news else max(0, math.ceil(timeout_s * 1e3))
        if self._inbox.is_due:
            timeout_ms = min(timeout_ms, ACK_DELAY_MS)
            if time.monotonic() - self._inbox.due_since >= ACK_INTERVAL_S:
                self._send_acks()
        for source, _ in self._poller.poll(timeout_ms):
            self._readers[source]()
        news, self._news = self._news, []
        return news

    def wake(self) -> None:
        """End the current or next `poll` early. Any thread may call it, also after `close`."""
        self._alarm.ring()

    def counters(self) -> Mapping[str, int]:
        return msgspec.structs.asdict(self._counters)

    def close(self) -> None:
        """Close every socket; what is not on its way yet is dropped. No file stays behind."""
        if self._context.closed:
            return
        self._send_acks()
        for address in list(self._links):
            self._close_link(address)
        self._router.close(0)
        self._pub.close(0)
        self._subscriber.close()
        self._context.term()
        if self._gatekeeper is not None:
            self._gatekeeper.join()
        self._alarm.close()
        for endpoint in self._endpoints:
            if not is_tcp(endpoint):  # ZeroMQ leaves the files of its sockets behind
                Path(endpoint.removeprefix("ipc://")).unlink(missing_ok=True)

    # -- sockets

    def _listen(self, endpoints: tuple[str, str]) -> tuple[str, str]:
        self._router.rcvhwm = 0  # bounded by what each sender may keep unacknowledged
        self._router.sndhwm = PUBLICATIONS_QUEUED_MAX
        self._router.router_handover = True  # a connection made again replaces the dead one
        self._pub.sndhwm = PUBLICATIONS_QUEUED_MAX
        self._pub.xpub_verbose = True
        if self._keys is not None and is_tcp(endpoints[0]):
            self._gatekeeper = Gatekeeper(self._context, self._keys)
        for socket, endpoint in ((self._router, endpoints[0]), (self._pub, endpoints[1])):
            socket.linger = 0
            socket.ipv6 = True
            socket.maxmsgsize = PAYLOAD_BYTES_MAX + 1024
            if self._keys is not None and is_tcp(endpoint):
                self._keys.guard(socket)
            socket.bind(endpoint)
        return (
            self._router.get_string(zmq.LAST_ENDPOINT),
            self._pub.get_string(zmq.LAST_ENDPOINT),
        )

    def _read_with(self, source: zmq.Socket[bytes] | int, reader: Callable[[], None]) -> None:
        self._poller.register(source, zmq.POLLIN)
        self._readers[source] = reader

    def _open(self, machine: MachineName) -> Outbox:
        outbox = self._outboxes[machine] = Outbox(machine, self._counters)
        outbox.move(self._link_to(machine))
        self._report()
        return outbox

    def _link_to(self, machine: MachineName) -> Link | None:
        address = self._routes.get(machine)
        if address is None:
            return None
        link = self._links.get(address)
        if link is None:
            self._link_count += 1
            identity = f"{self._name}/{self._link_count}".encode()
            link = self._links[address] = Link(self._context, address, identity, self._keys)
            self._read_with(link.monitor, lambda: self._read_changes(link))
            self._read_with(link.socket, lambda: self._read_answers(link))
        return link

    def _close_link(self, address: HostAddress) -> None:
        link = self._links.pop(address)
        for source in (link.monitor, link.socket):
            self._poller.unregister(source)
            del self._readers[source]
        link.close()

    # -- reading

    def _read_router(self) -> None:
        drain(self._router, self._router.recv_multipart, self._take, BATCH_MAX)

    def _take(self, parts: list[bytes]) -> None:
        identity, frame = parts[0], parts[-1]
        try:
            kind = frame[0]
            # An identity that begins with zero is ZeroMQ's own choice: nobody who sends commands.
            if kind == COMMAND and identity[0]:
                sequence, previous, to, sender, payload = parse_command(frame)
                if self._inbox.admit(identity, to, sequence, previous):
                    token = Token(identity, sequence, to)
                    self._news.append(Command(token, to, sender, payload))
            elif kind == REQUEST:
                request_id, to, payload = parse_request(frame)
                self._news.append(Request(Token(identity, request_id, to), to, payload))
            else:
                self._counters.malformed += 1
        except _Unreadable:
            self._counters.malformed += 1

    def _read_answers(self, link: Link) -> None:
        drain(link.socket, link.socket.recv, self._take_answer, BATCH_MAX)

    def _take_answer(self, frame: bytes) -> None:
        try:
            kind, number, rest = parse_answer(frame)
            if kind == ACK:
                self._outboxes[MachineName(rest.decode())].acknowledge(number)
            elif kind == REPLY:
                self._news.append(ReplyReceived(number, rest))
        except (*_Unreadable, KeyError):
            self._counters.malformed += 1

    def _read_changes(self, link: Link) -> None:
        while link.read_change():
            if link.is_up:
                for outbox in self._outboxes.values():
                    if outbox.link is link:
                        outbox.repeat()
            self._report()

    def _read_subscriptions(self) -> None:
        drain(self._pub, self._pub.recv, self._take_subscription, BATCH_MAX)

    def _take_subscription(self, message: bytes) -> None:
        """Answer a new subscription, behind everything that was published before it counted."""
        if message[:1] == b"\x01":
            self._pub.send(message[1:] + b"\0", zmq.NOBLOCK)

    def _read_publications(self) -> None:
        self._subscriber.read(self._news, BATCH_MAX)

    def _read_alarm(self) -> None:
        self._alarm.clear()
        self._news.append(Woken())

    # -- telling

    def _send_acks(self) -> None:
        for (identity, to), sequence in self._inbox.take_due().items():
            self._answer(identity, ack_frame(sequence, to))

    def _answer(self, identity: bytes, frame: bytes) -> None:
        try:
            self._router.send_multipart((identity, frame), zmq.NOBLOCK)
        except zmq.Again:
            return  # it reads no answers; the next acknowledgement covers this one

    def _report(self) -> None:
        """Tell about every machine whose link has changed since it was last told about."""
        for outbox in self._outboxes.values():
            link = outbox.link
            if link is not None and not link.has_news and not outbox.reported:
                continue  # still at the first attempt
            is_up = link is not None and link.is_up
            if is_up != outbox.reported:
                outbox.reported = is_up
                self._news.append(LinkChanged(outbox.to, is_up))
