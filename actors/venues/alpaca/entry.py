"""What is sent for our orders: the bodies of requests, with every number as text. Pure."""

from decimal import Decimal
from functools import reduce
from math import gcd
from typing import Any

from actors.venues.alpaca.capabilities import CAPABILITIES
from actors.venues.alpaca.instruments import venue_symbol
from trading.capabilities import unsupported, unsupported_list
from trading.commands import ReplaceOrder, SubmitOrder, SubmitOrderList
from trading.errors import VenueRefused
from trading.instruments import Instrument
from trading.values import OrderListKind, OrderSide, OrderType

UNSUPPORTED = "UNSUPPORTED"
_TYPES = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP_MARKET: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
    OrderType.TRAILING_STOP_MARKET: "trailing_stop",
}
_STOPS = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT})


def order_body(order: SubmitOrder, instrument: Instrument) -> dict[str, Any]:
    """Return the body that asks for one order.

    Raises
    ------
    VenueRefused
        If the venue does not offer something about it; nothing was sent.
    """
    why_not = unsupported(order, instrument, CAPABILITIES)
    if why_not is not None:
        raise VenueRefused(UNSUPPORTED, why_not)
    body = {
        "symbol": venue_symbol(instrument),
        "qty": contracts(order.quantity, instrument),
        "side": _side(order.side),
        "type": _TYPES[order.order_type],
        "time_in_force": order.time_in_force.lower(),
        "client_order_id": order.client_order_id,
    }
    prices = {
        "limit_price": order.price,
        "stop_price": order.trigger_price,
        "trail_price": order.trailing_offset,
    }
    if order.order_type is OrderType.TRAILING_STOP_MARKET:
        del prices["stop_price"]  # the venue begins at the market
    body |= {name: plain(price) for name, price in prices.items() if price is not None}
    return {**body, "extended_hours": True} if order.extended_hours else body


def list_body(order_list: SubmitOrderList, instruments: list[Instrument]) -> dict[str, Any]:
    """Return the body that asks for a list; raises `VenueRefused` as `order_body` does.

    Parameters
    ----------
    instruments : list of Instrument
        Of the orders, in their order.
    """
    why_not = unsupported_list(order_list, instruments[0], CAPABILITIES)
    if why_not is not None:
        raise VenueRefused(UNSUPPORTED, why_not)
    if order_list.kind is OrderListKind.MULTI_LEG:
        return _multi_leg_body(order_list, instruments)
    entry, exits = order_list.orders[0], order_list.orders[1:]
    if order_list.kind is OrderListKind.OCO:
        exits = order_list.orders
    _check_exits(order_list, instruments[0])
    body = order_body(entry, instruments[0])
    body["order_class"] = order_list.kind.lower()
    if order_list.kind is OrderListKind.OCO:
        del body["limit_price"]  # it stands in the take profit
    for exit_order in exits:
        if exit_order.order_type is OrderType.LIMIT:
            body["take_profit"] = {"limit_price": _text(exit_order.price)}
        else:
            body["stop_loss"] = _stop_loss(exit_order)
    return body


def replace_body(replace: ReplaceOrder, instrument: Instrument, new_id: str) -> dict[str, Any]:
    """Return the body that changes an order; fields that stay are left out."""
    body: dict[str, Any] = {"client_order_id": new_id}
    if replace.quantity is not None:
        body["qty"] = contracts(replace.quantity, instrument)
    if replace.price is not None:
        body["limit_price"] = plain(replace.price)
    if replace.trigger_price is not None:
        body["stop_price"] = plain(replace.trigger_price)
    return body


def contracts(quantity: Decimal, instrument: Instrument) -> str:
    """Return units as the venue counts them.

    Raises
    ------
    VenueRefused
        If it is no whole number of contracts of an option.
    """
    count, rest = divmod(quantity, instrument.multiplier)
    if instrument.multiplier == 1:
        return plain(quantity)
    if rest:
        reason = f"{quantity} units are no whole contracts of {instrument.multiplier}"
        raise VenueRefused(UNSUPPORTED, reason)
    return plain(count)


def plain(number: Decimal) -> str:
    """Return a number without exponent."""
    return f"{number:f}"


def _text(price: Decimal | None) -> str:
    if price is None:
        raise VenueRefused(UNSUPPORTED, "an exit of a list needs its price")
    return plain(price)


def _stop_loss(order: SubmitOrder) -> dict[str, str]:
    body = {"stop_price": _text(order.trigger_price)}
    if order.order_type is OrderType.STOP_LIMIT:
        body["limit_price"] = _text(order.price)
    return body


def _check_exits(order_list: SubmitOrderList, instrument: Instrument) -> None:
    """The venue gives exits the quantity and the instrument of the entry; other ones cannot be said to it."""
    first = order_list.orders[0]
    exits = order_list.orders if order_list.kind is OrderListKind.OCO else order_list.orders[1:]
    limits = [order for order in exits if order.order_type is OrderType.LIMIT]
    stops = [order for order in exits if order.order_type in _STOPS]
    wanted = 1 if order_list.kind is OrderListKind.OTO else 2
    if len(exits) != wanted or len(limits) > 1 or len(stops) > 1 or len(limits + stops) != wanted:
        reason = f"{order_list.kind} takes {wanted} exits, at most one limit and one stop"
        raise VenueRefused(UNSUPPORTED, reason)
    same = (first.quantity, first.instrument_id)
    if any((order.quantity, order.instrument_id) != same for order in exits):
        raise VenueRefused(
            UNSUPPORTED, f"exits have the quantity of the first order ({instrument.instrument_id})"
        )


def _multi_leg_body(order_list: SubmitOrderList, instruments: list[Instrument]) -> dict[str, Any]:
    counts = [
        int(contracts(order.quantity, instrument))
        for order, instrument in zip(order_list.orders, instruments, strict=True)
    ]
    times = reduce(gcd, counts)
    first = order_list.orders[0]
    body = {
        "order_class": "mleg",
        "qty": str(times),
        "type": "market" if order_list.net_price is None else "limit",
        "time_in_force": first.time_in_force.lower(),
        "client_order_id": first.client_order_id,
        "legs": [
            {
                "symbol": venue_symbol(instrument),
                "ratio_qty": str(count // times),
                "side": _side(order.side),
            }
            for order, instrument, count in zip(order_list.orders, instruments, counts, strict=True)
        ],
    }
    if order_list.net_price is None:
        return body
    return {**body, "limit_price": plain(order_list.net_price)}


def _side(side: OrderSide) -> str:
    return side.lower()
