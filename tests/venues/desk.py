"""What stands behind every venue simulator: our exchange, called directly, and the record of what it was asked."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal

from trading.commands import QueryMassStatus, QueryOrder, SubmitOrder, SubmitOrderList, VenueRequest
from trading.data import Bar, MarketSlice
from trading.effects import Publish, Reply
from trading.exchange.exchange import ExchangeSettings, SimulatedExchange
from trading.exchange.fees import Fees
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, Venue
from trading.instruments import Instrument
from trading.outcomes import MassStatusReceived, OrderQueried, Outcome, Started
from trading.reports import FillReport, MassStatus, OrderStatusReport
from trading.values import OrderStatus

ACCOUNT = AccountId("ACC")


class Desk:
    """One account at one venue. Safe to call from any thread.

    Market time is host time. `reports` of an order (acceptance, fills, cancel ...) go to every listener, in
    order, in the thread of the call that caused them and before that call returns.

    Attributes
    ----------
    account_id : AccountId
        As our side calls it.
    asked : Counter
        Requests by kind (`SubmitOrder`, ...).
    submitted : Counter
        How often each of our client order ids was *accepted as a new order* here: above 1 is a duplicate order.
    """

    def __init__(
        self,
        instruments: tuple[Instrument, ...],
        prices: Mapping[InstrumentId, float],
        *,
        account_id: AccountId = ACCOUNT,
        cash: Decimal = Decimal(1_000_000),
        fees: Fees | None = None,
    ) -> None:
        self.account_id = account_id
        self.instruments = {each.instrument_id: each for each in instruments}
        self.prices = dict(prices)
        self.exchange = SimulatedExchange(
            ExchangeSettings(
                venue=Venue("desk"),
                accounts={account_id: cash},
                instruments=instruments,
                fees=Fees() if fees is None else fees,
            )
        )
        self.asked: Counter[str] = Counter()
        self.submitted: Counter[str] = Counter()
        self._ours: dict[str, str] = {}
        self._listeners: list[Callable[[FillReport | OrderStatusReport], None]] = []
        self._lock = threading.RLock()
        self._sequence = 0
        self._numbers = 0
        self.exchange.handle(Started(epoch=1), time.time_ns())
        self.move(self.prices)

    # -- requests

    def request(self, body: object, ours: str = "") -> Outcome:
        """Ask the exchange; return its answer.

        Parameters
        ----------
        body : command
            As in `VenueRequest.body`. A venue that does not know client order ids as unique must make up a new
            `client_order_id` for every order that it takes and name ours in `ours`.
        """
        with self._lock:
            self.asked[type(body).__name__] += 1
            self._numbers += 1
            request = VenueRequest(
                request_id=f"desk/{self._numbers}", reply_to="desk", body=body, ts_init=_now()
            )
            effects = self.exchange.handle(request, _now())
            outcome = next(e.outcome for e in effects if isinstance(e, Reply))
            self._count(body, outcome, ours)
            self._tell(effects)
            return outcome

    def order(self, client_order_id: str) -> OrderStatusReport | None:
        query = QueryOrder(
            account_id=self.account_id, client_order_id=ClientOrderId(client_order_id)
        )
        outcome = self.request(query)
        assert isinstance(outcome, OrderQueried)
        return outcome.report

    def mass_status(self, since: int = 0) -> MassStatus:
        outcome = self.request(QueryMassStatus(account_id=self.account_id, since=since))
        assert isinstance(outcome, MassStatusReceived)
        return outcome.mass_status

    # -- the market

    def move(self, prices: Mapping[InstrumentId, float]) -> None:
        """Move the market: resting orders that are reached fill, stops trigger, listeners hear of it."""
        with self._lock:
            self.prices.update(prices)
            self._sequence += 1
            now = _now()
            bars = tuple(
                Bar(ts_event=now, instrument_id=key, open=px, high=px, low=px, close=px)
                for key, px in self.prices.items()
            )
            message = MarketSlice(ts_event=now, ts_init=now, sequence=self._sequence, bars=bars)
            self._tell(self.exchange.handle(message, now))

    def pay(self, amount: Decimal) -> None:
        """Move cash without a fill, as interest or a fee does."""
        with self._lock:
            self.exchange._state.accounts[self.account_id].cash += amount

    def on_report(self, listener: Callable[[FillReport | OrderStatusReport], None]) -> None:
        self._listeners.append(listener)

    # -- ground truth

    @property
    def duplicates(self) -> list[str]:
        with self._lock:
            return [key for key, count in self.submitted.items() if count > 1]

    def accepted(self) -> set[str]:
        """Return our ids of all orders that were ever taken here."""
        with self._lock:
            return {key for key, count in self.submitted.items() if count}

    @property
    def cash(self) -> Decimal:
        with self._lock:
            return self.exchange.cash(self.account_id)

    @property
    def positions(self) -> dict[InstrumentId, Decimal]:
        with self._lock:
            return self.exchange.positions(self.account_id)

    @property
    def fills(self) -> tuple[FillReport, ...]:
        with self._lock:
            return self.exchange.fills(self.account_id)

    @property
    def orders(self) -> tuple[OrderStatusReport, ...]:
        with self._lock:
            return self.exchange.orders(self.account_id)

    def working(self) -> set[str]:
        """Return our ids of the orders that are open here."""
        with self._lock:
            reports = self.exchange.orders(self.account_id)
        return {
            self._ours.get(report.client_order_id, report.client_order_id)
            for report in reports
            if report.status in {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}
        }

    def _count(self, body: object, outcome: Outcome, ours: str) -> None:
        if "Acknowledged" not in type(outcome).__name__:
            return
        if isinstance(body, SubmitOrder):
            self._ours[body.client_order_id] = ours or body.client_order_id
            self.submitted[ours or body.client_order_id] += 1
        elif isinstance(body, SubmitOrderList):
            self.submitted.update(order.client_order_id for order in body.orders)

    def _tell(self, effects: list[object]) -> None:
        for effect in effects:
            if isinstance(effect, Publish) and effect.topic.startswith("exec."):
                for listener in self._listeners:
                    listener(effect.message)


def _now() -> int:
    return time.time_ns()
