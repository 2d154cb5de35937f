"""Exits that risk itself asks for: a due stop becomes a reduce-only market order of the strategy.

One exit at a time per position: while one works, nothing more is asked. Other working orders of the
strategy in that instrument are canceled first (they may hold the quantity, or fill afterwards and open
the position again); the exit follows when the last of them has ended.
"""

from collections.abc import Sequence
from decimal import Decimal

from trading.commands import CancelOrder, SubmitOrder
from trading.data import BarSlice, BookTop
from trading.events import OrderEvent, OrderFilled
from trading.identifiers import derive_client_order_id
from trading.risk.checks import PROTECTIVE
from trading.risk.config import RiskConfig
from trading.risk.holdings import Holdings
from trading.risk.stops import Key, Stops
from trading.values import OrderSide, OrderType


class Exits:
    """Watches the positions of the account's own strategies and says which orders get them out.

    Attributes
    ----------
    is_flattening : bool
        Every position has to be left, whatever its stops say.
    """

    def __init__(self, config: RiskConfig, holdings: Holdings) -> None:
        self.stops = Stops(config.limits)
        self.is_flattening = False
        self._account_id = config.account_id
        self._strategies = frozenset(config.strategies + config.operators)
        self._instruments = config.instruments
        self._holdings = holdings
        self._postponed: dict[Key, tuple[str, BookTop]] = {}

    def on_top(self, top: BookTop, now: int) -> list[SubmitOrder | CancelOrder]:
        """Return what the stops ask for at this book."""
        wanted: list[SubmitOrder | CancelOrder] = []
        for strategy, ledger in self._holdings.reservations.strategies.items():
            if strategy in self._strategies and ledger.line(top.instrument_id).quantity:
                wanted += self._watch((strategy, top.instrument_id), top, now)
        return wanted

    def recall(self, slices: Sequence[BarSlice]) -> None:
        """Find the best price since each position was opened in the bars of the past."""
        for key, opened_at in self._holdings.opened_at.items():
            bars = [bar for each in slices for bar in each.bars if bar.instrument_id == key[1]]
            position = self._holdings.account.strategy_position(*key)
            self.stops.recall(key, position, opened_at, bars)

    def on_fill(self, fill: OrderFilled) -> None:
        """Forget a position that this fill made flat: its stop and its exit are over."""
        key = (fill.strategy_id, fill.instrument_id)
        if self._holdings.account.strategy_position(*key).is_flat:
            self.stops.forget(key)
            self._postponed.pop(key, None)

    def on_event(self, event: OrderEvent, now: int) -> list[SubmitOrder | CancelOrder]:
        """Return the exit that waited for the order of this event to end."""
        key = (event.strategy_id, event.instrument_id)
        if key not in self._postponed or self._holdings.reservations.working(*key):
            return []
        purpose, top = self._postponed.pop(key)
        return [self._order(key, purpose, top, now)]

    def _watch(self, key: Key, top: BookTop, now: int) -> list[SubmitOrder | CancelOrder]:
        purpose = self.stops.due(key, self._holdings.account.strategy_position(*key), top)
        if purpose is None and self.is_flattening and self.stops.is_retry_due(key, top.ts_event):
            purpose = "flatten"
        if purpose is None:
            return []
        self.stops.exit_sent(key, top.ts_event)
        working = self._holdings.reservations.working(*key)
        if any(other.order.purpose in PROTECTIVE for other in working):
            return []
        if working:
            self._postponed[key] = (purpose, top)
            return [self._cancel(other.order, purpose, top, now) for other in working]
        self._postponed.pop(key, None)
        return [self._order(key, purpose, top, now)]

    def _order(self, key: Key, purpose: str, top: BookTop, now: int) -> SubmitOrder:
        strategy, instrument = key
        quantity = self._holdings.account.strategy_position(*key).quantity
        return SubmitOrder(
            ts_event=top.ts_event,
            ts_init=now,
            correlation_id=top.correlation_id,
            causation_id=f"book:{instrument}/{top.sequence}",
            client_order_id=derive_client_order_id(
                self._account_id, strategy, instrument, top.ts_event, purpose
            ),
            account_id=self._account_id,
            strategy_id=strategy,
            instrument_id=instrument,
            side=OrderSide.SELL if quantity > 0 else OrderSide.BUY,
            quantity=abs(quantity),
            order_type=OrderType.MARKET,
            time_in_force=self._instruments[instrument].order_time,
            reduce_only=True,
            purpose=purpose,
            ts_signal=top.ts_init,
            arrival_px=Decimal(repr((top.bid_px + top.ask_px) / 2)),
        )

    def _cancel(self, other: SubmitOrder, purpose: str, top: BookTop, now: int) -> CancelOrder:
        return CancelOrder(
            ts_event=top.ts_event,
            ts_init=now,
            correlation_id=top.correlation_id,
            causation_id=f"book:{other.instrument_id}/{top.sequence}",
            client_order_id=other.client_order_id,
            account_id=self._account_id,
            reason=purpose,
        )
