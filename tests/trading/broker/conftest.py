"""A host for one broker in a list, and a venue in a dict: what they did can be read afterwards."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from trading.broker.broker import Broker
from trading.broker.config import BrokerConfig
from trading.codec import decode, encode
from trading.commands import (
    AnnounceRisk,
    CancelAllOrders,
    CancelOrder,
    PermittedOrder,
    QueryMassStatus,
    QueryOrder,
    SubmitOrder,
)
from trading.effects import Append, CallVenue, CancelTimer, Effect, Send, SetTimer
from trading.events import Event, KillSwitchReset, KillSwitchTripped, OrderEvent
from trading.identifiers import AccountId, ClientOrderId, MachineName, StrategyId, Venue
from trading.messages import Message
from trading.outcomes import (
    CancelAcknowledged,
    CancelAllAcknowledged,
    MassStatusReceived,
    OrderQueried,
    Started,
    SubmitAcknowledged,
    TimerFired,
    VenueConnected,
)
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)
from trading.risk.permits import sign
from trading.values import OrderSide, OrderStatus, OrderType, TimeInForce

MS = 1_000_000
KEY = b"shared secret"
ACCOUNT = AccountId("DEMO")
RISK = MachineName("risk:DEMO")
REPLAY = MachineName("replay:prices")
CASH = Decimal(100_000)


def make_config(**changes: Any) -> BrokerConfig:
    config = BrokerConfig(
        venue=Venue("paper"),
        account_id=ACCOUNT,
        initial_cash=CASH,
        risk=RISK,
        risk_key=KEY,
        watermark_to=REPLAY,
        reconcile_interval_ns=0,
    )
    return msgspec.structs.replace(config, **changes)


class Desk:
    """Runs one broker: performs its effects, keeps its journal, fires its timers."""

    def __init__(self, **changes: Any) -> None:
        self.config = make_config(**changes)
        self.now = 1_000 * MS
        self.journal: list[Event] = []
        self.kill_stream: list[Event] = []
        self.calls: list[Any] = []
        self.sent: list[Send] = []
        self.timers: dict[str, int] = {}
        self.epoch = 0
        self.broker = Broker(self.config)

    # -- life

    def start(self) -> list[Effect]:
        """Restore a new broker from the journal and hand it `Started`."""
        self.broker = Broker(self.config)
        self.timers.clear()
        for event in (*self.journal, *self.kill_stream):
            self.broker.apply(event)
        self.epoch += 1
        return self.give(Started(epoch=self.epoch))

    def trade(self) -> "Desk":
        """Start, connect, reconcile with an empty venue and hear from risk: ready."""
        self.start()
        self.give(VenueConnected())
        self.give(MassStatusReceived(mass_status=mass_status()))
        self.give(AnnounceRisk(risk_epoch=7, reply_to=RISK))
        assert self.broker.view()["is_ready"]
        self.calls.clear()
        self.sent.clear()
        return self

    def give(self, message: Message, keep: int | None = None) -> list[Effect]:
        """Hand over one message and perform its first `keep` effects (all when None)."""
        effects = self.broker.handle(message, self.now)
        for effect in effects[:keep]:
            self._perform(effect)
        self.broker.validate()
        return effects

    def wait(self, duration: int) -> None:
        """Let `duration` ns pass; timers fire on the way."""
        end = self.now + duration
        while due := [(at, key) for key, at in self.timers.items() if at <= end]:
            at, key = min(due)
            del self.timers[key]
            self.now = max(self.now, at)
            self.give(TimerFired(key=key))
        self.now = end

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Append(event):
                self.journal.append(decode(encode(event)))
            case CallVenue(body):
                self.calls.append(body)
            case Send():
                self.sent.append(effect)
            case SetTimer(key, at):
                self.timers[key] = at
            case CancelTimer(key):
                self.timers.pop(key, None)
            case _:
                raise AssertionError(f"a broker has no {effect}")

    # -- acts

    def permit(self, order: SubmitOrder, epoch: int = 7, key: bytes = KEY) -> PermittedOrder:
        return PermittedOrder(order=order, permit=sign(order, key, epoch, self.now))

    def submit(self, name: str = "1", **fields: Any) -> SubmitOrder:
        order = make_order(name, **fields)
        self.give(self.permit(order))
        return order

    def accept(self, name: str = "1", **fields: Any) -> SubmitOrder:
        order = self.submit(name, **fields)
        venue_order_id = f"v{name}"
        self.give(
            SubmitAcknowledged(client_order_id=order.client_order_id, venue_order_id=venue_order_id)
        )
        return order

    def reconcile(self, status: MassStatus) -> list[Effect]:
        """Let the broker ask for everything, and give it this answer."""
        self.give(TimerFired(key="reconcile"))
        return self.give(MassStatusReceived(mass_status=status))

    def trip(self, **fields: Any) -> list[Effect]:
        event = KillSwitchTripped(ts_event=self.now, actor="ann", reason="test", **fields)
        self.kill_stream.append(event)
        return self.give(event)

    def reset(self) -> list[Effect]:
        event = KillSwitchReset(ts_event=self.now, actor="ann", reason="over")
        self.kill_stream.append(event)
        return self.give(event)

    # -- what happened

    def facts(self, name: str = "1") -> list[str]:
        """Names of the journalled facts of one order."""
        key = client_order_id(name)
        return [
            type(event).__name__
            for event in self.journal
            if isinstance(event, OrderEvent) and event.client_order_id == key
        ]

    def status(self, name: str = "1") -> str:
        order = self.order(name)
        return "" if order is None else str(order.status)

    def order(self, name: str = "1") -> Any:
        return self.broker._state.order(client_order_id(name))

    def called(self, kind: type[Any]) -> list[Any]:
        return [body for body in self.calls if isinstance(body, kind)]

    def denial(self, name: str = "1") -> str:
        order = self.order(name)
        return order.code


class PaperVenue:
    """Answers calls at once and truthfully: accepts every order, fills when told."""

    def __init__(self) -> None:
        self.orders: dict[str, OrderStatusReport] = {}
        self.fills: list[FillReport] = []
        self.submissions: list[str] = []

    def answer(self, body: Any) -> list[Message]:
        """Return the outcome of one call and the reports that it causes."""
        match body:
            case SubmitOrder():
                return self.submit(body)
            case CancelOrder():
                report = self._close(body.client_order_id)
                acknowledged = CancelAcknowledged(client_order_id=body.client_order_id)
                return [acknowledged, *report]
            case CancelAllOrders():
                keys = tuple(k for k, o in self.orders.items() if not o.status.is_terminal)
                reports = [report for key in keys for report in self._close(key)]
                return [CancelAllAcknowledged(client_order_ids=keys), *reports]
            case QueryOrder():
                report = self.orders.get(body.client_order_id)
                return [OrderQueried(client_order_id=body.client_order_id, report=report)]
            case QueryMassStatus():
                return [MassStatusReceived(mass_status=self.mass_status(body.since))]
            case _:
                raise AssertionError(f"not known here: {body}")

    def submit(self, order: SubmitOrder) -> list[Message]:
        key = order.client_order_id
        self.submissions.append(key)
        self.orders[key] = status_report(order)
        acknowledged = SubmitAcknowledged(client_order_id=key, venue_order_id=f"v-{key}")
        if order.order_type is not OrderType.MARKET:
            return [acknowledged]
        return [acknowledged, *self.fill(key, order.quantity, Decimal(50))]

    def fill(self, key: str, quantity: Decimal, price: Decimal) -> list[Message]:
        before = self.orders[key]
        filled = before.filled_qty + quantity
        is_complete = filled == before.quantity
        status = OrderStatus.FILLED if is_complete else OrderStatus.PARTIALLY_FILLED
        after = msgspec.structs.replace(before, filled_qty=filled, status=status)
        fill = fill_report(before, f"t{len(self.fills)}", quantity, price, len(self.fills) + 1)
        self.orders[key] = after
        self.fills.append(fill)
        return [fill, after]

    def mass_status(self, since: int = 0) -> MassStatus:
        return mass_status(
            [order for order in self.orders.values() if not order.status.is_terminal],
            self.fills,
            since,
        )

    def _close(self, key: str) -> list[Message]:
        order = self.orders.get(key)
        if order is None or order.status.is_terminal:
            return []
        self.orders[key] = msgspec.structs.replace(order, status=OrderStatus.CANCELED)
        return [self.orders[key]]


def client_order_id(name: str) -> ClientOrderId:
    return ClientOrderId(name.rjust(32, "0"))


def make_order(name: str = "1", **fields: Any) -> SubmitOrder:
    values: dict[str, Any] = {
        "ts_event": 500,
        "client_order_id": client_order_id(name),
        "account_id": ACCOUNT,
        "strategy_id": StrategyId("trend"),
        "instrument_id": "AAPL.XNAS",
        "side": OrderSide.BUY,
        "quantity": Decimal(10),
        "order_type": OrderType.LIMIT,
        "price": Decimal(50),
    }
    return SubmitOrder(**{**values, **fields})


def status_report(
    order: SubmitOrder, status: OrderStatus = OrderStatus.ACCEPTED, **fields: Any
) -> OrderStatusReport:
    values: dict[str, Any] = {
        "ts_event": 600,
        "account_id": order.account_id,
        "client_order_id": order.client_order_id,
        "venue_order_id": f"v-{order.client_order_id}",
        "instrument_id": order.instrument_id,
        "side": order.side,
        "order_type": order.order_type,
        "time_in_force": TimeInForce.DAY,
        "status": status,
        "quantity": order.quantity,
        "filled_qty": Decimal(0),
        "price": order.price,
    }
    return OrderStatusReport(**{**values, **fields})


def fill_report(
    order: SubmitOrder | OrderStatusReport,
    trade_id: str = "t1",
    quantity: Decimal = Decimal(10),
    price: Decimal = Decimal(50),
    ts_event: int = 700,
) -> FillReport:
    return FillReport(
        ts_event=ts_event,
        account_id=order.account_id,
        client_order_id=order.client_order_id,
        venue_order_id=f"v-{order.client_order_id}",
        trade_id=trade_id,
        instrument_id=order.instrument_id,
        side=order.side,
        last_qty=quantity,
        last_px=price,
        commission=Decimal("0.01"),
    )


def mass_status(
    open_orders: Any = (), fills: Any = (), since: int = 0, cash: Decimal | None = None
) -> MassStatus:
    """Return a truthful answer: positions and cash follow from all fills."""
    positions: dict[str, Decimal] = {}
    money = CASH
    for fill in fills:
        signed = fill.side.sign * fill.last_qty
        positions[fill.instrument_id] = positions.get(fill.instrument_id, Decimal(0)) + signed
        money -= signed * fill.last_px + fill.commission
    return MassStatus(
        account_id=ACCOUNT,
        open_orders=tuple(open_orders),
        fills=tuple(fill for fill in fills if fill.ts_event >= since),
        positions=tuple(
            PositionReport(
                account_id=ACCOUNT, instrument_id=key, quantity=quantity, avg_px=Decimal(0)
            )
            for key, quantity in positions.items()
        ),
        account=AccountReport(account_id=ACCOUNT, cash=money if cash is None else cash),
    )


class Kit:
    """The makers above, for tests (test files are no package)."""

    Desk = Desk
    PaperVenue = PaperVenue
    order = staticmethod(make_order)
    key = staticmethod(client_order_id)
    status = staticmethod(status_report)
    fill = staticmethod(fill_report)
    mass_status = staticmethod(mass_status)
    RISK = RISK
    REPLAY = REPLAY
    MS = MS


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit


@pytest.fixture
def desk() -> Desk:
    """A broker that is ready, at a venue without orders."""
    return Desk().trade()


@pytest.fixture
def play() -> Callable[..., None]:
    """Let a venue answer every call of a desk until there is none."""

    def run(desk: Desk, venue: PaperVenue) -> None:
        while desk.calls:
            for message in venue.answer(desk.calls.pop(0)):
                desk.give(message)

    return run
