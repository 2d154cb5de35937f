"""From the orders and executions of ccxt to our reports, and from its times to ours. Pure.

Whatever comes in, a function here returns a report or None, or raises `OutcomeUnknown`; nothing else.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from actors.venues.ccxt.dialects import Dialect
from actors.venues.ccxt.instruments import Terms
from actors.venues.ccxt.order_ids import read
from trading.errors import OutcomeUnknown
from trading.identifiers import AccountId, ClientOrderId, TradeId, VenueOrderId
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

FLOAT_DIGITS_MAX = 15
"""A float of more significant digits may not be the number that was sent."""
NANOS_PER_MS = 1_000_000
_STATUSES = {
    **dict.fromkeys(("open", "new", "pending", "triggered", "canceling"), OrderStatus.ACCEPTED),
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
_TIMES = {time.value: time for time in TimeInForce}
_SIDES = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}
_REASONS = ("rejectReason", "cancel_reason", "reason", "r")
_P = ParamSpec("_P")
_T = TypeVar("_T")


def _contained(parse: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let nothing out but `OutcomeUnknown`."""

    @wraps(parse)
    def contained(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return parse(*args, **kwargs)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise OutcomeUnknown(f"the exchange's answer cannot be read: {error!r}") from None

    return contained


def exact(value: Any) -> Decimal | None:
    """Return a number as it was sent; None for none.

    Raises
    ------
    OutcomeUnknown
        If it is not finite, no number, or a float that may have lost digits.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise OutcomeUnknown(f"not a number: {value!r}")
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except (ArithmeticError, ValueError):
        raise OutcomeUnknown(f"not a number: {value!r}") from None
    if not number.is_finite():
        raise OutcomeUnknown(f"not a finite number: {value!r}")
    if isinstance(value, float) and len(number.as_tuple().digits) > FLOAT_DIGITS_MAX:
        raise OutcomeUnknown(f"a number with too many digits to be exact: {value!r}")
    return number


@_contained
def order_report(
    order: Mapping[str, Any],
    terms: Terms,
    account_id: AccountId,
    dialect: Dialect,
    known: OrderStatusReport | None = None,
) -> OrderStatusReport | None:
    """Return the state of an order.

    Parameters
    ----------
    order : mapping
        As ccxt describes it; `info` is what the exchange sent.
    known : OrderStatusReport or None
        What was known before: some exchanges tell changes only.

    Returns
    -------
    OrderStatusReport or None
        None when it says too little and nothing is known.
    """
    order_id = _text(order.get("id"))
    side = _SIDES.get(str(order.get("side")), known.side if known else None)
    quantity = _units(_field(order, "amount", dialect), terms)
    if quantity is None and known is not None:
        quantity = known.quantity
    if not order_id or side is None or quantity is None or quantity <= 0:
        return None
    filled = _units(_field(order, "filled", dialect), terms)
    if filled is None:
        filled = known.filled_qty if known else ZERO
    kind = _order_type(order) or (known.order_type if known else OrderType.MARKET)
    trigger = _trigger(order) or (known.trigger_price if known else None)
    return OrderStatusReport(
        ts_event=_time(order, "lastUpdateTimestamp", "lastTradeTimestamp", "timestamp"),
        account_id=account_id,
        client_order_id=_client_id(order, order_id, dialect, known),
        venue_order_id=VenueOrderId(order_id),
        instrument_id=terms.instrument_id,
        side=side,
        order_type=known.order_type if known else kind,
        time_in_force=known.time_in_force if known else _time_in_force(order),
        status=_status(order, quantity, filled),
        quantity=quantity,
        filled_qty=filled,
        price=_price(order, kind) or (known.price if known else None),
        trigger_price=trigger,
        is_triggered=trigger is not None and filled > 0,
        reason=_reason(order),
    )


@_contained
def trade_order_id(trade: Mapping[str, Any]) -> str:
    """Return the exchange's id of the order that an execution belongs to; empty when it does not say."""
    return _text(trade.get("order"))


@_contained
def trade_client_id(trade: Mapping[str, Any], dialect: Dialect) -> ClientOrderId | None:
    """Return our order id where the exchange sends it along with executions."""
    info = trade.get("info")
    if not isinstance(info, Mapping):
        return None
    found = next((_text(info[n]) for n in dialect.trade_client_id if info.get(n)), "")
    return read(found, trade_order_id(trade), dialect) if found else None


@_contained
def fill_report(
    trade: Mapping[str, Any], terms: Terms, account_id: AccountId, client_order_id: ClientOrderId
) -> FillReport | None:
    """Return an execution; None when it says too little to be one."""
    trade_id = _text(trade.get("id"))
    side = _SIDES.get(str(trade.get("side")))
    quantity, price = _units(trade.get("amount"), terms), exact(trade.get("price"))
    if not trade_id or side is None or not quantity or price is None or quantity < 0:
        return None
    paid, kept = _fees(trade, terms)
    return FillReport(
        ts_event=_time(trade, "timestamp"),
        account_id=account_id,
        client_order_id=client_order_id,
        venue_order_id=VenueOrderId(trade_order_id(trade)),
        trade_id=TradeId(f"{terms.symbol}/{trade_id}"),  # many exchanges count by market
        instrument_id=terms.instrument_id,
        side=side,
        last_qty=quantity,
        last_px=price,
        commission=paid,
        commission_qty=kept,
        currency=terms.cash,
        liquidity_side=(
            LiquiditySide.MAKER if trade.get("takerOrMaker") == "maker" else LiquiditySide.TAKER
        ),
        is_margined=terms.is_margined,
    )


@_contained
def foreign_fees(trade: Mapping[str, Any], terms: Terms) -> tuple[str, ...]:
    """Return the currencies of fees that were taken neither in cash nor in what was traded."""
    fees = ((_text(fee.get("currency")), exact(fee.get("cost"))) for fee in _fee_list(trade))
    known = {terms.cash, terms.base, ""}
    return tuple(sorted({currency for currency, cost in fees if cost and currency not in known}))


def clock_reading(venue_ms: int) -> tuple[int, int]:
    """Return the exchange's time (ns UTC), and how much later it may have been (ns): some tell whole seconds only."""
    at = venue_ms * NANOS_PER_MS
    return at, NANOS_PER_MS if at % NANOS_PER_SECOND else NANOS_PER_SECOND


def _fees(trade: Mapping[str, Any], terms: Terms) -> tuple[Decimal, Decimal]:
    """Return what was paid in cash, and what was kept of the thing itself."""
    paid = kept = ZERO
    for fee in _fee_list(trade):
        cost, currency = exact(fee.get("cost")) or ZERO, _text(fee.get("currency"))
        if currency == terms.cash:
            paid += cost
        elif currency == terms.base and not terms.is_margined:
            kept += cost
    return paid, kept


def _fee_list(trade: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    several = [fee for fee in trade.get("fees") or () if fee]
    one = trade.get("fee")
    return several or ([one] if one else [])


def _field(order: Mapping[str, Any], name: str, dialect: Dialect) -> Any:
    """Return a field: from where the dialect knows it to be, else as ccxt read it."""
    sources = dialect.fields.get(name)
    if sources is None:
        return order.get(name)
    info = order.get("info") or {}
    return next((info[source] for source in sources if info.get(source) not in {None, ""}), None)


def _client_id(
    order: Mapping[str, Any], order_id: str, dialect: Dialect, known: OrderStatusReport | None
) -> ClientOrderId:
    found = _text(_field(order, "clientOrderId", dialect))
    if not found and known is not None:
        return known.client_order_id
    return read(found, order_id, dialect)


def _status(order: Mapping[str, Any], quantity: Decimal, filled: Decimal) -> OrderStatus:
    status = _STATUSES.get(str(order.get("status")))
    if status is None:
        raise OutcomeUnknown(f"an order has the unknown status {order.get('status')!r}")
    if status is OrderStatus.ACCEPTED and filled > 0:
        return OrderStatus.PARTIALLY_FILLED
    if status is OrderStatus.FILLED and filled < quantity:
        return OrderStatus.CANCELED  # closed, and not all of it traded
    return status


def _order_type(order: Mapping[str, Any]) -> OrderType | None:
    kind = order.get("type")
    if not isinstance(kind, str):
        return None
    is_stop = _trigger(order) is not None or "stop" in kind
    if "limit" in kind:
        return OrderType.STOP_LIMIT if is_stop else OrderType.LIMIT
    return OrderType.STOP_MARKET if is_stop else OrderType.MARKET


def _price(order: Mapping[str, Any], kind: OrderType) -> Decimal | None:
    if kind in {OrderType.MARKET, OrderType.STOP_MARKET}:
        return None
    return exact(order.get("price")) or None


def _trigger(order: Mapping[str, Any]) -> Decimal | None:
    found = (exact(order.get(name)) for name in ("triggerPrice", "stopLossPrice", "stopPrice"))
    return next((price for price in found if price), None)


def _time_in_force(order: Mapping[str, Any]) -> TimeInForce:
    return _TIMES.get(str(order.get("timeInForce")), TimeInForce.GTC)


def _reason(order: Mapping[str, Any]) -> str:
    info = order.get("info")
    if not isinstance(info, Mapping):
        return ""
    found = next((info[name] for name in _REASONS if info.get(name)), "")
    return found if isinstance(found, str) and found not in {"NONE", "EC_NoError"} else ""


def _units(amount: Any, terms: Terms) -> Decimal | None:
    contracts = exact(amount)
    return None if contracts is None else contracts * terms.contract_size


def _time(source: Mapping[str, Any], *names: str) -> int:
    found = next((source[name] for name in names if source.get(name)), 0)
    return int(found) * NANOS_PER_MS


def _text(value: Any) -> str:
    return "" if value is None else str(value)
