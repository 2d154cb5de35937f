"""New orders: verify, journal, send once; and what the venue answered."""

from collections.abc import Iterator
from typing import Any

from trading.broker.gate import Refusal, refusal
from trading.broker.resolution import Resolution, Until
from trading.broker.state import BrokerState
from trading.commands import (
    PermittedOrder,
    PermittedOrderList,
    SubmitOrder,
    SubmitOrderList,
)
from trading.effects import CallVenue, Effect
from trading.events import (
    OrderAccepted,
    OrderAmbiguous,
    OrderDenied,
    OrderRejected,
    OrderSubmitted,
)
from trading.order import Order
from trading.order_lists import list_defect
from trading.outcomes import (
    JournalRecovered,
    Started,
    SubmitAcknowledged,
    SubmitListAcknowledged,
    SubmitListNotSent,
    SubmitListOutcomeUnknown,
    SubmitListRefused,
    SubmitNotSent,
    SubmitOutcomeUnknown,
    SubmitRefused,
)
from trading.refusals import RefusalCode
from trading.values import OrderListKind, OrderStatus

OrderOutcome = SubmitAcknowledged | SubmitRefused | SubmitNotSent | SubmitOutcomeUnknown
ListOutcome = (
    SubmitListAcknowledged | SubmitListRefused | SubmitListNotSent | SubmitListOutcomeUnknown
)
_NO_PERMIT = Refusal(RefusalCode.RISK_PERMIT_MISSING, RefusalCode.RISK_PERMIT_MISSING.meaning)


