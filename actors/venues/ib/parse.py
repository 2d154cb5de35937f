"""From our reading of TWS's messages to reports: pure. Contracts become units here."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext

from actors.venues.ib.messages import Commission, Execution, Holding, OpenOrder
from trading.errors import OutcomeUnknown
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, TradeId, VenueOrderId
from trading.instruments import Instrument
from trading.reports import AccountReport, FillReport, OrderStatusReport, PositionReport
from trading.values import (
    ZERO,
    AssetClass,
    LiquiditySide,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)

LIVE_STATES = frozenset(
    {"PendingSubmit", "ApiPending", "PreSubmitted", "Submitted", "PendingCancel", "ApiUpdate"}
)
CANCELED_STATES = frozenset({"Cancelled", "ApiCancelled"})
FILLED_STATE = "Filled"
INACTIVE_STATE = "Inactive"

_TYPE_OF = {
    "MKT": OrderType.MARKET,
    "MOC": OrderType.MARKET,
    "MTL": OrderType.MARKET,
    "LMT": OrderType.LIMIT,
    "LOC": OrderType.LIMIT,
    "STP": OrderType.STOP_MARKET,
    "MIT": OrderType.STOP_MARKET,
    "STP LMT": OrderType.STOP_LIMIT,
    "LIT": OrderType.STOP_LIMIT,
    "TRAIL": OrderType.TRAILING_STOP_MARKET,
    "TRAIL LIMIT": OrderType.TRAILING_STOP_MARKET,
}
_CLOSING_TYPES = frozenset({"MOC", "LOC"})
_TIME_OF = {
    "DAY": TimeInForce.DAY,
    "GTC": TimeInForce.GTC,
    "GTD": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "OPG": TimeInForce.OPG,
    "AUC": TimeInForce.OPG,
}
_SIDES = {
    "BUY": OrderSide.BUY,
    "BOT": OrderSide.BUY,
    "SELL": OrderSide.SELL,
    "SSHORT": OrderSide.SELL,
    "SLD": OrderSide.SELL,
}
_PRICED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_ADDED_LIQUIDITY = 1
_INACTIVE_REASON = "TWS took the order and made it inactive"
_PRICE_DIGITS = 12


def client_order_id(order_ref: str, perm_id: int) -> ClientOrderId:
    """Return our id of an order; one made from IB's number for an order that carries none of ours."""
    return ClientOrderId(order_ref if 0 < len(order_ref) <= 64 else f"ext-{perm_id}")


def order_status(status: str, filled: Decimal) -> OrderStatus | None:
    """Return what a state of TWS means; None when it says nothing."""
    if status in LIVE_STATES:
        return OrderStatus.PARTIALLY_FILLED if filled > 0 else OrderStatus.ACCEPTED
    if status == FILLED_STATE:
        return OrderStatus.FILLED
    if status in CANCELED_STATES:
        return OrderStatus.CANCELED
    return OrderStatus.REJECTED if status == INACTIVE_STATE else None


def order_report(
    order: OpenOrder,
    instrument: Instrument,
    account_id: AccountId,
    *,
    filled: Decimal,
    code: str = "",
    now: int,
) -> OrderStatusReport | None:
    """Return the state of an order.

    Parameters
    ----------
    order : OpenOrder
        With its newest `status`.
    filled : Decimal
        Contracts.
    now : int
        TWS does not say when; this is the time that we heard of it (ns UTC).

    Returns
    -------
    OrderStatusReport or None
        None when the order has no number yet, or a state that says nothing.
    """
    status = order_status(order.status, filled)
    if status is None or order.perm_id <= 0 or order.quantity <= 0:
        return None
    kind = _order_type(order)
    return OrderStatusReport(
        ts_event=now,
        ts_init=now,
        account_id=account_id,
        client_order_id=client_order_id(order.order_ref, order.perm_id),
        venue_order_id=VenueOrderId(str(order.perm_id)),
        instrument_id=instrument.instrument_id,
        side=_side(order.action),
        order_type=kind,
        time_in_force=_time_in_force(order),
        status=status,
        quantity=order.quantity * instrument.multiplier,
        filled_qty=filled * instrument.multiplier,
        price=order.limit_price if kind in _PRICED else None,
        trigger_price=_trigger_price(order, kind),
        code=code,
        reason=order.reason or (_INACTIVE_REASON if status is OrderStatus.REJECTED else ""),
    )


