"""The durable state of a broker: a fold over the account's stream and the kill stream."""

from collections import Counter
from decimal import Decimal

from trading.account import Account
from trading.broker.latch import KillLatch
from trading.codec import digest_of
from trading.events import (
    AccountOpened,
    AccountReconciled,
    CashAdjusted,
    Event,
    KillSwitchReset,
    KillSwitchTripped,
    OrderDenied,
    OrderEvent,
    OrderFilled,
)
from trading.identifiers import ClientOrderId, StreamName
from trading.order import Order
from trading.values import OrderStatus


class AccountRecord:
    """Orders, fills and the kill switch of one account.

    Attributes
    ----------
    sequence : int
        Number of events in the account's stream.
    open_orders : dict
        The orders that the venue has or may have, oldest first.
    denials : Counter
        Our refusals by code.
    opened : AccountOpened or None
        What the account held when we first met it.
    """

    def __init__(self, initial_cash: Decimal, kill_stream: StreamName) -> None:
        self.sequence = 0
        self.orders: dict[ClientOrderId, Order] = {}
        self.open_orders: dict[ClientOrderId, Order] = {}
        self.account = Account(initial_cash)
        self.latch = KillLatch(kill_stream)
        self.denials: Counter[str] = Counter()
        self.status_counts: Counter[OrderStatus] = Counter()
        self.last_reconciled: AccountReconciled | None = None
        self.opened: AccountOpened | None = None
        self.newest_fill_ts = 0

    def apply(self, event: Event) -> None:
        if isinstance(event, KillSwitchTripped | KillSwitchReset):
            self.latch.apply(event)
            if not self.latch.is_copy(event):
                return  # the kill stream's own record
        self.sequence += 1
        if isinstance(event, OrderEvent):
            self._apply_order(event)
        elif isinstance(event, AccountReconciled):
            self.last_reconciled = event
        elif isinstance(event, AccountOpened | CashAdjusted):
            self.account.apply(event)
            if isinstance(event, AccountOpened):
                self.opened = event

    def _apply_order(self, event: OrderEvent) -> None:
        key = event.client_order_id
        order = self.orders.get(key)
        if order is None:
            order = Order.of(event)
        before = order.status
        order.apply(event)
        self.orders[key] = order
        self.status_counts[before] -= before is not OrderStatus.INITIALIZED
        self.status_counts[order.status] += 1
        if order.is_open:
            self.open_orders.setdefault(key, order)
        else:
            self.open_orders.pop(key, None)
        if isinstance(event, OrderFilled):
            self.account.apply_fill(event)
            self.newest_fill_ts = max(self.newest_fill_ts, event.ts_event)
        elif isinstance(event, OrderDenied):
            self.denials[event.code] += 1

    def state_hash(self) -> str:
        """Hash what is the same in whatever order and however often the venue said it."""
        orders = {
            key: (
                order.strategy_id,
                order.instrument_id,
                order.side,
                order.status,
                order.code,
                order.quantity,
                order.price,
                order.trigger_price,
                order.filled_qty,
                order.cost,
                sorted(order.trade_ids),
            )
            for key, order in self.orders.items()
        }
        return digest_of((orders, self.account.cash, self.latch.is_latched))

    def validate(self) -> None:
        self.account.validate()
        applied = [trade_id for order in self.orders.values() for trade_id in order.trade_ids]
        assert len(applied) == len(set(applied)), "one fill counts for two orders"
        assert set(applied) == self.account.trade_ids, "orders and account disagree on the fills"
        open_keys = {key for key, order in self.orders.items() if order.is_open}
        assert open_keys == self.open_orders.keys(), "the set of open orders is wrong"
        counts = Counter(order.status for order in self.orders.values())
        assert +self.status_counts == counts, "the counts by status are wrong"
