"""A desk at the simulated venue: sends requests, keeps what the journal would keep."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from trading.codec import decode, encode
from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    QueryMassStatus,
    QueryOrder,
    ReplaceOrder,
    SubmitOrder,
    VenueRequest,
)
from trading.data import Bar, MarketSlice
from trading.effects import Append, Effect, Publish, Reply
from trading.events import Event
from trading.exchange.exchange import ExchangeSettings, SimulatedExchange
from trading.exchange.faults import FaultPlan, FaultyExchange
from trading.exchange.liquidity import Liquidity
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, StrategyId, Venue
from trading.instruments import Instrument
from trading.reports import Report
from trading.values import OrderSide, OrderType, TimeInForce

DAY_NS = 86_400_000_000_000
AAA = InstrumentId("AAA.XNAS")
BBB = InstrumentId("BBB.XNAS")
CROWD = Liquidity(
    half_spread_bps=Decimal(10), levels=2, depth=Decimal(10_050), step_bps=Decimal(10)
)
"""Around 100: bids 99.90 x 100 and 99.80 x 100, asks 100.10 x 100 and 100.20 x 100."""


class Desk:
    """Sends to one exchange, records its facts, and can restart it from them."""

    def __init__(self, plan: FaultPlan | None = None, **settings: Any) -> None:
        defaults: dict[str, Any] = {
            "venue": Venue("paper"),
            "accounts": {AccountId("A"): Decimal(1_000_000), AccountId("B"): Decimal(1_000_000)},
            "instruments": (Instrument(instrument_id=AAA), Instrument(instrument_id=BBB)),
            "liquidity": CROWD,
        }
        self.settings = ExchangeSettings(**{**defaults, **settings})
        self.plan = plan
        self.events: list[Event] = []
        self.effects: list[Effect] = []
        self.log: list[Effect] = []
        self.now = 1_000
        self.sequence = 0
        self.request_count = 0
        self.exchange: Any = self._build()

    def _build(self) -> Any:
        exchange = SimulatedExchange(self.settings)
        return exchange if self.plan is None else FaultyExchange(exchange, self.plan)

    # -- sending

    def handle(self, message: Any) -> list[Effect]:
        self.now += 1
        self.effects = self.exchange.handle(message, self.now)
        self.log += self.effects
        self.events += [effect.event for effect in self.effects if isinstance(effect, Append)]
        return self.effects

    def market(self, close: float | Mapping[InstrumentId, float], day: int = 1) -> list[Effect]:
        closes = close if isinstance(close, Mapping) else {AAA: close}
        self.sequence += 1
        ts_event = day * DAY_NS + self.sequence
        bars = tuple(
            Bar(ts_event=ts_event, instrument_id=key, open=px, high=px, low=px, close=px)
            for key, px in closes.items()
        )
        return self.handle(MarketSlice(ts_event=ts_event, sequence=self.sequence, bars=bars))

    def request(self, body: Any) -> Any:
        self.request_count += 1
        self.handle(VenueRequest(request_id=f"r{self.request_count}", reply_to="desk", body=body))
        outcomes = [effect.outcome for effect in self.effects if isinstance(effect, Reply)]
        return outcomes[0] if outcomes else None

    def submit(
        self,
        key: str,
        side: str,
        quantity: float | str,
        price: str | None = None,
        *,
        type: str | None = None,  # noqa: A002
        tif: str = "DAY",
        account: str = "A",
        strategy: str = "s",
        instrument: InstrumentId = AAA,
        trigger: str | None = None,
        offset: str | None = None,
        post_only: bool = False,
    ) -> Any:
        return self.request(
            SubmitOrder(
                client_order_id=ClientOrderId(key),
                account_id=AccountId(account),
                strategy_id=StrategyId(strategy),
                instrument_id=instrument,
                side=OrderSide(side),
                quantity=Decimal(quantity),
                order_type=OrderType(type or ("LIMIT" if price else "MARKET")),
                time_in_force=TimeInForce(tif),
                price=price and Decimal(price),
                trigger_price=trigger and Decimal(trigger),
                trailing_offset=offset and Decimal(offset),
                post_only=post_only,
            )
        )

    def cancel(self, key: str, account: str = "A") -> Any:
        return self.request(
            CancelOrder(client_order_id=ClientOrderId(key), account_id=AccountId(account))
        )

    def cancel_all(self, account: str = "A", strategy: str | None = None) -> Any:
        strategy_id = StrategyId(strategy) if strategy else None
        return self.request(CancelAllOrders(account_id=AccountId(account), strategy_id=strategy_id))

    def replace(
        self,
        key: str,
        quantity: float | None = None,
        price: str | None = None,
        trigger: str | None = None,
        account: str = "A",
    ) -> Any:
        return self.request(
            ReplaceOrder(
                client_order_id=ClientOrderId(key),
                account_id=AccountId(account),
                quantity=None if quantity is None else Decimal(quantity),
                price=price and Decimal(price),
                trigger_price=trigger and Decimal(trigger),
            )
        )

    def query(self, key: str, account: str = "A") -> Any:
        body = QueryOrder(client_order_id=ClientOrderId(key), account_id=AccountId(account))
        return self.request(body).report

    def mass_status(self, account: str = "A", since: int = 0) -> Any:
        return self.request(QueryMassStatus(account_id=AccountId(account), since=since)).mass_status

    # -- looking

    def order(self, key: str) -> Any:
        orders = [o for account in "AB" for o in self.exchange_inside.orders(AccountId(account))]
        return next(order for order in orders if order.client_order_id == key)

    def status(self, key: str) -> str:
        return str(self.order(key).status)

    def fills(self, key: str | None = None) -> list[tuple[str, str, str]]:
        """(order, quantity, price) of every fill in the order in which they happened."""
        fills = [f for account in "AB" for f in self.exchange_inside.fills(AccountId(account))]
        fills.sort(key=lambda fill: int(fill.trade_id.rpartition("T")[2]))
        return [
            (str(fill.client_order_id), str(fill.last_qty), str(fill.last_px))
            for fill in fills
            if key in {None, fill.client_order_id}
        ]

    def told(self, account: str = "A") -> list[Report]:
        """Every execution message that the account was ever told."""
        topic = f"exec.paper.{account}"
        return [e.message for e in self.log if isinstance(e, Publish) and e.topic == topic]

    @property
    def exchange_inside(self) -> SimulatedExchange:
        return self.exchange if self.plan is None else self.exchange.exchange

    # -- restarting

    def fold(self, events: list[Event]) -> SimulatedExchange:
        """A fresh exchange that has read `events` from a journal."""
        fresh = SimulatedExchange(self.settings)
        for event in events:
            fresh.apply(decode(encode(event)))
        return fresh

    def restart(self) -> None:
        before = self.exchange.state_hash()
        self.exchange = self._build()
        for event in self.events:
            self.exchange.apply(decode(encode(event)))
        assert self.exchange.state_hash() == before


@pytest.fixture
def open_desk() -> Iterator[Callable[..., Desk]]:
    """Desks whose books must balance when the test is over, here and after a restart."""
    desks: list[Desk] = []

    def open_one(**settings: Any) -> Desk:
        desks.append(Desk(**settings))
        return desks[-1]

    yield open_one
    for desk in desks:
        desk.exchange.validate()
        assert desk.fold(desk.events).state_hash() == desk.exchange.state_hash()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """A desk in a market at 100."""
    opened = open_desk()
    opened.market(100.0)
    return opened


@pytest.fixture(scope="session")
def new_desk() -> Callable[..., Desk]:
    """Desks for property tests, which open one per example and check it themselves."""
    return Desk
