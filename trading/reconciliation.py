"""What a venue says, turned into the facts that we lack: pure, and empty when asked a second time.

A report may repeat, arrive out of order, or speak of an order that we never made. Fills come only
from executions that the venue lists, each applied once by `trade_id`; a status never invents one.
"""

from collections.abc import Iterable, Mapping, Set
from hashlib import blake2b
from typing import TypedDict, TypeVar

import msgspec

from trading.account import EXTERNAL
from trading.commands import SubmitOrder
from trading.events import (
    OrderAccepted,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    OrderTriggered,
    OrderUpdated,
)
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId, TradeId
from trading.order import TRANSITIONS, Order
from trading.position import EXACT
from trading.reports import FillReport, MassStatus, OrderStatusReport
from trading.values import ZERO, OrderStatus, OrderType

_R = TypeVar("_R", OrderStatusReport, FillReport)
_WORKING = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)


class Reconciliation(msgspec.Struct, frozen=True):
    """What it takes to agree with the venue.

    Attributes
    ----------
    facts : tuple of OrderEvent
        To be appended in this order.
    to_query : tuple of ClientOrderId
        Orders that we think open and the venue does not list: ask for each, never guess.
    contradictions : tuple of str
        What no fact can mend, one sentence each.
    """

    facts: tuple[OrderEvent, ...]
    to_query: tuple[ClientOrderId, ...]
    contradictions: tuple[str, ...]

    @property
    def fill_count(self) -> int:
        return sum(isinstance(fact, OrderFilled) for fact in self.facts)


class _Origin(TypedDict):
    ts_event: int
    ts_init: int
    correlation_id: str
    causation_id: str
    client_order_id: ClientOrderId
    strategy_id: StrategyId
    instrument_id: InstrumentId


class _Draft:
    """One order, and the facts about it that we are about to add to `facts`."""

    def __init__(self, order: Order | None, facts: list[OrderEvent], now: int) -> None:
        self.order = None if order is None else order.copy()
        self._facts = facts
        self._now = now

    def origin(self, report: OrderStatusReport | FillReport) -> _Origin:
        request = None if self.order is None else self.order.request
        return _Origin(
            ts_event=report.ts_event,
            ts_init=self._now,
            correlation_id=request.correlation_id if request else report.correlation_id,
            causation_id=report.causation_id,
            client_order_id=report.client_order_id,
            strategy_id=EXTERNAL if self.order is None else self.order.strategy_id,
            instrument_id=report.instrument_id,
        )

    def add(self, fact: OrderEvent) -> Order:
        if self.order is None:
            self.order = Order.of(fact)
        self.order.apply(fact)
        self._facts.append(fact)
        return self.order


def fill_id(report: FillReport) -> TradeId:
    """Return the venue's execution id; without one, a hash of the logical fill.

    Two equal executions of one order at the same nanosecond, from a venue that numbers neither
    executions nor messages, cannot be told from one that is repeated, and count as one.
    """
    if report.trade_id:
        return report.trade_id
    parts = (
        report.client_order_id,
        report.venue_order_id,
        report.instrument_id,
        report.side,
        str(report.last_qty.normalize()),
        str(report.last_px.normalize()),
        str(report.ts_event),
        str(report.venue_seq),
    )
    return TradeId(blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest())


def contradiction(order: Order | None, report: OrderStatusReport | FillReport) -> str | None:
    """Return why `report` cannot be about `order`, or cannot be true; None when it can."""
    if isinstance(report, FillReport) and not _is_sane(report):
        return f"fill {report.trade_id}: quantity {report.last_qty} at {report.last_px}"
    if order is None or order.request is None:
        return None
    asked = (order.instrument_id, order.request.side)
    if asked != (report.instrument_id, report.side):
        said = f"{report.side} {report.instrument_id}"
        return f"order {order.client_order_id} is {asked[1]} {asked[0]}, the venue says {said}"
    return None


