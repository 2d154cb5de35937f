"""Bracket and OCO, emulated: which exit is at the venue, and what happens in between."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

from tests.trading.algorithms.world import SECOND, START, World, account, parent
from trading.algorithms.facts import StopLossTriggered
from trading.algorithms.parameters import Bracket, ChildRole, Oco
from trading.events import OrderExpired
from trading.values import OrderSide, OrderType, TimeInForce

D = Decimal
PRICES: dict[str, Any] = {"take_profit_px": D(110), "stop_loss_px": D(90)}
STOP, PROFIT = ChildRole.STOP_LOSS, ChildRole.TAKE_PROFIT


def entered(*, filled: str | None = None, world: World | None = None, **more: Any) -> World:
    """A long position of up to 10 units, with its first exit accepted."""
    world = world or World()
    world.quotes()
    world.execute(parent(Bracket(**{**PRICES, **more}), "10"))
    world.fill(world.last, None if filled is None else D(filled))
    return world


def kinds(world: World) -> list[tuple[str, Decimal]]:
    return [(str(one.order.order_type), one.order.quantity) for one in world.sent]


def test_the_stop_rests_and_closes_the_position() -> None:
    world = entered()
    stop = world.last.order
    assert (stop.order_type, stop.side, stop.trigger_price) == (
        OrderType.STOP_MARKET,
        OrderSide.SELL,
        D(90),
    )
    assert (stop.purpose, stop.reduce_only, stop.expires_at) == ("stop_loss", True, 0)
    assert stop.parent_order_id == world.execution.key
    world.fill(world.last, price="89.9")
    assert world.code == "EXITED"
    assert len(world.sent) == 2


def test_at_the_take_profit_the_stop_is_cancelled_first() -> None:
    world = entered()
    stop = world.last
    world.accept(stop)
    world.quotes(110.0, 110.5)
    assert (stop.cancels, len(world.sent)) == (1, 2), "never both at once"
    world.end(stop)
    profit = world.last
    assert (profit.order.order_type, profit.order.time_in_force, profit.order.price) == (
        OrderType.LIMIT,
        TimeInForce.IOC,
        D(110),
    )
    world.fill(profit)
    assert world.code == "EXITED"


def test_a_stop_that_fills_while_it_is_cancelled_ends_it() -> None:
    world = entered()
    world.accept(world.last)
    world.quotes(110.0, 110.5)
    world.fill(world.last)
    assert (world.code, len(world.sent)) == ("EXITED", 2)


def test_what_the_take_profit_leaves_is_protected_again() -> None:
    world = entered()
    world.accept(world.last)
    world.quotes(110.0, 110.5)
    world.end(world.last)
    world.fill(world.last, D(4))
    world.end(world.last)
    assert kinds(world)[2:] == [("LIMIT", D(10)), ("STOP_MARKET", D(6))]
    world.accept(world.last)
    world.quotes(110.0, 110.5)
    assert world.last.cancels == 0, "one try a second"
    world.wait(1)
    assert world.last.cancels == 1


def test_each_part_of_the_entry_gets_its_own_exit() -> None:
    world = entered(filled="3")
    world.accept(world.last)
    world.fill(world.sent[0], D(5))
    world.accept(world.last)
    assert kinds(world) == [("MARKET", D(10)), ("STOP_MARKET", D(3)), ("STOP_MARKET", D(5))]
    world.quotes(110.0, 110.5)
    assert [one.cancels for one in world.sent] == [0, 1, 1]
    world.end(world.sent[1])
    assert len(world.sent) == 3, "the take profit waits for both"
    world.end(world.sent[2])
    assert world.last.order.quantity == D(8)
    world.fill(world.last)
    assert world.sent[0].cancels == 1, "out of the market: the rest of the entry goes too"
    world.end(world.sent[0])
    assert world.code == "EXITED"


def test_a_part_that_is_too_small_for_an_exit_waits_for_more() -> None:
    world = entered(filled="1", world=World((account("a", least="2"),)))
    assert len(world.sent) == 1
    world.fill(world.sent[0], D(3))
    assert world.last.order.quantity == D(4)
    world = entered(filled="1", world=World((account("a", least="2"),)))
    world.end(world.sent[0])
    assert world.code == "REMAINDER_TOO_SMALL"
    assert world.execution.ended is not None
    assert "1 units are left without an exit" in world.execution.ended.reason


def test_with_the_profit_resting_the_desk_watches_the_stop() -> None:
    world = entered(rests=PROFIT)
    profit = world.last
    assert (profit.order.order_type, profit.order.price) == (OrderType.LIMIT, D(110))
    world.accept(profit)
    world.fill(profit, D(4))
    world.quotes(90.0, 90.5)
    assert isinstance(decoded(world, -2), StopLossTriggered)
    assert profit.cancels == 1
    world.quotes(99.0, 101.0)
    world.end(profit)
    out = world.last.order
    assert (out.order_type, out.quantity, out.purpose) == (OrderType.MARKET, D(6), "stop_loss")
    world.restart()
    world.fill(world.last)
    assert world.code == "EXITED", "a stop that was reached stays reached"


def decoded(world: World, index: int) -> object:
    from trading.codec import decode

    return decode(world.journal[index])


def test_a_market_beyond_the_stop_before_it_rests_gets_out_at_once() -> None:
    world = World()
    world.quotes()
    world.execute(parent(Bracket(**PRICES), "10"))
    world.quotes(89.0, 89.5)
    world.fill(world.last)
    assert kinds(world)[1:] == [("MARKET", D(10))]


def test_a_stop_at_the_venue_is_left_to_the_venue() -> None:
    world = entered()
    world.accept(world.last)
    world.quotes(89.0, 89.5)
    assert (len(world.sent), world.last.cancels) == (2, 0)
    assert not world.execution.is_stopped_out


def test_a_refused_exit_is_tried_for_ever_with_longer_pauses() -> None:
    world = entered()
    moments = []
    for _ in range(9):
        moments.append((world.now - START) / SECOND)
        world.reject(world.last)
        count = len(world.sent)
        while len(world.sent) == count:
            world.wait(0.25)
            world.quotes()
    assert [later - one for one, later in pairwise(moments)] == [
        0.25, 0.5, 1, 2, 4, 8, 16, 32,
    ]  # fmt: skip
    world.reject(world.last)
    world.quotes(89.0, 89.5)
    assert world.execution.is_stopped_out, "without a stop at the venue the desk watches it"


def test_exits_that_would_reduce_nothing_end_it() -> None:
    world = entered()
    for _ in range(5):
        world.deny(world.last, "RISK_REDUCE_ONLY")
        world.wait(4)
    assert (world.code, len(world.sent)) == ("NOTHING_TO_EXIT", 6)


def test_a_stop_limit_and_gtc_go_to_the_venue() -> None:
    world = World()
    world.quotes()
    bracket = Bracket(**PRICES, stop_limit_px=D(89))
    world.execute(parent(bracket, "10", time_in_force=TimeInForce.GTC, limit_price=D(100)))
    entry = world.last.order
    assert (entry.order_type, entry.price) == (OrderType.LIMIT, D(100))
    assert entry.time_in_force is TimeInForce.GTC
    world.fill(world.last)
    stop = world.last.order
    assert (stop.order_type, stop.price, stop.time_in_force) == (
        OrderType.STOP_LIMIT,
        D(89),
        TimeInForce.GTC,
    )


def test_an_expired_entry_keeps_the_exits_of_what_it_filled() -> None:
    world = World()
    world.quotes()
    world.execute(
        parent(Bracket(**PRICES), "10", expires_at=START + 5 * SECOND, limit_price=D(100))
    )
    world.fill(world.last, D(4))
    world.accept(world.last)
    world.wait(5)
    assert world.sent[0].cancels == 1
    world.end(world.sent[0])
    assert (world.code, world.sent[1].cancels) == ("", 0)
    world.fill(world.sent[1])
    assert world.code == "EXITED"


def test_an_entry_that_never_filled_ends_it() -> None:
    world = World()
    world.quotes()
    world.execute(parent(Bracket(**PRICES), "10", limit_price=D(100)))
    world.end(world.last, OrderExpired)
    assert world.code == "NOT_ENTERED"
    world = World()
    world.quotes()
    world.execute(parent(Bracket(**PRICES), "10"))
    world.deny(world.last)
    assert world.code == "REFUSED"


def test_a_cancel_takes_the_exits_too_and_so_does_another_hand() -> None:
    world = entered()
    world.accept(world.last)
    world.cancel("by hand from here")
    assert world.last.cancels == 1
    world.end(world.last)
    assert world.code == "CANCELED"
    world = entered()
    world.accept(world.last)
    world.end(world.last)
    assert world.code == "CHILD_CANCELED"


def test_an_exit_that_expires_is_put_back() -> None:
    world = entered()
    world.end(world.last, OrderExpired)
    assert kinds(world)[1:] == [("STOP_MARKET", D(10)), ("STOP_MARKET", D(10))]


def test_an_oco_protects_a_position_that_is_there() -> None:
    world = World()
    world.quotes()
    short = Oco(take_profit_px=D(90), stop_loss_px=D(110))
    world.execute(parent(short, "10", side=OrderSide.BUY, expires_at=START + 60 * SECOND))
    stop = world.last
    assert (stop.order.side, stop.order.trigger_price) == (OrderSide.BUY, D(110))
    world.accept(stop)
    world.quotes(89.5, 90.0)
    world.end(stop)
    assert (world.last.order.price, world.last.order.side) == (D(90), OrderSide.BUY)
    world.end(world.last)
    world.accept(world.last)
    world.quotes(95.0, 96.0)
    world.wait(60)
    assert world.last.cancels == 1
    world.end(world.last)
    assert world.code == "EXPIRED"


def test_units_that_the_venue_kept_as_its_fee_need_no_exit() -> None:
    world = World((account("a", lot="0.01", least="0.01"),))
    world.quotes()
    world.execute(parent(Bracket(**PRICES), "10"))
    world.fill(world.last, kept="0.025")
    assert world.last.order.quantity == D("9.97")
    world.fill(world.last)
    assert world.code == "REMAINDER_TOO_SMALL", "0.005 units are left"
