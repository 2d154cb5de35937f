"""From our orders to IB's: pure. Units become contracts here."""

from decimal import Decimal
from typing import Any

from actors.venues.ib.messages import OpenOrder
from trading.commands import ReplaceOrder, SubmitOrder
from trading.errors import VenueRefused
from trading.instruments import Instrument
from trading.values import OrderType, TimeInForce

OCA_REDUCE_WITH_BLOCK = 2
"""A fill makes the other orders of the group smaller, one at a time, so that both can never fill."""

_TYPES = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP_MARKET: "STP",
    OrderType.STOP_LIMIT: "STP LMT",
    OrderType.TRAILING_STOP_MARKET: "TRAIL",
}
_CLOSING_TYPES = {OrderType.MARKET: "MOC", OrderType.LIMIT: "LOC"}

Terms = dict[str, Any]
"""Fields of `ib_async.Order`; numbers as text, so that they travel as they are."""


def order_terms(order: SubmitOrder, instrument: Instrument, account: str) -> Terms:
    """Return what TWS is to be told of a new order.

    Raises
    ------
    VenueRefused
        If the quantity is not a whole number of contracts.
    """
    is_closing = order.time_in_force is TimeInForce.CLS
    kinds = _CLOSING_TYPES if is_closing else _TYPES
    terms: Terms = {
        "action": str(order.side),
        "totalQuantity": _text(contracts(order.quantity, instrument)),
        "orderType": kinds[order.order_type],
        "tif": "DAY" if is_closing else str(order.time_in_force),
        "account": account,
        "orderRef": order.client_order_id,
        "outsideRth": order.extended_hours,
    }
    if order.price is not None:
        terms["lmtPrice"] = _text(order.price)
    if order.order_type is OrderType.TRAILING_STOP_MARKET:
        if order.trailing_offset is None:
            raise VenueRefused("BAD_TRAILING_OFFSET", "a trailing stop needs a trailing offset")
        terms["auxPrice"] = _text(order.trailing_offset)
        if order.trigger_price is not None:
            terms["trailStopPrice"] = _text(order.trigger_price)
    elif order.trigger_price is not None:
        terms["auxPrice"] = _text(order.trigger_price)
    return terms


def changed_terms(order: OpenOrder, replace: ReplaceOrder, instrument: Instrument) -> Terms:
    """Return what TWS is to be told so that a working order changes: all of it, with the new values."""
    quantity = order.quantity
    if replace.quantity is not None:
        quantity = contracts(replace.quantity, instrument)
    price = order.limit_price if replace.price is None else replace.price
    is_trailing = order.order_type.startswith("TRAIL")
    aux_price, trail_stop = order.aux_price, order.trail_stop_price
    if replace.trigger_price is not None and is_trailing:
        trail_stop = replace.trigger_price
    elif replace.trigger_price is not None:
        aux_price = replace.trigger_price
    terms: Terms = {
        "action": order.action,
        "totalQuantity": _text(quantity),
        "orderType": order.order_type,
        "tif": order.tif,
        "account": order.account,
        "orderRef": order.order_ref,
        "outsideRth": order.outside_rth,
        "ocaGroup": order.oca_group,
        "ocaType": order.oca_type,
        "parentId": order.parent_id,
    }
    has_limit = order.order_type in ("LMT", "LOC", "STP LMT", "LIT", "TRAIL LIMIT")
    if has_limit and price is not None:
        terms["lmtPrice"] = _text(price)
    if aux_price is not None and order.order_type not in ("MKT", "LMT", "MOC", "LOC"):
        terms["auxPrice"] = _text(aux_price)
    if is_trailing and trail_stop is not None:
        terms["trailStopPrice"] = _text(trail_stop)
    return terms


def contracts(units: Decimal, instrument: Instrument) -> Decimal:
    """Return a quantity in IB's contracts.

    Raises
    ------
    VenueRefused
        If it is not a whole number of them.
    """
    count = units / instrument.multiplier
    if count % 1 or count <= 0:
        reason = f"{units} is not a whole number of contracts of {instrument.multiplier} units"
        raise VenueRefused("BAD_QUANTITY", reason)
    return count


def _text(number: Decimal) -> str:
    return format(number, "f")
