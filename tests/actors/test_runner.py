"""The runner's one rule: nothing that stands behind an append leaves before it is durable."""

from collections.abc import Mapping
from typing import Any

import pytest

from actors.runner import (
    FOLLOW_POLL_NS,
    JOURNAL_PROBE_NS,
    Command,
    Fact,
    Fenced,
    LinkChanged,
    Out,
    Outbound,
    Published,
    Runner,
)
from actors.simulation.memory_journal import Disk, MemoryJournal, SimulatedCrash
from trading.codec import decode
from trading.commands import CancelOrder, RequestBars
from trading.data import QuoteTick
from trading.effects import Append, AppendShared, CallVenue, Effect, Publish, Send, SetTimer
from trading.events import Event, KillSwitchTripped, ReplayAdvanced
from trading.identifiers import MachineName, StreamName
from trading.messages import Message
from trading.outcomes import (
    JournalRecovered,
    JournalUnavailable,
    LinkDown,
    LinkUp,
    Started,
    TimerFired,
)

STREAM = StreamName("counter:a")
OTHER = MachineName("other:b")
QUOTE = QuoteTick(instrument_id="A.X", bid_px=1, ask_px=2, bid_size=1, ask_size=1)
CANCEL = CancelOrder(client_order_id="c", account_id="D")


class Counter:
    """Appends a rising number for every RequestBars, then sends, publishes and calls the venue."""

    def __init__(
        self, name: str = "counter:a", stream: str | None = STREAM, follows: tuple[str, ...] = ()
    ) -> None:
        self.name = MachineName(name)
        self.stream = None if stream is None else StreamName(stream)
        self.follows = tuple(StreamName(one) for one in follows)
        self.subscribes: tuple[str, ...] = ("book.",)
        self.count = 0
        self.seen: list[Message] = []

    def handle(self, message: Message, now: int) -> list[Effect]:
        self.seen.append(message)
        match message:
            case RequestBars():
                event = ReplayAdvanced(sequence=self.count + 1)
                self.apply(event)
                return [
                    Publish("before", QUOTE),
                    Append(event),
                    Send(OTHER, message),
                    CallVenue(CANCEL, 1),
                    SetTimer("later", now + 10),
                ]
            case CancelOrder():
                return [CallVenue(message, 1)]
            case Event() if self.follows:
                self.apply(message)
        return []

    def apply(self, event: Event) -> None:
        if isinstance(event, ReplayAdvanced):
            assert event.sequence == self.count + 1
            self.count = event.sequence

    def view(self) -> Mapping[str, Any]:
        return {"count": self.count}

    def state_hash(self) -> str:
        return str(self.count)

    def validate(self) -> None:
        assert self.count >= 0


ASK = Command(MachineName("counter:a"), RequestBars(count=1, reply_to=OTHER))


def runner_on(disk: Disk, *machines: Counter, **hooks: Any) -> Runner:
    def factory(machine: Counter) -> Any:
        return lambda: Counter(machine.name, machine.stream, machine.follows)

    return Runner(
        {m.name: factory(m) for m in machines or (Counter(),)}, MemoryJournal(disk, **hooks), "test"
    )


def kinds(out: list[Outbound]) -> list[str]:
    return [
        type(item.effect).__name__ if isinstance(item, Out) else type(item).__name__ for item in out
    ]


def counter(runner: Runner, name: str = "counter:a") -> Counter:
    machine = runner.machines[MachineName(name)]
    assert isinstance(machine, Counter)
    return machine


def test_effects_behind_an_append_leave_after_it_and_in_order() -> None:
    disk = Disk()
    runner = runner_on(disk)
    runner.start(0)
    assert kinds(runner.deliver([ASK], 1)) == ["Publish", "Fact", "Send", "CallVenue"]
    assert len(disk.records[STREAM]) == 1


def test_crash_before_the_append_lets_nothing_leave_and_leaves_no_record() -> None:
    disk = Disk()
    runner = runner_on(disk, crash_before=lambda _: True)
    runner.start(0)
    with pytest.raises(SimulatedCrash):
        runner.deliver([ASK], 1)
    assert disk.records == {}


def test_restart_after_a_crash_behind_the_append_restores_the_event() -> None:
    disk = Disk()
    runner = runner_on(disk, crash_after=lambda _: True)
    runner.start(0)
    with pytest.raises(SimulatedCrash):
        runner.deliver([ASK], 1)
    again = runner_on(disk)
    again.start(2)
    assert counter(again).count == 1


