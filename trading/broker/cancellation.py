"""Cancels always pass: no permit, no journal, no readiness is asked of them."""

from collections import Counter

from trading.broker.resolution import Resolution, Until
from trading.broker.state import BrokerState
from trading.commands import CancelAllOrders, CancelOrder
from trading.effects import CallVenue, CancelTimer, Effect, SetTimer
from trading.events import OrderCancelRejected
from trading.identifiers import ClientOrderId
from trading.order import Order
from trading.outcomes import (
    CancelAcknowledged,
    CancelAllAcknowledged,
    CancelOutcomeUnknown,
    CancelRefused,
    QueryFailed,
)
from trading.values import OrderStatus

CANCEL_ALL = "cancel_all"
"""Timer key: the venue has not confirmed a cancel-all yet."""


class Cancellation:
    """Asks the venue to cancel, and finds out what became of it.

    An acknowledged cancel is not a cancelled order: only the venue's report is. A cancel whose
    outcome is unknown is sent again while the venue says that the order works: repeating it is
    harmless.
    """

    def __init__(self, state: BrokerState, resolution: Resolution) -> None:
        self._state = state
        self._resolution = resolution
        self._unknown_counts: Counter[ClientOrderId] = Counter()
        self._unanswered: set[ClientOrderId] = set()
        self._cancel_all: CancelAllOrders | None = None
        self._covered: tuple[ClientOrderId, ...] = ()
        self._must_insist = False
        self._attempt = 0

    @property
    def is_cancelling_all(self) -> bool:
        """True until the venue has confirmed the last cancel-all."""
        return self._cancel_all is not None

    def cancel(self, message: CancelOrder, now: int) -> list[Effect]:
        order = self._state.open_order(message.client_order_id)
        if order is None:
            self._state.ignore(message)
            return []
        return [self.call(order, message.reason, now)]

    def cancel_all(self, message: CancelAllOrders, now: int) -> list[Effect]:
        """Cancel all of the account in one call, or one strategy's orders one by one."""
        if message.strategy_id is None:
            return self.everything(message.reason, now)
        return [
            self.call(order, message.reason, now)
            for order in self._state.record.open_orders.values()
            if order.strategy_id == message.strategy_id
        ]

    def everything(self, reason: str, now: int, *, must_insist: bool = False) -> list[Effect]:
        """Cancel every order of the account in one call.

        Parameters
        ----------
        must_insist : bool
            Repeat the call until the venue confirms it. Otherwise a call that fails is followed by
            one cancel for each order that was open at the time: newer orders are left alone.
        """
        self._attempt = 0
        self._must_insist = must_insist or (self._must_insist and self.is_cancelling_all)
        self._covered = tuple(self._state.record.open_orders)
        self._cancel_all = CancelAllOrders(
            ts_init=now, account_id=self._state.config.account_id, reason=reason
        )
        return self._call_all(now)

    def call(self, order: Order, reason: str, now: int) -> CallVenue:
        order.pending = OrderStatus.PENDING_CANCEL
        cancel = CancelOrder(
            ts_init=now,
            causation_id=order.client_order_id,
            client_order_id=order.client_order_id,
            account_id=self._state.config.account_id,
            venue_order_id=order.venue_order_id,
            reason=reason,
        )
        return CallVenue(cancel, self._state.config.submit_timeout_ns)

    def acknowledged(self, message: CancelAcknowledged, now: int) -> list[Effect]:
        return self._await_closing(message.client_order_id, now)

    def refused(self, message: CancelRefused, now: int) -> list[Effect]:
        order = self._state.open_order(message.client_order_id)
        if order is None:
            self._state.ignore(message)
            return []
        origin = self._state.origin(order, message, now)
        fact = OrderCancelRejected(**origin, code=message.code, reason=message.reason)
        asked = self._resolution.watch(order.client_order_id, Until.ANSWERED, now)
        return [self._state.fact(fact), *asked]

    def unknown(self, message: CancelOutcomeUnknown, now: int) -> list[Effect]:
        key = message.client_order_id
        if self._state.open_order(key) is None:
            self._state.ignore(message)
            return []
        self._unknown_counts[key] += 1
        self._unanswered.add(key)
        delay = self._state.config.delay(self._unknown_counts[key])
        return self._resolution.watch(key, Until.ANSWERED, now, delay)

    def described(self, key: ClientOrderId, now: int) -> list[Effect]:
        """The venue has described an order: cancel it again if it works although it should not."""
        order = self._state.open_order(key)
        if key not in self._unanswered:
            return []
        self._unanswered.discard(key)
        return [] if order is None else [self.call(order, "cancel again", now)]

    def all_acknowledged(self, message: CancelAllAcknowledged, now: int) -> list[Effect]:
        self._cancel_all = None
        effects: list[Effect] = [CancelTimer(CANCEL_ALL)]
        for key in message.client_order_ids:
            effects += self._await_closing(key, now)
        return effects

    def failed(self, message: QueryFailed, now: int) -> list[Effect]:
        if self._cancel_all is None:
            return []
        return [SetTimer(CANCEL_ALL, now + self._state.config.delay(self._attempt))]

    def timer(self, now: int) -> list[Effect]:
        """The cancel-all was not confirmed: repeat it, or go on order by order."""
        if self._cancel_all is None:
            return []
        if self._must_insist:
            return self._call_all(now)
        reason, self._cancel_all = self._cancel_all.reason, None
        orders = self._state.record.open_orders
        return [self.call(orders[key], reason, now) for key in self._covered if key in orders]

    def abandon_all(self) -> list[Effect]:
        """Stop insisting on a cancel-all: from here on orders may be sent again."""
        self._cancel_all = None
        return [CancelTimer(CANCEL_ALL)]

    def resume(self, now: int) -> list[Effect]:
        """Send again the cancels whose outcome may have been missed."""
        return [
            self.call(order, "cancel again", now)
            for order in self._state.record.open_orders.values()
            if order.pending is OrderStatus.PENDING_CANCEL
        ]

    def _call_all(self, now: int) -> list[Effect]:
        config = self._state.config
        assert self._cancel_all is not None
        self._attempt += 1
        at = now + config.submit_timeout_ns + config.delay(self._attempt)
        return [CallVenue(self._cancel_all, config.submit_timeout_ns), SetTimer(CANCEL_ALL, at)]

    def _await_closing(self, key: ClientOrderId, now: int) -> list[Effect]:
        order = self._state.open_order(key)
        if order is None:
            return []
        order.pending = OrderStatus.PENDING_CANCEL
        return self._resolution.watch(key, Until.CLOSED, now, self._state.config.delay(1))
