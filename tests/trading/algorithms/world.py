"""A desk, and venues that do exactly what a test tells them: every child is an order at one of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trading.algorithms.desk import ExecutionDesk
from trading.algorithms.desk_config import DeskAccount, ExecutionDeskConfig
from trading.algorithms.parameters import Algorithm, Listing
from trading.algorithms.parent import ParentOrder
from trading.codec import decode, encode
from trading.commands import CancelExecution, CancelOrder, ExecuteOrder, RequestBook, SubmitOrder
from trading.data import BookSnapshot, BookTop
from trading.effects import Append, CancelTimer, Effect, Send, SetTimer
from trading.events import (
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
)
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    TradeId,
    Venue,
    VenueOrderId,
    machine_name,
)
from trading.instruments import Instrument
from trading.messages import Message
from trading.outcomes import (
    JournalRecovered,
    JournalUnavailable,
    LinkDown,
    LinkUp,
    Started,
    TimerFired,
)
from trading.routing.quotes import VenueFees
from trading.values import NANOS_PER_SECOND, ZERO, OrderSide

D = Decimal
SECOND = NANOS_PER_SECOND
START = 1_700_000_000 * SECOND
KEY = InstrumentId("BTC/USD.X")
PARENT = ClientOrderId("f" * 32)


def listing(name: str) -> Listing:
    return Listing(Venue(name), AccountId(f"ACC-{name}"), KEY)


def account(
    name: str,
    *,
    lot: str = "1",
    least: str = "1",
    notional: str = "0",
    fees: VenueFees | None = None,
) -> DeskAccount:
    instrument = Instrument(
        instrument_id=KEY, lot_size=D(lot), min_quantity=D(least), min_notional=D(notional)
    )
    return DeskAccount(
        venue=Venue(name),
        account_id=AccountId(f"ACC-{name}"),
        instruments=(instrument,),
        fees=fees or VenueFees(),
    )


def parent(algorithm: Algorithm, quantity: str = "100", *venues: str, **more: Any) -> ExecuteOrder:
    fields: dict[str, Any] = {
        "client_order_id": PARENT,
        "strategy_id": StrategyId("s"),
        "side": OrderSide.BUY,
        "quantity": D(quantity),
        "listings": tuple(listing(name) for name in venues or ("a",)),
        "algorithm": algorithm,
    }
    return ExecuteOrder(**{**fields, **more})


@dataclass
class VenueOrder:
    """What the venue knows of one child."""

    order: SubmitOrder
    filled: Decimal = ZERO
    is_known: bool = False
    is_over: bool = False
    cancels: int = 0
    submits: int = 0

    @property
    def live(self) -> Decimal:
        return ZERO if self.is_over else self.order.quantity - self.filled


@dataclass
class World:
    """Runs one desk by hand. `settle_ns` 0: the venues here tell fills before the end of an order."""

    accounts: tuple[DeskAccount, ...] = (account("a"),)
    settle_ns: int = 0
    book_wait_ns: int = SECOND // 5
    now: int = START
    journal: list[bytes] = field(default_factory=list)
    facts: list[bytes] = field(default_factory=list)
    orders: dict[ClientOrderId, VenueOrder] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    requests: list[RequestBook] = field(default_factory=list)
    """For books, oldest first."""
    sequence: int = 0
    is_disk_full: bool = False

    def __post_init__(self) -> None:
        self.desk = self._new()
        self.tell(Started(epoch=1))

    def _new(self) -> ExecutionDesk:
        config = ExecutionDeskConfig(
            name="t",
            accounts=self.accounts,
            settle_ns=self.settle_ns,
            book_wait_ns=self.book_wait_ns,
        )
        return ExecutionDesk(config)

    # -- what happens to the desk

    def tell(self, message: Message) -> None:
        effects = self.desk.handle(message, self.now)
        self.perform(effects)
        self.desk.validate()

    def perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Append(event):
                    assert not self.is_disk_full, "decided without a journal"
                    self.journal.append(encode(event))
                case Send(to, SubmitOrder() as order):
                    assert to == f"risk:{order.account_id}"
                    self.orders.setdefault(order.client_order_id, VenueOrder(order)).submits += 1
                    assert self.orders[order.client_order_id].order == order
                case Send(to, CancelOrder() as cancel):
                    assert to.startswith("broker:")
                    self.orders[cancel.client_order_id].cancels += 1
                case Send(to, RequestBook() as request):
                    assert to == f"book:{request.correlation_id.split('/')[1]}"
                    assert request.reply_to == self.desk.name
                    self.requests.append(request)
                case SetTimer(key, at):
                    assert at > self.now
                    self.timers[key] = at
                case CancelTimer(key):
                    self.timers.pop(key, None)
                case _:
                    raise AssertionError(effect)

    def restart(self) -> None:
        """Kill the desk; a new one folds the journals."""
        self._restore()
        self.tell(Started(epoch=2))

    def _restore(self) -> None:
        before = self.desk.state_hash()
        self.desk = self._new()
        self.timers.clear()
        for payload in (*self.journal, *self.facts):
            event = decode(payload)
            assert isinstance(event, Event)
            self.desk.apply(event)
        assert self.desk.state_hash() == before

    def outage(self) -> None:
        """The journal fails: the desk is restored and told so."""
        self.is_disk_full = True
        self._restore()
        self.tell(JournalUnavailable(stream=self.desk.stream, reason="disk full"))

    def recover(self) -> None:
        self.is_disk_full = False
        self.tell(Started(epoch=3))
        self.tell(JournalRecovered(stream=self.desk.stream))

    def link(self, venue: str, *, is_up: bool) -> None:
        peer = machine_name("risk", listing(venue).account_id)
        self.tell(LinkUp(peer=peer) if is_up else LinkDown(peer=peer))

    def wait(self, seconds: float) -> None:
        """Let host time pass; timers fire at their time, and the books are heard of again."""
        end = self.now + int(seconds * SECOND)
        while True:
            due = min(self.timers.values(), default=end + 1)
            if due > end:
                break
            self.now = max(self.now, due)
            key = next(key for key, at in self.timers.items() if at == due)
            del self.timers[key]
            self.tell(TimerFired(key=key))
        self.now = end

    def quote(
        self, bid: float = 99.0, ask: float = 101.0, venue: str = "a", size: float = 1000.0
    ) -> None:
        self.sequence += 1
        top = BookTop(
            ts_event=self.now,
            ts_init=self.now,
            correlation_id=f"feed:{venue}/{self.sequence}",
            sequence=self.sequence,
            instrument_id=KEY,
            bid_px=bid,
            ask_px=ask,
            bid_size=size,
            ask_size=size,
            microprice=(bid + ask) / 2,
            imbalance=0.0,
        )
        self.tell(top)

    def book(self, request: RequestBook, asks: list[tuple[float, float]], **more: Any) -> None:
        """Answer a request: `asks`, and the same sizes as far below 100 as those are above."""
        self.sequence += 1
        venue = request.correlation_id.split("/")[1]
        fields: dict[str, Any] = {
            "ts_event": self.now,
            "ts_init": self.now,
            "correlation_id": f"feed:{venue}/{self.sequence}",
            "causation_id": request.correlation_id,
            "sequence": self.sequence,
            "instrument_id": request.instrument_id,
            "bids": tuple((200 - price, size) for price, size in asks),
            "asks": tuple(asks),
        }
        self.tell(BookSnapshot(**{**fields, **more}))

    def quotes(self, bid: float = 99.0, ask: float = 101.0, size: float = 1000.0) -> None:
        for one in self.accounts:
            self.quote(bid, ask, one.venue, size)

    def execute(self, order: ExecuteOrder) -> None:
        self.tell(order)

    def cancel(self, reason: str = "") -> None:
        self.tell(CancelExecution(client_order_id=PARENT, reason=reason))

    # -- what venues do

    def fact(self, event: Event) -> None:
        self.facts.append(encode(event))
        self.tell(event)

    def accept(self, one: VenueOrder) -> None:
        if one.is_known:
            return
        one.is_known = True
        self.fact(OrderSubmitted(**self._about(one), order=one.order, epoch=1))
        self.fact(OrderAccepted(**self._about(one), venue_order_id=VenueOrderId("V")))

    def fill(
        self,
        one: VenueOrder,
        quantity: Decimal | None = None,
        price: str = "100",
        *,
        kept: str = "0",
    ) -> None:
        self.accept(one)
        quantity = one.live if quantity is None else quantity
        one.filled += quantity
        one.is_over = one.filled >= one.order.quantity
        self.fact(
            OrderFilled(
                **self._about(one),
                venue_order_id=VenueOrderId("V"),
                trade_id=TradeId(f"T{len(self.facts)}"),
                side=one.order.side,
                last_qty=quantity,
                last_px=D(price),
                commission=ZERO,
                commission_qty=D(kept),
                purpose=one.order.purpose,
            )
        )

    def end(self, one: VenueOrder, kind: type = OrderCanceled) -> None:
        self.accept(one)
        one.is_over = True
        self.fact(kind(**self._about(one), reason="end"))

    def reject(self, one: VenueOrder) -> None:
        one.is_known = one.is_over = True
        self.fact(OrderSubmitted(**self._about(one), order=one.order, epoch=1))
        self.fact(OrderRejected(**self._about(one), code="NO", reason="the venue says no"))

    def deny(self, one: VenueOrder, code: str = "RISK_X") -> None:
        one.is_known = one.is_over = True
        about = {**self._about(one), "causation_id": f"risk:{one.order.account_id}"}
        self.fact(OrderDenied(**about, code=code, reason="risk says no", order=one.order))

    def _about(self, one: VenueOrder) -> dict[str, Any]:
        return {
            "ts_event": self.now,
            "ts_init": self.now,
            "client_order_id": one.order.client_order_id,
            "strategy_id": one.order.strategy_id,
            "instrument_id": one.order.instrument_id,
        }

    # -- what a test looks at

    @property
    def sent(self) -> list[VenueOrder]:
        return list(self.orders.values())

    @property
    def last(self) -> VenueOrder:
        return self.sent[-1]

    @property
    def live(self) -> list[VenueOrder]:
        return [one for one in self.orders.values() if not one.is_over]

    @property
    def execution(self) -> ParentOrder:
        return self.desk.parents[PARENT]

    @property
    def code(self) -> str:
        ended = self.execution.ended
        return "" if ended is None else ended.code

    @property
    def refusal(self) -> str:
        return str(self.desk.view()["refused"].get(PARENT, ""))

    def quantities(self) -> list[Decimal]:
        return [one.order.quantity for one in self.orders.values()]
