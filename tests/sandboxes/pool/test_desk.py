"""Who is served: places, turns, memory and the queue, without a process."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandboxes.errors import SandboxBusy, SandboxRefused
from sandboxes.limits import Limits
from sandboxes.pool.desk import Ask, Desk
from sandboxes.pool.facts import CpuUsed, RunStarted, SourceKilled
from sandboxes.pool.settings import PoolSettings, Quota

MIB = 1 << 20
SETTINGS = PoolSettings(
    namespace="n",
    ledger=Path(),
    quota=Quota(runs=50, cpu_s=10.0, memory_bytes=300 * MIB),
    queue=20,
)


def ask(ticket: str, owner: str = "ann", mib: int = 100, source: str = "") -> Ask:
    limits = Limits(memory_bytes=mib * MIB)
    return Ask(
        ticket=ticket, client="c", owner=owner, template="base", limits=limits, source=source
    )


def served(desk: Desk) -> list[str]:
    return [each.ticket for each in desk.grants()]


def test_places_are_given_in_turns_and_given_again() -> None:
    desk = Desk(2, SETTINGS)
    for ticket, owner in (("a1", "ann"), ("a2", "ann"), ("a3", "ann"), ("b1", "bob")):
        desk.ask(ask(ticket, owner), 0.0)
    assert served(desk) == ["a1", "b1"]
    assert served(desk) == []
    assert "2 places" in desk.obstacle(ask("a2"))
    desk.end("a1")
    assert served(desk) == ["a2"]


def test_an_owner_without_memory_waits_and_holds_up_nobody() -> None:
    desk = Desk(9, SETTINGS)
    desk.ask(ask("a1", mib=200), 0.0)
    desk.ask(ask("a2", mib=200), 0.0)
    desk.ask(ask("b1", "bob", mib=300), 0.0)
    assert served(desk) == ["a1", "b1"]
    assert desk.obstacle(ask("a2", mib=200)).startswith("the sandboxes of 'ann' fill its 300 MiB")
    desk.end("a1")
    assert served(desk) == ["a2"]


def test_what_could_never_be_had_is_refused_at_once() -> None:
    with pytest.raises(SandboxRefused, match="400 MiB; 'ann' may have 300 MiB"):
        Desk(9, SETTINGS).ask(ask("a1", mib=400), 0.0)


def test_a_used_up_quota_and_a_bad_source_are_refused_before_they_wait() -> None:
    desk = Desk(9, SETTINGS)
    desk.note(CpuUsed(at_s=0.0, owner="ann", cpu_s=10.0))
    for at_s in (0.0, 1.0, 2.0):
        desk.note(SourceKilled(at_s=at_s, source="bad", owner="bob", cause="SANDBOX_TIMEOUT"))
    with pytest.raises(SandboxBusy, match="processor time"):
        desk.ask(ask("a1"), 3.0)
    with pytest.raises(SandboxRefused, match="killed 3 times"):
        desk.ask(ask("b1", "bob", source="bad"), 3.0)
    desk.ask(ask("b2", "bob", source="good"), 3.0)
    assert served(desk) == ["b2"]


def test_runs_that_are_used_up_stop_no_work_that_was_begun() -> None:
    desk = Desk(9, SETTINGS)
    for _ in range(50):
        desk.note(RunStarted(at_s=0.0, owner="ann"))
    desk.check_cpu("ann", 1.0)
    with pytest.raises(SandboxBusy, match="50 runs"):
        desk.check_owner("ann", 1.0)


def test_the_queue_of_one_owner_is_bounded_and_no_bound_for_others() -> None:
    desk = Desk(1, SETTINGS)
    for number in range(20):
        desk.ask(ask(f"a{number}"), 0.0)
    with pytest.raises(SandboxBusy, match="20 sandboxes of 'ann' wait"):
        desk.ask(ask("a20"), 0.0)
    desk.ask(ask("b1", "bob"), 0.0)


def test_who_leaves_the_queue_is_not_served() -> None:
    desk = Desk(1, SETTINGS)
    for ticket in ("a1", "a2", "a3"):
        desk.ask(ask(ticket), 0.0)
    assert served(desk) == ["a1"]
    desk.end("a2")
    desk.end("a2")
    desk.end("a1")
    assert served(desk) == ["a3"]
    assert desk.waiting == ()


@given(
    st.lists(
        st.tuples(st.sampled_from(["ann", "bob", "cat"]), st.integers(1, 300), st.booleans()),
        max_size=60,
    )
)
def test_places_and_memory_are_never_exceeded_and_all_are_served(
    steps: list[tuple[str, int, bool]],
) -> None:
    desk, waiting = Desk(3, SETTINGS), 0
    for number, (owner, mib, ends) in enumerate(steps):
        try:
            desk.ask(ask(str(number), owner, mib), 0.0)
            waiting += 1
        except SandboxBusy:
            assert sum(each.owner == owner for each in desk.waiting) == 20
        if ends and desk.held:
            desk.end(next(iter(desk.held)))
        waiting -= len(desk.grants())
        assert waiting == len(desk.waiting)
        assert len(desk.held) <= 3
        for name in ("ann", "bob", "cat"):
            held = (a.limits.memory_bytes for a in desk.held.values() if a.owner == name)
            assert sum(held) <= 300 * MIB
    while desk.held:
        desk.end(next(iter(desk.held)))
        desk.grants()
    assert desk.waiting == ()
