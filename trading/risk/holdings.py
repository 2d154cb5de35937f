"""What the account's journal says, as risk needs it: positions, working orders, results, kill switch."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from trading.account import EXTERNAL, Account
from trading.events import (
    AccountOpened,
    CashAdjusted,
    Event,
    KillSwitchReset,
    KillSwitchTripped,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    OrderTriggered,
    OrderUpdated,
    OrderUpdateRejected,
)
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId
from trading.market_hours import ALWAYS_OPEN, MarketHours
from trading.refusals import RefusalCode
from trading.risk.outcomes import OrderOutcomes
from trading.risk.prices import Prices
from trading.risk.reservations import Reservations, WorkingOrder
from trading.risk.results import TradeResults
from trading.values import ZERO


class Holdings:
    """Fold over the account's stream.

    Attributes
    ----------
    sequence : int
        Events folded: the journal's sequence starts at 1 and has no holes.
    market_time : int
        Latest `ts_event` of a fill (ns UTC).
    kill_reason : str or None
        Why the kill switch is latched; None when it is not.
    opened_at : dict of (strategy_id, instrument_id) to int
        Market time (ns UTC) at which each position left zero, or changed its side.
    """

    def __init__(
        self, initial_cash: Decimal, prices: Prices, hours: MarketHours = ALWAYS_OPEN
    ) -> None:
        self.account = Account(initial_cash)
        self.reservations = Reservations(prices.exposure_px)
        self.results = TradeResults(hours)
        self.outcomes = OrderOutcomes()
        self.sequence = 0
        self.market_time = 0
        self.kill_reason: str | None = None
        self.opened_at: dict[tuple[StrategyId, InstrumentId], int] = {}
        self._prices = prices
        self._seen: set[ClientOrderId] = set()
        self._folds: dict[type[Event], Callable[[Any], None]] = {
            OrderSubmitted: self._submitted,
            OrderAccepted: self._alive,
            OrderTriggered: self._alive,
            OrderFilled: self._filled,
            OrderUpdated: self.reservations.amend,
            OrderUpdateRejected: self._update_rejected,
            OrderRejected: self._ended,
            OrderCanceled: self._ended,
            OrderExpired: self._ended,
            OrderDenied: self._denied,
            KillSwitchTripped: self._killed,
            KillSwitchReset: self._kill_reset,
            AccountOpened: self._opened,
            CashAdjusted: self._cash_moved,
        }

    def apply(self, event: Event) -> None:
        self.sequence += 1
        if isinstance(event, OrderEvent):
            self._seen.add(event.client_order_id)
        fold = self._folds.get(type(event))
        if fold is not None:
            fold(event)

    def knows(self, client_order_id: ClientOrderId) -> bool:
        """True when the order works, or is in the account's journal."""
        return client_order_id in self._seen or self.reservations.get(client_order_id) is not None

    def durable(self) -> list[object]:
        """Return what two equal folds have in common; orders in flight are not part of it."""
        return [
            self.sequence,
            self.market_time,
            self.kill_reason,
            self.results.durable(),
            self.outcomes.durable(),
            sorted(self.opened_at.items()),
            sorted(self._seen),
            self.account.cash,
            {key: [p.quantity, p.cost] for key, p in self.account.positions().items()},
            [
                [key, working.leaves_qty, working.result]
                for key, working in sorted(self.reservations.orders.items())
                if working.is_recorded
            ],
        ]

    def validate(self) -> None:
        """Assert that account, positions and reservations agree."""
        self.account.validate()
        self.reservations.validate()
        for key, position in self.account.positions().items():
            assert self.reservations.account.line(key).quantity == position.quantity, key
        for (strategy, key), position in self.account.strategy_positions().items():
            line = self.reservations.strategy(strategy).line(key)
            assert line.quantity == position.quantity, (strategy, key)

    # -- one method per fact

    def _submitted(self, event: OrderSubmitted) -> None:
        self.reservations.record(event.order, event.list_kind)

    def _alive(self, event: OrderAccepted | OrderTriggered) -> None:
        self.reservations.revive(event.client_order_id)
        if isinstance(event, OrderAccepted):
            self.outcomes.note_order(event)

    def _filled(self, event: OrderFilled) -> None:
        if self.account.has_fill(event.trade_id):
            return
        self.reservations.revive(event.client_order_id)
        self.market_time = max(self.market_time, event.ts_event)
        self._prices.note_fill(event.instrument_id, event.last_px)
        working = self.reservations.get(event.client_order_id)
        self.outcomes.note_order(event)
        self.outcomes.note_fill(event, None if working is None else working.order.arrival_px)
        if working is None or not working.filled:
            self.results.add_trade(event.ts_event)
        profit = self._realise(event)
        self.reservations.fill(event)
        self.reservations.reprice(event.instrument_id)
        if working is None:
            if profit is not None:
                self.results.add_result(profit, self.market_time)
            return
        if profit is not None:
            working.result = (working.result or ZERO) + profit
        if not working.leaves_qty:
            self._finish(working)

    def _realise(self, event: OrderFilled) -> Decimal | None:
        """Apply the fill; return what the strategy realised by it, None when it closed nothing."""
        before = self.account.strategy_position(event.strategy_id, event.instrument_id)
        quantity = before.quantity
        closes = quantity * event.side.sign < 0
        realized = before.realized_pnl
        self.account.apply_fill(event)
        after = self.account.strategy_position(event.strategy_id, event.instrument_id)
        key = (event.strategy_id, event.instrument_id)
        if after.is_flat:
            self.opened_at.pop(key, None)
        elif quantity * after.quantity <= 0:
            self.opened_at[key] = event.ts_event
        return after.realized_pnl - realized if closes else None

    def _update_rejected(self, event: OrderUpdateRejected) -> None:
        working = self.reservations.get(event.client_order_id)
        if working is not None:
            self.reservations.end_replace(working)

    def _denied(self, event: OrderDenied) -> None:
        if event.code == RefusalCode.ORDER_NEVER_SENT:
            self.reservations.close(event.client_order_id, may_return=True)
        else:
            self._ended(event)

    def _ended(self, event: OrderRejected | OrderCanceled | OrderExpired | OrderDenied) -> None:
        if isinstance(event, OrderRejected):
            self.outcomes.note_order(event)
        working = self.reservations.get(event.client_order_id)
        if working is not None:
            self._finish(working)

    def _finish(self, working: WorkingOrder) -> None:
        if working.result is not None:
            self.results.add_result(working.result, self.market_time)
        self.reservations.close(working.order.client_order_id)

    def _opened(self, event: AccountOpened) -> None:
        """Count what the account held before us; it is valued at its price then until there is a quote."""
        self.account.apply(event)
        for key, quantity, price in event.positions:
            self._prices.note_held(key, price)
            self.reservations.hold(EXTERNAL, key, quantity)

    def _cash_moved(self, event: CashAdjusted) -> None:
        self.account.apply(event)

    def _killed(self, event: KillSwitchTripped) -> None:
        self.kill_reason = f"{event.actor}: {event.reason}"

    def _kill_reset(self, _event: KillSwitchReset) -> None:
        self.kill_reason = None
