"""LocalBus: several runners in one process under a virtual clock, in an order fixed by the inputs.

It keeps the promises of the real bus (commands in order and at least once; publications may be
lost; venue calls are lossy requests with a time-out) and can break everything that the real
world can break: `Faults` says what goes wrong and when. Without faults it is the engine
of deterministic runs.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from actors.feed_calls import ask_failed
from actors.forecast_calls import failed
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
from actors.simulation.memory_journal import SimulatedCrash
from actors.venue_calls import not_sent, outcome_unknown
from trading.commands import VenueRequest
from trading.effects import AskFeed, AskModel, CallVenue, Publish, Reply, ReportModel, Send
from trading.errors import JournalUnavailable
from trading.identifiers import MachineName, machine_kind, machine_name
from trading.machine import Machine
from trading.messages import Message
from trading.outcomes import Outcome, VenueConnected, VenueDisconnected

LINK_LOSS_NS = 5_000_000
"""After this time the peers of a dead process know that it is gone."""


class Faults(Protocol):
    """What goes wrong. Asked at every point where the real world could fail."""

    def delay_ns(self, kind: str) -> int:
        """Time that a `command`, `publish`, `fact`, `venue`, `report`, `model` or `feed` message takes."""

    def is_lost(self, kind: str) -> bool: ...

    def copies(self, kind: str) -> int:
        """How often one message arrives (1 is normal)."""

    def crashes(self, host: str, point: str) -> bool:
        """Whether the process dies at `point`: `receive`, or `effect` (before one effect)."""

    def restart_ns(self, host: str) -> int: ...


class NoFaults:
    """A perfect world in which everything takes no time."""

    def delay_ns(self, kind: str) -> int:
        return 0

    def is_lost(self, kind: str) -> bool:
        return False

    def copies(self, kind: str) -> int:
        return 1

    def crashes(self, host: str, point: str) -> bool:
        return False

    def restart_ns(self, host: str) -> int:
        return 0


@dataclass(slots=True)
class _Link:
    """Commands from one life of one host to one machine."""

    source: str
    source_life: int
    to: MachineName
    unacknowledged: dict[int, Message] = field(default_factory=dict)
    next_seq: int = 1
    clear_at: int = 0


@dataclass(slots=True)
class _Host:
    name: str
    make_runner: Callable[[], Runner]
    machines: frozenset[MachineName]
    runner: Runner | None = None
    life: int = 0
    restarts: int = 0
    inbox: list[tuple[Inbound, _Link | None, int]] = field(default_factory=list)
    received: dict[tuple[str, int, MachineName], int] = field(default_factory=dict)
    """Per link: the last sequence taken in this life."""
    tick_at: int = -1


@dataclass(slots=True)
class _Call:
    """One venue call in flight."""

    host: _Host
    life: int
    machine: MachineName
    body: object


class LocalBus:
    """Runs hosts until nothing is left to do.

    Parameters
    ----------
    start_ns : int
        First reading of the virtual clock (ns UTC).
    """

    def __init__(self, start_ns: int, faults: Faults | None = None) -> None:
        self.now = start_ns
        self.faults: Faults = faults or NoFaults()
        self.hosts: dict[str, _Host] = {}
        self._home: dict[MachineName, _Host] = {}
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._agenda_count = 0
        self._links: dict[tuple[str, int, MachineName], _Link] = {}
        self._calls: dict[int, _Call] = {}
        self._call_count = 0
        self.events_handled = 0
        self.on_send: Callable[[Message], None] | None = None
        """Sees every command that is sent; for tests that repeat or alter one."""
        self.answer: Callable[[AskModel, int], Outcome] = _no_model
        """What the model of a forecast source says, by the question and the time of the answer."""
        self.feed: Callable[[MachineName, AskFeed, int], Outcome] = _no_feed
        """What the venue of a market gateway says, by gateway, question and the time of the answer."""
        self.on_report: Callable[[ReportModel], None] | None = None
        """Sees every report on a model; there is no registry here."""

    # -- building

    def add_host(
        self, name: str, machines: frozenset[MachineName], make_runner: Callable[[], Runner]
    ) -> None:
        host = _Host(name, make_runner, machines)
        self.hosts[name] = host
        for machine in machines:
            self._home[machine] = host

    def start(self) -> None:
        """Start every host, in the order in which they were added."""
        for host in self.hosts.values():
            self._boot(host)

    def machine(self, name: MachineName) -> Machine | None:
        """Return the living machine, or None while its host is down."""
        runner = self._home[name].runner
        return None if runner is None else runner.machines[name]

    # -- time

    def at(self, when: int, action: Callable[[], None]) -> None:
        """Do `action` at virtual time `when` (ns)."""
        self._agenda_count += 1
        heapq.heappush(self._agenda, (max(when, self.now), self._agenda_count, action))

    def run(self, until: Callable[[], bool], limit_ns: int) -> bool:
        """Go on until `until()` holds (checked after every step) or `limit_ns` of virtual time is over.

        Returns
        -------
        bool
            Whether `until` was reached.
        """
        end = self.now + limit_ns
        while self._agenda and self._agenda[0][0] <= end:
            self.now, _, action = heapq.heappop(self._agenda)
            self.events_handled += 1
            action()
            if until():
                return True
        return until()

    def inject(self, machine: MachineName, item: Inbound) -> None:
        """Let something arrive at a machine's host that nobody sent; lost when the host is down."""
        self._arrive(self._home[machine], item)

    # -- life and death of hosts

    def crash(self, host_name: str, restart_after_ns: int) -> None:
        """Kill -9: everything in memory is gone; the host starts again later."""
        host = self.hosts[host_name]
        if host.runner is None:
            return
        host.runner = None
        host.life += 1
        host.restarts += 1
        host.inbox.clear()
        host.received.clear()
        self._links = {
            key: link
            for key, link in self._links.items()
            if link.source != host.name or link.source_life == host.life
        }
        self._calls = {key: call for key, call in self._calls.items() if call.host is not host}
        life = host.life
        self.at(self.now + LINK_LOSS_NS, lambda: self._tell_peers(host, life, is_up=False))
        self.at(self.now + restart_after_ns, lambda: self._boot(host))

    def _boot(self, host: _Host) -> None:
        if host.runner is not None:
            return
        runner = host.make_runner()
        host.runner = runner
        try:
            out = runner.start(self.now)
        except (SimulatedCrash, JournalUnavailable):
            self.crash(host.name, self.faults.restart_ns(host.name))
            return
        if not self._perform(host, out):
            return
        self._tell_peers(host, host.life, is_up=True)
        for other in self.hosts.values():
            if other is not host:
                for machine in sorted(other.machines):
                    self._arrive(host, LinkChanged(machine, other.runner is not None))
        for link in list(self._links.values()):
            if link.to in host.machines:
                for seq in list(link.unacknowledged):
                    self._transmit(link, seq)
        self._connect_venues(host)
        self._schedule_tick(host)

    def _tell_peers(self, host: _Host, life: int, *, is_up: bool) -> None:
        if host.life != life or (host.runner is not None) != is_up:
            return
        for other in self.hosts.values():
            if other is not host:
                for machine in sorted(host.machines):
                    self._arrive(other, LinkChanged(machine, is_up))
        if not is_up:
            for machine in self._clients_of(host):
                lost = VenueDisconnected(ts_event=self.now, ts_init=self.now, reason="reset")
                self._arrive(self._home[machine], Command(machine, lost))

    def _connect_venues(self, host: _Host) -> None:
        """Open the sessions that became possible with this host."""
        brokers = {m for m in host.machines if machine_kind(m) == "broker"}
        brokers |= set(self._clients_of(host))
        for machine in sorted(brokers):
            if self._exchange_of(machine).runner is not None:
                self.reconnect(machine)

    def reconnect(self, broker: MachineName) -> None:
        """Tell a broker that its venue session is (again) up."""
        home = self._home[broker]
        up = VenueConnected(ts_event=self.now, ts_init=self.now)
        life = home.life
        self.at(
            self.now + self.faults.delay_ns("report"),
            lambda: self._arrive(home, Command(broker, up)) if home.life == life else None,
        )

    def _clients_of(self, host: _Host) -> Iterator[MachineName]:
        for exchange in sorted(m for m in host.machines if machine_kind(m) == "exchange"):
            for machine in sorted(self._home):
                if (
                    machine_kind(machine) == "broker"
                    and machine.split(":")[1] == exchange.split(":")[1]
                ):
                    yield machine

    def _exchange_of(self, broker: MachineName) -> _Host:
        return self._home[machine_name("exchange", broker.split(":")[1])]

    # -- receiving

    def _arrive(self, host: _Host, item: Inbound, link: _Link | None = None, seq: int = 0) -> None:
        if host.runner is None:
            return
        host.inbox.append((item, link, seq))
        if len(host.inbox) == 1:
            life = host.life
            self.at(self.now + self.faults.delay_ns("wake"), lambda: self._process(host, life))

    def _process(self, host: _Host, life: int) -> None:
        if host.life != life or host.runner is None:
            return
        if self.faults.crashes(host.name, "receive"):
            self.crash(host.name, self.faults.restart_ns(host.name))
            return
        batch, host.inbox = host.inbox, []
        try:
            out = host.runner.deliver([item for item, _, _ in batch], self.now)
        except SimulatedCrash:
            self.crash(host.name, self.faults.restart_ns(host.name))
            return
        if not self._perform(host, out):
            return
        for _, link, seq in batch:
            if link is not None:
                link.unacknowledged.pop(seq, None)
        self._schedule_tick(host)

    def _schedule_tick(self, host: _Host) -> None:
        if host.runner is None:
            return
        due = max(host.runner.next_due(), self.now)
        if host.tick_at >= self.now and host.tick_at <= due:
            return
        host.tick_at = due
        life = host.life
        self.at(due, lambda: self._tick(host, life))

    def _tick(self, host: _Host, life: int) -> None:
        if host.life != life or host.runner is None:
            return
        host.tick_at = -1
        try:
            out = host.runner.tick(self.now)
        except SimulatedCrash:
            self.crash(host.name, self.faults.restart_ns(host.name))
            return
        if self._perform(host, out):
            self._schedule_tick(host)

    # -- performing

    def _perform(self, host: _Host, out: list[Outbound]) -> bool:
        """Perform effects in order. Returns False when the host died on the way."""
        for item in out:
            if self.faults.crashes(host.name, "effect"):
                self.crash(host.name, self.faults.restart_ns(host.name))
                return False
            match item:
                case Out(machine, effect):
                    self._perform_one(host, machine, effect)
                case Fact():
                    self._broadcast(host, item, "fact")
                case Fenced():
                    pass  # the runner has stopped the machine; nothing leaves
        return True

    def _perform_one(self, host: _Host, machine: MachineName, effect: Outgoing) -> None:
        match effect:
            case Send(to, message):
                self._send(host, to, message)
            case Publish(topic, message):
                if topic.startswith("exec."):
                    self._report(topic, message)
                else:
                    self._broadcast(host, Published(topic, message), "publish")
            case CallVenue():
                self._call(host, machine, effect)
            case AskModel():
                self._ask(host, machine, effect, lambda: self.answer(effect, self.now))
            case AskFeed():
                self._ask(host, machine, effect, lambda: self.feed(machine, effect, self.now))
            case ReportModel():
                if self.on_report is not None:
                    self.on_report(effect)
            case Reply(request, outcome):
                self._reply(int(request.request_id), outcome)

    def _send(self, host: _Host, to: MachineName, message: Message) -> None:
        if to not in self._home:
            raise AssertionError(f"no machine is called {to}")
        key = (host.name, host.life, to)
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = _Link(host.name, host.life, to)
        if self.on_send is not None:
            self.on_send(message)
        seq = link.next_seq
        link.next_seq += 1
        link.unacknowledged[seq] = message
        self._transmit(link, seq)

    def _transmit(self, link: _Link, seq: int) -> None:
        """Commands arrive in order; what a dead host misses is sent again when it is back."""
        link.clear_at = max(link.clear_at, self.now + self.faults.delay_ns("command"))

        def arrive() -> None:
            home = self._home[link.to]
            if seq not in link.unacknowledged or home.runner is None:
                return
            key = (link.source, link.source_life, link.to)
            last = home.received.get(key, next(iter(link.unacknowledged)) - 1)
            if seq == last + 1:
                home.received[key] = seq
                self._arrive(home, Command(link.to, link.unacknowledged[seq]), link, seq)

        self.at(link.clear_at, arrive)

    def _broadcast(self, host: _Host, item: Published | Fact, kind: str) -> None:
        for other in self.hosts.values():
            if other is host or self.faults.is_lost(kind):
                continue
            for _ in range(self.faults.copies(kind)):
                self._later(other, item, kind)

    def _later(self, host: _Host, item: Inbound, kind: str) -> None:
        life = host.life
        self.at(
            self.now + self.faults.delay_ns(kind),
            lambda: self._arrive(host, item) if host.life == life else None,
        )

    def _ask(
        self,
        host: _Host,
        machine: MachineName,
        ask: AskModel | AskFeed,
        answer: Callable[[], Outcome],
    ) -> None:
        """What is lost, or slower than the time-out, is given up; a dead host hears nothing."""
        kind = "model" if isinstance(ask, AskModel) else "feed"
        life, takes = host.life, self.faults.delay_ns(kind)
        is_given_up = self.faults.is_lost(kind) or takes >= ask.timeout_ns

        def arrive() -> None:
            if host.life == life:
                outcome = (
                    _unanswered(ask, "no answer in time", self.now) if is_given_up else answer()
                )
                self._arrive(host, Command(machine, outcome))

        self.at(self.now + (ask.timeout_ns if is_given_up else takes), arrive)

    # -- the venue's wire

    def _call(self, host: _Host, machine: MachineName, call: CallVenue) -> None:
        exchange = self._exchange_of(machine)
        if exchange.runner is None:
            outcome = not_sent(call.body, "connection refused", self.now)
            self._later(host, Command(machine, outcome), "venue")
            return
        self._call_count += 1
        call_id = self._call_count
        self._calls[call_id] = _Call(host, host.life, machine, call.body)
        request = VenueRequest(
            ts_event=self.now,
            ts_init=self.now,
            request_id=str(call_id),
            reply_to=machine,
            body=call.body,
        )
        if not self.faults.is_lost("venue"):
            to = machine_name("exchange", machine.split(":")[1])
            self._later(exchange, Command(to, request), "venue")

        def time_out() -> None:
            if self._calls.pop(call_id, None) is not None:
                unknown = outcome_unknown(call.body, "time-out", self.now)
                self._arrive(host, Command(machine, unknown))

        self.at(self.now + call.timeout_ns, time_out)

    def _reply(self, call_id: int, outcome: Message) -> None:
        if self.faults.is_lost("reply"):
            return

        def arrive() -> None:
            call = self._calls.pop(call_id, None)
            if call is not None and call.host.life == call.life:
                self._arrive(call.host, Command(call.machine, outcome))

        self.at(self.now + self.faults.delay_ns("venue"), arrive)

    def _report(self, topic: str, message: Message) -> None:
        _, venue, account = topic.split(".")
        broker = machine_name("broker", venue, account)
        home = self._home.get(broker)
        if home is None or self.faults.is_lost("report"):
            return
        for _ in range(self.faults.copies("report")):
            self._later(home, Command(broker, message), "report")


def _no_model(ask: AskModel, now: int) -> Outcome:
    return failed(ask, "there is no model", now)


def _no_feed(machine: MachineName, ask: AskFeed, now: int) -> Outcome:
    return ask_failed(ask, f"{machine} has no venue", now)


def _unanswered(ask: AskModel | AskFeed, reason: str, now: int) -> Outcome:
    return failed(ask, reason, now) if isinstance(ask, AskModel) else ask_failed(ask, reason, now)
