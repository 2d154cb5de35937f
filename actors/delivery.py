"""Between the bus and the runner of one host: what arrives becomes inbound, what leaves is performed."""

import os
import signal
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping

from actors.bus import wire
from actors.bus.wire import HostAddress
from actors.bus.zmq import ZmqBus
from actors.feed_sessions import FeedSessions
from actors.forecast_sessions import ForecastSessions
from actors.latency import LatencyWindow
from actors.runner import (
    Command,
    Fact,
    Fenced,
    Inbound,
    LinkChanged,
    Out,
    Outbound,
    Outgoing,
    Published,
    Runner,
)
from actors.venue_sessions import VenueSessions
from trading.codec import decode, encode
from trading.commands import SubmitOrder, VenueRequest
from trading.effects import AskFeed, AskModel, CallVenue, Publish, Reply, ReportModel, Send
from trading.identifiers import MachineName, StreamName
from trading.outcomes import SubmitAcknowledged
from trading.reports import FillReport

FACT_TOPIC = "fact."
REQUESTS_OPEN_MAX = 10_000
"""Requests whose answer is still to come; the oldest is forgotten beyond it (its sender gave up)."""


class FencedOff(Exception):
    """Another owner took a lease of this host: it must end."""


class Drill:
    """Kills this very process, -9, at the n-th passage of one point. For rehearsing faults.

    Parameters
    ----------
    orders : mapping of point to n
        Points: `before_send` (journalled, not sent), `before_ack` (the venue's answer is here and not
        handled), `before_fill` (a fill is here and not journalled).
    """

    def __init__(self, orders: Mapping[str, int]) -> None:
        self._orders = orders
        self._passed: Counter[str] = Counter()

    def passes(self, point: str) -> None:
        self._passed[point] += 1
        if self._orders.get(point) == self._passed[point]:
            os.kill(os.getpid(), signal.SIGKILL)


