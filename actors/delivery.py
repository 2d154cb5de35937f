"""Between the bus and the runner of one host: what arrives becomes inbound, what leaves is performed."""

import time
from collections import deque
from collections.abc import Iterable, Mapping

from actors.blueprint import Blueprint
from actors.bus import wire
from actors.bus.wire import HostAddress
from actors.bus.zmq import ZmqBus
from actors.latency import LatencyWindow
from actors.runner import Command, Fact, Fenced, Inbound, LinkChanged, Out, Outbound, Published, Runner
from actors.venue_sessions import VenueSessions
from trading.codec import decode, encode
from trading.commands import SubmitOrder, VenueRequest
from trading.effects import CallVenue, Publish, Reply, Send
from trading.identifiers import MachineName, StreamName

FACT_TOPIC = "fact."


class Deliveries:
    """One turn of the loop: wait, translate, run, perform, acknowledge."""

    def __init__(
        self,
        bus: ZmqBus,
        runner: Runner,
        blueprint: Blueprint,
        secret: bytes,
        latency: LatencyWindow,
    ) -> None:
        self._bus = bus
        self._runner = runner
        self._latency = latency
        self._from_venues: deque[Command] = deque()
        self._venues = VenueSessions(blueprint, secret, tuple(runner.machines), self._arrived)
        self._requests: dict[str, wire.Token] = {}

    def set_routes(self, routes: Mapping[MachineName, HostAddress]) -> None:
        self._bus.set_routes(routes)
        here = set(self._runner.machines)
        for machine in routes:
            if machine not in here:
                self._bus.watch(machine)
        self._venues.set_routes(routes)

    def start(self) -> None:
        for topic in sorted(self._runner.topics()):
            self._bus.subscribe(topic)
        for stream in sorted(self._runner.followed()):
            self._bus.subscribe(f"{FACT_TOPIC}{stream}")
        self._perform(self._runner.start(time.time_ns()))
        self._venues.start()

    def turn(self, longest_s: float) -> None:
        wait_s = min(longest_s, max(0.0, (self._runner.next_due() - time.time_ns()) / 1e9))
        arrived = self._bus.poll(0.0 if self._from_venues else wait_s)
        inbound: list[Inbound] = []
        tokens: list[wire.Token] = []
        for item in arrived:
            translated = self._translate(item, tokens)
            if translated is not None:
                inbound.append(translated)
        while self._from_venues:
            inbound.append(self._from_venues.popleft())
        if inbound:
            self.handle(inbound)
        for token in tokens:
            self._bus.ack(token)
        now = time.time_ns()
        if now >= self._runner.next_due():
            self._perform(self._runner.tick(now))

    def handle(self, inbound: Iterable[Inbound]) -> None:
        self._perform(self._runner.deliver(inbound, time.time_ns()))

    def close(self) -> None:
        self._venues.close()
        self._bus.close()
        self._runner.close()

    def _arrived(self, command: Command) -> None:
        """A venue said something (called from the venues' thread)."""
        self._from_venues.append(command)
        self._bus.wake()

    def _translate(self, item: wire.Inbound, tokens: list[wire.Token]) -> Inbound | None:
        match item:
            case wire.Command(token, to, _, payload):
                tokens.append(token)
                return Command(to, decode(payload))
            case wire.Published(topic, payload):
                if topic.startswith(FACT_TOPIC):
                    return _fact(topic, payload)
                return Published(topic, decode(payload))
            case wire.Request(token, to, payload):
                request = decode(payload)
                assert isinstance(request, VenueRequest)
                self._requests[request.request_id] = token
                return Command(to, request)
            case wire.LinkChanged(machine, is_up):
                return LinkChanged(machine, is_up)
            case wire.ReplyReceived() | wire.Woken():
                return None

    def _perform(self, out: Iterable[Outbound]) -> None:
        for item in out:
            match item:
                case Out(machine, effect):
                    self._perform_one(machine, effect)
                case Fact(stream, seq, payload):
                    self._bus.publish(f"{FACT_TOPIC}{stream}", seq.to_bytes(8, "big") + payload)
                case Fenced(machine, reason):
                    self._venues.stop(machine, reason)

    def _perform_one(self, machine: MachineName, effect: Send | Publish | CallVenue | Reply) -> None:
        match effect:
            case Send(to, message):
                self._bus.send(machine, to, encode(message))
            case Publish(topic, message):
                self._bus.publish(topic, encode(message))
            case CallVenue(body, timeout_ns):
                self._venues.call(machine, body, timeout_ns)
                if isinstance(body, SubmitOrder) and body.ts_signal:
                    self._latency.record(time.time_ns() - body.ts_signal)
            case Reply(request, outcome):
                token = self._requests.pop(request.request_id, None)
                if token is not None:
                    self._bus.reply(token, encode(outcome))


def _fact(topic: str, payload: bytes) -> Fact:
    stream = StreamName(topic.removeprefix(FACT_TOPIC))
    return Fact(stream, int.from_bytes(payload[:8], "big"), payload[8:])
