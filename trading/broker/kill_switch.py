"""The kill switch at work: latch first, cancel, then flatten when asked, until it is done."""

from decimal import Decimal
from itertools import count

from trading.broker.cancellation import Cancellation
from trading.broker.state import BrokerState
from trading.broker.submission import Submission
from trading.commands import SubmitOrder
from trading.effects import CancelTimer, Effect, SetTimer
from trading.events import KillSwitchReset, KillSwitchTripped
from trading.identifiers import (
    ClientOrderId,
    InstrumentId,
    StrategyId,
    derive_client_order_id,
)
from trading.order import Order
from trading.position import Position
from trading.values import ZERO, OrderSide, OrderStatus, OrderType, TimeInForce

KILL = "kill"
"""Timer key: look again whether everything is cancelled and flat."""
KILL_STRATEGY = StrategyId("KILL")
"""The strategy of the flattening orders: the only orders that leave without a risk permit."""


class KillSwitch:
    """Reacts to the followed kill stream; the latch itself is durable (`KillLatch`).

    While latched: all orders are cancelled at the venue (first in one call, then each one that still
    works, also those that turn up later), and with `flatten` every position of the account is closed
    by a market order, again until it is flat. The ids of these orders follow from the trip, so that a
    restart in the middle does not close a position twice.
    """

    def __init__(
        self, state: BrokerState, submission: Submission, cancellation: Cancellation
    ) -> None:
        self._state = state
        self._latch = state.record.latch
        self._submission = submission
        self._cancellation = cancellation
        self._asked: set[ClientOrderId] = set()
        self._covered: set[ClientOrderId] = set()
        self._attempt = 0

    def tripped(self, event: KillSwitchTripped, now: int) -> list[Effect]:
        """Latch before anything else; the cancel goes out before the journal is touched."""
        self._state.record.apply(event)
        self._begin()
        cancel = self._cancellation.everything(event.reason, now, must_insist=True)
        return [*cancel, *self._watch(now), *self.copy(now)]

    def reset(self, event: KillSwitchReset, now: int) -> list[Effect]:
        self._state.record.apply(event)
        if self._latch.is_latched:
            return []
        return [*self._cancellation.abandon_all(), CancelTimer(KILL), *self.copy(now)]

    def copy(self, now: int) -> list[Effect]:
        """Journal the kill events that the account's stream lacks."""
        if not self._state.is_journal_up:
            return []
        return [self._state.fact(event) for event in self._latch.missing_copies(now)]

    def resume(self, now: int) -> list[Effect]:
        """Go on after a restart: cancel what may still work, and look again."""
        if not self._latch.is_latched:
            return []
        self._begin()
        must_cancel = any(not _is_ours(order) for order in self._state.record.open_orders.values())
        if not must_cancel:
            return self._watch(now)
        cancel = self._cancellation.everything("kill switch", now, must_insist=True)
        return [*cancel, *self._watch(now)]

    def follow_up(self, now: int) -> list[Effect]:
        """Cancel at once what came to life while latched."""
        if not self._latch.is_latched:
            return []
        fresh = [order for order in self._working() if order.client_order_id not in self._asked]
        return [self._cancel(order, now) for order in fresh]

    def timer(self, now: int) -> list[Effect]:
        """Cancel again what still works, close what is still open, and look again later."""
        if not self._latch.is_latched:
            return []
        cancels = [self._cancel(order, now) for order in self._working()]
        return [*cancels, *self._watch(now), *self.flatten(now)]

    def flatten(self, now: int) -> list[Effect]:
        """Close every position that no flattening order works on yet, once that is safe."""
        trip = self._latch.trip
        if not self._latch.is_latched or trip is None or not trip.flatten:
            return []
        if not self._state.is_ready or self._cancellation.is_cancelling_all:
            return []
        busy = {o.instrument_id for o in self._state.record.open_orders.values() if _is_ours(o)}
        effects: list[Effect] = []
        for key, position in sorted(self._state.record.account.positions().items()):
            if self._closable(key, position) and key not in busy:
                order = self._closing_order(trip, key, position, now)
                effects += self._submission.send(order, now, f"{KILL}:{trip.actor}")
        return effects

    def view(self) -> dict[str, object]:
        """Return the latch, what was achieved since the trip, and whether it is all done."""
        trip = self._latch.trip if self._latch.is_latched else None
        if trip is None:
            return {"is_latched": False}
        orders = self._state.record.orders
        covered = [orders[key] for key in self._covered if key in orders]
        return {
            "is_latched": True,
            "actor": trip.actor,
            "reason": trip.reason,
            "flatten": trip.flatten,
            "is_done": self._is_done(trip),
            "canceled": sum(order.status is OrderStatus.CANCELED for order in covered),
            "flattened": sum(_closes_for(order, trip) for order in orders.values()),
        }

    def _is_done(self, trip: KillSwitchTripped) -> bool:
        """Say whether nothing works any more and, if asked for, every position is closed."""
        if self._cancellation.is_cancelling_all or self._state.record.open_orders:
            return False
        positions = self._state.record.account.positions().items()
        return not trip.flatten or not any(self._closable(*item) for item in positions)

    def _closable(self, key: InstrumentId, position: Position) -> Decimal:
        """Return the units that an order can close: what is less than the smallest order stays."""
        units = position.quantity.copy_abs()
        instrument = self._state.config.instruments.get(key)
        if instrument is None:
            return units
        whole = instrument.quantity(units)
        return whole if whole >= instrument.min_quantity else ZERO

    def _time_in_force(self, key: InstrumentId) -> TimeInForce:
        """Return what the venue takes for a market order that is to trade at once."""
        config = self._state.config
        instrument = config.instruments.get(key)
        if instrument is None:
            return TimeInForce.DAY
        offered = None
        if config.capabilities is not None:
            offered = config.capabilities.orders.get(instrument.asset_class)
        times = (
            {instrument.order_time}
            if offered is None
            else offered.pairs.get(OrderType.MARKET, frozenset())
        )
        order = (instrument.order_time, TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC)
        return next((time for time in order if time in times), instrument.order_time)

    def _begin(self) -> None:
        self._asked = {order.client_order_id for order in self._working()}
        self._covered = {k for k, o in self._state.record.open_orders.items() if not _is_ours(o)}
        self._attempt = 1

    def _watch(self, now: int) -> list[Effect]:
        self._attempt += 1
        return [SetTimer(KILL, now + self._state.config.delay(self._attempt))]

    def _working(self) -> list[Order]:
        orders = self._state.record.open_orders.values()
        return [order for order in orders if not _is_ours(order) and not order.is_in_flight]

    def _cancel(self, order: Order, now: int) -> Effect:
        self._asked.add(order.client_order_id)
        self._covered.add(order.client_order_id)
        return self._cancellation.call(order, "kill switch", now)

    def _closing_order(
        self, trip: KillSwitchTripped, key: InstrumentId, position: Position, now: int
    ) -> SubmitOrder:
        account_id = self._state.config.account_id
        ids = (
            derive_client_order_id(account_id, KILL_STRATEGY, key, trip.ts_event, "flatten", index)
            for index in count()
        )
        return SubmitOrder(
            ts_event=trip.ts_event,
            ts_init=now,
            correlation_id=trip.correlation_id,
            client_order_id=next(i for i in ids if self._state.order(i) is None),
            account_id=account_id,
            strategy_id=KILL_STRATEGY,
            instrument_id=key,
            side=OrderSide.SELL if position.quantity > 0 else OrderSide.BUY,
            quantity=self._closable(key, position),
            order_type=OrderType.MARKET,
            time_in_force=self._time_in_force(key),
            purpose="flatten",
        )


def _closes_for(order: Order, trip: KillSwitchTripped) -> bool:
    """Say whether `order` closed a position because of this trip."""
    is_filled = _is_ours(order) and order.status is OrderStatus.FILLED
    return is_filled and order.request is not None and order.request.ts_event == trip.ts_event


def _is_ours(order: Order) -> bool:
    return order.strategy_id == KILL_STRATEGY