def test_a_batch_is_committed_as_one_group() -> None:
    disk = Disk()
    calls: list[int] = []

    class Counting(MemoryJournal):
        def append(self, stream: StreamName, epoch: int, payloads: Any, ts: int) -> int:
            calls.append(len(payloads))
            return super().append(stream, epoch, payloads, ts)

    runner = Runner({MachineName("counter:a"): Counter}, Counting(disk), "test")
    runner.start(0)
    runner.deliver([ASK, ASK, ASK], 1)
    assert calls == [3]


def test_failed_append_restores_the_machine_and_hands_the_batch_over_once_more() -> None:
    disk = Disk()
    runner = runner_on(disk)
    runner.start(0)
    runner.deliver([ASK], 1)
    disk.is_full = True
    out = runner.deliver([ASK], 2)
    assert kinds(out) == ["Publish", "Publish"]  # those stood before the append, both times
    assert counter(runner).count == 1
    assert [type(m) for m in counter(runner).seen] == [JournalUnavailable]
    assert len(disk.records[STREAM]) == 1


def test_after_the_disk_has_space_again_the_machine_hears_it_and_appends() -> None:
    disk = Disk()
    runner = runner_on(disk)
    runner.start(0)
    disk.is_full = True
    runner.deliver([ASK], 1)
    runner.tick(1 + JOURNAL_PROBE_NS)
    disk.is_full = False
    runner.tick(2 + 2 * JOURNAL_PROBE_NS)
    assert [type(m) for m in counter(runner).seen[-2:]] == [Started, JournalRecovered]
    runner.deliver([ASK], 3 + 2 * JOURNAL_PROBE_NS)
    assert len(disk.records[STREAM]) == 1


def test_stale_epoch_stops_the_machine_and_drops_everything_behind_the_append() -> None:
    disk = Disk()
    old, new = runner_on(disk), runner_on(disk)
    old.start(0)
    new.start(0)
    assert kinds(old.deliver([ASK], 1)) == ["Publish", "Fenced"]
    assert old.deliver([ASK], 2) == []
    assert kinds(new.deliver([ASK], 2)) == ["Publish", "Fact", "Send", "CallVenue"]


def test_stale_machine_may_not_call_the_venue_even_without_an_append() -> None:
    disk = Disk()
    old = runner_on(disk)
    old.start(0)
    runner_on(disk).start(0)
    out = old.deliver([Command(MachineName("counter:a"), CANCEL)], 1)
    assert [type(item) for item in out] == [Fenced]


def test_follower_gets_each_fact_once_in_order_whatever_arrives() -> None:
    disk = Disk()
    writer = runner_on(disk)
    follower = runner_on(disk, Counter("follower:f", None, (STREAM,)))
    writer.start(0)
    follower.start(0)
    facts = [item for n in range(4) for item in writer.deliver([ASK], n) if isinstance(item, Fact)]
    follower.deliver([facts[0], facts[0], facts[3], facts[1]], 10)
    assert counter(follower, "follower:f").count == 4


def test_follower_that_misses_every_announcement_reads_the_journal() -> None:
    disk = Disk()
    writer = runner_on(disk)
    follower = runner_on(disk, Counter("follower:f", None, (STREAM,)))
    writer.start(0)
    follower.start(0)
    writer.deliver([ASK, ASK], 1)
    follower.tick(FOLLOW_POLL_NS)
    assert counter(follower, "follower:f").count == 2


def test_local_follower_needs_no_bus() -> None:
    runner = runner_on(Disk(), Counter(), Counter("follower:f", None, (STREAM,)))
    runner.start(0)
    runner.deliver([ASK, ASK], 1)
    assert counter(runner, "follower:f").count == 2


def test_timer_fires_once_at_its_time() -> None:
    runner = runner_on(Disk())
    runner.start(0)
    runner.deliver([ASK], 5)
    runner.tick(14)
    assert not any(isinstance(m, TimerFired) for m in counter(runner).seen)
    runner.tick(15)
    runner.tick(16)
    assert [m.key for m in counter(runner).seen if isinstance(m, TimerFired)] == ["later"]


def test_links_are_up_inside_a_process_and_change_with_the_bus_outside() -> None:
    runner = runner_on(Disk(), Counter(), Counter("follower:f", None))
    runner.start(0)
    runner.deliver([LinkChanged(OTHER, is_up=False)], 1)
    seen = counter(runner).seen
    assert [m.peer for m in seen if isinstance(m, LinkUp)] == ["follower:f"]
    assert [m.peer for m in seen if isinstance(m, LinkDown)] == [OTHER]


