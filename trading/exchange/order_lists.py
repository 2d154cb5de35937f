"""Orders that depend on each other: what a change of one means for the others. Pure.

Exits of an entry are held until the entry is over: then they work for what it filled, and when it filled nothing
they are canceled. Of two exits only one can fill: what fills of one leaves the other, and when one ends the
other ends.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from trading.events import OrderCanceled, OrderEvent, OrderUpdated
from trading.exchange.orders import VenueOrder
from trading.order_lists import has_entry
from trading.values import OrderListKind

Change = tuple[type[OrderEvent], VenueOrder, dict[str, Any]]


def consequence(orders: Sequence[VenueOrder]) -> Change | None:
    """Return the next change that the state of one list asks for; None when it asks for nothing.

    Parameters
    ----------
    orders : sequence of VenueOrder
        All of the list, in its order.
    """
    kind = orders[0].list_kind
    assert kind is not None, "an order without a list"
    exits = orders[1:] if has_entry(kind) else orders
    return next(iter((*_of_entry(orders[0], exits, kind), *_of_exits(exits))), None)


def _of_entry(
    entry: VenueOrder, exits: Sequence[VenueOrder], kind: OrderListKind
) -> Iterator[Change]:
    if not has_entry(kind) or not entry.status.is_terminal:
        return
    for order in exits:
        if not order.is_open:
            continue
        if not entry.filled_qty:
            yield OrderCanceled, order, {"reason": "its entry ended without a fill"}
        elif order.quantity > entry.filled_qty:
            yield _resized(order, entry.filled_qty)


def _of_exits(exits: Sequence[VenueOrder]) -> Iterator[Change]:
    if len(exits) < 2:
        return
    for one, other in (exits, exits[::-1]):
        if not other.is_open:
            continue
        if one.status.is_terminal:
            yield OrderCanceled, other, {"reason": "the exit that it is linked with has ended"}
        elif one.filled_qty and other.leaves_qty > one.leaves_qty:
            yield _resized(other, other.filled_qty + one.leaves_qty)


def _resized(order: VenueOrder, quantity: Decimal) -> Change:
    details = {
        "quantity": quantity,
        "price": order.price,
        "trigger_price": order.trigger_price,
    }
    return OrderUpdated, order, details
