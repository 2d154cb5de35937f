"""The orders of a simulated exchange: numbered as it numbers them, kept by the desk."""

from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from tests.venues.faults import Fault
from trading.commands import CancelOrder, ReplaceOrder, SubmitOrder
from trading.identifiers import ClientOrderId, StrategyId
from trading.outcomes import CancelRefused, ReplaceRefused, SubmitRefused
from trading.reports import OrderStatusReport
from trading.values import OrderStatus

WORKING = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)


@dataclass
class Placed:
    """One order as the exchange keeps it; `key` is what the desk calls it, `client_id` what the client sent."""

    number: int
    id: str
    client_id: str
    key: str
    instrument_id: str
    request: dict
    created_ms: int
    filled: Decimal = Decimal(0)
    rejected: bool = False
    fills: list = field(default_factory=list)


class Refusal(Exception):
    """The exchange says no; `what` is the desk's code or one of the exchange's own."""

    def __init__(self, what, reason=""):
        super().__init__(what)
        self.what = str(what)
        self.reason = reason


class Orders:
    """Mixed into a simulator, which has the desk, the faults and the numbers."""

    def place(self, client_id, order: SubmitOrder, request) -> Placed:
        """Give an order to the desk under a key of its own; client ids are unique among open orders."""
        with self._lock:
            if any(each.client_id == client_id for each in self.open_orders()):
                raise Refusal("DUPLICATE_CLIENT_ORDER_ID")
            number = next(self._numbers)
            uses = sum(each.client_id == client_id for each in self._orders.values())
            key = f"{client_id}.{uses}" if uses or not client_id else client_id
            placed = Placed(
                number,
                self.venue_id(number),
                client_id,
                key,
                order.instrument_id,
                dict(request),
                self.now_ms,
            )
            self._by_key[key] = placed
            if self.faults.happens(Fault.REJECT_AFTER_ACK):
                placed.rejected = True
                self._orders[placed.id] = placed
                self._later(0.05, self.tell_rejected, placed)
                return placed
            outcome = self.desk.request(_with_key(order, key), ours=client_id)
            if isinstance(outcome, SubmitRefused):
                raise Refusal(outcome.code, outcome.reason)
            self._orders[placed.id] = placed
            return placed

    def cancel(self, placed: Placed):
        body = CancelOrder(
            client_order_id=ClientOrderId(placed.key), account_id=self.desk.account_id
        )
        outcome = self.desk.request(body)
        if isinstance(outcome, CancelRefused):
            raise Refusal(outcome.code, outcome.reason)

    def replace(self, placed: Placed, **changes):
        body = ReplaceOrder(
            client_order_id=ClientOrderId(placed.key), account_id=self.desk.account_id, **changes
        )
        outcome = self.desk.request(body)
        if isinstance(outcome, ReplaceRefused):
            raise Refusal(outcome.code, outcome.reason)

    def state(self, placed: Placed) -> OrderStatusReport:
        return self.desk.order(placed.key)

    def find(self, *, order_id=None, client_id=None) -> Placed | None:
        with self._lock:
            if order_id is not None:
                return self._orders.get(str(order_id))
            same = [each for each in self._orders.values() if each.client_id == client_id]
            return same[-1] if same else None

    def placed(self) -> list:
        with self._lock:
            return list(self._orders.values())

    def open_orders(self) -> list:
        return [
            each
            for each in list(self._orders.values())  # one may be made by hand meanwhile
            if not each.rejected and self.state(each).status in WORKING
        ]

    def executed(self) -> list:
        """Return (order, fill) pairs, oldest first, with the exchange's own trade ids."""
        pairs = [(each, fill) for each in self.placed() for fill in each.fills]
        return sorted(pairs, key=lambda pair: pair[1][1])

    def venue_id(self, number):
        return str(number)

    def balance(self, coin):
        """Return how much of a coin the account holds: cash, or the position in an instrument on it."""
        for key, quantity in self.desk.positions.items():
            if key.partition("/")[0] == coin:
                return quantity
        return self.desk.cash if coin == self.cash else Decimal(0)


def _with_key(order, key):
    return msgspec.structs.replace(
        order, client_order_id=ClientOrderId(key), strategy_id=StrategyId("venue")
    )
