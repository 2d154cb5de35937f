"""Bracket and OCO where the venue has none: one exit rests there, the desk watches the other.

Never both at once: the exits that work and that are filled together are at most what there is to get out of. To
change from one to the other, the resting one is cancelled first, and the other is sent when it is
certain that the first cannot fill any more.
"""

from decimal import Decimal

import msgspec

from trading.algorithms.child import Child
from trading.algorithms.parameters import Bracket, ChildRole, WithExits
from trading.algorithms.parent import EXITS, PARTS, ParentOrder
from trading.algorithms.plan import (
    EndCode,
    Ending,
    Plan,
    WantedChild,
    cancels_of,
    earliest,
    wind_down,
)
from trading.refusals import RefusalCode
from trading.routing.lots import sendable
from trading.routing.quotes import VenueQuote
from trading.routing.ticks import limit_on_grid
from trading.values import NANOS_PER_SECOND, OrderType, TimeInForce

SWITCH_PAUSE_NS = NANOS_PER_SECOND
"""Between two tries of a take profit that is watched."""
RETRY_PAUSE_NS = NANOS_PER_SECOND // 4
RETRY_PAUSE_NS_MAX = 60 * NANOS_PER_SECOND
"""A refused exit is tried again for ever: after one pause, then twice that, up to a minute."""
NOTHING_TO_REDUCE_MAX = 5
"""So many refusals of this kind in a row are believed; risk may hear of a fill later than the desk."""


class _Moment(msgspec.Struct, frozen=True):
    """All that one decision looks at.

    Attributes
    ----------
    exposure : Decimal
        Units that there are to get out of.
    free : Decimal
        Of these, what no exit works on.
    """

    parent: ParentOrder
    algorithm: WithExits
    quote: VenueQuote
    now: int
    settle_ns: int
    exposure: Decimal
    free: Decimal

    @property
    def open_exits(self) -> list[Child]:
        return [child for child in self.parent.of(EXITS) if child.is_open]

    @property
    def price(self) -> Decimal | None:
        """What an exit would trade at; None while the market is not known."""
        return None if self.quote.unavailable else self.quote.best(self.parent.exit_side.opposite)

    @property
    def has_reached_profit(self) -> bool:
        sign, price = self.parent.exit_side.sign, self.price
        return price is not None and sign * price <= sign * self.algorithm.take_profit_px

    @property
    def has_reached_stop(self) -> bool:
        sign, price = self.parent.exit_side.sign, self.price
        return price is not None and sign * price >= sign * self.algorithm.stop_loss_px


def decide_exits(
    parent: ParentOrder, algorithm: WithExits, quote: VenueQuote, now: int, settle_ns: int
) -> Plan:
    """Return what entry and exits call for."""
    ending = _ending(parent, now)
    if ending is not None:
        return wind_down(parent, ending, now, settle_ns)
    if isinstance(algorithm, Bracket) and not parent.of(PARTS):
        return _enter(parent, quote)
    held = parent.entered() if isinstance(algorithm, Bracket) else parent.order.quantity
    exposure = held - parent.filled(EXITS)
    free = exposure - parent.reserved(EXITS, now, settle_ns)
    moment = _Moment(parent, algorithm, quote, now, settle_ns, exposure, free)
    over = _is_entry_over(parent, now, settle_ns)
    least = sendable(exposure, quote.instrument, algorithm.stop_loss_px)
    if over and not least and not moment.open_exits:
        return wind_down(parent, _result(parent, held, exposure), now, settle_ns)
    plan = _work(moment) if exposure > 0 else Plan(cancels=cancels_of(moment.open_exits, "Flat."))
    expiry = 0 if _is_late(parent, now) else parent.order.expires_at
    plan = msgspec.structs.replace(plan, wake_at=earliest(plan.wake_at, expiry))
    return plan if over else _with_entry(plan, moment)


