"""What an ExecutionReport (8) means: an execution, a state of an order, or nothing new. Pure.

Whatever comes in, these functions return reports or raise `OutcomeUnknown`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

import msgspec

from actors.venues.fix.dialect import Dialect
from actors.venues.fix.instruments import InstrumentNames
from actors.venues.fix.messages import Fields, SentOrder
from actors.venues.fix.order_ids import foreign_id, ours_of
from actors.venues.fix.refusals import order_code
from trading.errors import OutcomeUnknown
from trading.identifiers import AccountId, ClientOrderId, TradeId, VenueOrderId
from trading.instruments import Instrument
from trading.refusals import RefusalCode
from trading.reports import FillReport, OrderStatusReport
from trading.values import (
    NANOS_PER_SECOND,
    ZERO,
    LiquiditySide,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)

_UTC_TIMESTAMP = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?", re.ASCII)
_NUMBER_MAX = Decimal(10) ** 15


class ExecType(StrEnum):
    """Values of ExecType (150) that mean more than the state of the order."""

    NEW = "0"
    CANCELED = "4"
    REPLACED = "5"
    PENDING_CANCEL = "6"
    REJECTED = "8"
    PENDING_NEW = "A"
    PENDING_REPLACE = "E"
    TRADE_CORRECT = "G"
    TRADE_CANCEL = "H"
    ORDER_STATUS = "I"


_STATUSES = {
    "0": OrderStatus.ACCEPTED,
    "1": OrderStatus.PARTIALLY_FILLED,
    "2": OrderStatus.FILLED,
    "4": OrderStatus.CANCELED,
    "8": OrderStatus.REJECTED,
    "C": OrderStatus.EXPIRED,
}
"""By OrdStatus (39). Of all others (pending, replaced, stopped, suspended) the quantities tell."""
_DONE_FOR_DAY = "3"
_NO_EXECUTION = "0"
"""ExecID (17) of a report on no execution."""
_SIDES = {"1": OrderSide.BUY, "2": OrderSide.SELL, "5": OrderSide.SELL, "6": OrderSide.SELL}
_TAKEN = {"1": LiquiditySide.MAKER, "2": LiquiditySide.TAKER}


class Reading(msgspec.Struct, frozen=True):
    """What one needs to know to read the messages of one session."""

    account_id: AccountId
    dialect: Dialect
    names: InstrumentNames


class Execution(msgspec.Struct, frozen=True):
    """One ExecutionReport.

    Attributes
    ----------
    exec_id, ref_id : str
        Of the execution, and of the earlier one that it takes back or corrects; empty: none.
    fill : FillReport or None
        Of a trade, and of a correction: with the corrected values.
    status : OrderStatusReport or None
        None when it would say something wrong about the order: a refused repetition of its id, a
        correction of an execution.
    sent : SentOrder
        What is known of the order from now on.
    """

    client_order_id: ClientOrderId
    exec_type: str
    exec_id: str
    ref_id: str
    fill: FillReport | None
    status: OrderStatusReport | None
    sent: SentOrder


def read_execution(
    fields: Fields, reading: Reading, known: SentOrder | None, now: int
) -> Execution:
    """Return what an ExecutionReport says.

    Parameters
    ----------
    known : SentOrder or None
        What was known of the order before.

    Raises
    ------
    OutcomeUnknown
        If it cannot be read.
    """
    rules = reading.dialect.ids
    order_id = fields.get(37, "")
    ours = known.client_order_id if known else ours_of(fields, rules) or foreign_id(order_id)
    if not order_id and known is None:
        raise OutcomeUnknown("the venue sent a report without OrderID (37)")
    kind = fields.get(150, "")
    instrument = _instrument(fields, reading, known)
    side = _SIDES.get(fields.get(54, "") or (known.side if known else ""))
    if side is None:
        raise OutcomeUnknown(f"the venue sent a report on {ours} without a side that we know")
    is_repetition = _is_repetition(fields, reading.dialect)
    before = known if is_repetition else None
    sent = before or _sent(fields, known, ours, instrument)
    is_fill = kind in reading.dialect.executions.fills or kind == ExecType.TRADE_CORRECT
    is_bust = kind == ExecType.TRADE_CANCEL
    silent = is_bust or kind == ExecType.TRADE_CORRECT or is_repetition
    return Execution(
        client_order_id=ours,
        exec_type=kind,
        exec_id=_execution_id(fields, 17, reading.dialect),
        ref_id=_execution_id(fields, 19, reading.dialect) if fields.get(19) else "",
        fill=_fill(fields, reading, sent, side, now) if is_fill else None,
        status=None if silent else _status(fields, reading, sent, side, now),
        sent=sent,
    )


def venue_time(text: str) -> tuple[int, int]:
    """Return a UTCTimestamp in ns, and the length (ns) of its last digit.

    Raises
    ------
    OutcomeUnknown
        If it is none.
    """
    found = _UTC_TIMESTAMP.fullmatch(text)
    if found is None:
        raise OutcomeUnknown(f"the venue sent a time that cannot be read: {text[:40]!r}")
    *parts, digits = found.groups(default="")
    try:
        at = datetime(*map(int, parts), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        raise OutcomeUnknown(f"the venue sent a time that is none: {text[:40]!r}") from None
    whole = int(at.timestamp()) * NANOS_PER_SECOND
    return whole + int(digits.ljust(9, "0")), 10 ** (9 - len(digits))


def decimal_of(fields: Fields, tag: int, default: Decimal | None = None) -> Decimal:
    """Return a number.

    Raises
    ------
    OutcomeUnknown
        If it is missing and has no default, or is no number that money can be counted with.
    """
    text = fields.get(tag, "")
    if not text and default is not None:
        return default
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or abs(value) >= _NUMBER_MAX:
        raise OutcomeUnknown(f"the venue sent {text[:40]!r} as the number of tag {tag}")
    return value


# -- parts


def _instrument(fields: Fields, reading: Reading, known: SentOrder | None) -> Instrument:
    """Return the instrument: that of the order when we know it, since symbols may be ambiguous."""
    if known is not None and fields.get(55, known.symbol) == known.symbol:
        found = reading.names.by_id.get(known.instrument_id)
        if found is not None:
            return found
    return reading.names.of(fields)


def _sent(
    fields: Fields, known: SentOrder | None, ours: ClientOrderId, instrument: Instrument
) -> SentOrder:
    kind, state = fields.get(150, ""), fields.get(39, "")
    is_request = kind in {ExecType.PENDING_CANCEL, ExecType.PENDING_REPLACE, ExecType.CANCELED}
    before = known or SentOrder(
        client_order_id=ours,
        cl_ord_id=fields.get(41, "") if is_request and fields.get(41) else fields.get(11, ""),
        instrument_id=instrument.instrument_id,
        symbol=fields.get(55, ""),
        side=fields.get(54, ""),
        quantity=fields.get(38, ""),
        order_type=fields.get(40, ""),
        time_in_force=fields.get(59, ""),
    )
    is_denied = kind == ExecType.REJECTED
    changed = {} if is_request or is_denied else _terms(fields)
    order_id = fields.get(37, "")
    if order_id and order_id.upper() not in {"NONE", "UNKNOWN"}:
        changed["order_id"] = order_id
    is_open = before.is_open and state not in {"2", "4", "C"} and not is_denied
    return msgspec.structs.replace(before, **changed, is_open=is_open)


def _terms(fields: Fields) -> dict[str, str]:
    """Return the terms of the order that the report repeats."""
    tags = {
        "cl_ord_id": 11,
        "quantity": 38,
        "order_type": 40,
        "time_in_force": 59,
        "price": 44,
        "trigger_price": 99,
    }
    return {name: fields[tag] for name, tag in tags.items() if fields.get(tag)}


def _is_repetition(fields: Fields, dialect: Dialect) -> bool:
    """Say whether the venue refused an id that it has: the order with that id is not rejected."""
    is_rejected = fields.get(150) == ExecType.REJECTED
    return is_rejected and order_code(fields, dialect) == RefusalCode.DUPLICATE_CLIENT_ORDER_ID


def _execution_id(fields: Fields, tag: int, dialect: Dialect) -> str:
    """Return ExecID or ExecRefID, with the day where the venue numbers executions anew every day."""
    key = fields.get(tag, "")
    if key == _NO_EXECUTION:
        return ""
    if dialect.ids.execution_ids == "for_ever" or not key:
        return key
    return f"{fields.get(75) or fields.get(60, '')[:8]}-{key}"


def _time(fields: Fields) -> int:
    text = fields.get(60) or fields.get(52, "")
    return venue_time(text)[0] if text else 0


def _fill(
    fields: Fields, reading: Reading, sent: SentOrder, side: OrderSide, now: int
) -> FillReport:
    trade_id = _execution_id(fields, 17, reading.dialect)
    if not trade_id:
        raise OutcomeUnknown(f"the venue sent an execution of {sent.client_order_id} without an id")
    quantity, price = decimal_of(fields, 32), decimal_of(fields, 31)
    if quantity <= 0 or price <= 0:
        raise OutcomeUnknown(f"the venue sent execution {trade_id}: {quantity} at {price}")
    instrument = reading.names.by_id.get(sent.instrument_id)
    return FillReport(
        ts_event=_time(fields),
        ts_init=now,
        account_id=reading.account_id,
        client_order_id=sent.client_order_id,
        venue_order_id=VenueOrderId(sent.order_id),
        trade_id=TradeId(trade_id),
        instrument_id=sent.instrument_id,
        side=side,
        last_qty=quantity,
        last_px=price,
        commission=_commission(fields, reading.dialect, quantity, price),
        currency=fields.get(15) or (instrument.currency if instrument else "USD"),
        liquidity_side=_TAKEN.get(fields.get(851, ""), LiquiditySide.TAKER),
    )


def _commission(fields: Fields, dialect: Dialect, quantity: Decimal, price: Decimal) -> Decimal:
    """Return Commission (12) in money; CommType (13): 1 per unit, 2 percent, else absolute."""
    if dialect.executions.commission == "none":
        return ZERO
    amount = decimal_of(fields, 12, ZERO)
    match fields.get(13):
        case "1":
            return amount * quantity
        case "2":
            return amount * quantity * price / 100
        case _:
            return amount


def _status(
    fields: Fields, reading: Reading, sent: SentOrder, side: OrderSide, now: int
) -> OrderStatusReport | None:
    filled = decimal_of(fields, 14, ZERO)
    leaves = decimal_of(fields, 151, ZERO)
    if fields.get(150) == ExecType.PENDING_NEW and filled == 0:
        return None  # received, neither taken nor refused yet
    quantity = decimal_of({38: sent.quantity}, 38, filled + leaves)
    if min(filled, quantity) < 0:
        raise OutcomeUnknown(f"the venue sent a report on {sent.client_order_id} below zero")
    dialect = reading.dialect
    status = _order_status(fields, sent, filled, dialect)
    is_rejected = status is OrderStatus.REJECTED
    return OrderStatusReport(
        ts_event=_time(fields),
        ts_init=now,
        account_id=reading.account_id,
        client_order_id=sent.client_order_id,
        venue_order_id=VenueOrderId(sent.order_id),
        instrument_id=sent.instrument_id,
        side=side,
        order_type=_code(sent.order_type, dialect.order_types, _order_type(sent)),
        time_in_force=_code(sent.time_in_force, dialect.times_in_force, TimeInForce.DAY),
        status=status,
        quantity=quantity,
        filled_qty=filled,
        price=_price(sent.price),
        trigger_price=_price(sent.trigger_price),
        code=order_code(fields, dialect) if is_rejected else "",
        reason=fields.get(58, ""),
    )


def _order_status(
    fields: Fields, sent: SentOrder, filled: Decimal, dialect: Dialect
) -> OrderStatus:
    state = fields.get(39, "")
    if state == _DONE_FOR_DAY and sent.time_in_force == dialect.times_in_force.get(TimeInForce.DAY):
        return OrderStatus.EXPIRED
    working = OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.ACCEPTED
    return _STATUSES.get(state, working)


def _order_type(sent: SentOrder) -> OrderType:
    return OrderType.LIMIT if sent.price else OrderType.MARKET


def _price(text: str) -> Decimal | None:
    price = decimal_of({44: text}, 44, ZERO)
    return price if price > 0 else None


_C = TypeVar("_C", OrderType, TimeInForce)


def _code(text: str, codes: Mapping[_C, str], default: _C) -> _C:
    return next((kind for kind, code in codes.items() if code == text), default)