def test_publication_reaches_subscribers_by_prefix() -> None:
    runner = runner_on(Disk())
    runner.start(0)
    runner.deliver([Published("book.x.A", QUOTE), Published("data.x.A", QUOTE)], 1)
    assert sum(isinstance(m, QuoteTick) for m in counter(runner).seen) == 1


class Tripper(Counter):
    """Appends, and then trips the switch of everybody."""

    def handle(self, message: Message, now: int) -> list[Effect]:
        self.seen.append(message)
        if not isinstance(message, RequestBars):
            return []
        event = ReplayAdvanced(sequence=self.count + 1)
        self.apply(event)
        return [Append(event), AppendShared(KILL, KillSwitchTripped(actor="a", reason="enough"))]


KILL = StreamName("kill:D")


def tripping(disk: Disk, **hooks: Any) -> Runner:
    follower = MachineName("follower:f")
    return Runner(
        {ASK.to: Tripper, follower: lambda: Counter(follower, None, (KILL,))},
        MemoryJournal(disk, **hooks),
        "test",
    )


def test_shared_fact_is_durable_and_followed_at_the_next_tick() -> None:
    disk = Disk()
    runner = tripping(disk)
    runner.start(0)
    runner.tick(1)
    runner.deliver([ASK], 2)
    runner.tick(3)
    (record,) = MemoryJournal(disk).read(KILL)
    assert decode(record.payload) == KillSwitchTripped(actor="a", reason="enough")
    heard = [m for m in counter(runner, "follower:f").seen if isinstance(m, KillSwitchTripped)]
    assert len(heard) == 1


def test_shared_fact_behind_a_failed_append_is_not_written() -> None:
    disk = Disk()
    runner = tripping(disk)
    runner.start(0)
    disk.is_full = True
    runner.deliver([ASK], 2)
    disk.is_full = False
    assert list(MemoryJournal(disk).read(KILL)) == []


def test_shared_stream_is_followed_without_a_lease() -> None:
    disk = Disk()
    stream = StreamName("kill:D")
    journal = MemoryJournal(disk)
    from trading.codec import encode

    journal.append_shared(stream, [encode(KillSwitchTripped(actor="me", reason="test"))], 0)
    runner = runner_on(disk, Counter("follower:f", None, (stream,)))
    runner.start(0)
    journal.append_shared(stream, [encode(KillSwitchTripped(actor="me", reason="again"))], 0)
    runner.tick(FOLLOW_POLL_NS)
    reasons = [
        m.reason for m in counter(runner, "follower:f").seen if isinstance(m, KillSwitchTripped)
    ]
    assert reasons == ["again"]  # the first was folded at the start


class Announcer(Tripper):
    """Appends several facts to a shared stream at once."""

    def handle(self, message: Message, now: int) -> list[Effect]:
        self.seen.append(message)
        if not isinstance(message, RequestBars):
            return []
        first, *more = (KillSwitchTripped(actor="a", reason=str(i)) for i in range(3))
        return [AppendShared(KILL, first, tuple(more))]


def announcing(disk: Disk) -> Runner:
    follower = MachineName("follower:f")
    return Runner(
        {ASK.to: Announcer, follower: lambda: Counter(follower, None, (KILL,))},
        MemoryJournal(disk),
        "test",
    )


def reasons(runner: Runner) -> list[str]:
    seen = counter(runner, "follower:f").seen
    return [m.reason for m in seen if isinstance(m, KillSwitchTripped)]


def test_shared_facts_are_followed_here_at_once_and_announced_to_other_processes() -> None:
    disk = Disk()
    runner = announcing(disk)
    runner.start(0)
    out = runner.deliver([ASK], 2)
    assert reasons(runner) == ["0", "1", "2"]
    facts = [item for item in out if isinstance(item, Fact)]
    assert [(fact.stream, fact.seq) for fact in facts] == [(KILL, 1), (KILL, 2), (KILL, 3)]
    runner.tick(3 + FOLLOW_POLL_NS)
    assert reasons(runner) == ["0", "1", "2"]


def test_shared_facts_of_one_effect_are_there_together_or_not_at_all() -> None:
    disk = Disk()
    runner = announcing(disk)
    runner.start(0)
    disk.is_full = True
    assert runner.deliver([ASK], 1) == []
    assert KILL not in disk.records
    disk.is_full = False
    runner.deliver([ASK], 2)
    assert len(disk.records[KILL]) == 3
    assert reasons(runner) == ["0", "1", "2"]
