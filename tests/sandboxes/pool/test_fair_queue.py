"""Turns: nobody starves, whatever the others ask for."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sandboxes.pool.fair_queue import FairQueue

OWNERS = "abcd"
Item = tuple[str, int]


def filled(owners: str) -> FairQueue[Item]:
    queue: FairQueue[Item] = FairQueue()
    for number, owner in enumerate(owners):
        queue.put(owner, (owner, number))
    return queue


def drained(queue: FairQueue[Item]) -> list[Item]:
    taken = []
    while (item := queue.take(lambda _: True)) is not None:
        taken.append(item)
    return taken


def test_owners_take_turns() -> None:
    assert "".join(owner for owner, _ in drained(filled("aaaabbc"))) == "abcabaa"


@given(st.text(alphabet=OWNERS, max_size=40))
def test_everything_is_served_once_and_in_the_order_of_its_owner(owners: str) -> None:
    taken = drained(filled(owners))
    assert sorted(number for _, number in taken) == list(range(len(owners)))
    for owner in OWNERS:
        mine = [number for name, number in taken if name == owner]
        assert mine == sorted(mine)


@given(st.lists(st.one_of(st.sampled_from(OWNERS), st.none()), max_size=200))
def test_nobody_waits_for_more_than_one_turn_of_each_other(steps: list[str | None]) -> None:
    """None takes one; while an owner waits, each other one is served at most once more than it."""
    queue: FairQueue[Item] = FairQueue()
    served_since: dict[str, Counter[str]] = {}
    for number, owner in enumerate(steps):
        if owner is not None:
            if not queue.waiting(owner):
                served_since[owner] = Counter()
            queue.put(owner, (owner, number))
            continue
        item = queue.take(lambda _: True)
        assert (item is None) == (not served_since)
        if item is None:
            continue
        for name, served in served_since.items():
            if name != item[0]:
                served[item[0]] += 1
                assert served[item[0]] <= 1
        served_since[item[0]] = Counter()
        if not queue.waiting(item[0]):
            del served_since[item[0]]


@given(st.text(alphabet=OWNERS, min_size=1, max_size=30), st.sets(st.sampled_from(OWNERS)))
def test_an_owner_who_may_not_be_served_holds_up_nobody_and_keeps_its_place(
    owners: str, barred: set[str]
) -> None:
    queue = filled(owners)
    first = next((owner for owner in owners if owner not in barred), None)
    item = queue.take(lambda item: item[0] not in barred)
    assert (item and item[0]) == first
    rest = queue.take(lambda _: True)
    earlier = [owner for owner in owners if owner in barred]
    if earlier and (first is None or owners.index(earlier[0]) < owners.index(first)):
        assert rest is not None
        assert rest[0] == earlier[0]


def test_what_is_removed_is_not_served() -> None:
    queue = filled("aab")
    queue.remove("a", ("a", 0))
    queue.remove("b", ("b", 2))
    assert drained(queue) == [("a", 1)]
    assert len(queue) == 0