class Deliveries:
    """One turn of the loop: wait, translate, run, perform, acknowledge."""

    def __init__(
        self,
        bus: ZmqBus,
        runner: Runner,
        venues: VenueSessions,
        latency: LatencyWindow,
        drill: Drill,
        models: ForecastSessions | None = None,
        feeds: FeedSessions | None = None,
    ) -> None:
        self._bus = bus
        self._runner = runner
        runner.emit_to(self._perform)
        self._venues = venues
        self._models = models
        self._feeds = feeds
        self._latency = latency
        self._drill = drill
        self._from_outside: deque[Command] = deque()
        self._requests: OrderedDict[str, wire.Token] = OrderedDict()

    def set_routes(self, routes: Mapping[MachineName, HostAddress]) -> None:
        self._bus.set_routes(routes)
        here = set(self._runner.machines)
        for machine in routes:
            if machine not in here:
                self._bus.watch(machine)
        self._venues.set_routes(routes)

    def start(self) -> None:
        """Listen, open models and feeds, restore the machines, let them act, and open the venues."""
        for topic in sorted(self._runner.topics()):
            self._bus.subscribe(topic)
        for stream in sorted(self._runner.followed()):
            self._bus.subscribe(f"{FACT_TOPIC}{stream}")
        if self._models is not None:
            self._models.start(self._arrived)
        if self._feeds is not None:
            self._feeds.start(self._bus.wake)
        self._runner.start(time.time_ns())
        self._venues.start(self._arrived)

    def turn(self, longest_s: float) -> None:
        """Wait for something, at most `longest_s`, and deal with all of it.

        Raises
        ------
        FencedOff
            If a machine here lost its lease.
        """
        wait_s = min(longest_s, max(0.0, (self._runner.next_due() - time.time_ns()) / 1e9))
        arrived = self._bus.poll(0.0 if self._has_arrivals else wait_s)
        inbound: list[Inbound] = []
        tokens: list[wire.Token] = []
        for item in arrived:
            translated = self._translate(item, tokens)
            if translated is not None:
                inbound.append(translated)
        while self._from_outside:
            inbound.append(self._drilled(self._from_outside.popleft()))
        if self._feeds is not None:
            inbound += self._feeds.take()
        if inbound:
            self.handle(inbound)
        for token in tokens:
            self._bus.ack(token)
        now = time.time_ns()
        if now >= self._runner.next_due():
            self._runner.tick(now)

    def handle(self, inbound: Iterable[Inbound]) -> None:
        self._runner.deliver(inbound, time.time_ns())

    def close(self) -> None:
        self._venues.close()
        if self._models is not None:
            self._models.close()
        if self._feeds is not None:
            self._feeds.close()
        self._bus.close()
        self._runner.close()

    # -- in

    @property
    def _has_arrivals(self) -> bool:
        return bool(self._from_outside) or (self._feeds is not None and self._feeds.is_waiting)

    def _arrived(self, command: Command) -> None:
        """A venue or a model said something (called from their threads)."""
        self._from_outside.append(command)
        self._bus.wake()

    def _drilled(self, command: Command) -> Command:
        if isinstance(command.message, SubmitAcknowledged):
            self._drill.passes("before_ack")
        elif isinstance(command.message, FillReport):
            self._drill.passes("before_fill")
        return command

    def _translate(self, item: wire.Inbound, tokens: list[wire.Token]) -> Inbound | None:
        match item:
            case wire.Command():
                if item.to not in self._runner.machines:
                    return None  # not acknowledged: its sender repeats it to where it lives now
                tokens.append(item.token)
                return Command(item.to, decode(item.payload))
            case wire.Published():
                if item.topic.startswith(FACT_TOPIC):
                    return _fact(item.topic, item.payload)
                return Published(item.topic, decode(item.payload))
            case wire.Request():
                return self._request(item)
            case wire.LinkChanged():
                return LinkChanged(item.machine, item.is_up)
            case wire.ReplyReceived() | wire.Woken():
                return None

    def _request(self, item: wire.Request) -> Command:
        request = decode(item.payload)
        assert isinstance(request, VenueRequest)
        self._requests[request.request_id] = item.token
        if len(self._requests) > REQUESTS_OPEN_MAX:
            self._requests.popitem(last=False)
        return Command(item.to, request)

    # -- out

    def _perform(self, item: Outbound) -> None:
        match item:
            case Out(machine, effect):
                self._perform_one(machine, effect)
            case Fact(stream, seq, payload):
                self._bus.publish(f"{FACT_TOPIC}{stream}", seq.to_bytes(8, "big") + payload)
            case Fenced(machine, reason):
                raise FencedOff(f"{machine}: {reason}")

    def _perform_one(self, machine: MachineName, effect: Outgoing) -> None:
        match effect:
            case Send(to, message):
                self._bus.send(machine, to, encode(message))
            case Publish(topic, message):
                self._bus.publish(topic, encode(message))
            case Reply(request, outcome):
                token = self._requests.pop(request.request_id, None)
                if token is not None:
                    self._bus.reply(token, encode(outcome))
            case _:
                self._ask(machine, effect)

    def _ask(
        self, machine: MachineName, effect: CallVenue | AskModel | ReportModel | AskFeed
    ) -> None:
        """Hand a question to the threads that talk to the outside."""
        match effect:
            case CallVenue(body, timeout_ns):
                if isinstance(body, SubmitOrder):
                    self._drill.passes("before_send")
                    if body.ts_signal:
                        self._latency.record(time.time_ns() - body.ts_signal)
                self._venues.call(machine, body, timeout_ns)
            case AskModel():
                assert self._models is not None, f"{machine} asks, and there is no model"
                self._models.ask(machine, effect)
            case ReportModel():
                assert self._models is not None, f"{machine} reports, and there is no model"
                self._models.report(machine, effect)
            case AskFeed():
                assert self._feeds is not None, f"{machine} asks, and there is no feed"
                self._feeds.ask(machine, effect)


def _fact(topic: str, payload: bytes) -> Fact:
    stream = StreamName(topic.removeprefix(FACT_TOPIC))
    return Fact(stream, int.from_bytes(payload[:8], "big"), payload[8:])
