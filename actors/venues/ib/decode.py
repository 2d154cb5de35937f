"""From what TWS sent to our types. Pure: whatever comes in, it returns a struct or raises `OutcomeUnknown`.

Order messages are read by the client library, which knows their hundred fields by version; executions,
commissions, states and positions are read here, so that their numbers stay exact.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from actors.venues.ib.messages import (
    Commission,
    ContractListing,
    Execution,
    Holding,
    IbContract,
    OpenOrder,
    StatusUpdate,
)
from trading.errors import OutcomeUnknown
from trading.values import NANOS_PER_SECOND, ZERO

_UNSET = Decimal("1e300")
"""TWS sends 1.797e308 for "no value"."""
_MAX_DIGITS = 40


def decimal(value: object) -> Decimal | None:
    """Return a number of the wire exactly, infinities too; None for an empty field.

    Raises
    ------
    OutcomeUnknown
        If it is no number.
    """
    text = format(value, "f") if isinstance(value, Decimal) else str(value or "")
    if not text:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise OutcomeUnknown(f"TWS sent {text[:40]!r} for a number") from None
    if found.is_finite() and len(found.as_tuple().digits) > _MAX_DIGITS and abs(found) <= _UNSET:
        raise OutcomeUnknown("TWS sent a number with too many digits")
    return found


def number(value: object) -> Decimal:
    """Return a finite number of the wire exactly; an empty field is 0.

    Raises
    ------
    OutcomeUnknown
        If it is none, or not finite.
    """
    found = decimal(value)
    if found is None:
        return ZERO
    if not found.is_finite():
        raise OutcomeUnknown(f"TWS sent {value!r} for a number")
    return found


def optional_number(value: object) -> Decimal | None:
    """Return a number, or None for a field that is empty or "unset"."""
    found = decimal(value)
    if found is None or not found.is_finite() or abs(found) > _UNSET:
        return None
    return found


def whole(value: object) -> int:
    """Return a whole number of the wire; an empty field is 0."""
    text = str(value)
    try:
        return int(text) if text else 0
    except ValueError:
        raise OutcomeUnknown(f"TWS sent {text[:40]!r} for a whole number") from None


def status_update(fields: Sequence[str]) -> StatusUpdate:
    """Read message 3, `orderStatus`."""
    _require(fields, 10)
    return StatusUpdate(
        order_id=whole(fields[1]),
        status=fields[2],
        filled=number(fields[3]),
        perm_id=whole(fields[6]),
        client_id=whole(fields[9]),
        why_held=fields[10] if len(fields) > 10 else "",
    )


def execution(fields: Sequence[str]) -> tuple[int, Execution]:
    """Read message 11, `execDetails`; return the id of the request (-1: it has just happened) and the execution."""
    _require(fields, 28)
    found = Execution(
        contract=_contract(fields[3:14]),
        order_id=whole(fields[2]),
        exec_id=fields[14],
        time_ns=_time_ns(fields[15]),
        account=fields[16],
        side=fields[18],
        shares=number(fields[19]),
        price=number(fields[20]),
        perm_id=whole(fields[21]),
        client_id=whole(fields[22]),
        order_ref=fields[26],
        liquidity=whole(fields[30]) if len(fields) > 30 else 0,
    )
    if not found.exec_id or found.shares <= 0:
        raise OutcomeUnknown("TWS sent an execution without an id or a quantity")
    return whole(fields[1]), found


def commission(fields: Sequence[str]) -> Commission:
    """Read message 59, `commissionReport`."""
    _require(fields, 5)
    if not fields[2]:
        raise OutcomeUnknown("TWS sent a commission of no execution")
    return Commission(exec_id=fields[2], amount=optional_number(fields[3]), currency=fields[4])


def holding(fields: Sequence[str]) -> tuple[int, Holding]:
    """Read message 71, `positionMulti`; return the id of the request and the position."""
    _require(fields, 17)
    found = Holding(
        account=fields[3],
        contract=_contract(fields[4:15]),
        quantity=number(fields[15]),
        avg_cost=number(fields[16]),
    )
    return whole(fields[2]), found


def contract(source: Any) -> IbContract:
    """Return the library's contract as ours."""
    return IbContract(
        con_id=whole(source.conId),
        symbol=str(source.symbol),
        sec_type=str(source.secType),
        expiry=str(source.lastTradeDateOrContractMonth)[:8],
        strike=number(source.strike),
        right=str(source.right)[:1],
        multiplier=str(source.multiplier),
        exchange=str(source.exchange),
        primary_exchange=str(source.primaryExchange),
        currency=str(source.currency),
        local_symbol=str(source.localSymbol),
        trading_class=str(source.tradingClass),
    )


