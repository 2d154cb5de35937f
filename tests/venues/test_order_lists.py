"""Orders that depend on each other, at every venue that watches over them itself."""

import msgspec
import pytest

from trading.capabilities import unsupported_list
from trading.commands import SubmitOrderList
from trading.identifiers import derive_leg_id
from trading.values import OrderListKind, OrderSide, OrderStatus, OrderType, TimeInForce

ENTRY_AND_EXITS = (OrderListKind.BRACKET, OrderListKind.OTO)


def exits(trader, count=2):
    """Return a take profit at 110 and a stop loss at 90."""
    common = {
        "side": OrderSide.SELL,
        "time_in_force": TimeInForce.GTC,
        "reduce_only": True,
    }
    profit = trader.limit(110, **common)
    loss = trader.order(order_type=OrderType.STOP_MARKET, trigger_price=trader.at(90), **common)
    return (profit, loss)[:count]


def chained(trader, kind, orders):
    """Return the list with the ids that its orders must have."""
    first = orders[0].client_order_id
    legs = [
        msgspec.structs.replace(
            order, client_order_id=derive_leg_id(first, index), parent_order_id=first
        )
        for index, order in enumerate(orders[1:], start=1)
    ]
    return SubmitOrderList(
        kind=kind, account_id=trader.config.account_id, orders=(orders[0], *legs)
    )


def offered(story, rig, order_list):
    instrument = rig.desk.instruments[rig.traded]
    sentence = unsupported_list(order_list, instrument, rig.profile.capabilities)
    story.record(str(order_list.kind), "pass" if sentence is None else "refused by name")
    if sentence is not None:
        assert str(order_list.kind) in sentence, sentence
    return sentence is None


def status(trader, order):
    found = trader.record.orders.get(order.client_order_id)
    return None if found is None else found.status


@pytest.mark.parametrize("price", [111.0, 89.0], ids=["profit", "loss"])
def test_when_one_exit_of_a_bracket_fills_the_other_is_cancelled(story, price):
    async def tell(rig, trader):
        entry = trader.order(time_in_force=TimeInForce.GTC)
        bracket = chained(trader, OrderListKind.BRACKET, (entry, *exits(trader)))
        if not offered(story, rig, bracket):
            return
        trader.submit(bracket)
        await trader.until(lambda: status(trader, entry) is OrderStatus.FILLED)
        _, profit, loss = bracket.orders
        await trader.until(
            lambda: rig.desk.working() == {profit.client_order_id, loss.client_order_id}
        )
        await trader.settled()
        trader.move(price)
        hit, other = (profit, loss) if price > 100 else (loss, profit)
        await trader.until(lambda: status(trader, hit) is OrderStatus.FILLED)
        await trader.until(lambda: status(trader, other) is OrderStatus.CANCELED)
        assert not rig.desk.positions

    story(tell)


def test_when_the_entry_of_a_bracket_is_cancelled_so_are_its_exits(story):
    async def tell(rig, trader):
        entry = trader.limit(80)
        bracket = chained(trader, OrderListKind.BRACKET, (entry, *exits(trader)))
        if not offered(story, rig, bracket):
            return
        trader.submit(bracket)
        await trader.until(lambda: trader.is_working(entry.client_order_id))
        trader.cancel(entry.client_order_id)
        await trader.until(
            lambda: all(status(trader, order) is OrderStatus.CANCELED for order in bracket.orders)
        )

    story(tell)


def test_when_the_process_dies_with_a_bracket_its_orders_are_known_by_our_ids_again(story):
    async def tell(rig, trader):
        entry = trader.order(time_in_force=TimeInForce.GTC)
        bracket = chained(trader, OrderListKind.BRACKET, (entry, *exits(trader)))
        if not offered(story, rig, bracket):
            return
        trader.submit(bracket)
        await trader.until(lambda: status(trader, entry) is OrderStatus.FILLED)
        await trader.settled()
        await trader.restart()
        await trader.settled()
        legs = {order.client_order_id for order in bracket.orders[1:]}
        assert set(trader.record.open_orders) == legs
        trader.move(111.0)
        await trader.until(lambda: status(trader, bracket.orders[1]) is OrderStatus.FILLED)

    story(tell)


def test_when_one_of_two_linked_exits_fills_the_other_is_cancelled(story):
    async def tell(rig, trader):
        profit, loss = exits(trader)
        pair = chained(trader, OrderListKind.OCO, (profit, loss))
        if not offered(story, rig, pair):
            return
        held = trader.order()
        trader.submit(held)
        await trader.until(lambda: status(trader, held) is OrderStatus.FILLED)
        trader.submit(pair)
        await trader.until(
            lambda: rig.desk.working() == {order.client_order_id for order in pair.orders}
        )
        trader.move(89.0)
        await trader.until(lambda: status(trader, pair.orders[1]) is OrderStatus.FILLED)
        await trader.until(lambda: status(trader, pair.orders[0]) is OrderStatus.CANCELED)

    story(tell)


def test_when_an_entry_fills_its_one_exit_begins_to_work(story):
    async def tell(rig, trader):
        entry = trader.limit(95)
        chain = chained(trader, OrderListKind.OTO, (entry, *exits(trader, 1)))
        if not offered(story, rig, chain):
            return
        trader.submit(chain)
        await trader.until(lambda: trader.is_working(entry.client_order_id))
        trader.move(94.0)
        await trader.until(lambda: trader.is_working(chain.orders[1].client_order_id))
        trader.move(111.0)
        await trader.until(lambda: status(trader, chain.orders[1]) is OrderStatus.FILLED)

    story(tell)
