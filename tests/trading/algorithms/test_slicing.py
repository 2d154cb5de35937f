"""TWAP and VWAP, slice by slice."""

from decimal import Decimal

from tests.trading.algorithms.world import PARENT, SECOND, START, World, account, parent
from trading.algorithms.parameters import CatchUp, SliceStyle, Twap, Vwap
from trading.algorithms.schedule import Schedule
from trading.events import OrderExpired
from trading.values import OrderType, TimeInForce

D = Decimal
TEN = Twap(window_ns=100 * SECOND, slices=10)


def traded(world: World, seconds: int, *, fills: bool = True) -> None:
    """Let the market be quoted every second, and everything fill."""
    for _ in range(seconds):
        world.wait(1)
        world.quotes()
        for one in world.live:
            if fills:
                world.fill(one)


def test_equal_slices_over_the_window_and_then_the_end() -> None:
    world = World()
    world.quotes()
    world.execute(parent(TEN))
    traded(world, 95)
    assert world.quantities() == [D(10)] * 10
    assert world.code == "FILLED"
    starts = [(child.planned_at - START) // SECOND for child in world.execution.children.values()]
    assert starts == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]
    first = world.sent[0].order
    assert (first.order_type, first.time_in_force) == (OrderType.MARKET, TimeInForce.DAY)
    assert (first.purpose, first.parent_order_id) == ("twap", world.execution.key)
    assert first.arrival_px == D(100) == world.execution.arrival_px


def test_lots_that_do_not_divide_are_spread_and_the_remainder_joins_the_last_slice() -> None:
    world = World()
    world.quotes()
    world.execute(parent(Twap(window_ns=30 * SECOND, slices=3), "10"))
    traded(world, 25)
    assert world.quantities() == [D(3), D(3), D(4)]
    world = World((account("a", least="4"),))
    world.quotes()
    world.execute(parent(Twap(window_ns=30 * SECOND, slices=3), "14"))
    traded(world, 25)
    assert world.quantities() == [D(4), D(5), D(5)]
    world = World((account("a", least="4"),))
    world.quotes()
    world.execute(parent(Twap(window_ns=30 * SECOND, slices=3), "9"))
    traded(world, 25)
    assert world.quantities() == [D(9)], "3 would be too small, and would be left of 6"


def test_a_slice_that_is_too_small_waits_for_the_next() -> None:
    world = World((account("a", notional="900"),))
    world.quotes()
    world.execute(parent(TEN, "20"))
    traded(world, 95)
    assert world.quantities() == [D(10), D(10)]
    assert world.code == "FILLED"


def test_what_a_slice_missed_is_caught_up_as_asked() -> None:
    expected = {
        CatchUp.NEXT: [10, 20, 10, 10],
        CatchUp.SPREAD: [10, 13, 13, 14],
        CatchUp.END: [10, 10, 10, 10, 10],
    }
    for policy, quantities in expected.items():
        world = World()
        world.quotes()
        world.execute(parent(Twap(window_ns=40 * SECOND, slices=4, catch_up=policy), "40"))
        world.end(world.last)
        traded(world, 50)
        assert world.quantities() == [D(each) for each in quantities], policy
        assert world.code == "FILLED"


def test_a_window_that_need_not_be_completed_ends_with_what_it_has() -> None:
    world = World()
    world.quotes()
    world.execute(parent(Twap(window_ns=20 * SECOND, slices=2, must_complete=False), "20"))
    world.fill(world.last)
    world.wait(10)
    world.quotes()
    world.end(world.last)
    world.wait(11)
    assert world.code == "WINDOW_OVER"
    assert world.execution.filled() == D(10)


def test_a_limit_price_is_obeyed_and_a_slice_waits_for_it() -> None:
    world = World()
    world.quotes(99.0, 101.0)
    world.execute(parent(TEN, limit_price=D("100.505")))
    assert world.sent == []
    world.wait(3)
    world.quotes(99.0, 100.5)
    (child,) = world.sent
    assert (child.order.price, child.order.time_in_force) == (D("100.50"), TimeInForce.IOC)
    world.wait(2)
    world.quotes(99.0, 100.5)
    assert len(world.sent) == 1, "one child per slice"


def test_a_slice_is_routed_over_venues_by_price_after_size() -> None:
    world = World((account("a"), account("b")))
    world.quote(99.0, 101.0, "a", size=4)
    world.quote(99.0, 101.5, "b", size=50)
    world.execute(parent(TEN, "100", "a", "b"))
    world.wait(0.2)
    assert [(one.order.account_id, one.order.quantity) for one in world.sent] == [
        ("ACC-a", D(4)),
        ("ACC-b", D(6)),
    ]


