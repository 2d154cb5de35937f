"""Runs the machines of one process: delivers, commits, releases. No socket, no clock, no Ray.

The host gives it batches of what arrived; it returns what must leave. In between it keeps the
one rule that everything rests on: **no effect that follows an `Append` leaves before the append is
durable**. All appends of a batch go to the journal together (group commit).

The fault simulator runs the same class, so what is killed there is what trades here.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from actors.journal.journal import Journal
from trading.codec import decode, encode
from trading.effects import (
    Append,
    AppendShared,
    AskFeed,
    AskModel,
    CallVenue,
    CancelTimer,
    Effect,
    Publish,
    Reply,
    ReportModel,
    Send,
    SetTimer,
)
from trading.errors import JournalUnavailable, StaleEpoch
from trading.events import Event
from trading.identifiers import MachineName, StreamName
from trading.machine import Machine
from trading.messages import Message
from trading.outcomes import JournalRecovered, LinkDown, LinkUp, Started, TimerFired
from trading.outcomes import JournalUnavailable as JournalUnavailableOutcome

FOLLOW_POLL_NS = 200_000_000
"""How often followed streams are compared with the journal, in case a fact got lost on the way."""
JOURNAL_PROBE_NS = 250_000_000
"""How often a journal that failed is tried again."""


class Command(msgspec.Struct, frozen=True):
    """A message for one machine."""

    to: MachineName
    message: Message


class Fact(msgspec.Struct, frozen=True):
    """One journalled event of `stream`, as announced by its writer."""

    stream: StreamName
    seq: int
    payload: bytes


class Published(msgspec.Struct, frozen=True):
    topic: str
    message: Message


class LinkChanged(msgspec.Struct, frozen=True):
    peer: MachineName
    is_up: bool


Outgoing = Send | Publish | CallVenue | AskModel | ReportModel | AskFeed | Reply
"""Effects that the host performs outside of the runner."""

Inbound = Command | Fact | Published | LinkChanged


class Out(msgspec.Struct, frozen=True):
    """An effect that leaves the process, with the machine that caused it."""

    machine: MachineName
    effect: Outgoing


class Fenced(msgspec.Struct, frozen=True):
    """`machine` lost its lease: it runs no more here."""

    machine: MachineName
    reason: str


Outbound = Out | Fact | Fenced


@dataclass(slots=True)
class _Cell:
    """One machine and what the runner knows about it."""

    name: MachineName
    factory: Callable[[], Machine]
    machine: Machine
    handle: Callable[[Message, int], list[Effect]]
    """Of the machine, looked up once."""
    epoch: int = 0
    handled: int = 0
    is_fenced: bool = False
    is_restored: bool = True
    subscribes: tuple[str, ...] = ()
    positions: dict[StreamName, int] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    appends: list[Event] = field(default_factory=list)
    held: list[Effect] = field(default_factory=list)
    uncommitted: list[Message] = field(default_factory=list)
    """Messages whose appends wait for the commit."""


class Runner:
    """Runs machines that share a process.

    Parameters
    ----------
    factories : mapping of machine name to a function that builds the machine, empty
    journal : Journal
    holder : str
        Who takes the leases, for people who read the journal.
    """

    def __init__(
        self,
        factories: Mapping[MachineName, Callable[[], Machine]],
        journal: Journal,
        holder: str,
    ) -> None:
        self._journal = journal
        self._emit: Callable[[Outbound], None] = self._collect
        self._holder = holder
        self._cells = {name: _cell(name, make) for name, make in factories.items()}
        self._listeners: dict[str, tuple[_Cell, ...]] = {}
        """Who subscribes to each topic that was seen."""
        self._followers: dict[StreamName, tuple[_Cell, ...]] = {}
        """Who follows each stream that was written to."""
        self._journal_retries: dict[MachineName, int] = {}
        """When to try a journal that failed again (ns)."""
        self._queue: deque[tuple[_Cell, Message]] = deque()
        self._timer_heap: list[tuple[int, int, MachineName, str]] = []
        self._timer_count = 0
        self._next_follow_poll = 0
        self._out: list[Outbound] = []

    @property
    def machines(self) -> dict[MachineName, Machine]:
        return {name: cell.machine for name, cell in self._cells.items()}

    @property
    def handled(self) -> dict[MachineName, int]:
        """Messages handled per machine since it started here."""
        return {name: cell.handled for name, cell in self._cells.items()}

    @property
    def fenced(self) -> tuple[MachineName, ...]:
        return tuple(name for name, cell in self._cells.items() if cell.is_fenced)

    def emit_to(self, emit: Callable[[Outbound], None]) -> None:
        """Hand each effect that leaves to `emit` as soon as it may leave.

        Without this, `start`, `deliver` and `tick` return them at the end of the batch.
        """
        self._emit = emit

    def topics(self) -> set[str]:
        """Topic prefixes that the machines here subscribe to."""
        return {topic for cell in self._cells.values() for topic in cell.machine.subscribes}

    def followed(self) -> set[StreamName]:
        """Streams that the machines here follow."""
        return {stream for cell in self._cells.values() for stream in cell.machine.follows}

    def start(self, now: int) -> list[Outbound]:
        """Take the leases, restore every machine from the journal, and let them act.

        Raises
        ------
        JournalUnavailable, JournalCorrupt
            If the state cannot be restored; nothing was started.
        """
        for cell in self._cells.values():
            stream = cell.machine.stream
            if stream is not None:
                cell.epoch = self._journal.acquire(stream, f"{self._holder}/{cell.name}")
            self._restore(cell)
        for cell in self._cells.values():
            self._queue.append((cell, Started(ts_event=now, ts_init=now, epoch=cell.epoch)))
            for peer in self._cells:
                if peer != cell.name:
                    self._queue.append((cell, LinkUp(ts_event=now, ts_init=now, peer=peer)))
        return self._pump(now)

    def deliver(self, inbound: Iterable[Inbound], now: int) -> list[Outbound]:
        """Handle one batch and return what must leave, in order."""
        for item in inbound:
            match item:
                case Command(to, message):
                    cell = self._cells.get(to)
                    if cell is not None:
                        self._queue.append((cell, message))
                case Published(topic, message):
                    self._fan_out(topic, message)
                case Fact(stream, seq, payload):
                    self._announce(stream, seq, payload)
                case LinkChanged(peer, is_up):
                    kind = LinkUp if is_up else LinkDown
                    change = kind(ts_event=now, ts_init=now, peer=peer)
                    self._queue.extend((cell, change) for cell in self._cells.values())
        return self._pump(now)

    def tick(self, now: int) -> list[Outbound]:
        """Fire due timers, read facts that got lost on the way, try a failed journal again."""
        while self._timer_heap and self._timer_heap[0][0] <= now:
            at, _, name, key = heapq.heappop(self._timer_heap)
            cell = self._cells[name]
            if cell.timers.get(key) == at:
                del cell.timers[key]
                self._queue.append((cell, TimerFired(ts_event=now, ts_init=now, key=key)))
        if now >= self._next_follow_poll:
            self._next_follow_poll = now + FOLLOW_POLL_NS
            self._catch_up()
        for name, at in list(self._journal_retries.items()):
            if now >= at:
                self._probe_journal(self._cells[name], now)
        return self._pump(now)

    def next_due(self) -> int:
        """Return the host time (ns) at which `tick` must be called at the latest."""
        due = self._next_follow_poll
        if self._timer_heap:
            due = min(due, self._timer_heap[0][0])
        return due

    def close(self) -> None:
        self._journal.close()

    def _collect(self, item: Outbound) -> None:
        self._out.append(item)

    # -- delivery

    def _fan_out(self, topic: str, message: Message) -> None:
        listeners = self._listeners.get(topic)
        if listeners is None:
            cells = self._cells.values()
            listeners = tuple(each for each in cells if topic.startswith(each.subscribes))
            self._listeners[topic] = listeners
        for cell in listeners:
            self._queue.append((cell, message))

    def _announce(self, stream: StreamName, seq: int, payload: bytes) -> None:
        followers = self._followers.get(stream)
        if followers is None:
            followers = tuple(each for each in self._cells.values() if stream in each.positions)
            self._followers[stream] = followers
        for cell in followers:
            position = cell.positions[stream]
            if seq <= position:
                continue
            if seq == position + 1:
                cell.positions[stream] = seq
                self._queue.append((cell, decode(payload)))
            else:
                self._read_missing(cell, stream)

    def _catch_up(self) -> None:
        for stream in sorted(self.followed()):
            try:
                head = self._journal.head(stream)
            except JournalUnavailable:
                continue  # the next poll asks again
            for cell in self._cells.values():
                if cell.positions.get(stream, head) < head:
                    self._read_missing(cell, stream)

    def _read_missing(self, cell: _Cell, stream: StreamName) -> None:
        try:
            for record in self._journal.read(stream, after=cell.positions[stream]):
                cell.positions[stream] = record.seq
                self._queue.append((cell, decode(record.payload)))
        except JournalUnavailable:
            return  # what was read is delivered; the next poll goes on from there

    # -- handling

    def _pump(self, now: int) -> list[Outbound]:
        while self._queue:
            dirty: dict[MachineName, _Cell] = {}
            while self._queue:
                cell, message = self._queue.popleft()
                if cell.is_fenced:
                    continue
                cell.handled += 1
                effects = cell.handle(message, now)
                if effects:
                    self._sort(cell, effects)
                if cell.appends:
                    cell.uncommitted.append(message)
                    dirty[cell.name] = cell
            for cell in dirty.values():
                if cell.appends:
                    self._commit(cell, now)
        out, self._out = self._out, []
        return out

    def _sort(self, cell: _Cell, effects: Sequence[Effect]) -> None:
        """Release what may go at once; hold what stands behind an append."""
        for effect in effects:
            if type(effect) is Append:
                cell.appends.append(effect.event)
            elif cell.appends:
                cell.held.append(effect)
            elif type(effect) is CallVenue and self._is_stale(cell):
                return
            else:
                self._release(cell, effect)

    def _is_stale(self, cell: _Cell) -> bool:
        """Stop a machine whose lease moved on before it talks to a venue without an append.

        A store that cannot be asked does not stop it: cancels pass whatever happens.
        """
        stream = cell.machine.stream
        if stream is None:
            return False
        try:
            current = self._journal.epoch(stream)
        except JournalUnavailable:
            return False
        if current == cell.epoch:
            return False
        self._fence(cell, str(StaleEpoch(stream, cell.epoch, current)))
        return True

    def _fence(self, cell: _Cell, reason: str) -> None:
        cell.is_fenced = True
        cell.appends, cell.held, cell.uncommitted = [], [], []
        self._emit(Fenced(cell.name, reason))

    def _release(self, cell: _Cell, effect: Effect) -> None:
        # By type: this is asked for every effect, and a class pattern that misses costs much more.
        if type(effect) is Send:
            local = self._cells.get(effect.to)
            if local is None:
                self._emit(Out(cell.name, effect))
            else:
                self._queue.append((local, effect.message))
        elif type(effect) is Publish:
            self._fan_out(effect.topic, effect.message)
            self._emit(Out(cell.name, effect))
        elif type(effect) is SetTimer:
            cell.timers[effect.key] = effect.at
            self._timer_count += 1
            heapq.heappush(self._timer_heap, (effect.at, self._timer_count, cell.name, effect.key))
        elif type(effect) is CancelTimer:
            cell.timers.pop(effect.key, None)
        elif type(effect) is AppendShared:
            self._append_shared(effect)
        else:
            assert isinstance(effect, CallVenue | AskModel | ReportModel | AskFeed | Reply), (
                "see `_sort`"
            )
            self._emit(Out(cell.name, effect))

    def _append_shared(self, effect: AppendShared) -> None:
        """Append, and announce it like a fact of the own stream; a hint that is lost is found by the poll."""
        payloads = [encode(event) for event in (effect.event, *effect.more)]
        try:
            last = self._journal.append_shared(effect.stream, payloads, effect.event.ts_init)
        except JournalUnavailable:
            return
        for seq, payload in enumerate(payloads, start=last - len(payloads) + 1):
            self._announce(effect.stream, seq, payload)
            self._emit(Fact(effect.stream, seq, payload))

    def _commit(self, cell: _Cell, now: int) -> None:
        events, cell.appends = cell.appends, []
        held, cell.held = cell.held, []
        messages, cell.uncommitted = cell.uncommitted, []
        stream = cell.machine.stream
        assert stream is not None, f"{cell.name} appends but owns no stream"
        payloads = [encode(event) for event in events]
        try:
            last = self._journal.append(stream, cell.epoch, payloads, now)
        except StaleEpoch as error:
            self._fence(cell, str(error))
            return
        except JournalUnavailable as error:
            self._journal_failed(cell, messages, str(error), now)
            return
        for seq, payload in enumerate(payloads, start=last - len(payloads) + 1):
            self._announce(stream, seq, payload)
            self._emit(Fact(stream, seq, payload))
        for effect in held:
            self._release(cell, effect)

    # -- journal trouble

    def _restore(self, cell: _Cell) -> None:
        cell.machine = machine = cell.factory()
        cell.handle = machine.handle
        cell.subscribes = machine.subscribes
        self._listeners.clear()
        self._followers.clear()
        cell.timers.clear()
        cell.positions = dict.fromkeys(machine.follows, 0)
        cell.is_restored = False
        if machine.stream is not None:
            for record in self._journal.read(machine.stream):
                machine.apply(_event(record.payload))
        for stream in machine.follows:
            for record in self._journal.read(stream):
                machine.apply(_event(record.payload))
                cell.positions[stream] = record.seq
        cell.is_restored = True

    def _journal_failed(
        self, cell: _Cell, messages: Sequence[Message], reason: str, now: int
    ) -> None:
        """Go back to what the journal says, and let the machine answer without appending.

        At the first failure the messages are handed over again, behind `JournalUnavailable`, so that
        each order in them is refused in so many words. A machine that appends all the same gets no
        third try: it will hear `Started` when the journal is back.
        """
        is_first = cell.name not in self._journal_retries
        self._journal_retries[cell.name] = now + JOURNAL_PROBE_NS
        with suppress(JournalUnavailable):  # not even readable: then the probe restores it
            self._restore(cell)
        # Facts that waited have just been read from the journal: they must not come twice.
        self._queue = deque(
            (other, message)
            for other, message in self._queue
            if other is not cell or not isinstance(message, Event)
        )
        stream = cell.machine.stream
        assert stream is not None
        outcome = JournalUnavailableOutcome(ts_event=now, ts_init=now, stream=stream, reason=reason)
        self._queue.append((cell, outcome))
        if is_first:
            again = (message for message in messages if not isinstance(message, Event))
            self._queue.extend((cell, message) for message in again)

    def _probe_journal(self, cell: _Cell, now: int) -> None:
        """Taking the lease again writes to the store, so it tells whether appends work."""
        stream = cell.machine.stream
        assert stream is not None
        try:
            cell.epoch = self._journal.acquire(stream, f"{self._holder}/{cell.name}")
            if not cell.is_restored:
                self._restore(cell)
        except JournalUnavailable:
            self._journal_retries[cell.name] = now + JOURNAL_PROBE_NS
            return
        del self._journal_retries[cell.name]
        self._queue.append((cell, Started(ts_event=now, ts_init=now, epoch=cell.epoch)))
        self._queue.append((cell, JournalRecovered(ts_event=now, ts_init=now, stream=stream)))


def _cell(name: MachineName, factory: Callable[[], Machine]) -> _Cell:
    machine = factory()
    return _Cell(name, factory, machine, machine.handle)


def _event(payload: bytes) -> Event:
    event = decode(payload)
    assert isinstance(event, Event), f"a journal holds events only, found {type(event).__name__}"
    return event
