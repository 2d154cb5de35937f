"""Changes of working orders: permitted like new orders, adopted from what the venue says."""

from trading.broker.gate import refusal
from trading.broker.reports import Reports
from trading.broker.resolution import Resolution, Until
from trading.broker.state import BrokerState
from trading.codec import digest
from trading.commands import PermittedReplace, ReplaceOrder
from trading.effects import CallVenue, Effect
from trading.events import OrderUpdateRejected
from trading.identifiers import ClientOrderId
from trading.order import Order
from trading.outcomes import ReplaceAcknowledged, ReplaceOutcomeUnknown, ReplaceRefused
from trading.values import OrderStatus


class Replacement:
    """Asks the venue to change an order; nothing changes here until the venue says so."""

    def __init__(self, state: BrokerState, reports: Reports, resolution: Resolution) -> None:
        self._state = state
        self._reports = reports
        self._resolution = resolution
        self._under_way: dict[ClientOrderId, str] = {}

    def permitted(self, message: PermittedReplace, now: int) -> list[Effect]:
        replace = message.replace
        order = self._state.open_order(replace.client_order_id)
        if order is None:
            self._state.ignore(message)
            return []
        key = digest(replace)
        if self._under_way.get(replace.client_order_id) == key:
            self._state.duplicate_count += 1
            return []
        refused = refusal(self._state, replace, message.permit, now)
        if refused is not None:
            return self._reject(order, replace, refused.code, refused.reason, now)
        self._under_way[replace.client_order_id] = key
        order.pending = OrderStatus.PENDING_UPDATE
        return [CallVenue(replace, self._state.config.submit_timeout_ns)]

    def acknowledged(self, message: ReplaceAcknowledged, now: int) -> list[Effect]:
        self._ended(message.report.client_order_id)
        return self._reports.status(message.report, now)

    def refused(self, message: ReplaceRefused, now: int) -> list[Effect]:
        self._ended(message.client_order_id)
        order = self._state.open_order(message.client_order_id)
        if order is None:
            self._state.ignore(message)
            return []
        rejected = self._reject(order, message, message.code, message.reason, now)
        return rejected + self._resolution.watch(order.client_order_id, Until.ANSWERED, now)

    def unknown(self, message: ReplaceOutcomeUnknown, now: int) -> list[Effect]:
        self._ended(message.client_order_id)
        order = self._state.open_order(message.client_order_id)
        if order is None:
            self._state.ignore(message)
            return []
        return self._resolution.watch(order.client_order_id, Until.ANSWERED, now)

    def _ended(self, key: ClientOrderId) -> None:
        self._under_way.pop(key, None)
        order = self._state.open_order(key)
        if order is not None and order.pending is OrderStatus.PENDING_UPDATE:
            order.pending = None

    def _reject(
        self, order: Order, cause: ReplaceOrder | ReplaceRefused, code: str, reason: str, now: int
    ) -> list[Effect]:
        if not self._state.is_journal_up:
            self._state.ignore(cause)
            return []
        origin = self._state.origin(order, cause, now)
        return [self._state.fact(OrderUpdateRejected(**origin, code=code, reason=reason))]
