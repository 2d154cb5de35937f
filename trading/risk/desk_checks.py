"""The limits that a desk adds to the general ones: each is off until it is set.

An order that only makes the account's position smaller passes all of them, like the general limits.
"""

from decimal import Decimal

from trading.commands import SubmitOrder
from trading.refusals import RefusalCode
from trading.risk.limits import RiskLimits
from trading.risk.situation import Situation
from trading.risk.variance import normal_quantile
from trading.risk.verdicts import Denied, deny
from trading.values import OrderSide, TimeInForce


def not_restricted(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if order.instrument_id not in limits.restricted:
        return None
    return deny(RefusalCode.RISK_RESTRICTED, instrument_id=order.instrument_id)


def market_open(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    may_wait = order.extended_hours or order.time_in_force is TimeInForce.OPG
    if s.is_market_open or may_wait or not limits.must_be_open:
        return None
    return deny(RefusalCode.RISK_MARKET_CLOSED)


def located(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if not limits.require_locate or order.side is OrderSide.BUY or s.short_after <= 0:
        return None
    own = limits.symbols.get(order.instrument_id)
    lent = own.located if own is not None and own.located is not None else Decimal(0)
    if s.short_after <= lent:
        return None
    return deny(RefusalCode.RISK_NO_LOCATE, short_position=s.short_after, located=lent)


def order_value(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    assert s.price is not None, "fresh_data comes first"
    if limits.max_order_value is None:
        return None
    value = order.quantity * s.price
    if value <= limits.max_order_value:
        return None
    return deny(
        RefusalCode.RISK_MAX_ORDER_VALUE,
        order_value=value,
        max_order_value=limits.max_order_value,
    )


def price_collar(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    """Only what is too good for the other side is refused: a price far away merely waits."""
    if limits.price_collar is None or order.price is None:
        return None
    if s.opposite_px is None:
        return deny(RefusalCode.DATA_STALE, instrument_id=order.instrument_id, book="none")
    through = order.side.sign * (order.price / s.opposite_px - 1)
    if through <= limits.price_collar:
        return None
    return deny(
        RefusalCode.RISK_PRICE_COLLAR,
        price=order.price,
        book_px=s.opposite_px,
        price_collar=limits.price_collar,
    )


def open_orders(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if limits.max_open_orders is None or s.working_count < limits.max_open_orders:
        return None
    return deny(
        RefusalCode.RISK_MAX_OPEN_ORDERS,
        open_orders=s.working_count,
        max_open_orders=limits.max_open_orders,
    )


def concentration(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    assert s.price is not None, "fresh_data comes first"
    value = s.position_after * s.price
    return _as_part_of_equity(
        s,
        value,
        limits.max_concentration,
        RefusalCode.RISK_MAX_CONCENTRATION,
        "max_concentration",
    )


def gross_leverage(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    assert s.price is not None, "fresh_data comes first"
    gross = s.gross_elsewhere + s.position_after * s.price
    return _as_part_of_equity(
        s,
        gross,
        limits.max_gross_leverage,
        RefusalCode.RISK_MAX_GROSS_LEVERAGE,
        "max_gross_leverage",
    )


def net_leverage(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    return _as_part_of_equity(
        s,
        s.net_after,
        limits.max_net_leverage,
        RefusalCode.RISK_MAX_NET_LEVERAGE,
        "max_net_leverage",
    )


def group_exposure(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    for group, exposure in s.groups_after:
        most = limits.max_group_exposure[group]
        if exposure > most:
            return deny(
                RefusalCode.RISK_MAX_GROUP_EXPOSURE,
                group=group,
                exposure=exposure,
                max_group_exposure=most,
            )
    return None


def correlated_exposure(
    order: SubmitOrder, s: Situation, limits: RiskLimits, now: int
) -> Denied | None:
    if limits.max_correlated_exposure is None:
        return None
    if s.correlated_after is None:
        return deny(RefusalCode.RISK_UNMEASURED, instrument_id=order.instrument_id)
    if s.correlated_after <= float(limits.max_correlated_exposure):
        return None
    return deny(
        RefusalCode.RISK_MAX_CORRELATED_EXPOSURE,
        correlated_exposure=round(s.correlated_after, 2),
        max_correlated_exposure=limits.max_correlated_exposure,
    )


def value_at_risk(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if limits.max_value_at_risk is None:
        return None
    if s.deviation_after is None:
        return deny(RefusalCode.RISK_UNMEASURED, instrument_id=order.instrument_id)
    at_risk = normal_quantile(float(limits.value_at_risk_confidence)) * s.deviation_after
    if at_risk <= float(limits.max_value_at_risk):
        return None
    return deny(
        RefusalCode.RISK_MAX_VALUE_AT_RISK,
        value_at_risk=round(at_risk, 2),
        max_value_at_risk=limits.max_value_at_risk,
        confidence=limits.value_at_risk_confidence,
    )


def _as_part_of_equity(
    s: Situation, value: Decimal, most: Decimal | None, code: RefusalCode, name: str
) -> Denied | None:
    if most is None:
        return None
    if s.unpriced_count:
        return deny(RefusalCode.DATA_STALE, instruments_without_price=s.unpriced_count)
    if s.equity is None or s.equity <= 0:
        return deny(RefusalCode.RISK_UNMEASURED, equity=s.equity)
    if value <= most * s.equity:
        return None
    return deny(code, value=value, equity=s.equity, **{name: most})


DESK_CHECKS = (
    not_restricted,
    market_open,
    located,
    order_value,
    price_collar,
    open_orders,
    concentration,
    gross_leverage,
    net_leverage,
    group_exposure,
    correlated_exposure,
    value_at_risk,
)
"""Asked of every order that does more than reduce the account's position."""