class Submission:
    """Sends each order at most once in its life: an id that exists, refused ones too, is a repeat."""

    def __init__(self, state: BrokerState, resolution: Resolution) -> None:
        self._state = state
        self._resolution = resolution

    def permitted(self, message: PermittedOrder, now: int) -> list[Effect]:
        order, permit = message.order, message.permit
        if self._is_repeat(order):
            return []
        refused = refusal(self._state, order, permit, now)
        if refused is not None:
            return self._deny(order, refused, now)
        return self.send(order, now, f"permit:{permit.risk_epoch}/{permit.signature[:16]}")

    def permitted_list(self, message: PermittedOrderList, now: int) -> list[Effect]:
        """Send all orders of a list or none; one that is known already makes all of it a repeat."""
        order_list, permit = message.order_list, message.permit
        if self._has_repeat(order_list):
            return []
        defect = list_defect(order_list)
        if defect is not None:
            return self._deny_list(order_list, Refusal(RefusalCode.RISK_BAD_LIST, defect), now)
        refused = refusal(self._state, order_list, permit, now)
        if refused is not None:
            return self._deny_list(order_list, refused, now)
        cause = f"permit:{permit.risk_epoch}/{permit.signature[:16]}"
        intents: list[Effect] = [
            self._intent(order, now, cause, order_list.kind) for order in order_list.orders
        ]
        return [*intents, CallVenue(order_list, self._state.config.submit_timeout_ns)]

    def unpermitted(self, order: SubmitOrder, now: int) -> list[Effect]:
        if self._is_repeat(order):
            return []
        return self._deny(order, _NO_PERMIT, now)

    def unpermitted_list(self, order_list: SubmitOrderList, now: int) -> list[Effect]:
        if self._has_repeat(order_list):
            return []
        return self._deny_list(order_list, _NO_PERMIT, now)

    def send(self, order: SubmitOrder, now: int, cause: str) -> list[Effect]:
        """Return the intent, durable, and behind it the one call to the venue."""
        intent = self._intent(order, now, cause)
        return [intent, CallVenue(order, self._state.config.submit_timeout_ns)]

    def _intent(
        self, order: SubmitOrder, now: int, cause: str, list_kind: OrderListKind | None = None
    ) -> Effect:
        intent = OrderSubmitted(
            ts_event=order.ts_event,
            ts_init=now,
            correlation_id=order.correlation_id,
            causation_id=cause,
            client_order_id=order.client_order_id,
            strategy_id=order.strategy_id,
            instrument_id=order.instrument_id,
            order=order,
            epoch=self._state.epoch,
            list_kind=list_kind,
        )
        return self._state.fact(intent)

    def acknowledged(self, message: SubmitAcknowledged, now: int) -> list[Effect]:
        order = self._state.order(message.client_order_id)
        if order is None or not (order.is_in_flight or order.was_never_sent):
            self._state.ignore(message)
            return []
        origin = self._state.origin(order, message, now)
        return [self._state.fact(OrderAccepted(**origin, venue_order_id=message.venue_order_id))]

    def refused(self, message: SubmitRefused, now: int) -> list[Effect]:
        """A refusal is final, unless the venue has the order already, or says so otherwise."""
        order = self._state.open_order(message.client_order_id)
        if order is None:
            self._state.ignore(message)
            return []
        if not order.is_in_flight:
            return self._resolution.watch(order.client_order_id, Until.ANSWERED, now)
        if message.code == RefusalCode.DUPLICATE_CLIENT_ORDER_ID:
            return self._doubt(order, message, f"{message.code}: {message.reason}", now)
        origin = self._state.origin(order, message, now)
        fact = OrderRejected(**origin, code=message.code, reason=message.reason)
        return [self._state.fact(fact)]

    def not_sent(self, message: SubmitNotSent, now: int) -> list[Effect]:
        order = self._state.open_order(message.client_order_id)
        if order is None or not order.is_in_flight:
            self._state.ignore(message)
            return []
        code = RefusalCode.ORDER_NEVER_SENT
        origin = self._state.origin(order, message, now)
        return [self._state.fact(OrderDenied(**origin, code=code, reason=message.reason))]

    def unknown(self, message: SubmitOutcomeUnknown, now: int) -> list[Effect]:
        order = self._state.open_order(message.client_order_id)
        if order is None or not order.is_in_flight:
            self._state.ignore(message)
            return []
        return self._doubt(order, message, message.reason, now)

    def list_answered(self, message: ListOutcome, now: int) -> list[Effect]:
        """Take what became of a list as what became of each of its orders."""
        return [effect for outcome in _each(message) for effect in self._answered(outcome, now)]

    def _answered(self, outcome: OrderOutcome, now: int) -> list[Effect]:
        match outcome:
            case SubmitAcknowledged():
                return self.acknowledged(outcome, now)
            case SubmitRefused():
                return self.refused(outcome, now)
            case SubmitNotSent():
                return self.not_sent(outcome, now)
            case SubmitOutcomeUnknown():
                return self.unknown(outcome, now)

    def restarted(self, message: Started | JournalRecovered, now: int) -> list[Effect]:
        """Doubt every submission whose outcome we may have missed, sent or not."""
        return [
            self._state.fact(
                OrderAmbiguous(**self._state.origin(order, message, now), reason="restart")
            )
            for order in list(self._state.record.open_orders.values())
            if order.status is OrderStatus.SUBMITTED
        ]

    def write_refusals(self) -> list[Effect]:
        """Journal the refusals that waited for the journal."""
        refusals, self._state.unwritten = self._state.unwritten, {}
        orders = self._state.record.orders
        return [self._state.fact(fact) for key, fact in refusals.items() if key not in orders]

    def _is_repeat(self, order: SubmitOrder) -> bool:
        key = order.client_order_id
        is_known = self._state.order(key) is not None or key in self._state.unwritten
        self._state.duplicate_count += is_known
        return is_known

    def _has_repeat(self, order_list: SubmitOrderList) -> bool:
        return sum(self._is_repeat(order) for order in order_list.orders) > 0

    def _doubt(
        self, order: Order, message: SubmitRefused | SubmitOutcomeUnknown, reason: str, now: int
    ) -> list[Effect]:
        effects: list[Effect] = []
        if order.status is OrderStatus.SUBMITTED:
            origin = self._state.origin(order, message, now)
            effects.append(self._state.fact(OrderAmbiguous(**origin, reason=reason)))
        return effects + self._resolution.watch(order.client_order_id, Until.KNOWN, now)

    def _deny_list(self, order_list: SubmitOrderList, refused: Refusal, now: int) -> list[Effect]:
        denials = (self._deny(order, refused, now) for order in order_list.orders)
        return [effect for effects in denials for effect in effects]

    def _deny(self, order: SubmitOrder, refused: Refusal, now: int) -> list[Effect]:
        fact = OrderDenied(
            ts_event=order.ts_event,
            ts_init=now,
            correlation_id=order.correlation_id,
            causation_id=order.client_order_id,
            client_order_id=order.client_order_id,
            strategy_id=order.strategy_id,
            instrument_id=order.instrument_id,
            code=refused.code,
            reason=refused.reason,
            order=order,
        )
        if self._state.is_journal_up:
            return [self._state.fact(fact)]
        self._state.unwritten[order.client_order_id] = fact
        return []


def _each(message: ListOutcome) -> Iterator[OrderOutcome]:
    """Yield the outcome of each order of a list."""
    stamps: dict[str, Any] = {
        "ts_event": message.ts_event,
        "ts_init": message.ts_init,
        "correlation_id": message.correlation_id,
        "causation_id": message.causation_id,
    }
    for index, key in enumerate(message.client_order_ids):
        match message:
            case SubmitListAcknowledged(venue_order_ids=order_ids):
                yield SubmitAcknowledged(
                    **stamps, client_order_id=key, venue_order_id=order_ids[index]
                )
            case SubmitListRefused(code=code, reason=reason):
                yield SubmitRefused(**stamps, client_order_id=key, code=code, reason=reason)
            case SubmitListNotSent(reason=reason):
                yield SubmitNotSent(**stamps, client_order_id=key, reason=reason)
            case SubmitListOutcomeUnknown(reason=reason):
                yield SubmitOutcomeUnknown(**stamps, client_order_id=key, reason=reason)
