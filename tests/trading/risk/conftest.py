"""A desk to test risk at: the gate, its two journal streams, and a broker that the test plays."""

from decimal import Decimal

import msgspec
import pytest

from trading.codec import decode, encode
from trading.commands import PermittedOrder, RiskAcknowledged, SubmitOrder
from trading.data import Bar, BarSlice, BookTop
from trading.effects import Append, AppendShared, Send
from trading.events import (
    LimitChanged,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderFilled,
    OrderSubmitted,
    TradingStateChanged,
)
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    TradeId,
    Venue,
    VenueOrderId,
)
from trading.instruments import Instrument
from trading.outcomes import Started
from trading.risk.config import RiskConfig
from trading.risk.gate import RiskGate
from trading.risk.limits import RiskLimits
from trading.values import OrderSide

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
KEY = b"a secret of the tests"
ACCOUNT = AccountId("DEMO")
SYMBOLS = tuple("ABCDEFG")


def name_of(symbol):
    return InstrumentId(f"{symbol}.X")


class Desk:
    """Every message goes through `handle`, which also checks all invariants."""

    def __init__(
        self, limits=None, cash="100000", strategies=("one", "two"), symbols=SYMBOLS, **settings
    ):
        self.settings = settings
        self.limits = limits or RiskLimits()
        self.cash = Decimal(cash)
        self.strategies = [StrategyId(name) for name in strategies]
        self.instruments = {
            name_of(s): Instrument(instrument_id=name_of(s), sector="odd" if i % 2 else "even")
            for i, s in enumerate(symbols)
        }
        self.own, self.account, self.sent, self.shared, self.changes = [], [], [], [], []
        self.now = 1_000 * DAY
        self.market = 100 * DAY
        self.epoch = 0
        self.slices = self.ids = 0
        self.gate = None
        self.start()

    # -- life of the machine

    def new_gate(self):
        return RiskGate(self.config())

    def config(self, **changes):
        return RiskConfig(
            **{
                "account_id": ACCOUNT,
                "venue": Venue("paper"),
                "strategies": tuple(self.strategies),
                "instruments": self.instruments,
                "limits": self.limits,
                "key": KEY,
                "initial_cash": self.cash,
                **self.settings,
                **changes,
            }
        )

    def restore(self):
        """As a host does: own stream, then the followed one, through the codec."""
        self.gate = self.new_gate()
        for event in [*self.own, *self.account, *self.changes]:
            self.gate.apply(decode(encode(event)))
        self.gate.validate()

    def start(self, acknowledged=True):
        self.restore()
        self.epoch += 1
        self.handle(Started(epoch=self.epoch))
        if acknowledged:
            self.acknowledge()

    def acknowledge(self):
        return self.handle(RiskAcknowledged(risk_epoch=self.epoch, account_seq=len(self.account)))

    def handle(self, message):
        effects = self.gate.handle(message, self.now)
        for effect in effects:
            if isinstance(effect, Append):
                self.own.append(effect.event)
            elif isinstance(effect, AppendShared):
                self.shared.append((effect.stream, effect.event))
            elif isinstance(effect, Send):
                self.sent.append(effect.message)
        self.gate.validate()
        return effects

    # -- market

    def price(self, symbol, bid, ask=None, age_s=0.0, at=None):
        ask = bid if ask is None else ask
        self.handle(
            BookTop(
                ts_event=self.market if at is None else at,
                ts_init=self.now - int(age_s * SECOND),
                instrument_id=name_of(symbol),
                bid_px=float(bid),
                ask_px=float(ask),
                bid_size=1.0,
                ask_size=1.0,
                microprice=float(bid),
                imbalance=0.0,
            )
        )

    def prices(self, **symbols):
        for symbol, price in symbols.items():
            self.price(symbol, price)

    def slice(self, days=0, minutes=0, **closes):
        self.market += days * DAY + minutes * 60 * SECOND
        self.slices += 1
        return self.handle(self.bars(self.slices, self.market, closes or {"A": 1.0}))

    def bars(self, sequence, ts_event, closes):
        bars = tuple(
            Bar(
                ts_event=ts_event,
                instrument_id=name_of(symbol),
                open=close,
                high=close,
                low=close,
                close=close,
            )
            for symbol, close in closes.items()
        )
        return BarSlice(ts_event=ts_event, sequence=sequence, bars=bars)

    # -- orders

    def order(self, symbol="A", side="BUY", quantity=10, strategy="one", **fields):
        self.ids += 1
        return SubmitOrder(
            ts_event=self.market,
            client_order_id=fields.pop("client_order_id", ClientOrderId(f"{self.ids:032x}")),
            account_id=fields.pop("account_id", ACCOUNT),
            strategy_id=StrategyId(strategy),
            instrument_id=name_of(symbol),
            side=OrderSide(side),
            quantity=Decimal(str(quantity)),
            **fields,
        )

    def verdict(self, order):
        """Return "approved", the code of the refusal, or None when nothing was decided."""
        for effect in self.handle(order):
            if isinstance(effect, Send) and isinstance(effect.message, PermittedOrder):
                assert effect.message.order == order
                return "approved"
            if isinstance(effect, Append) and isinstance(effect.event, OrderDenied):
                assert effect.event.order == order
                return effect.event.code
        return None

    def ask(self, *args, **fields):
        return self.verdict(self.order(*args, **fields))

    # -- the account's stream

    def fact(self, event):
        self.account.append(event)
        return self.handle(event)

    def change_limit(self, name, value):
        """A person changed a limit; the fact comes by the shared stream."""
        change = LimitChanged(actor="ann", name=name, value=value, reason="why")
        self.changes.append(change)
        return self.handle(change)

    def about(self, kind, order, /, **fields):
        return self.fact(
            kind(
                ts_event=self.market,
                client_order_id=order.client_order_id,
                strategy_id=order.strategy_id,
                instrument_id=order.instrument_id,
                **fields,
            )
        )

    def submitted(self, order):
        return self.about(OrderSubmitted, order, order=order, epoch=1)

    def accepted(self, order):
        return self.about(OrderAccepted, order, venue_order_id=VenueOrderId("v"))

    def filled(self, order, price, quantity=None):
        self.ids += 1
        return self.about(
            OrderFilled,
            order,
            venue_order_id=VenueOrderId("v"),
            trade_id=TradeId(f"t{self.ids}"),
            side=order.side,
            last_qty=order.quantity if quantity is None else Decimal(str(quantity)),
            last_px=Decimal(str(price)),
            commission=Decimal(0),
            purpose=order.purpose,
        )

    def canceled(self, order):
        return self.about(OrderCanceled, order)

    def trade(self, symbol, side, quantity, price, strategy="one", **fields):
        """An order that is approved and filled at once."""
        order = self.order(symbol, side, quantity, strategy, **fields)
        assert self.verdict(order) == "approved"
        self.submitted(order)
        self.filled(order, price)
        return order

    # -- what came of it

    @property
    def trading_state(self):
        changes = [event for event in self.own if isinstance(event, TradingStateChanged)]
        return (str(changes[-1].state), changes[-1].code) if changes else ("ACTIVE", "")

    def sent_of(self, kind):
        return [message for message in self.sent if isinstance(message, kind)]


@pytest.fixture(scope="session")
def new_desk():
    return Desk


@pytest.fixture
def desk():
    """A ready desk with the default limits; A trades at 100, B at 50, C at 20, D at 10."""
    made = Desk()
    made.prices(A=100, B=50, C=20, D=10, E=10, F=10)
    return made


@pytest.fixture(scope="session")
def limits_with():
    def build(**changes):
        return msgspec.structs.replace(RiskLimits(), **changes)

    return build