def _ending(parent: ParentOrder, now: int) -> Ending | None:
    if parent.cancel_reason is not None:
        return Ending(EndCode.CANCELED, parent.cancel_reason or "It was asked for.")
    if any(child.was_taken_away for child in parent.of(EXITS)):
        reason = "Somebody else cancelled an exit; the position is left as it is."
        return Ending(EndCode.CHILD_CANCELED, reason)
    refused = parent.refused_in_a_row(EXITS)[-NOTHING_TO_REDUCE_MAX:]
    if len(refused) == NOTHING_TO_REDUCE_MAX and all(
        child.code == RefusalCode.RISK_REDUCE_ONLY for child in refused
    ):
        return Ending(EndCode.NOTHING_TO_EXIT, f"The exits are refused. {refused[-1].reason}")
    is_bracket = isinstance(parent.order.algorithm, Bracket)
    if _is_late(parent, now) and (not is_bracket or not parent.of(PARTS)):
        return Ending(EndCode.EXPIRED, "The order has expired.")
    return None


def _is_late(parent: ParentOrder, now: int) -> bool:
    return 0 < parent.order.expires_at <= now


def _result(parent: ParentOrder, held: Decimal, exposure: Decimal) -> Ending:
    if exposure > 0:
        reason = f"{exposure} units are left without an exit: less than the smallest order."
        return Ending(EndCode.REMAINDER_TOO_SMALL, reason)
    if held > 0:
        return Ending(EndCode.EXITED, "The exits have closed the position.")
    refused = parent.refused_in_a_row()
    if refused:
        return Ending(EndCode.REFUSED, f"The entry was refused. {refused[-1].reason}")
    return Ending(EndCode.NOT_ENTERED, "The entry ended without a fill.")


# -- the entry


def _enter(parent: ParentOrder, quote: VenueQuote) -> Plan:
    """Send the entry once; a refused one is not repeated."""
    order = parent.order
    if quote.unavailable:
        return Plan(wake_at=order.expires_at, is_watching=True)
    limit = order.limit_price
    entry = WantedChild(
        quote=quote,
        quantity=quote.instrument.quantity(order.quantity),
        step=0,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY if limit is None else order.time_in_force,
        price=None if limit is None else limit_on_grid(order.side, limit, quote.instrument),
    )
    return Plan(children=(entry,), wake_at=order.expires_at, is_watching=True)


def _is_entry_over(parent: ParentOrder, now: int, settle_ns: int) -> bool:
    return not parent.reserved(PARTS, now, settle_ns) and not any(
        child.is_open for child in parent.of(PARTS)
    )


def _with_entry(plan: Plan, moment: _Moment) -> Plan:
    """Cancel the entry when an exit was reached or the order expired; wake when it is settled."""
    parent = moment.parent
    parts = parent.of(PARTS)
    has_left = parent.is_stopped_out or bool(parent.filled(EXITS))
    cancels = cancels_of(parts, "The position is being left.") if has_left else ()
    if _is_late(parent, moment.now):
        cancels = cancels or cancels_of(parts, "The order has expired.")
    settled = (child.settled_at(moment.settle_ns) for child in parts if not child.is_open)
    return msgspec.structs.replace(
        plan,
        cancels=plan.cancels + cancels,
        wake_at=earliest(plan.wake_at, *(at for at in settled if at > moment.now)),
        is_watching=True,
    )


# -- the exits


def _work(moment: _Moment) -> Plan:
    parent, algorithm = moment.parent, moment.algorithm
    if parent.is_stopped_out:
        return _get_out(moment)
    is_stop_free = algorithm.rests is ChildRole.TAKE_PROFIT or not moment.open_exits
    if moment.has_reached_stop and is_stop_free:
        return Plan(stop_loss_px=moment.price)
    if algorithm.rests is ChildRole.TAKE_PROFIT:
        return _rest(moment, _take_profit(moment, parent.order.time_in_force))
    if not moment.has_reached_profit or _is_profit_pausing(moment):
        return _rest(moment, _stop_loss(moment))
    return _switch(moment, _take_profit(moment, TimeInForce.IOC), "The take profit was reached.")


