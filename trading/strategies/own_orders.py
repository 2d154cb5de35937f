"""What a strategy knows of its own orders: a fold over the account's stream, and what is on its way."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

from trading.commands import SubmitOrder
from trading.events import Event, OrderDenied, OrderEvent, OrderFilled, OrderSubmitted
from trading.fills import moved_units
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId
from trading.order import Order
from trading.order_lists import is_exit
from trading.values import NANOS_PER_SECOND, ZERO

STOPS = frozenset({"stop_loss", "trailing_stop", "take_profit"})
FORGET_AFTER_NS = 10 * NANOS_PER_SECOND
"""An order that nobody mentions for so long after its expiry never left: risk may not approve it."""


class OwnOrders:
    """Positions, working orders and stops of one strategy.

    Attributes
    ----------
    stopped : dict
        Instruments that a stop closed, with the sign of the position that was closed. They are not
        entered again in that direction until the strategy itself has changed its mind. A restart keeps
        a stop that had ended without a new entry: it ends again at the next change of mind.
    """

    def __init__(self, strategy_id: StrategyId) -> None:
        self._strategy_id = strategy_id
        self.positions: dict[InstrumentId, Decimal] = {}
        self.open_orders: dict[ClientOrderId, Order] = {}
        self.closed_orders: dict[ClientOrderId, Order] = {}
        self.stopped: dict[InstrumentId, int] = {}
        self.denials: Counter[str] = Counter()
        self._stopped_at: dict[InstrumentId, int] = {}
        self._denied: set[ClientOrderId] = set()
        self._exits: set[ClientOrderId] = set()
        self._trades: set[str] = set()
        self._in_flight: dict[ClientOrderId, SubmitOrder] = {}

    def apply(self, event: Event) -> None:
        """Fold one fact; those of other strategies do not concern us."""
        if not isinstance(event, OrderEvent) or event.strategy_id != self._strategy_id:
            return
        key = event.client_order_id
        if isinstance(event, OrderDenied):
            self.denials[event.code] += 1
            self._denied.add(key)
            if not self._has_order(key):
                self._in_flight.pop(key, None)  # refused before it could be sent
                return
        if isinstance(event, OrderSubmitted):
            self._in_flight.pop(key, None)
            if is_exit(event.order, event.list_kind):
                self._exits.add(key)
        self._apply_to_order(event)
        if isinstance(event, OrderFilled) and event.trade_id not in self._trades:
            self._trades.add(event.trade_id)
            self._apply_fill(event)

    def is_settled(self, key: ClientOrderId) -> bool:
        """True when the account or a refusal names this id: nobody would act on it again."""
        return self._has_order(key) or key in self._denied

    def sent(self, order: SubmitOrder) -> None:
        """Remember an order that is on its way to risk."""
        self._in_flight[order.client_order_id] = order

    def forget_expired(self, now: int) -> None:
        for key, order in list(self._in_flight.items()):
            if now > order.expires_at + FORGET_AFTER_NS:
                del self._in_flight[key]

    def held(self) -> dict[InstrumentId, Decimal]:
        """Return signed units per instrument: position plus everything under way.

        Exits of a list wait for their price: they are not under way.
        """
        held = dict(self.positions)
        for name, change in self._under_way():
            held[name] = held.get(name, ZERO) + change
        return held

    def unreduced(self) -> dict[InstrumentId, Decimal]:
        """Return positions less what is under way against them.

        What would add to a position does not count: it may never be filled.
        """
        left = dict(self.positions)
        for name, change in self._under_way():
            held = left.get(name, ZERO)
            if held * change < 0:
                left[name] = ZERO if abs(change) >= abs(held) else held + change
        return left

    def _under_way(self) -> Iterator[tuple[InstrumentId, Decimal]]:
        """Yield the signed units of each order that is working or on its way; exits of a list are not."""
        for key, order in self.open_orders.items():
            if order.side is not None and key not in self._exits:
                yield order.instrument_id, order.side.sign * order.leaves_qty
        for key, request in self._in_flight.items():
            if key not in self.open_orders:
                yield request.instrument_id, request.side.sign * request.quantity

    @property
    def in_flight_count(self) -> int:
        return len(self._in_flight)

    def durable(self) -> tuple[Mapping[str, Decimal], list[str], list[str]]:
        """Return what must be equal after a restart."""
        positions = {str(k): v for k, v in sorted(self.positions.items()) if v}
        return positions, sorted(self.open_orders), sorted(self._trades)

    def _has_order(self, key: ClientOrderId) -> bool:
        return key in self.open_orders or key in self.closed_orders

    def _apply_to_order(self, event: OrderEvent) -> None:
        key = event.client_order_id
        order = self.open_orders.pop(key, None) or self.closed_orders.pop(key, None)
        if order is None:
            order = Order.of(event)
        order.apply(event)
        (self.open_orders if order.is_open else self.closed_orders)[key] = order

    def _apply_fill(self, fill: OrderFilled) -> None:
        name = fill.instrument_id
        before = self.positions.get(name, ZERO)
        self.positions[name] = before + moved_units(fill)
        if fill.purpose in STOPS:
            self.stopped[name] = -fill.side.sign
            self._stopped_at[name] = fill.ts_event
        elif self.stopped.get(name) == fill.side.sign and self._is_decided_after_stop(fill):
            del self.stopped[name]

    def _is_decided_after_stop(self, fill: OrderFilled) -> bool:
        """An order that was under way when the stop struck says nothing about a new decision."""
        order = self.open_orders.get(fill.client_order_id) or self.closed_orders.get(
            fill.client_order_id
        )
        request = None if order is None else order.request
        return request is not None and request.ts_event > self._stopped_at[fill.instrument_id]
