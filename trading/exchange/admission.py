"""What the venue refuses before an order can trade. Pure checks; buying power has its own file."""

from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from trading.commands import ReplaceOrder, SubmitOrder
from trading.exchange.orders import (
    AUCTIONS,
    PRICED_TYPES,
    RESTING_TIMES,
    STOP_TYPES,
    VenueOrder,
)
from trading.instruments import Instrument
from trading.values import OrderType

MAX_NUMBER = Decimal(10) ** 12
"""Quantities and prices at or above this are refused: everything below is exact in the ledger."""


class VenueCode(StrEnum):
    """Why the venue says no. The words of `RefusalCode` are used where the meaning is the same."""

    DUPLICATE_CLIENT_ORDER_ID = "DUPLICATE_CLIENT_ORDER_ID"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    ORDER_CLOSED = "ORDER_CLOSED"
    UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    BAD_CLIENT_ORDER_ID = "BAD_CLIENT_ORDER_ID"
    BAD_QUANTITY = "BAD_QUANTITY"
    BAD_NOTIONAL = "BAD_NOTIONAL"
    BAD_TIME_IN_FORCE = "BAD_TIME_IN_FORCE"
    MARKET_CLOSED = "MARKET_CLOSED"
    BAD_PRICE = "BAD_PRICE"
    BAD_TRIGGER_PRICE = "BAD_TRIGGER_PRICE"
    BAD_TRAILING_OFFSET = "BAD_TRAILING_OFFSET"
    POST_ONLY_INVALID = "POST_ONLY_INVALID"
    POST_ONLY_WOULD_TRADE = "POST_ONLY_WOULD_TRADE"
    NO_MARKET = "NO_MARKET"
    INSUFFICIENT_CASH = "INSUFFICIENT_CASH"
    SHORT_NOT_ALLOWED = "SHORT_NOT_ALLOWED"
    BAD_LIST = "BAD_LIST"
    LIST_NOT_SUPPORTED = "LIST_NOT_SUPPORTED"


class Refusal(NamedTuple):
    """`reason` is one sentence for people."""

    code: VenueCode
    reason: str

    @property
    def details(self) -> dict[str, Any]:
        """The fields of the messages that carry a refusal."""
        return {"code": self.code.value, "reason": self.reason}


def check_terms(order: SubmitOrder, instrument: Instrument) -> Refusal | None:
    """Check the order by itself: numbers on the grid, and the fields that its type needs."""
    return (
        _check_client_order_id(order)
        or check_quantity(order.quantity, instrument)
        or _check_price(order, instrument)
        or _check_trigger(order, instrument)
        or _check_trailing(order, instrument)
        or _check_post_only(order)
        or _check_time(order)
    )


def check_quantity(quantity: Decimal, instrument: Instrument) -> Refusal | None:
    """Check for a positive whole number of lots, at least the instrument's minimum."""
    if not _on_grid(quantity, instrument.lot_size) or quantity < instrument.min_quantity:
        reason = (
            f"quantity {quantity} is not a whole number of lots of {instrument.lot_size}, "
            f"at least {instrument.min_quantity}"
        )
        return Refusal(VenueCode.BAD_QUANTITY, reason)
    return None


def check_replace(
    replace: ReplaceOrder, order: VenueOrder, instrument: Instrument
) -> Refusal | None:
    """Check a replacement against the order that it changes."""
    quantity = replace.quantity
    if quantity is not None:
        refusal = check_quantity(quantity, instrument)
        if refusal is not None:
            return refusal
        if quantity <= order.filled_qty:
            reason = f"quantity {quantity} is not above the filled {order.filled_qty}"
            return Refusal(VenueCode.BAD_QUANTITY, reason)
    if replace.price is not None:
        if order.price is None:
            return Refusal(VenueCode.BAD_PRICE, "the order has no limit price to change")
        if not _on_grid(replace.price, instrument.tick_size):
            return Refusal(VenueCode.BAD_PRICE, _off_tick(replace.price, instrument))
    if replace.trigger_price is not None:
        if not (order.is_waiting or order.is_held):
            reason = "the order does not wait for a trigger"
            return Refusal(VenueCode.BAD_TRIGGER_PRICE, reason)
        if not _on_grid(replace.trigger_price, instrument.tick_size):
            reason = _off_tick(replace.trigger_price, instrument)
            return Refusal(VenueCode.BAD_TRIGGER_PRICE, reason)
    return None


