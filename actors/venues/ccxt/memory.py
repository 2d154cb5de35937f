"""The orders that this connection has seen: who is who, and what they were."""

from trading.identifiers import ClientOrderId, VenueOrderId
from trading.reports import OrderStatusReport
from trading.values import OrderStatus

_OPEN = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
ORDERS_MAX = 20_000


class OrderMemory:
    """The last report of each order, by the exchange's id and by ours; the oldest closed ones are forgotten."""

    def __init__(self, limit: int = ORDERS_MAX) -> None:
        self._limit = limit
        self._reports: dict[VenueOrderId, OrderStatusReport] = {}
        self._ids: dict[ClientOrderId, VenueOrderId] = {}

    def remember(self, report: OrderStatusReport) -> None:
        """Keep what a report says."""
        key = report.venue_order_id
        self._reports.pop(key, None)
        self._reports[key] = report
        self._ids[report.client_order_id] = key
        if len(self._reports) > self._limit:
            self._forget()

    def by_venue_id(self, key: str | None) -> OrderStatusReport | None:
        return self._reports.get(VenueOrderId(key or ""))

    def by_client_id(self, key: ClientOrderId) -> OrderStatusReport | None:
        return self.by_venue_id(self._ids.get(key))

    def _forget(self) -> None:
        """Drop the older half of the closed ones."""
        closed = [key for key, report in self._reports.items() if report.status not in _OPEN]
        for key in closed[: max(1, len(closed) // 2)]:
            report = self._reports.pop(key)
            if self._ids.get(report.client_order_id) == key:
                del self._ids[report.client_order_id]
