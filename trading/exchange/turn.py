"""What one message leads to: facts, folded at once, and the execution messages that tell of them."""

from typing import Any

from trading.commands import SubmitOrder
from trading.effects import Append, Effect, Publish
from trading.events import Event, OrderEvent, OrderFilled
from trading.exchange.order_lists import consequence
from trading.exchange.orders import VenueOrder
from trading.exchange.reporting import status_report
from trading.exchange.venue_state import VenueState
from trading.identifiers import Venue
from trading.reports import FillReport, OrderStatusReport


class Turn:
    """Collects effects in the order in which they must be performed.

    Parameters
    ----------
    now : int
        Host time (ns UTC).
    ts_event : int
        Market time (ns UTC) of everything that happens in this turn.
    causation_id : str
        The request or slice that this is the turn of.
    """

    __slots__ = ("_facts", "_messages", "_state", "_venue", "causation_id", "now", "ts_event")

    def __init__(
        self, venue: Venue, state: VenueState, *, now: int, ts_event: int, causation_id: str
    ) -> None:
        self._venue = venue
        self._state = state
        self._facts: list[Effect] = []
        self._messages: list[Effect] = []
        self.now = now
        self.ts_event = ts_event
        self.causation_id = causation_id

    def effects(self, *between: Effect) -> list[Effect]:
        """Return the facts, then what stands `between`, then the execution messages."""
        return [*self._facts, *between, *self._messages]

    def record(self, event: Event) -> None:
        """Fold the fact and make it durable."""
        self._state.apply(event)
        self._facts.append(Append(event))

    def record_change(self, kind: type[OrderEvent], order: VenueOrder, **details: Any) -> None:
        """Record what happened to an order, and tell its account."""
        event = kind(**self.origin(order.request), **details)
        self.record(event)
        account = self._state.accounts.get(order.request.account_id)
        if account is None:
            return
        is_fill = isinstance(event, OrderFilled)
        report: FillReport | OrderStatusReport = (
            account.fills[-1] if is_fill else self.status(order)
        )
        topic = f"exec.{self._venue}.{account.account_id}"
        self._messages.append(Publish(topic, report))
        self.follow_up(order)

    def follow_up(self, order: VenueOrder) -> None:
        """Record what the state of an order means for the others of its list."""
        listed = self._state.list_of(order)
        change = consequence(listed) if listed else None
        if change is not None:
            kind, other, details = change
            self.record_change(kind, other, **details)

    @property
    def stamps(self) -> dict[str, Any]:
        """The times and the cause of every message made in this turn."""
        return {"ts_event": self.ts_event, "ts_init": self.now, "causation_id": self.causation_id}

    def origin(self, request: SubmitOrder) -> dict[str, Any]:
        """Return the fields that every fact about an order shares."""
        return {
            **self.stamps,
            "correlation_id": request.correlation_id,
            "client_order_id": request.client_order_id,
            "strategy_id": request.strategy_id,
            "instrument_id": request.instrument_id,
        }

    def status(self, order: VenueOrder) -> OrderStatusReport:
        """Return the state of an order as of this turn."""
        return status_report(order, **self.stamps)