def test_a_stale_venue_and_one_that_refused_are_left_out() -> None:
    world = World((account("a"), account("b")))
    world.quote(99.0, 100.0, "a")
    world.quote(99.0, 101.0, "b")
    world.execute(parent(TEN, "100", "a", "b"))
    assert world.last.order.account_id == "ACC-a"
    world.deny(world.last)
    for second in range(2, 42, 2):
        world.wait(2)
        world.quote(99.0, 100.0, "a")
        world.quote(99.0, 101.0, "b")
        for one in world.live:
            world.fill(one)
        assert world.last.order.account_id == ("ACC-b" if 10 <= second < 30 else "ACC-a")
    world.wait(6)
    world.quote(99.0, 101.0, "b")
    left_out = world.desk.view()["left_out"]
    assert left_out["BTC/USD.X at a with ACC-a"] == "the book is 6.0 s old"


def test_resting_slices_follow_the_market_and_are_cancelled_before_the_next() -> None:
    world = World()
    world.quotes(99.0, 101.0)
    world.execute(parent(Twap(window_ns=20 * SECOND, slices=2, style=SliceStyle.REST), "20"))
    first = world.last
    assert (first.order.price, first.order.order_type) == (D("99.00"), OrderType.LIMIT)
    world.fill(first, D(3))
    world.wait(9.9)
    world.quotes(100.0, 102.0)
    assert first.cancels == 0
    world.wait(0.2)
    assert first.cancels == 1
    assert len(world.sent) == 1, "nothing is sent before the first is over"
    world.end(first)
    assert (world.last.order.price, world.last.order.quantity) == (D("100.00"), D(17))
    world.end(world.last, OrderExpired)
    world.wait(10)
    assert world.code == ""
    world.quotes(100.0, 102.0)
    assert world.last.order.quantity == D(17), "the completion"


def test_five_refusals_in_a_row_end_it() -> None:
    world = World()
    world.quotes()
    world.execute(parent(TEN))
    for _ in range(4):
        world.reject(world.last)
        world.wait(10)
        world.quotes()
    world.deny(world.last)
    assert world.code == "REFUSED"
    assert world.execution.ended is not None
    assert "risk says no" in world.execution.ended.reason
    assert len(world.sent) == 5


def test_jitter_moves_the_slices_by_the_hash_of_the_id() -> None:
    def starts() -> list[int]:
        world = World()
        world.quotes()
        jittered = Twap(window_ns=100 * SECOND, slices=10, jitter=D("0.5"))
        world.execute(parent(jittered))
        traded(world, 100)
        return [child.planned_at - START for child in world.execution.children.values()]

    found = starts()
    assert found == starts()
    assert len(found) == 10
    assert all(0 <= at - index * 10 * SECOND <= 6 * SECOND for index, at in enumerate(found))
    assert len({at % (10 * SECOND) for at in found}) > 3


def test_a_slice_has_not_begun_before_its_jitter_is_over() -> None:
    jittered = Twap(window_ns=100 * SECOND, slices=10, jitter=D(1))
    schedule = Schedule(jittered, PARENT, START)
    for step in range(10):
        begins = schedule.starts_at(step)
        assert START + step * 10 * SECOND <= begins < START + (step + 1) * 10 * SECOND
        assert (schedule.step_at(begins - 1), schedule.step_at(begins)) == (step - 1, step)
    assert schedule.step_at(START + 120 * SECOND) == 12


def test_vwap_follows_the_volume_and_its_cap() -> None:
    curve = (D(100), D(300), D(100))
    world = World()
    world.quotes()
    world.execute(parent(Vwap(window_ns=30 * SECOND, volumes=curve), "50"))
    traded(world, 25)
    assert world.quantities() == [D(10), D(30), D(10)]
    world = World()
    world.quotes()
    capped = Vwap(window_ns=30 * SECOND, volumes=curve, participation=D("0.05"))
    world.execute(parent(capped, "50"))
    traded(world, 40)
    assert world.quantities() == [D(5), D(15), D(5), D(25)], "the completion knows no cap"
    assert world.code == "FILLED"


def test_expiry_and_cancel_stop_everything() -> None:
    world = World()
    world.quotes()
    world.execute(parent(TEN, expires_at=START + 15 * SECOND))
    world.fill(world.last)
    world.wait(10)
    world.quotes()
    world.accept(world.last)
    world.wait(5)
    assert world.last.cancels == 1
    assert world.code == "", "the child may still fill"
    world.fill(world.last, D(4))
    world.end(world.last)
    assert world.code == "EXPIRED"
    world.wait(60)
    world.quotes()
    assert len(world.sent) == 2
    world = World()
    world.quotes()
    world.execute(parent(TEN))
    world.cancel("changed my mind")
    assert world.last.cancels == 0, "nobody has seen it yet: a cancel would overtake it"
    world.accept(world.last)
    assert world.last.cancels == 1
    world.wait(2.1)
    assert world.last.cancels == 2, "cancels are repeated until they work"
    world.end(world.last)
    assert world.code == "CANCELED"


def test_late_fills_are_waited_for() -> None:
    world = World(settle_ns=2 * SECOND)
    world.quotes()
    world.execute(parent(Twap(window_ns=10 * SECOND, slices=10), "10"))
    world.end(world.last)
    world.wait(1)
    world.quotes()
    assert world.quantities() == [D(1), D(1)], "the rest of the first is not used again yet"
    world.last.is_over = True
    world.wait(1)
    world.quotes()
    assert world.quantities()[2:] == [D(2)]
