"""Decisions with the levels behind the tops: what is asked, when, of whom, and what comes of it."""

from decimal import Decimal
from typing import Any

from tests.trading.algorithms.world import (
    KEY,
    SECOND,
    START,
    World,
    account,
    parent,
)
from trading.algorithms.parameters import SliceStyle, Twap
from trading.book.shard import BookShard
from trading.data import BookSnapshot
from trading.effects import Send
from trading.identifiers import ClientOrderId, MachineName, Venue
from trading.instruments import Instrument

D = Decimal
ONE = Twap(window_ns=20 * SECOND, slices=1)
FOUR = Twap(window_ns=40 * SECOND, slices=4)
FIFTH = 0.2
"""Seconds that an answer is waited for."""


def two(**more: Any) -> World:
    """Venue `a` shows 4 at 101.0, venue `b` 4 at 101.2."""
    world = World((account("a"), account("b")), **more)
    world.quote(99.0, 101.0, "a", size=4)
    world.quote(98.8, 101.2, "b", size=4)
    return world


def sent(world: World) -> dict[str, Decimal]:
    return {one.order.account_id: one.order.quantity for one in world.sent}


def asked(world: World) -> list[str]:
    return [request.correlation_id.split("/")[1] for request in world.requests]


# -- the desk


def test_a_slice_over_two_venues_is_planned_with_both_books() -> None:
    world = two()
    world.execute(parent(ONE, "20", "a", "b"))
    assert asked(world) == ["a", "b"]
    first, second = world.requests
    world.book(first, [(101.0, 4.0), (101.1, 3.0), (101.9, 90.0)])
    assert world.sent == [], "the other book is still to come"
    world.book(second, [(101.2, 4.0), (101.3, 50.0)])
    assert sent(world) == {"ACC-a": D(7), "ACC-b": D(13)}
    world.book(first, [(101.0, 90.0)])
    world.wait(5)
    assert len(world.sent) == 2, "nothing is planned twice"
    assert len(world.requests) == 2


def test_a_venue_that_does_not_answer_in_time_counts_with_its_top() -> None:
    world = two()
    world.execute(parent(ONE, "20", "a", "b"))
    world.book(world.requests[1], [(101.2, 4.0), (101.3, 50.0)])
    world.wait(FIFTH - 0.001)
    assert world.sent == []
    world.wait(0.001)
    assert sent(world) == {"ACC-a": D(4), "ACC-b": D(16)}
    world.book(world.requests[0], [(101.0, 90.0)])
    assert len(world.sent) == 2, "too late"


def test_a_venue_without_an_answer_whose_top_is_stale_is_left_out_by_name() -> None:
    world = two()
    world.wait(6)
    world.quote(99.0, 101.0, "a", size=4)
    world.execute(parent(ONE, "20", "a", "b"))
    assert asked(world) == ["a", "b"]
    world.book(world.requests[0], [(101.0, 4.0), (101.9, 90.0)])
    world.wait(FIFTH)
    assert sent(world) == {"ACC-a": D(20)}
    assert world.desk.view()["left_out"]["BTC/USD.X at b with ACC-b"] == "the book is 6.2 s old"


def test_an_answer_brings_back_a_venue_whose_tops_were_lost_and_says_where_its_child_comes_from() -> (
    None
):
    world = two()
    world.wait(6)
    world.quote(99.0, 101.0, "a", size=4)
    world.execute(parent(ONE, "20", "a", "b"))
    first, second = world.requests
    world.book(first, [(101.0, 4.0), (101.9, 90.0)])
    world.book(second, [(101.5, 90.0)])
    assert sent(world) == {"ACC-a": D(4), "ACC-b": D(16)}
    child = world.last.order
    assert (child.ts_signal, child.correlation_id) == (world.now, "feed:b/5")