def fill_facts(order: Order | None, report: FillReport, now: int) -> list[OrderEvent]:
    """Return the facts that apply one execution, which must not have been applied before.

    An unknown order is adopted as `EXTERNAL`; as long as only its fills are known, it counts as
    large as they are.
    """
    facts: list[OrderEvent] = []
    _add_fill(_Draft(order, facts, now), report)
    return facts


def status_facts(
    order: Order | None, report: OrderStatusReport, now: int, *, is_stale: bool = False
) -> list[OrderEvent]:
    """Return the facts in a status report that `order` does not show yet, fills excepted.

    Parameters
    ----------
    is_stale : bool
        A newer report of the order was seen: quantity and prices of this one are ignored.
    """
    facts: list[OrderEvent] = []
    draft = _Draft(order, facts, now)
    _add_opening(draft, report)
    if not is_stale:
        _add_update(draft, report)
    _add_closing(draft, report)
    return facts


def lacks_fills(order: Order | None, report: OrderStatusReport) -> bool:
    """Say whether the venue filled more of the order than we know of."""
    return report.filled_qty > (ZERO if order is None else order.filled_qty)


def reconcile(
    orders: Mapping[ClientOrderId, Order],
    trade_ids: Set[TradeId],
    mass_status: MassStatus,
    now: int,
    asked_at: int | None = None,
) -> Reconciliation:
    """Compare our orders with the venue's answer and return what we lack. Changes nothing.

    Applying the facts and reconciling again with the same answer returns none. No working order is
    ever dropped: an order that we think open and the venue does not list is to be queried.

    Parameters
    ----------
    trade_ids : set of TradeId
        The fills that were applied.
    now : int
        Host time (ns UTC), `ts_init` of the facts.
    asked_at : int, optional
        When the answer was asked for (ns UTC): what it says of orders that changed since is old, so
        only its fills count for them.
    """
    facts: list[OrderEvent] = []
    reports: tuple[OrderStatusReport | FillReport, ...] = mass_status.open_orders
    reports += mass_status.fills
    keys = dict.fromkeys(report.client_order_id for report in reports)
    drafts = {key: _Draft(orders.get(key), facts, now) for key in keys}
    wrong: list[str] = []
    statuses = _believable(mass_status.open_orders, orders, wrong)
    recent = [
        (drafts[report.client_order_id], report)
        for report in statuses
        if not _changed_since(orders.get(report.client_order_id), asked_at)
    ]
    for draft, report in recent:
        _add_opening(draft, report)
    fills = _believable(_unapplied(mass_status.fills, trade_ids), orders, wrong)
    for fill in fills:
        _add_fill(drafts[fill.client_order_id], fill)
    for draft, report in recent:
        _add_update(draft, report)
        _add_closing(draft, report)
        if report.status in _WORKING and draft.order is not None and not draft.order.is_open:
            wrong.append(f"order {report.client_order_id} is {draft.order.status}, yet it works")
    listed = {report.client_order_id for report in mass_status.open_orders}
    after = {**orders, **{key: draft.order for key, draft in drafts.items() if draft.order}}
    absent = [
        key
        for key, order in after.items()
        if key not in listed
        and _must_be_asked_for(order)
        and not _changed_since(orders.get(key), asked_at)
    ]
    return Reconciliation(tuple(facts), tuple(absent), tuple(wrong))


def _is_sane(report: FillReport) -> bool:
    numbers = (report.last_qty, report.last_px, report.commission, report.commission_qty)
    if not all(number.is_finite() for number in numbers) or report.last_qty <= 0:
        return False
    return not (report.is_margined and report.commission_qty)  # there are no units to keep


def _believable(
    reports: Iterable[_R], orders: Mapping[ClientOrderId, Order], wrong: list[str]
) -> list[_R]:
    kept = []
    for report in reports:
        why_not = contradiction(orders.get(report.client_order_id), report)
        if why_not is None:
            kept.append(report)
        else:
            wrong.append(why_not)
    return kept


def _unapplied(reports: Iterable[FillReport], trade_ids: Set[TradeId]) -> list[FillReport]:
    """Return each execution that was not applied once, oldest first."""
    new = {fill_id(report): report for report in reports if fill_id(report) not in trade_ids}
    return sorted(new.values(), key=lambda report: (report.ts_event, report.venue_seq))