def fill_report(
    execution: Execution,
    commission: Commission | None,
    instrument: Instrument,
    account_id: AccountId,
    now: int,
) -> FillReport:
    """Return one execution.

    Its `trade_id` is IB's execution id without the number of its revision, so that a correction of an
    execution is never a second one. A commission in another currency than the price is left out.

    Raises
    ------
    OutcomeUnknown
        If the side cannot be read.
    """
    cost = ZERO
    if commission is not None and commission.currency == instrument.currency:
        cost = commission.amount or ZERO
    is_maker = execution.liquidity == _ADDED_LIQUIDITY
    return FillReport(
        ts_event=execution.time_ns,
        ts_init=now,
        account_id=account_id,
        client_order_id=client_order_id(execution.order_ref, execution.perm_id),
        venue_order_id=VenueOrderId(str(execution.perm_id)),
        trade_id=trade_id(execution.exec_id),
        instrument_id=instrument.instrument_id,
        side=_side(execution.side),
        last_qty=execution.shares * instrument.multiplier,
        last_px=execution.price,
        commission=cost,
        currency=instrument.currency,
        liquidity_side=LiquiditySide.MAKER if is_maker else LiquiditySide.TAKER,
        is_margined=instrument.is_margined,
    )


def trade_id(exec_id: str) -> TradeId:
    """Return an execution id without its revision: `aaaa.bbbb.cc.nn` becomes `aaaa.bbbb.cc`."""
    head, dot, _ = exec_id.rpartition(".")
    return TradeId(head if dot and head.count(".") >= 2 else exec_id)


def position_report(
    holding: Holding, instrument: Instrument, account_id: AccountId, now: int
) -> PositionReport:
    """Return a position; IB's average cost of a contract holds the multiplier and commissions."""
    return PositionReport(
        ts_event=now,
        ts_init=now,
        account_id=account_id,
        instrument_id=instrument.instrument_id,
        quantity=holding.quantity * instrument.multiplier,
        avg_px=_per_unit(holding.avg_cost, instrument.multiplier),
    )


def account_report(
    values: Iterable[tuple[str, str, str]], account_id: AccountId, now: int
) -> AccountReport:
    """Return cash from account values (key, value, currency): that of the account's own currency.

    Raises
    ------
    OutcomeUnknown
        If the cash is not among them.
    """
    rows = list(values)
    base = _base_currency(rows)
    balances = currency_balances(rows)
    if base not in balances:
        raise OutcomeUnknown("TWS did not say how much cash the account has")
    return AccountReport(
        ts_event=now,
        ts_init=now,
        account_id=account_id,
        cash=balances[base],
        currency=base,
        equity=_value(rows, "NetLiquidation", base),
        buying_power=_value(rows, "BuyingPower", base),
        balances=tuple(sorted(balances.items())),
    )


def currency_balances(rows: Iterable[tuple[str, str, str]]) -> dict[str, Decimal]:
    """Return the cash of each currency."""
    found = {}
    for key, value, currency in rows:
        if key == "CashBalance" and currency != "BASE":
            found[currency] = _finite(value)
    return found


def pair_positions(
    account: AccountReport, instruments: Mapping[InstrumentId, Instrument], now: int
) -> list[PositionReport]:
    """Return balances in foreign currencies as positions of the configured pairs against the account's currency."""
    balances = dict(account.balances)
    found = []
    for key, instrument in instruments.items():
        base = key.partition("/")[0]
        is_pair = instrument.asset_class is AssetClass.FOREX
        if is_pair and instrument.currency == account.currency and balances.get(base):
            report = PositionReport(
                ts_event=now,
                ts_init=now,
                account_id=account.account_id,
                instrument_id=key,
                quantity=balances[base],
                avg_px=ZERO,
            )
            found.append(report)
    return found


def _base_currency(rows: Iterable[tuple[str, str, str]]) -> str:
    named = (currency for key, _, currency in rows if key == "NetLiquidation")
    return next((currency for currency in named if currency not in ("", "BASE")), "USD")


def _value(rows: Iterable[tuple[str, str, str]], wanted: str, base: str) -> Decimal | None:
    found = (value for key, value, currency in rows if key == wanted and currency == base)
    text = next(found, None)
    return None if text is None else _finite(text)


def _finite(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise OutcomeUnknown(f"TWS sent {text[:40]!r} for an amount") from None
    if not value.is_finite():
        raise OutcomeUnknown(f"TWS sent {text[:40]!r} for an amount")
    return value


def _side(text: str) -> OrderSide:
    side = _SIDES.get(text)
    if side is None:
        raise OutcomeUnknown(f"TWS sent {text[:40]!r} for a side")
    return side


def _order_type(order: OpenOrder) -> OrderType:
    """Return the type; of kinds that we have no word for, LIMIT when there is a limit."""
    found = _TYPE_OF.get(order.order_type)
    if found is not None:
        return found
    return OrderType.LIMIT if order.limit_price else OrderType.MARKET


def _time_in_force(order: OpenOrder) -> TimeInForce:
    if order.order_type in _CLOSING_TYPES:
        return TimeInForce.CLS
    return _TIME_OF.get(order.tif, TimeInForce.DAY)


def _trigger_price(order: OpenOrder, kind: OrderType) -> Decimal | None:
    if kind is OrderType.TRAILING_STOP_MARKET:
        return order.trail_stop_price
    return order.aux_price if kind in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT) else None


def _per_unit(cost: Decimal, multiplier: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 28
        return round(cost / multiplier, _PRICE_DIGITS)
