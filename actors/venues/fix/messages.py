"""FIX messages as `tag -> value`, and the ones that we send. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from actors.venues.fix.dialect import Dialect
from actors.venues.fix.order_ids import order_id
from trading.commands import ReplaceOrder, SubmitOrder
from trading.errors import OutcomeUnknown, VenueRefused
from trading.identifiers import ClientOrderId, InstrumentId, symbol_of
from trading.instruments import Instrument
from trading.values import OrderSide

SOH = "\x01"
Fields = Mapping[int, str]
"""The first value of each tag; groups are read by `repeated`."""
_TAG_DIGITS = 6
ALL_ORDERS = "7"
"""Of MassCancelRequestType (530) and MassStatusReqType (585)."""


class MsgType(StrEnum):
    """Values of MsgType (35)."""

    HEARTBEAT = "0"
    TEST_REQUEST = "1"
    REJECT = "3"
    LOGOUT = "5"
    EXECUTION_REPORT = "8"
    CANCEL_REJECT = "9"
    LOGON = "A"
    NEW_ORDER = "D"
    CANCEL = "F"
    REPLACE = "G"
    ORDER_STATUS = "H"
    MASS_STATUS = "AF"
    MASS_CANCEL = "q"
    MASS_CANCEL_REPORT = "r"
    BUSINESS_REJECT = "j"
    REQUEST_FOR_POSITIONS = "AN"
    POSITION_REPORT = "AP"
    POSITIONS_ACK = "AO"
    COLLATERAL_INQUIRY = "BB"
    COLLATERAL_REPORT = "BA"


class SentOrder(msgspec.Struct, frozen=True, array_like=True):
    """What later messages about an order have to repeat.

    Attributes
    ----------
    cl_ord_id : str
        The id by which the venue knows the order now.
    order_id : str
        The venue's own id (37); empty when not known.
    """

    client_order_id: ClientOrderId
    cl_ord_id: str
    instrument_id: InstrumentId
    symbol: str
    side: str
    quantity: str
    order_type: str
    time_in_force: str
    price: str = ""
    trigger_price: str = ""
    order_id: str = ""
    is_open: bool = True


def parse_fields(text: str) -> dict[int, str]:
    """Return the fields of a message; of a repeated tag the first one.

    Raises
    ------
    OutcomeUnknown
        If it is no FIX message.
    """
    fields: dict[int, str] = {}
    for part in text.split(SOH):
        tag, equals, value = part.partition("=")
        if equals and tag.isascii() and tag.isdigit() and len(tag) <= _TAG_DIGITS:
            fields.setdefault(int(tag), value)
    if 35 not in fields:
        raise OutcomeUnknown("the venue sent a message that is not FIX")
    return fields


def message_text(kind: MsgType, fields: Fields) -> str:
    """Return a message for the engine, which puts length, checksum and the rest of the header right.

    Raises
    ------
    VenueRefused
        If a value holds the character that ends a field: it would become a field of its own.
    """
    parts = [
        "8=FIX.4.4",
        "9=0",
        f"35={kind}",
        *(f"{tag}={fields[tag]}" for tag in fields),
        "10=000",
        "",
    ]
    text = SOH.join(parts)
    if text.count(SOH) != len(parts) - 1:
        raise VenueRefused("BAD_VALUE", "a value of the message holds the character 0x01")
    return text


def repeated(text: str, tag: int) -> tuple[str, ...]:
    """Return all values of a tag, in the order in which they came."""
    start = f"{tag}="
    return tuple(p.removeprefix(start) for p in text.split(SOH) if p.startswith(start))


def utc_timestamp(ns: int) -> str:
    """Return a UTCTimestamp with milliseconds."""
    at = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{at:%Y%m%d-%H:%M:%S}.{ns // 1_000_000 % 1000:03d}"


def number_text(value: Decimal) -> str:
    return f"{value:f}"


# -- what we send: (tag, value) pairs, without the header


def new_order(
    order: SubmitOrder, instrument: Instrument, now: int, account: str, dialect: Dialect
) -> Fields:
    """Return a NewOrderSingle (D)."""
    fields = {
        11: order_id(order.client_order_id, dialect.ids),
        **_instrument(instrument, dialect),
        54: "1" if order.side is OrderSide.BUY else "2",
        60: utc_timestamp(now),
        38: number_text(order.quantity),
        40: dialect.order_types[order.order_type],
        59: dialect.times_in_force[order.time_in_force],
        **_prices(order.price, order.trigger_price),
        **_account(account),
        **_echo(order.client_order_id, dialect),
        **dialect.tags.order,
    }
    if order.post_only:
        fields[18] = dialect.orders.post_only
    return fields


def sent_order(order: SubmitOrder, fields: Fields) -> SentOrder:
    """Return what is to be remembered of a NewOrderSingle."""
    return SentOrder(
        client_order_id=order.client_order_id,
        cl_ord_id=fields[11],
        instrument_id=order.instrument_id,
        symbol=fields[55],
        side=fields[54],
        quantity=fields[38],
        order_type=fields[40],
        time_in_force=fields[59],
        price=fields.get(44, ""),
        trigger_price=fields.get(99, ""),
    )


def cancel_order(
    sent: SentOrder, cl_ord_id: str, now: int, account: str, dialect: Dialect
) -> Fields:
    """Return an OrderCancelRequest (F)."""
    return {
        **_about(sent, cl_ord_id, now, account, dialect),
        38: sent.quantity,
        **dialect.tags.cancel,
    }


def replace_order(
    sent: SentOrder, replace: ReplaceOrder, cl_ord_id: str, now: int, account: str, dialect: Dialect
) -> Fields:
    """Return an OrderCancelReplaceRequest (G): the whole order as it shall be."""
    price = sent.price if replace.price is None else number_text(replace.price)
    trigger = sent.trigger_price
    if replace.trigger_price is not None:
        trigger = number_text(replace.trigger_price)
    quantity = sent.quantity if replace.quantity is None else number_text(replace.quantity)
    fields = {
        **_about(sent, cl_ord_id, now, account, dialect),
        38: quantity,
        40: sent.order_type,
        59: sent.time_in_force,
        **dialect.tags.replace,
    }
    return {**fields, **({44: price} if price else {}), **({99: trigger} if trigger else {})}


def order_status(
    client_order_id: ClientOrderId,
    sent: SentOrder | None,
    request: str,
    account: str,
    dialect: Dialect,
) -> Fields:
    """Return an OrderStatusRequest (H); of an order that we remember nothing of, the id alone."""
    known = {790: request, **_account(account)}
    if sent is None:
        return {11: order_id(client_order_id, dialect.ids), **known}
    named = {11: sent.cl_ord_id, 55: sent.symbol, 54: sent.side, **known}
    return {**named, 37: sent.order_id} if sent.order_id else named


def mass_status(request: str) -> Fields:
    """Return an OrderMassStatusRequest (AF) for all orders."""
    return {584: request, 585: ALL_ORDERS}


def mass_cancel(request: str, now: int) -> Fields:
    """Return an OrderMassCancelRequest (q) for all orders."""
    return {11: request, 530: ALL_ORDERS, 60: utc_timestamp(now)}


def request_for_positions(request: str, account: str, now: int) -> Fields:
    """Return a RequestForPositions (AN)."""
    stamp = utc_timestamp(now)
    return {710: request, 724: "0", 1: account, 581: "1", 715: stamp[:8], 60: stamp}


def collateral_inquiry(request: str, account: str) -> Fields:
    """Return a CollateralInquiry (BB)."""
    return {909: request, 896: "0", 1: account}


def _instrument(instrument: Instrument, dialect: Dialect) -> dict[int, str]:
    symbol = instrument.venue_symbol or symbol_of(instrument.instrument_id)
    tag = dialect.symbols.exchange_tag
    if not tag:
        return {55: symbol}
    mic = instrument.instrument_id.rpartition(".")[2]
    return {55: symbol, tag: dialect.symbols.exchanges.get(mic, mic)}


def _prices(price: Decimal | None, trigger_price: Decimal | None) -> dict[int, str]:
    fields = {} if price is None else {44: number_text(price)}
    return fields if trigger_price is None else {**fields, 99: number_text(trigger_price)}


def _about(
    sent: SentOrder, cl_ord_id: str, now: int, account: str, dialect: Dialect
) -> dict[int, str]:
    fields = {
        41: sent.cl_ord_id,
        11: cl_ord_id,
        55: sent.symbol,
        54: sent.side,
        60: utc_timestamp(now),
        **_account(account),
        **_echo(sent.client_order_id, dialect),
    }
    return {**fields, 37: sent.order_id} if sent.order_id else fields


def _account(account: str) -> dict[int, str]:
    return {1: account} if account else {}


def _echo(client_order_id: ClientOrderId, dialect: Dialect) -> dict[int, str]:
    return {dialect.ids.echo_tag: client_order_id} if dialect.ids.echo_tag else {}