def test_an_old_answer_does_not_make_a_stale_venue_usable() -> None:
    world = two()
    world.wait(6)
    world.quote(99.0, 101.0, "a", size=30)
    world.execute(parent(ONE, "20", "a", "b"))
    assert asked(world) == ["b"], "what a shows is enough"
    world.book(world.requests[0], [(100.5, 90.0)], ts_init=START)
    assert sent(world) == {"ACC-a": D(20)}


def test_a_newer_top_hides_what_the_book_said_of_better_prices() -> None:
    world = two()
    world.execute(parent(ONE, "20", "a", "b"))
    first, second = world.requests
    world.book(first, [(101.0, 4.0), (101.1, 30.0), (101.4, 30.0)])
    world.quote(99.0, 101.3, "a", size=2)
    world.book(second, [(101.2, 4.0), (101.35, 5.0), (101.9, 90.0)])
    assert sent(world) == {"ACC-a": D(11), "ACC-b": D(9)}


def test_a_top_that_a_book_has_overtaken_changes_nothing() -> None:
    world = two()
    world.execute(parent(ONE, "20", "a", "b"))
    first, second = world.requests
    world.sequence += 10
    world.book(first, [(101.6, 4.0), (101.7, 90.0)])
    world.sequence -= 10
    world.quote(99.0, 101.0, "a", size=4)
    world.book(second, [(101.2, 4.0), (101.3, 50.0)])
    assert sent(world) == {"ACC-b": D(20)}


def test_answers_that_belong_to_nobody_or_make_no_sense_are_ignored() -> None:
    world = two()
    world.execute(parent(ONE, "20", "a", "b"))
    first, second = world.requests
    world.book(first, [(101.0, 90.0)], causation_id="feed:a/1")
    world.book(first, [(101.0, 90.0)], instrument_id="OTHER.X")
    world.book(first, [(101.0, float("nan"))])
    world.book(first, [(101.0, -1.0)])
    world.book(first, [(101.0, 1.0)], bids=((101.5, 1.0),))
    world.book(second, [(101.2, 50.0)])
    assert world.sent == []
    world.wait(FIFTH)
    assert sent(world) == {"ACC-a": D(4), "ACC-b": D(16)}


def test_what_the_tops_can_fill_alone_asks_nobody_and_one_listing_neither() -> None:
    world = two()
    world.execute(parent(ONE, "4", "a", "b"))
    assert sent(world) == {"ACC-a": D(4)}
    world = two()
    world.execute(parent(ONE, "20", "a"))
    assert sent(world) == {"ACC-a": D(20)}
    world = two()
    resting = Twap(window_ns=20 * SECOND, slices=1, style=SliceStyle.REST)
    world.execute(parent(resting, "20", "a", "b"))
    assert len(world.sent) == 1
    assert world.requests == []


def test_without_a_wait_nobody_is_asked() -> None:
    world = two(book_wait_ns=0)
    world.execute(parent(ONE, "20", "a", "b"))
    assert (sent(world), world.requests) == ({"ACC-a": D(16), "ACC-b": D(4)}, [])


def test_every_slice_asks_again_and_not_while_its_limit_is_not_met() -> None:
    world = two()
    world.execute(parent(FOUR, "80", "a", "b", limit_price=D("101.5")))
    world.wait(1)
    for one in world.live:
        world.fill(one)
    assert len(world.requests) == 2
    world.wait(8)
    world.quote(99.0, 102.0, "a", size=4)
    world.quote(99.0, 102.0, "b", size=4)
    world.wait(2)
    for _ in range(5):
        world.quote(99.0, 102.0, "a", size=4)
    assert len(world.requests) == 2, "no top is within the limit"
    world.quote(99.0, 101.4, "a", size=4)
    assert len(world.requests) == 2, "only one is"
    assert len(world.sent) == 3
    world.fill(world.last)
    world.wait(9)
    world.quote(99.0, 101.0, "a", size=4)
    world.quote(99.0, 101.2, "b", size=4)
    assert len(world.requests) == 4
    for request in world.requests[2:]:
        world.book(request, [(101.1, 10.0), (101.3, 90.0)])
    assert len(world.sent) == 5


