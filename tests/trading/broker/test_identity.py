"""An order is what we called it: a venue whose own counter rolls back confuses nobody."""

from decimal import Decimal

import msgspec

from trading.commands import SubmitOrder
from trading.outcomes import SubmitAcknowledged


def accept_as(desk, kit, name: str, venue_order_id: str, **fields) -> SubmitOrder:
    order = desk.submit(name, **fields)
    desk.give(
        SubmitAcknowledged(client_order_id=order.client_order_id, venue_order_id=venue_order_id)
    )
    return order


def test_reused_venue_order_id_leads_each_fill_to_its_own_order(desk, kit):
    first = accept_as(desk, kit, "1", "v100")
    second = accept_as(desk, kit, "2", "v100", instrument_id="KO.XNAS")
    for order, trade_id, quantity in ((second, "t1", 4), (first, "t2", 3)):
        fill = kit.fill(order, trade_id, Decimal(quantity))
        desk.give(msgspec.structs.replace(fill, venue_order_id="v100"))
    assert (desk.order("1").filled_qty, desk.order("2").filled_qty) == (3, 4)
    positions = desk.broker._state.record.account.positions()
    assert positions["AAPL.XNAS"].quantity == 3
    assert positions["KO.XNAS"].quantity == 4


def test_order_of_another_process_under_a_known_id_is_not_sent_again(desk, kit):
    order = desk.accept("1")
    desk.calls.clear()
    desk.give(desk.permit(order))
    assert desk.called(SubmitOrder) == []
    assert desk.broker.view()["duplicates"] == 1
