"""What makes a list of orders one thing: which orders it has, and how they hang together. Pure."""

from collections.abc import Sequence

from trading.commands import SubmitOrder, SubmitOrderList
from trading.identifiers import ClientOrderId, derive_leg_id
from trading.values import OrderListKind, OrderType, TimeInForce

STOPS = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP_MARKET})
RESTING = frozenset({TimeInForce.DAY, TimeInForce.GTC})
LEGS_MAX = 4
"""Of a MULTI_LEG list."""
_SIZES = {OrderListKind.BRACKET: 3, OrderListKind.OTO: 2, OrderListKind.OCO: 2}
_WITH_ENTRY = frozenset({OrderListKind.BRACKET, OrderListKind.OTO})


def leg_index(order: SubmitOrder) -> int:
    """Return the place of an order in its list; 0 for the first, and for an order without a list."""
    parent = order.parent_order_id
    if parent is None:
        return 0
    indexes = range(1, LEGS_MAX)
    return next((i for i in indexes if derive_leg_id(parent, i) == order.client_order_id), 0)


def first_of(order: SubmitOrder) -> ClientOrderId:
    """Return the id of the first order of the list that `order` is in."""
    parent = order.parent_order_id
    return parent if parent is not None and leg_index(order) else order.client_order_id


def has_entry(kind: OrderListKind) -> bool:
    """Return whether the first order of such a list opens what the others close."""
    return kind in _WITH_ENTRY


def is_exit(order: SubmitOrder, kind: OrderListKind | None) -> bool:
    """Return whether `order` waits to close a position: the entry's, or in an OCO one that is held."""
    if kind is OrderListKind.OCO:
        return True
    return kind in _WITH_ENTRY and leg_index(order) > 0


def alternative_to(order: SubmitOrder, kind: OrderListKind | None) -> ClientOrderId | None:
    """Return the exit that `order` stands by for: only one of the two can fill, so only that one counts."""
    first = first_of(order)
    if kind is OrderListKind.BRACKET and leg_index(order) == 2:
        return derive_leg_id(first, 1)
    return first if kind is OrderListKind.OCO and leg_index(order) == 1 else None


def list_defect(order_list: SubmitOrderList) -> str | None:
    """Return why the orders are no list of that kind, as one sentence; None when they are."""
    kind, orders = order_list.kind, order_list.orders
    if kind is OrderListKind.MULTI_LEG:
        if not 2 <= len(orders) <= LEGS_MAX:
            return f"a {kind} list has 2 to {LEGS_MAX} orders, not {len(orders)}"
    elif len(orders) != _SIZES[kind]:
        return f"a {kind} list has {_SIZES[kind]} orders, not {len(orders)}"
    return _chain_defect(order_list) or _parts_defect(kind, orders)


def _chain_defect(order_list: SubmitOrderList) -> str | None:
    first, *others = order_list.orders
    for index, order in enumerate(others, start=1):
        if order.parent_order_id != first.client_order_id or leg_index(order) != index:
            return f"order {index} of the list does not have the id that follows from the first"
    for order in order_list.orders:
        if not order.quantity.is_finite():
            return "a quantity of the list is not a number"
        if order.account_id != order_list.account_id:
            return "the orders of a list are of one account"
        if order.strategy_id != first.strategy_id:
            return "the orders of a list are of one strategy"
    return None


def _parts_defect(kind: OrderListKind, orders: Sequence[SubmitOrder]) -> str | None:
    match kind:
        case OrderListKind.MULTI_LEG:
            return _legs_defect(orders)
        case OrderListKind.OCO:
            return _exits_defect(kind, orders, orders[0])
        case OrderListKind.BRACKET | OrderListKind.OTO:
            entry, exits = orders[0], orders[1:]
            if any(order.side is entry.side for order in exits):
                return "the exits of a list are on the other side than its entry"
            return _exits_defect(kind, exits, entry)


def _exits_defect(
    kind: OrderListKind, exits: Sequence[SubmitOrder], model: SubmitOrder
) -> str | None:
    """Check exits against the entry, or in an OCO against the first of them."""
    for order in exits:
        if order.instrument_id != model.instrument_id:
            return "the orders of the list are in one instrument"
        if not order.quantity <= model.quantity:
            return "an exit is not larger than its entry"
        if order.time_in_force not in RESTING:
            return "exits wait for their price: DAY or GTC"
    if len(exits) == 1:
        waits = exits[0].order_type in STOPS or exits[0].order_type is OrderType.LIMIT
        return None if waits else "an exit is a LIMIT or a stop order"
    profit, loss = exits
    if profit.order_type is not OrderType.LIMIT or loss.order_type not in STOPS:
        return f"the exits of a {kind} list are a LIMIT and a stop order"
    if profit.quantity != loss.quantity or profit.side is not loss.side:
        return "two exits of which one cancels the other have one side and one quantity"
    return None


def _legs_defect(orders: Sequence[SubmitOrder]) -> str | None:
    if len({order.instrument_id for order in orders}) < len(orders):
        return "each leg is in another instrument"
    if any(order.order_type not in {OrderType.MARKET, OrderType.LIMIT} for order in orders):
        return "legs are MARKET or LIMIT orders"
    if any(order.price is not None for order in orders):
        return "legs have no price of their own; the list has one"
    return None
