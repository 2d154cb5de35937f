"""Tells the replay that everything up to a bar slice has reached the venue."""

from trading.broker.state import BrokerState
from trading.commands import Watermark
from trading.effects import Effect, Send
from trading.identifiers import ClientOrderId


class WatermarkGate:
    """Holds the newest watermark until no submission from before it is in flight."""

    def __init__(self, state: BrokerState) -> None:
        self._state = state
        self._held: Watermark | None = None
        self._waiting_for: set[ClientOrderId] = set()

    def arrived(self, message: Watermark, now: int) -> list[Effect]:
        self._held = message
        orders = self._state.record.open_orders
        self._waiting_for = {key for key, order in orders.items() if order.is_in_flight}
        return []

    def release(self, now: int) -> list[Effect]:
        """Pass the watermark on when nothing that it waits for is in flight any more."""
        if self._held is None:
            return []
        orders = self._state.record.open_orders
        if any(key in orders and orders[key].is_in_flight for key in self._waiting_for):
            return []
        held, self._held = self._held, None
        to = self._state.config.watermark_to
        if to is None:
            return []
        message = Watermark(
            ts_event=held.ts_event,
            ts_init=now,
            correlation_id=held.correlation_id,
            sequence=held.sequence,
            sender=self._state.name,
        )
        return [Send(to, message)]
