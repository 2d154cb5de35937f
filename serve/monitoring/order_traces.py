"""The life of an order as a trace, made from the journal: the order path itself carries no instrumentation.

One trace per correlation id, so that an MCP call or a tick and all orders that it caused stand together.
"""

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from trading.desk_facts import OrderRequested
from trading.errors import InvalidTransition
from trading.events import (
    Event,
    OrderAccepted,
    OrderDenied,
    OrderEvent,
    OrderFilled,
    OrderSubmitted,
)
from trading.order import Order

_HEX = frozenset("0123456789abcdef")
_PHASES = {
    OrderRequested: "risk",
    OrderSubmitted: "venue",
    OrderAccepted: "work",
}
"""What is waited for after a fact."""


class Phase(msgspec.Struct, frozen=True):
    """A part of an order's life: from one fact to the next that changes who has it (host ns UTC)."""

    name: str
    begin: int
    end: int


class OrderTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One order from the first fact to the last.

    Attributes
    ----------
    facts : tuple of (host time ns, name of the fact)
    is_failed : bool
        It was denied or rejected.
    """

    client_order_id: str
    correlation_id: str
    strategy_id: str
    instrument_id: str
    status: str
    is_failed: bool
    facts: tuple[tuple[int, str], ...]
    phases: tuple[Phase, ...]

    @property
    def trace_id(self) -> int:
        return trace_id_of(self.correlation_id or self.client_order_id)

    @property
    def begin(self) -> int:
        return self.facts[0][0]

    @property
    def end(self) -> int:
        return self.facts[-1][0]


def trace_id_of(correlation_id: str) -> int:
    """Return 128 bits: the id itself when it is a W3C trace id, else its hash."""
    if len(correlation_id) == 32 and set(correlation_id) <= _HEX and int(correlation_id, 16):
        return int(correlation_id, 16)
    return int.from_bytes(blake2b(correlation_id.encode(), digest_size=16).digest(), "big")


class OrderTraces:
    """Collects facts until an order is over. Facts of one order come in the order of its journal."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Order, list[Event]]] = {}
        self._requests: dict[str, OrderRequested] = {}

    def requested(self, request: OrderRequested) -> None:
        """Remember when somebody asked for an order."""
        self._requests.setdefault(request.order.client_order_id, request)

    def take(self, event: OrderEvent) -> OrderTrace | None:
        """Take a fact of the account's stream; return the trace when the order is over with it."""
        key = str(event.client_order_id)
        order, facts = self._open.setdefault(key, (Order.of(event), []))
        facts.append(event)
        try:
            order.apply(event)
        except InvalidTransition:
            return None  # its owner tells of it; the trace shows what was journalled
        if not order.status.is_terminal:
            return None
        del self._open[key]
        request = self._requests.pop(key, None)
        return _trace_of(order, [request, *facts] if request is not None else facts)

    @property
    def open_count(self) -> int:
        return len(self._open)


def _trace_of(order: Order, facts: list[Event]) -> OrderTrace:
    first = facts[0]
    return OrderTrace(
        client_order_id=str(order.client_order_id),
        correlation_id=first.correlation_id,
        strategy_id=str(order.strategy_id),
        instrument_id=str(order.instrument_id),
        status=str(order.status),
        is_failed=any(isinstance(fact, OrderDenied) for fact in facts) or bool(order.code),
        facts=tuple((fact.ts_init, _told(fact)) for fact in facts),
        phases=tuple(_phases(facts)),
    )


def _phases(facts: list[Event]) -> Iterator[Phase]:
    """Yield what was waited for; `work` ends with the last fact."""
    marks = [fact for fact in facts if type(fact) in _PHASES]
    for mark, after in zip(marks, [*marks[1:], facts[-1]], strict=False):
        if after.ts_init >= mark.ts_init and after is not mark:
            yield Phase(_PHASES[type(mark)], mark.ts_init, after.ts_init)


def _told(fact: Event) -> str:
    name = type(fact).__name__
    return (
        f"{name} {fact.last_qty:f} at {fact.last_px:f}" if isinstance(fact, OrderFilled) else name
    )
