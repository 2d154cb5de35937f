"""The pre-trade checks: small pure functions, each gives one reason to refuse or none.

Order matters: first what is wrong with the order itself, then whether anything may trade, then the
limits. An order that only makes the account's position smaller passes REDUCING, every limit and every
breaker: nobody is kept from getting out. HALTED lets through only the exits in `PROTECTIVE`, the kill
switch nothing (the broker itself flattens then). Cancels never come here.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from trading.commands import ReplaceOrder, SubmitOrder
from trading.refusals import RefusalCode
from trading.risk.desk_checks import DESK_CHECKS
from trading.risk.limits import RiskLimits
from trading.risk.situation import Situation
from trading.risk.verdicts import Approved, Denied, deny
from trading.values import NANOS_PER_SECOND, OrderType, TradingState

PROTECTIVE = frozenset({"stop_loss", "trailing_stop", "take_profit", "flatten"})
"""Purposes of the exits that pass HALTED, stale data and the throttle, if they reduce."""
CLOCK_SKEW_NS_MAX = NANOS_PER_SECOND
"""A book from further in the future than this means that a clock is wrong."""

_REQUIRED_PRICES: dict[OrderType, frozenset[str]] = {
    OrderType.MARKET: frozenset(),
    OrderType.LIMIT: frozenset({"price"}),
    OrderType.STOP_MARKET: frozenset({"trigger_price"}),
    OrderType.STOP_LIMIT: frozenset({"price", "trigger_price"}),
    OrderType.TRAILING_STOP_MARKET: frozenset({"trailing_offset"}),
}
_OPTIONAL_PRICES: dict[OrderType, frozenset[str]] = {
    OrderType.TRAILING_STOP_MARKET: frozenset({"trigger_price"}),
}
_PRICE_FIELDS = ("price", "trigger_price", "trailing_offset")
_NO_PRICES: frozenset[str] = frozenset()

Check = Callable[[SubmitOrder, Situation, RiskLimits, int], Denied | None]


def check(
    order: SubmitOrder, situation: Situation, limits: RiskLimits, now: int
) -> Approved[SubmitOrder] | Denied:
    """Return permission to send the order, or the first reason against it.

    Parameters
    ----------
    now : int
        Host time (ns UTC).
    """
    return _first_refusal(order, situation, limits, now) or Approved(order)


def check_replace(
    replace: ReplaceOrder,
    amended: SubmitOrder,
    situation: Situation,
    limits: RiskLimits,
    now: int,
) -> Approved[ReplaceOrder] | Denied:
    """Return permission to replace, or the first reason against it.

    Parameters
    ----------
    amended : SubmitOrder
        The order as it would work afterwards, its quantity being what is left to fill.
    situation : Situation
        Without the reservation that the order holds now.
    """
    return _first_refusal(amended, situation, limits, now) or Approved(replace)


def check_terms(
    order: SubmitOrder, situation: Situation, limits: RiskLimits, now: int
) -> Denied | None:
    """Return what is wrong with the order itself, whatever else goes on; None when nothing is."""
    return _first_of(TERM_CHECKS, order, situation, limits, now)


def _first_refusal(
    order: SubmitOrder, situation: Situation, limits: RiskLimits, now: int
) -> Denied | None:
    checks = ORDER_CHECKS if situation.reduces_account else ALL_CHECKS
    return _first_of(checks, order, situation, limits, now)


def _first_of(
    checks: tuple[Check, ...],
    order: SubmitOrder,
    situation: Situation,
    limits: RiskLimits,
    now: int,
) -> Denied | None:
    for one in checks:
        denied = one(order, situation, limits, now)
        if denied is not None:
            return denied
    return None


# -- the order itself


def known_parties(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if s.instrument is None:
        return deny(RefusalCode.RISK_UNKNOWN_INSTRUMENT, instrument_id=order.instrument_id)
    if not s.is_ours:
        return deny(
            RefusalCode.RISK_UNKNOWN_STRATEGY,
            strategy_id=order.strategy_id,
            account_id=order.account_id,
        )
    return None


def whole_lots(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    assert s.instrument is not None, "known_parties comes first"
    lot, least = s.instrument.lot_size, s.instrument.min_quantity
    if _is_on_grid(order.quantity, lot) and order.quantity >= least:
        return None
    return deny(
        RefusalCode.RISK_BAD_QUANTITY, quantity=order.quantity, lot_size=lot, min_quantity=least
    )


def sound_prices(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    assert s.instrument is not None, "known_parties comes first"
    required = _REQUIRED_PRICES[order.order_type]
    optional = _OPTIONAL_PRICES.get(order.order_type, _NO_PRICES)
    tick = s.instrument.tick_size
    for name in _PRICE_FIELDS:
        price = getattr(order, name)
        if price is None:
            if name not in required:
                continue
        elif (name in required or name in optional) and _is_on_grid(price, tick):
            continue
        return deny(
            RefusalCode.RISK_BAD_PRICE,
            order_type=order.order_type,
            field=name,
            value=price,
            tick_size=tick,
        )
    return None


def not_expired(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if order.expires_at and now >= order.expires_at:
        late_ms = (now - order.expires_at) // 1_000_000
        return deny(RefusalCode.RISK_ORDER_STALE, late_ms=late_ms)
    return None


# -- whether anything may trade


def not_killed(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if s.kill_reason is None:
        return None
    return deny(RefusalCode.KILL_SWITCH, tripped_by=s.kill_reason)


def trading_state(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    state = s.hold.state
    if state is TradingState.ACTIVE:
        return None
    if s.reduces_account and (state is TradingState.REDUCING or order.purpose in PROTECTIVE):
        return None
    default = f"RISK_{state}"
    code = s.hold.code if s.hold.code in RefusalCode.__members__ else default
    return Denied(RefusalCode(code), f"{RefusalCode(default).meaning} {s.hold.reason}".rstrip())


def strategy_running(
    order: SubmitOrder, s: Situation, limits: RiskLimits, now: int
) -> Denied | None:
    if s.strategy_halt is None or s.reduces_strategy:
        return None
    return Denied(RefusalCode.RISK_STRATEGY_HALTED, s.strategy_halt)


def fresh_data(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if s.reduces_account and order.purpose in PROTECTIVE:
        return None
    if s.quote_at is None:
        return deny(RefusalCode.DATA_STALE, instrument_id=order.instrument_id, age_s="unknown")
    age_ns = now - s.quote_at
    if age_ns < -CLOCK_SKEW_NS_MAX:
        return deny(RefusalCode.CLOCK_SKEW, skew_ms=-age_ns // 1_000_000)
    if age_ns > limits.max_data_age_ns:
        return deny(
            RefusalCode.DATA_STALE,
            instrument_id=order.instrument_id,
            age_s=round(age_ns / NANOS_PER_SECOND, 3),
            max_data_age_s=limits.max_data_age_s,
        )
    return None


def reduce_only(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if not order.reduce_only or s.reduces_strategy:
        return None
    return deny(RefusalCode.RISK_REDUCE_ONLY, side=order.side, quantity=order.quantity)


def order_rate(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if s.tokens >= 1 or (s.reduces_account and order.purpose in PROTECTIVE):
        return None
    return deny(RefusalCode.RISK_ORDER_RATE, max_orders_per_second=limits.max_orders_per_second)


# -- the limits


def shares(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    most = limits.shares_of(order.instrument_id)
    if order.quantity <= most:
        return None
    return deny(RefusalCode.RISK_MAX_SHARES, quantity=order.quantity, max_shares=most)


def loss_at_stop(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    assert s.price is not None, "fresh_data comes first"
    if s.stop_distance is not None:
        loss = order.quantity * s.stop_distance
    elif limits.stop_loss is not None:
        loss = order.quantity * s.price * limits.stop_loss
    else:
        return None
    if loss <= limits.max_loss_per_trade:
        return None
    return deny(
        RefusalCode.RISK_MAX_LOSS_PER_TRADE,
        loss_at_stop=loss,
        max_loss_per_trade=limits.max_loss_per_trade,
    )


def notional(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    assert s.price is not None, "fresh_data comes first"
    value = s.position_after * s.price
    most = limits.notional_of(order.instrument_id)
    if value <= most:
        return None
    return deny(RefusalCode.RISK_MAX_NOTIONAL, position_value=value, max_notional=most)


def exposure(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    assert s.price is not None, "fresh_data comes first"
    if s.unpriced_count:
        return deny(RefusalCode.DATA_STALE, instruments_without_price=s.unpriced_count)
    gross = s.gross_elsewhere + s.position_after * s.price
    if gross <= limits.max_total_exposure:
        return None
    return deny(
        RefusalCode.RISK_MAX_EXPOSURE,
        exposure=gross,
        max_total_exposure=limits.max_total_exposure,
    )


def strategy_exposure(
    order: SubmitOrder, s: Situation, limits: RiskLimits, now: int
) -> Denied | None:
    assert s.price is not None, "fresh_data comes first"
    most = limits.max_strategy_exposure.get(order.strategy_id)
    if most is None or s.reduces_strategy:
        return None
    gross = s.strategy_gross_elsewhere + s.strategy_position_after * s.price
    if gross <= most:
        return None
    return deny(
        RefusalCode.RISK_MAX_STRATEGY_EXPOSURE,
        strategy_id=order.strategy_id,
        exposure=gross,
        max_strategy_exposure=most,
    )


def open_positions(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if s.positions_elsewhere < limits.max_open_positions:
        return None
    return deny(
        RefusalCode.RISK_MAX_POSITIONS,
        open_positions=s.positions_elsewhere,
        max_open_positions=limits.max_open_positions,
    )


def daily_loss(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    loss = s.counters.daily_loss
    if loss is None or loss < limits.max_daily_loss:
        return None
    return deny(RefusalCode.RISK_DAILY_LOSS, daily_loss=loss, max_daily_loss=limits.max_daily_loss)


def drawdown(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    depth = s.counters.drawdown
    if depth is None or depth < limits.max_drawdown:
        return None
    return deny(
        RefusalCode.RISK_DRAWDOWN, drawdown=round(depth, 4), max_drawdown=limits.max_drawdown
    )


def consecutive_losses(
    order: SubmitOrder, s: Situation, limits: RiskLimits, now: int
) -> Denied | None:
    losses = s.counters.consecutive_losses
    if losses < limits.max_consecutive_losses:
        return None
    return deny(
        RefusalCode.RISK_CONSECUTIVE_LOSSES,
        consecutive_losses=losses,
        max_consecutive_losses=limits.max_consecutive_losses,
    )


def trades_per_day(order: SubmitOrder, s: Situation, limits: RiskLimits, now: int) -> Denied | None:
    if s.counters.trades_today + s.unfilled_count < limits.max_trades_per_day:
        return None
    return deny(
        RefusalCode.RISK_MAX_TRADES_PER_DAY,
        trades_today=s.counters.trades_today,
        working_orders=s.unfilled_count,
        max_trades_per_day=limits.max_trades_per_day,
    )


def _is_on_grid(number: Decimal, step: Decimal) -> bool:
    """True for a positive whole multiple of `step`; NaN, infinite and absurd numbers are none."""
    if not number.is_finite() or number <= 0:
        return False
    try:
        return number % step == 0
    except InvalidOperation:  # more digits than any price or quantity has
        return False


TERM_CHECKS: tuple[Check, ...] = (known_parties, whole_lots, sound_prices, not_expired)
"""What is wrong with an order by itself."""
ORDER_CHECKS: tuple[Check, ...] = (
    *TERM_CHECKS,
    not_killed,
    trading_state,
    strategy_running,
    fresh_data,
    reduce_only,
    order_rate,
)
"""Asked of every order."""
LIMIT_CHECKS: tuple[Check, ...] = (
    shares,
    loss_at_stop,
    notional,
    exposure,
    strategy_exposure,
    open_positions,
    daily_loss,
    drawdown,
    consecutive_losses,
    trades_per_day,
)
"""Asked of every order that does more than reduce the account's position."""
ALL_CHECKS: tuple[Check, ...] = ORDER_CHECKS + LIMIT_CHECKS + DESK_CHECKS