def _rest(moment: _Moment, child: WantedChild) -> Plan:
    """Let an exit rest for all that has none; what is too little waits for more."""
    retry_at = _retry_at(moment.parent)
    tries = moment.parent.of({ChildRole.TAKE_PROFIT})
    pause = tries[-1].planned_at + SWITCH_PAUSE_NS if tries else 0
    wake_at = earliest(*(at for at in (retry_at, pause, *_settling(moment)) if at > moment.now))
    is_due = child.quantity > 0 and moment.now >= retry_at
    return Plan(children=(child,) if is_due else (), wake_at=wake_at, is_watching=True)


def _switch(moment: _Moment, child: WantedChild, reason: str) -> Plan:
    """Cancel the exits that rest; send the other one when they cannot fill any more."""
    cancels = cancels_of([each for each in moment.open_exits if _may_be_replaced(each)], reason)
    is_clear = moment.free == moment.exposure
    is_due = is_clear and child.quantity > 0 and moment.now >= _retry_at(moment.parent)
    at = earliest(*(at for at in (_retry_at(moment.parent), *_settling(moment)) if at > moment.now))
    children = (child,) if is_due else ()
    return Plan(children=children, cancels=cancels, wake_at=at, is_watching=True)


def _get_out(moment: _Moment) -> Plan:
    """The watched stop was reached: out of everything, however the market goes on."""
    limit = moment.algorithm.stop_limit_px
    child = WantedChild(
        quote=moment.quote,
        quantity=_quantity(moment, limit),
        step=len(moment.parent.children),
        role=ChildRole.STOP_LOSS,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY if limit is None else moment.parent.order.time_in_force,
        price=limit,
    )
    return _switch(moment, child, "The stop loss was reached.")


def _may_be_replaced(child: Child) -> bool:
    """Everything but an order that is already on its way out at the stop loss."""
    is_waiting = child.request.trigger_price is not None
    return child.role is ChildRole.TAKE_PROFIT or is_waiting


def _stop_loss(moment: _Moment) -> WantedChild:
    limit = moment.algorithm.stop_limit_px
    return WantedChild(
        quote=moment.quote,
        quantity=_quantity(moment, moment.algorithm.stop_loss_px),
        step=len(moment.parent.children),
        role=ChildRole.STOP_LOSS,
        order_type=OrderType.STOP_MARKET if limit is None else OrderType.STOP_LIMIT,
        time_in_force=moment.parent.order.time_in_force,
        price=limit,
        trigger_price=moment.algorithm.stop_loss_px,
    )


def _take_profit(moment: _Moment, time_in_force: TimeInForce) -> WantedChild:
    return WantedChild(
        quote=moment.quote,
        quantity=_quantity(moment, moment.algorithm.take_profit_px),
        step=len(moment.parent.children),
        role=ChildRole.TAKE_PROFIT,
        order_type=OrderType.LIMIT,
        time_in_force=time_in_force,
        price=moment.algorithm.take_profit_px,
    )


def _quantity(moment: _Moment, price: Decimal | None) -> Decimal:
    return sendable(moment.free, moment.quote.instrument, price or moment.price)


def _settling(moment: _Moment) -> list[int]:
    ended = [child for child in moment.parent.of(EXITS) if not child.is_open]
    return [child.settled_at(moment.settle_ns) for child in ended]


def _is_profit_pausing(moment: _Moment) -> bool:
    tries = moment.parent.of({ChildRole.TAKE_PROFIT})
    return bool(tries) and moment.now < tries[-1].planned_at + SWITCH_PAUSE_NS


def _retry_at(parent: ParentOrder) -> int:
    """Return when a refused exit may be tried again; 0 when none was refused."""
    refused = parent.refused_in_a_row(EXITS)
    if not refused:
        return 0
    pause = min(RETRY_PAUSE_NS << min(len(refused) - 1, 10), RETRY_PAUSE_NS_MAX)
    return refused[-1].ended_at + pause
