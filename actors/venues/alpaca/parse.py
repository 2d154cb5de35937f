"""What Alpaca's messages mean to us. Pure: a report, None, or `OutcomeUnknown`; nothing else escapes."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar

import msgspec

from actors.venues.alpaca.messages import Account, Activity, Order, Position, TradeUpdate
from actors.venues.alpaca.wire import moment, number, quotient, required
from trading.errors import OutcomeUnknown
from trading.identifiers import AccountId, ClientOrderId, TradeId, VenueOrderId
from trading.instruments import Instrument
from trading.reports import AccountReport, FillReport, OrderStatusReport, PositionReport
from trading.values import ZERO, OrderSide, OrderStatus, OrderType, TimeInForce

SIDES: Mapping[str, OrderSide] = MappingProxyType(
    {"buy": OrderSide.BUY, "sell": OrderSide.SELL, "sell_short": OrderSide.SELL}
)
TYPES: Mapping[str, OrderType] = MappingProxyType(
    {
        "market": OrderType.MARKET,
        "limit": OrderType.LIMIT,
        "stop": OrderType.STOP_MARKET,
        "stop_limit": OrderType.STOP_LIMIT,
        "trailing_stop": OrderType.TRAILING_STOP_MARKET,
    }
)
_WORKING = frozenset(
    [
        "new",
        "accepted",
        "pending_new",
        "accepted_for_bidding",
        "held",
        "pending_cancel",
        "pending_replace",
        "pending_review",
        "stopped",
        "suspended",
        "calculated",
        "done_for_day",
        "partially_filled",
    ]
)
_CLOSED = {
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
REPLACED = "replaced"
_T = TypeVar("_T")


class Subject(msgspec.Struct, frozen=True):
    """What a report is about, as far as the message itself does not say it in our words.

    Attributes
    ----------
    now : int
        Host time (ns UTC).
    """

    account_id: AccountId
    client_order_id: ClientOrderId
    instrument: Instrument
    now: int


def is_working(order: Order) -> bool:
    """Say whether the order may still trade."""
    return order.status in _WORKING


def is_replaced(order: Order) -> bool:
    """Say whether another order took the place of this one."""
    return order.status == REPLACED and bool(order.replaced_by)


def is_failed_replacement(order: Order) -> bool:
    """Say whether the order should have taken another one's place, and was refused at the exchange."""
    return order.status == "rejected" and bool(order.replaces)


def order_report(order: Order, subject: Subject, *, reason: str = "") -> OrderStatusReport:
    """Return the state of one order.

    Raises
    ------
    OutcomeUnknown
        If a field is missing or its value unknown.
    """
    units = subject.instrument.multiplier
    filled = (number(order.filled_qty) or ZERO) * units
    ordered = number(order.qty)  # of an order by value it is not known
    quantity = filled if ordered is None else ordered * units
    status = _status(order, quantity, filled)
    return OrderStatusReport(
        ts_event=moment(order.updated_at or order.submitted_at) or subject.now,
        ts_init=subject.now,
        account_id=subject.account_id,
        client_order_id=subject.client_order_id,
        venue_order_id=VenueOrderId(order.id),
        instrument_id=subject.instrument.instrument_id,
        side=_side(order.side),
        order_type=_looked_up(TYPES, order.type or "market", "order type"),
        time_in_force=_time_in_force(order.time_in_force or "day"),
        status=status,
        quantity=quantity,
        filled_qty=filled,
        price=number(order.limit_price),
        trigger_price=number(order.stop_price),
        code=order.status if status is OrderStatus.REJECTED else "",
        reason=reason or (f"Alpaca: {order.status}" if order.status in _CLOSED else ""),
    )


def update_fill(update: TradeUpdate, subject: Subject) -> FillReport | None:
    """Return the execution in an update; None when it is about none, or does not name it."""
    if update.event not in {"fill", "partial_fill"} or not update.execution_id:
        return None
    return _fill(
        subject,
        order_id=update.order.id,
        trade_id=update.execution_id,
        side=_side(update.order.side),
        numbers=(required(update.qty, "qty"), required(update.price, "price")),
        ts_event=moment(update.timestamp) or subject.now,
    )