def listing(source: Any) -> ContractListing:
    """Return the library's contract details as ours."""
    return ContractListing(
        contract=contract(source.contract),
        min_tick=number(source.minTick),
        size_increment=number(source.sizeIncrement),
        min_size=number(source.minSize),
        price_magnifier=max(whole(source.priceMagnifier), 1),
        industry=str(source.industry),
        under_symbol=str(source.underSymbol),
        time_zone=str(source.timeZoneId),
        trading_hours=str(source.tradingHours),
        liquid_hours=str(source.liquidHours),
        real_expiry=str(source.realExpirationDate),
    )


def open_order(source_contract: Any, order: Any, state: Any) -> OpenOrder:
    """Return the library's open or completed order as ours."""
    return OpenOrder(
        contract=contract(source_contract),
        order_id=whole(order.orderId),
        client_id=whole(order.clientId),
        perm_id=whole(order.permId),
        parent_id=whole(order.parentId),
        account=str(order.account),
        action=str(order.action),
        quantity=number(order.totalQuantity),
        order_type=str(order.orderType),
        limit_price=optional_number(order.lmtPrice),
        aux_price=optional_number(order.auxPrice),
        trail_stop_price=optional_number(order.trailStopPrice),
        tif=str(order.tif),
        order_ref=str(order.orderRef),
        oca_group=str(order.ocaGroup),
        oca_type=whole(order.ocaType),
        outside_rth=bool(order.outsideRth),
        status=str(state.status),
        reason=str(state.completedStatus or state.warningText),
        filled=optional_number(order.filledQuantity),
    )


def _contract(fields: Sequence[str]) -> IbContract:
    return IbContract(
        con_id=whole(fields[0]),
        symbol=fields[1],
        sec_type=fields[2],
        expiry=fields[3][:8],
        strike=number(fields[4]),
        right=fields[5][:1],
        multiplier=fields[6],
        exchange=fields[7],
        currency=fields[8],
        local_symbol=fields[9],
        trading_class=fields[10],
    )


def _require(fields: Sequence[str], last: int) -> None:
    if len(fields) <= last - 1 or not all(isinstance(field, str) for field in fields):
        raise OutcomeUnknown(f"a message of TWS ends after {len(fields)} fields")


def _time_ns(text: str) -> int:
    """Return ns UTC of `20261121 10:00:00 America/New_York` or `20261121-10:00:00` (UTC)."""
    day, _, rest = text.strip().replace("-", " ", 1).partition(" ")
    clock, _, zone = rest.strip().partition(" ")
    try:
        naive = datetime.strptime(f"{day} {clock}", "%Y%m%d %H:%M:%S")  # noqa: DTZ007  # zone below
        moment = naive.replace(tzinfo=_zone(zone.strip())).timestamp()
    except (ValueError, OverflowError):
        raise OutcomeUnknown(f"TWS sent {text[:40]!r} for a time") from None
    return int(moment) * NANOS_PER_SECOND


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo | Any:
    """Return the time zone; UTC for none, and for one that this machine does not know."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ValueError, OSError, KeyError):
        return UTC
