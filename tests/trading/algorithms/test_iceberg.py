"""Iceberg, child by child."""

from decimal import Decimal

from tests.trading.algorithms.world import SECOND, World, account, parent
from trading.algorithms.parameters import Iceberg
from trading.events import OrderExpired
from trading.routing.quotes import VenueFees
from trading.values import OrderType, TimeInForce

D = Decimal
LIMIT = {"limit_price": D("99.50")}


def started(quantity: str = "25", **more: object) -> World:
    world = World()
    world.quotes()
    world.execute(parent(Iceberg(display_qty=D(10)), quantity, **{**LIMIT, **more}))
    return world


def test_one_child_rests_and_the_next_follows_when_it_is_filled() -> None:
    world = started()
    order = world.last.order
    assert (order.order_type, order.price, order.time_in_force) == (
        OrderType.LIMIT,
        D("99.50"),
        TimeInForce.DAY,
    )
    world.fill(world.last, D(4))
    assert len(world.sent) == 1
    world.fill(world.last)
    world.fill(world.last)
    world.fill(world.last)
    assert world.quantities() == [D(10), D(10), D(5)]
    assert (world.code, world.last.order.purpose) == ("FILLED", "iceberg")


def test_a_remainder_that_is_too_small_joins_the_last_child() -> None:
    world = World((account("a", least="4"),))
    world.quotes()
    world.execute(parent(Iceberg(display_qty=D(10)), "23", **LIMIT))
    world.fill(world.last)
    world.fill(world.last)
    assert world.quantities() == [D(10), D(13)]


def test_each_child_rests_where_it_is_cheapest() -> None:
    rebate = account("b", fees=VenueFees(maker_bps=D(-1)))
    world = World((account("a"), rebate))
    world.quotes()
    world.execute(parent(Iceberg(display_qty=D(10)), "25", "a", "b", **LIMIT))
    assert world.last.order.account_id == "ACC-b"
    world.wait(6)
    world.quote(venue="a")
    world.fill(world.last)
    assert world.last.order.account_id == "ACC-a", "the other book is stale"


def test_sizes_vary_by_the_hash_of_the_id() -> None:
    def sizes() -> list[Decimal]:
        world = World()
        world.quotes()
        world.execute(parent(Iceberg(display_qty=D(100), jitter=D("0.5")), "1000", **LIMIT))
        while not world.code:
            world.fill(world.last)
        return world.quantities()

    found = sizes()
    assert found == sizes()
    assert len(set(found)) > 3
    assert all(50 <= size <= 100 for size in found[:-1])


def test_an_expired_child_is_replaced_and_one_taken_away_ends_it() -> None:
    world = started()
    world.end(world.last, OrderExpired)
    assert len(world.sent) == 2
    world.accept(world.last)
    world.end(world.last)
    assert world.code == "CHILD_CANCELED"


def test_a_refused_child_is_tried_again_a_second_later() -> None:
    world = started()
    world.deny(world.last)
    assert len(world.sent) == 1
    world.wait(1)
    assert len(world.sent) == 2
    for _ in range(4):
        world.deny(world.last)
        world.wait(1)
    assert (world.code, len(world.sent)) == ("REFUSED", 5)


def test_a_cancel_waits_for_the_child_to_end() -> None:
    world = started()
    world.accept(world.last)
    world.cancel("enough")
    assert (world.last.cancels, world.code) == (1, "")
    world.fill(world.last)
    assert world.code == "CANCELED", "it was faster than the cancel"
    assert world.execution.ended is not None
    assert world.execution.ended.filled_qty == D(10)


def test_rests_that_may_still_fill_are_not_used_again() -> None:
    world = World(settle_ns=2 * SECOND)
    world.quotes()
    world.execute(parent(Iceberg(display_qty=D(10)), "25", **LIMIT))
    world.end(world.last, OrderExpired)
    assert len(world.sent) == 1
    world.fill(world.sent[0], D(3))
    world.wait(2)
    assert world.quantities() == [D(10), D(10)]
    world.fill(world.last)
    world.fill(world.last)
    assert world.quantities()[2:] == [D(10), D(2)]
