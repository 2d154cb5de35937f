"""Sends again what nobody has confirmed: receivers apply once, so a repeat is harmless."""

from trading.algorithms.child import Child
from trading.algorithms.plan import earliest
from trading.commands import CancelOrder
from trading.effects import Effect, Send
from trading.identifiers import ClientOrderId, machine_name
from trading.values import NANOS_PER_SECOND

REPEAT_NS = 2 * NANOS_PER_SECOND
"""An order that no journal names, and a cancel that has not ended its order, are sent again after this."""


class Delivery:
    """When each child and each cancel left last. Volatile: after a restart all that is open leaves again."""

    def __init__(self) -> None:
        self._sent_at: dict[ClientOrderId, int] = {}
        self._cancelled_at: dict[ClientOrderId, int] = {}

    def submit(self, child: Child, now: int) -> Effect:
        self._sent_at[child.client_order_id] = now
        return Send(machine_name("risk", child.request.account_id), child.request)

    def cancel(self, child: Child, reason: str, now: int) -> Effect:
        self._cancelled_at[child.client_order_id] = now
        cancel = CancelOrder(
            ts_init=now,
            correlation_id=child.request.correlation_id,
            causation_id=child.request.parent_order_id or "",
            client_order_id=child.client_order_id,
            account_id=child.request.account_id,
            reason=reason,
        )
        return Send(machine_name("broker", child.venue, child.request.account_id), cancel)

    def repeat(self, children: list[Child], now: int) -> tuple[list[Effect], int]:
        """Return what has to leave again, and the host time (ns) of the next look; 0 when there is none."""
        effects: list[Effect] = []
        wakes: list[int] = []
        for child in children:
            key = child.client_order_id
            if not child.is_seen:
                due = self._due(child)
                if due <= now:
                    effects.append(self.submit(child, now))
                wakes.append(max(due, now + REPEAT_NS) if due <= now else due)
            elif child.is_cancel_planned:
                due = self._cancelled_at.get(key, 0) + REPEAT_NS
                if due <= now:
                    effects.append(self.cancel(child, "cancel again", now))
                wakes.append(now + REPEAT_NS if due <= now else due)
        return effects, earliest(*wakes)

    def _due(self, child: Child) -> int:
        """When it leaves again; a part that is to be cancelled only when risk would refuse it."""
        due = self._sent_at.get(child.client_order_id, 0) + REPEAT_NS
        return max(due, child.request.expires_at) if child.is_cancel_planned else due