def activity_fill(activity: Activity, subject: Subject) -> FillReport:
    """Return the execution in an activity of type FILL.

    Raises
    ------
    OutcomeUnknown
        If a field is missing or its value unknown.
    """
    return _fill(
        subject,
        order_id=activity.order_id or "",
        trade_id=execution_id(activity),
        side=_side(activity.side),
        numbers=(required(activity.qty, "qty"), required(activity.price, "price")),
        ts_event=moment(activity.transaction_time) or subject.now,
    )


def coin_fee(activity: Activity, subject: Subject) -> FillReport | None:
    """Return coins that the venue took as its fee, as a sale of them at price zero; None when it took none.

    The venue posts fees in coins later than the fills and does not say for which one. As a fill of its own the
    position is right however late the posting comes, and its cost is the fee.
    """
    quantity = number(activity.qty) or ZERO
    if quantity >= 0:
        return None
    return _fill(
        subject,
        order_id=activity.id,
        trade_id=execution_id(activity),
        side=OrderSide.SELL,
        numbers=(-quantity, ZERO),
        ts_event=moment(activity.transaction_time or f"{activity.date}T00:00:00Z"),
    )


def execution_id(activity: Activity) -> str:
    """Return what the stream calls `execution_id`: the part of the activity's id behind its time."""
    return activity.id.rpartition("::")[2] or activity.id


def position_report(position: Position, account_id: AccountId, held: Instrument) -> PositionReport:
    """Return one position in units; short is negative, however the venue signs it."""
    units = abs(required(position.qty, "qty")) * held.multiplier
    return PositionReport(
        account_id=account_id,
        instrument_id=held.instrument_id,
        quantity=-units if position.side == "short" or _is_negative(position) else units,
        avg_px=quotient(position.avg_entry_price) or ZERO,
    )


def account_report(account: Account, account_id: AccountId, now: int) -> AccountReport:
    """Return the cash of the account."""
    cash = required(account.cash, "cash")
    return AccountReport(
        ts_event=now,
        ts_init=now,
        account_id=account_id,
        cash=cash,
        currency=account.currency,
        equity=quotient(account.equity),
        buying_power=quotient(account.buying_power),
        balances=((account.currency, cash),),
    )


def _fill(
    subject: Subject,
    *,
    order_id: str,
    trade_id: str,
    side: OrderSide,
    numbers: tuple[Decimal, Decimal],
    ts_event: int,
) -> FillReport:
    quantity, price = numbers
    instrument = subject.instrument
    return FillReport(
        ts_event=ts_event,
        ts_init=subject.now,
        account_id=subject.account_id,
        client_order_id=subject.client_order_id,
        venue_order_id=VenueOrderId(order_id),
        trade_id=TradeId(trade_id),
        instrument_id=instrument.instrument_id,
        side=side,
        last_qty=quantity * instrument.multiplier,
        last_px=price,
        commission=ZERO,
        currency=instrument.currency,
    )


def _status(order: Order, quantity: Decimal, filled: Decimal) -> OrderStatus:
    closed = _CLOSED.get(order.status)
    if closed is not None:
        return closed
    if order.status not in _WORKING and order.status != REPLACED:
        raise OutcomeUnknown(f"order {order.id} has the unknown status {order.status[:50]!r}")
    if filled >= quantity > 0:
        return OrderStatus.FILLED
    return OrderStatus.PARTIALLY_FILLED if filled > 0 else OrderStatus.ACCEPTED


def _side(text: str | None) -> OrderSide:
    return _looked_up(SIDES, text or "", "side")


def _time_in_force(text: str) -> TimeInForce:
    try:
        return TimeInForce(text.upper())
    except ValueError as error:
        raise OutcomeUnknown(f"unknown time in force {text[:50]!r}") from error


def _is_negative(position: Position) -> bool:
    return required(position.qty, "qty") < 0


def _looked_up(table: Mapping[str, _T], key: str, what: str) -> _T:
    found = table.get(key)
    if found is None:
        raise OutcomeUnknown(f"unknown {what} {key[:50]!r}")
    return found