def _must_be_asked_for(order: Order) -> bool:
    """Say whether an absent order is a riddle: a submission still under way answers by itself."""
    return order.is_open and order.status is not OrderStatus.SUBMITTED


def _changed_since(order: Order | None, asked_at: int | None) -> bool:
    return order is not None and asked_at is not None and order.ts_last > asked_at


def _add_opening(draft: _Draft, report: OrderStatusReport) -> None:
    """Adopt an unknown order, end the doubt about a submitted one, revive a never-sent one."""
    if report.status is OrderStatus.REJECTED:
        return
    order = draft.order
    if order is None:
        order = draft.add(OrderSubmitted(**draft.origin(report), order=_adopted(report), epoch=0))
    if order.is_in_flight or order.was_never_sent:
        draft.add(OrderAccepted(**draft.origin(report), venue_order_id=report.venue_order_id))


def _add_fill(draft: _Draft, report: FillReport) -> None:
    order = draft.order
    if order is None:
        request = _adopted(report)
        order = draft.add(OrderSubmitted(**draft.origin(report), order=request, epoch=0))
    total = EXACT.add(order.filled_qty, report.last_qty)
    if order.strategy_id == EXTERNAL and total > order.quantity:
        draft.add(OrderUpdated(**draft.origin(report), quantity=total, price=order.price))
    draft.add(
        OrderFilled(
            **draft.origin(report),
            venue_order_id=report.venue_order_id,
            trade_id=fill_id(report),
            side=report.side,
            last_qty=report.last_qty,
            last_px=report.last_px,
            commission=report.commission,
            currency=report.currency,
            liquidity_side=report.liquidity_side,
            purpose=order.request.purpose if order.request else "external",
            commission_qty=report.commission_qty,
            is_margined=report.is_margined,
        )
    )


def _add_update(draft: _Draft, report: OrderStatusReport) -> None:
    order = draft.order
    if order is None or OrderUpdated not in TRANSITIONS[order.status]:
        return
    price = order.price if report.price is None else report.price
    trigger_price = order.trigger_price if report.trigger_price is None else report.trigger_price
    if report.order_type is OrderType.TRAILING_STOP_MARKET:
        trigger_price = order.trigger_price  # it moves by itself: no change that anybody asked for
    new = (report.quantity, price, trigger_price)
    if new != (order.quantity, order.price, order.trigger_price):
        fact = OrderUpdated(
            **draft.origin(report),
            quantity=report.quantity,
            price=price,
            trigger_price=trigger_price,
        )
        draft.add(fact)


def _add_closing(draft: _Draft, report: OrderStatusReport) -> None:
    order = draft.order
    if order is None or not order.is_open:
        return
    origin = draft.origin(report)
    if report.is_triggered and not order.is_triggered and not order.is_in_flight:
        draft.add(OrderTriggered(**origin))
    match report.status:
        case OrderStatus.CANCELED:
            draft.add(OrderCanceled(**origin, reason=report.reason, filled_qty=report.filled_qty))
        case OrderStatus.EXPIRED:
            draft.add(OrderExpired(**origin, reason=report.reason, filled_qty=report.filled_qty))
        case OrderStatus.REJECTED:
            draft.add(OrderRejected(**origin, code=report.code, reason=report.reason))
        case _:
            pass  # still working, or filled: fills say that


def _adopted(report: OrderStatusReport | FillReport) -> SubmitOrder:
    """Return the order that somebody else must have sent."""
    order = SubmitOrder(
        ts_event=report.ts_event,
        correlation_id=report.correlation_id,
        client_order_id=report.client_order_id,
        account_id=report.account_id,
        strategy_id=EXTERNAL,
        instrument_id=report.instrument_id,
        side=report.side,
        quantity=report.last_qty if isinstance(report, FillReport) else report.quantity,
        purpose="external",
    )
    if isinstance(report, FillReport):
        return order
    return msgspec.structs.replace(
        order,
        order_type=report.order_type,
        time_in_force=report.time_in_force,
        price=report.price,
        trigger_price=report.trigger_price,
    )