def _check_client_order_id(order: SubmitOrder) -> Refusal | None:
    if 0 < len(order.client_order_id) <= 64:
        return None
    return Refusal(VenueCode.BAD_CLIENT_ORDER_ID, "client_order_id must have 1 to 64 characters")


def _check_price(order: SubmitOrder, instrument: Instrument) -> Refusal | None:
    if order.order_type not in PRICED_TYPES:
        if order.price is None:
            return None
        return Refusal(VenueCode.BAD_PRICE, f"{order.order_type} takes no price")
    if order.price is None:
        return Refusal(VenueCode.BAD_PRICE, f"{order.order_type} needs a price")
    if not _on_grid(order.price, instrument.tick_size):
        return Refusal(VenueCode.BAD_PRICE, _off_tick(order.price, instrument))
    return None


def _check_trigger(order: SubmitOrder, instrument: Instrument) -> Refusal | None:
    is_trailing = order.order_type is OrderType.TRAILING_STOP_MARKET
    if order.trigger_price is None:
        if order.order_type not in STOP_TYPES or is_trailing:
            return None
        reason = f"{order.order_type} needs a trigger price"
        return Refusal(VenueCode.BAD_TRIGGER_PRICE, reason)
    if order.order_type not in STOP_TYPES:
        reason = f"{order.order_type} takes no trigger price"
        return Refusal(VenueCode.BAD_TRIGGER_PRICE, reason)
    if not _on_grid(order.trigger_price, instrument.tick_size):
        reason = _off_tick(order.trigger_price, instrument)
        return Refusal(VenueCode.BAD_TRIGGER_PRICE, reason)
    return None


def _check_trailing(order: SubmitOrder, instrument: Instrument) -> Refusal | None:
    code, offset = VenueCode.BAD_TRAILING_OFFSET, order.trailing_offset
    if order.order_type is not OrderType.TRAILING_STOP_MARKET:
        if offset is None:
            return None
        return Refusal(code, f"{order.order_type} takes no trailing offset")
    if offset is None:
        return Refusal(code, f"{order.order_type} needs a trailing offset")
    if not _on_grid(offset, instrument.tick_size):
        return Refusal(code, _off_tick(offset, instrument))
    return None


def _check_post_only(order: SubmitOrder) -> Refusal | None:
    may_rest = order.order_type is OrderType.LIMIT and order.time_in_force in RESTING_TIMES
    if not order.post_only or may_rest:
        return None
    reason = "post_only is for LIMIT orders with DAY or GTC"
    return Refusal(VenueCode.POST_ONLY_INVALID, reason)


def check_notional(quantity: Decimal, price: Decimal, instrument: Instrument) -> Refusal | None:
    """Check for the smallest value of an order."""
    value = quantity * price
    if value >= instrument.min_notional:
        return None
    reason = f"the value {value} is below the smallest of {instrument.min_notional}"
    return Refusal(VenueCode.BAD_NOTIONAL, reason)


def _check_time(order: SubmitOrder) -> Refusal | None:
    """Auctions take orders at the market or with a limit; around the session only limits trade."""
    time_in_force = order.time_in_force
    is_limit = order.order_type is OrderType.LIMIT
    if time_in_force in AUCTIONS and not (is_limit or order.order_type is OrderType.MARKET):
        reason = f"{time_in_force} is for MARKET and LIMIT orders"
        return Refusal(VenueCode.BAD_TIME_IN_FORCE, reason)
    if order.extended_hours and not (is_limit and time_in_force in RESTING_TIMES):
        reason = "extended hours are for LIMIT orders with DAY or GTC"
        return Refusal(VenueCode.BAD_TIME_IN_FORCE, reason)
    return None


def _on_grid(number: Decimal, step: Decimal) -> bool:
    return number.is_finite() and 0 < number < MAX_NUMBER and number % step == 0


def _off_tick(price: Decimal, instrument: Instrument) -> str:
    return f"{price} is not a positive multiple of the tick {instrument.tick_size}"
