"""A sale where nothing can be sold short: what the account holds, what is being sold, and what is not known."""

from decimal import Decimal
from typing import Any

import msgspec

from tests.trading.algorithms.world import (
    KEY,
    SECOND,
    World,
    account,
    listing,
    parent,
)
from trading.algorithms.desk_config import DeskAccount
from trading.algorithms.parameters import Bracket, Iceberg, Oco, Twap
from trading.commands import SubmitOrder
from trading.events import AccountOpened, AccountReconciled, OrderFilled, OrderSubmitted
from trading.identifiers import AccountId, ClientOrderId, StrategyId, TradeId, VenueOrderId
from trading.values import ZERO, OrderSide

D = Decimal
ONE = Twap(window_ns=20 * SECOND, slices=1)
SALE: dict[str, Any] = {"side": OrderSide.SELL}


def spot(name: str, **more: Any) -> DeskAccount:
    one = account(name)
    instrument = msgspec.structs.replace(one.instruments[0], is_shortable=False, **more)
    return msgspec.structs.replace(one, instruments=(instrument,))


def opened(world: World, name: str, units: str) -> None:
    positions = ((KEY, D(units), D(100)),)
    account_id = AccountId(f"ACC-{name}")
    world.fact(AccountOpened(account_id=account_id, cash=ZERO, positions=positions))


def reconciled(world: World, name: str) -> None:
    about: dict[str, Any] = {"cash": ZERO, "order_count": 0, "fill_count": 0}
    world.fact(AccountReconciled(account_id=AccountId(f"ACC-{name}"), **about))


def traded(world: World, name: str, side: OrderSide, quantity: str, *, kept: str = "0") -> None:
    """Somebody else trades with the same account; each fact is told twice."""
    key = ClientOrderId(f"{len(world.facts):032x}")
    about: dict[str, Any] = {
        "client_order_id": key,
        "strategy_id": StrategyId("other"),
        "instrument_id": KEY,
    }
    order = SubmitOrder(
        **about, account_id=AccountId(f"ACC-{name}"), side=side, quantity=D(quantity)
    )
    fill = OrderFilled(
        **about,
        venue_order_id=VenueOrderId("V"),
        trade_id=TradeId(f"T{len(world.facts)}"),
        side=side,
        last_qty=D(quantity),
        last_px=D(100),
        commission=ZERO,
        commission_qty=D(kept),
    )
    for fact in (OrderSubmitted(**about, order=order, epoch=1), fill, fill):
        world.fact(fact)


def sold(world: World) -> dict[str, Decimal]:
    return {one.order.account_id: one.order.quantity for one in world.sent}


def test_a_sale_is_split_by_what_the_accounts_hold() -> None:
    world = World((spot("a"), spot("b")))
    opened(world, "a", "5")
    opened(world, "b", "40")
    world.quote(99.0, 101.0, "a")
    world.quote(98.0, 101.0, "b")
    world.execute(parent(ONE, "20", "a", "b", **SALE))
    assert sold(world) == {"ACC-a": D(5), "ACC-b": D(15)}


def test_what_is_held_follows_the_fills_of_everybody_once() -> None:
    world = World((spot("a"),))
    reconciled(world, "a")
    traded(world, "a", OrderSide.BUY, "20", kept="0.5")
    traded(world, "a", OrderSide.SELL, "7")
    world.restart()
    world.quotes()
    world.execute(parent(ONE, "20", **SALE))
    assert sold(world) == {"ACC-a": D(12)}, "12.5 in whole lots"
    world.fill(world.last)
    assert world.code == "NOTHING_TO_SELL"
    assert world.execution.ended is not None
    assert world.execution.ended.reason == (
        "8 units are left, and the accounts hold nothing more that could be sold."
    )


def test_what_other_children_still_sell_is_not_sold_twice() -> None:
    world = World((spot("a"),))
    opened(world, "a", "10")
    world.quotes()
    world.execute(parent(Iceberg(display_qty=D(4)), "8", limit_price=D(101), **SALE))
    assert sold(world) == {"ACC-a": D(4)}
    other = ClientOrderId("e" * 32)
    world.execute(parent(ONE, "10", client_order_id=other, **SALE))
    assert world.quantities() == [D(4), D(6)]
    world.fill(world.sent[1])
    assert world.desk.parents[other].ended is not None


def test_before_an_account_is_known_and_where_short_sales_are_possible_nothing_is_limited() -> None:
    for accounts, is_known in (
        ((spot("a"),), False),
        ((account("a"),), True),
        ((spot("a", is_margined=True),), True),
    ):
        world = World(accounts)
        if is_known:
            opened(world, "a", "5")
        world.quotes()
        world.execute(parent(ONE, "20", **SALE))
        assert sold(world) == {"ACC-a": D(20)}


def test_a_purchase_and_the_exits_of_a_position_are_not_limited() -> None:
    world = World((spot("a"),))
    reconciled(world, "a")
    world.quotes()
    exits = {"take_profit_px": D(110), "stop_loss_px": D(90)}
    world.execute(parent(Bracket(**exits), "10"))
    world.fill(world.last)
    assert world.quantities() == [D(10), D(10)]
    world = World((spot("a"),))
    reconciled(world, "a")
    world.quotes()
    world.execute(parent(Oco(**exits), "10", **SALE))
    assert world.quantities() == [D(10)]


def test_the_same_instrument_at_two_venues_is_held_twice() -> None:
    world = World((spot("a"), spot("b")))
    reconciled(world, "a")
    reconciled(world, "b")
    traded(world, "b", OrderSide.BUY, "9")
    world.quotes()
    world.execute(parent(ONE, "20", "a", "b", **SALE))
    assert sold(world) == {"ACC-b": D(9)}
    assert listing("b") == next(iter(world.execution.children.values())).listing
