"""Whether a list of orders may be sent: all of it, or the first reason against it."""

from decimal import Decimal

import msgspec

from trading.commands import SubmitOrder, SubmitOrderList
from trading.order_lists import list_defect
from trading.refusals import RefusalCode
from trading.risk.checks import check, check_terms
from trading.risk.limits import RiskLimits
from trading.risk.state import RiskState
from trading.risk.verdicts import Approved, Denied, deny
from trading.values import OrderListKind, OrderType


def check_list(
    order_list: SubmitOrderList, state: RiskState, limits: RiskLimits, now: int
) -> Approved[SubmitOrderList] | Denied:
    """Return permission to send the list, or the first reason against it.

    An entry is an order like any other, and what it can lose is the way to its stop. Exits may only close:
    those of an entry what it opens, those of an OCO what is held. Legs open what they open together.

    Parameters
    ----------
    now : int
        Host time (ns UTC).
    """
    defect = list_defect(order_list)
    if defect is not None:
        return Denied(RefusalCode.RISK_BAD_LIST, defect)
    return _refusal(order_list, state, limits, now) or Approved(order_list)


def _refusal(
    order_list: SubmitOrderList, state: RiskState, limits: RiskLimits, now: int
) -> Denied | None:
    first, *others = order_list.orders
    match order_list.kind:
        case OrderListKind.MULTI_LEG:
            return _check_legs(order_list, state, limits, now)
        case OrderListKind.OCO:
            return _check_exit(first, state, limits, now) or _check_terms(
                others, state, limits, now
            )
        case OrderListKind.BRACKET | OrderListKind.OTO:
            situation = msgspec.structs.replace(
                state.situation(first, now), stop_distance=_stop_distance(first, others, state)
            )
            verdict = check(first, situation, limits, now)
            if isinstance(verdict, Denied):
                return verdict
            return _check_terms(others, state, limits, now)


def _check_exit(
    order: SubmitOrder, state: RiskState, limits: RiskLimits, now: int
) -> Denied | None:
    situation = state.situation(order, now)
    verdict = check(order, situation, limits, now)
    if isinstance(verdict, Denied):
        return verdict
    if situation.reduces_strategy:
        return None
    return deny(RefusalCode.RISK_REDUCE_ONLY, side=order.side, quantity=order.quantity)


def _check_terms(
    orders: list[SubmitOrder], state: RiskState, limits: RiskLimits, now: int
) -> Denied | None:
    """Check what the orders say of themselves; what they can do was checked with the first of the list."""
    found = (check_terms(order, state.situation(order, now), limits, now) for order in orders)
    return next((denied for denied in found if denied is not None), None)


def _check_legs(
    order_list: SubmitOrderList, state: RiskState, limits: RiskLimits, now: int
) -> Denied | None:
    """Check each leg behind the ones before it, as if those worked already."""
    reservations = state.holdings.reservations
    reserved: list[SubmitOrder] = []
    denied = None
    for leg in order_list.orders:
        priced = msgspec.structs.replace(leg, order_type=OrderType.MARKET)  # the list has the limit
        verdict = check(priced, state.situation(priced, now), limits, now)
        if isinstance(verdict, Denied):
            denied = verdict
            break
        reservations.open(leg, now)
        reserved.append(leg)
    for leg in reserved:
        reservations.close(leg.client_order_id)
    return denied


def _stop_distance(
    entry: SubmitOrder, exits: list[SubmitOrder], state: RiskState
) -> Decimal | None:
    """Return how far the price may go against the entry before its stop (per unit); None without a stop."""
    at = entry.price or entry.trigger_price or state.prices.exposure_px(entry.instrument_id)
    for order in exits:
        if order.trailing_offset is not None:
            return order.trailing_offset
        if order.trigger_price is not None and at is not None:
            return abs(at - order.trigger_price)
    return None