def test_a_restart_while_books_are_awaited_asks_again_and_plans_once() -> None:
    world = two()
    world.execute(parent(ONE, "20", "a", "b"))
    before = list(world.requests)
    world.wait(0.1)
    world.restart()
    world.quote(99.0, 101.0, "a", size=4)
    world.quote(98.8, 101.2, "b", size=4)
    again = world.requests[2:]
    assert {request.correlation_id for request in again}.isdisjoint(
        request.correlation_id for request in before
    )
    for request in before:
        world.book(request, [(101.0, 90.0)])
    for _ in range(2):
        world.quote(98.8, 101.2, "b", size=4)
    world.wait(1)
    assert sum(sent(world).values()) == D(20)
    assert len(world.sent) == 2


def test_while_the_journal_is_down_answers_are_dropped_and_later_asked_for_again() -> None:
    world = two()
    world.execute(parent(ONE, "20", "a", "b"))
    world.outage()
    for request in world.requests:
        world.book(request, [(101.0, 90.0)])
    world.wait(1)
    assert world.sent == []
    world.recover()
    world.quote(99.0, 101.0, "a", size=4)
    world.quote(98.8, 101.2, "b", size=4)
    assert len(world.requests) > 2
    world.wait(FIFTH)
    assert len(world.sent) == 2


def test_a_cancel_while_books_are_awaited_ends_it_and_answers_come_too_late() -> None:
    world = two()
    world.execute(parent(ONE, "20", "a", "b"))
    world.cancel()
    assert world.code == "CANCELED"
    for request in world.requests:
        world.book(request, [(101.0, 90.0)])
    world.wait(1)
    assert world.sent == []


def test_two_parents_share_the_answers_but_not_the_decision() -> None:
    world = two()
    other = ClientOrderId("e" * 32)
    world.execute(parent(ONE, "20", "a", "b"))
    world.execute(parent(ONE, "10", "a", "b", client_order_id=other))
    assert len(world.requests) == 4
    for request in world.requests[2:]:  # a shard that has no book yet keeps the newest question
        world.book(request, [(101.0, 5.0), (101.1, 90.0)])
    assert world.execution.children.keys() | world.desk.parents[other].children.keys() == set(
        world.orders
    )
    assert sum(world.quantities()) == D(30)


def test_a_venue_that_refused_or_whose_risk_is_down_is_not_asked() -> None:
    world = two()
    world.link("b", is_up=False)
    world.execute(parent(FOUR, "80", "a", "b"))
    assert (sent(world), world.requests) == ({"ACC-a": D(20)}, [])
    world.reject(world.last)
    world.link("b", is_up=True)
    world.wait(10)
    world.quote(98.8, 101.2, "b", size=4)
    world.quote(99.0, 101.0, "a", size=4)
    assert world.last.order.account_id == "ACC-b"
    assert world.requests == []


def test_a_shard_that_was_not_ready_answers_the_question_that_it_was_asked() -> None:
    world = two()
    world.execute(parent(ONE, "20", "a", "b"))
    shard = BookShard(Venue("a"), (Instrument(instrument_id=KEY),), MachineName("feed:a"))
    assert shard.handle(world.requests[0], world.now) == []
    levels = {"bids": ((99.0, 4.0),), "asks": ((101.0, 4.0), (101.1, 40.0))}
    ready = BookSnapshot(sequence=9, ts_init=world.now, instrument_id=KEY, **levels)
    answers = [e for e in shard.handle(ready, world.now) if isinstance(e, Send)]
    (answer,) = answers
    assert answer.to == world.desk.name
    world.tell(answer.message)
    world.wait(FIFTH)
    assert sent(world) == {"ACC-a": D(20)}
