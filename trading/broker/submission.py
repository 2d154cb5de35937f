"""New orders: verify, journal, send once; and what the venue answered."""

from trading.broker.gate import refusal
from trading.broker.resolution import Resolution, Until
from trading.broker.state import BrokerState
from trading.commands import PermittedOrder, SubmitOrder
from trading.effects import CallVenue, Effect
from trading.events import (
    OrderAccepted,
    OrderAmbiguous,
    OrderDenied,
    OrderRejected,
    OrderSubmitted,
)
from trading.order import Order
from trading.outcomes import (
    JournalRecovered,
    Started,
    SubmitAcknowledged,
    SubmitNotSent,
    SubmitOutcomeUnknown,
    SubmitRefused,
)
from trading.refusals import RefusalCode
from trading.values import OrderStatus


class Submission:
    """Sends each order at most once in its life: an id that exists, refused ones too, is a repeat."""

    def __init__(self, state: BrokerState, resolution: Resolution) -> None:
        self._state = state
        self._resolution = resolution

    def permitted(self, message: PermittedOrder, now: int) -> list[Effect]:
        order, permit = message.order, message.permit
        if self._is_repeat(order):
            return []
        code = refusal(self._state, order, permit, now)
        if code is not None:
            return self._deny(order, code, now)
        return self.send(order, now, f"permit:{permit.risk_epoch}/{permit.signature[:16]}")

    def unpermitted(self, order: SubmitOrder, now: int) -> list[Effect]:
        if self._is_repeat(order):
            return []
        return self._deny(order, RefusalCode.RISK_PERMIT_MISSING, now)

    def send(self, order: SubmitOrder, now: int, cause: str) -> list[Effect]:
        """Return the intent, durable, and behind it the one call to the venue."""
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
        )
        return [self._state.fact(intent), CallVenue(order, self._state.config.submit_timeout_ns)]

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

    def _doubt(
        self, order: Order, message: SubmitRefused | SubmitOutcomeUnknown, reason: str, now: int
    ) -> list[Effect]:
        effects: list[Effect] = []
        if order.status is OrderStatus.SUBMITTED:
            origin = self._state.origin(order, message, now)
            effects.append(self._state.fact(OrderAmbiguous(**origin, reason=reason)))
        return effects + self._resolution.watch(order.client_order_id, Until.KNOWN, now)

    def _deny(self, order: SubmitOrder, code: RefusalCode, now: int) -> list[Effect]:
        fact = OrderDenied(
            ts_event=order.ts_event,
            ts_init=now,
            correlation_id=order.correlation_id,
            causation_id=order.client_order_id,
            client_order_id=order.client_order_id,
            strategy_id=order.strategy_id,
            instrument_id=order.instrument_id,
            code=code,
            reason=code.meaning,
            order=order,
        )
        if self._state.is_journal_up:
            return [self._state.fact(fact)]
        self._state.unwritten[order.client_order_id] = fact
        return []
