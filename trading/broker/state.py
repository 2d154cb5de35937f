"""What the parts of a broker share: the durable record, and what is forgotten at a restart."""

from collections import Counter
from decimal import Decimal
from typing import TypedDict

from trading.broker.config import BrokerConfig
from trading.broker.record import AccountRecord
from trading.broker.venue_clock import VenueClock
from trading.effects import Append
from trading.events import Event, OrderDenied, OrderFilled
from trading.identifiers import ClientOrderId, InstrumentId, MachineName, StrategyId, StreamName
from trading.messages import Message
from trading.mismatches import Mismatch, RecentFill
from trading.order import Order
from trading.outcomes import VenueDisconnected
from trading.position import EXACT


class Origin(TypedDict):
    """The fields that every fact about one order begins with."""

    ts_event: int
    ts_init: int
    correlation_id: str
    causation_id: str
    client_order_id: ClientOrderId
    strategy_id: StrategyId
    instrument_id: InstrumentId


class BrokerState:
    """The record and the volatile rest.

    Attributes
    ----------
    risk_epoch : int or None
        Of the risk manager that announced itself since our start; None: no permit counts yet.
    is_connected : bool or None
        Whether the session is up; None: nobody has told us yet.
    disconnection : VenueDisconnected or None
        What the adapter said last of a session that is down.
    is_reconciled : bool
        The venue's account and ours agreed since the session is up.
    unwritten : dict
        Refusals that could not be journalled yet.
    uncompared : tuple of str
        What the venue cannot tell: `positions`, `cash`.
    fills_since_question : list or None
        Fills applied since the venue was asked for everything; None when no question is open.
    reported_qty : dict
        Filled quantity that the venue counts for orders whose fills we lack.
    ignored : Counter
        Messages that called for nothing, by kind.
    """

    def __init__(self, config: BrokerConfig, name: MachineName, kill_stream: StreamName) -> None:
        self.config = config
        self.name = name
        self.record = AccountRecord(config.initial_cash, kill_stream)
        self.epoch = 0
        self.risk_epoch: int | None = None
        self.is_journal_up = True
        self.is_connected: bool | None = None
        self.disconnection: VenueDisconnected | None = None
        self.clock = VenueClock()
        self.now = 0
        self.is_reconciled = False
        self.mismatches: tuple[Mismatch, ...] = ()
        self.uncompared: tuple[str, ...] = ()
        self.contradictions: tuple[str, ...] = ()
        self.unwritten: dict[ClientOrderId, OrderDenied] = {}
        self.fills_since_question: list[RecentFill] | None = None
        self.reported_qty: dict[ClientOrderId, Decimal] = {}
        self.duplicate_count = 0
        self.contradiction_count = 0
        self.ignored: Counter[str] = Counter()

    @property
    def is_ready(self) -> bool:
        return self.is_journal_up and self.is_connected is True and self.is_reconciled

    @property
    def is_given_up(self) -> bool:
        """True when the adapter does not try to connect any more: asking would be refused again and again."""
        return self.disconnection is not None and self.disconnection.is_final

    def fact(self, event: Event) -> Append:
        """Fold `event` and return the effect that makes it durable."""
        before = self.record.account.cash
        self.record.apply(event)
        if isinstance(event, OrderFilled) and self.fills_since_question is not None:
            moved = EXACT.subtract(self.record.account.cash, before)
            self.fills_since_question.append(RecentFill(event, moved))
        return Append(event)

    def order(self, key: ClientOrderId) -> Order | None:
        return self.record.orders.get(key)

    def open_order(self, key: ClientOrderId) -> Order | None:
        return self.record.open_orders.get(key)

    def ignore(self, message: Message) -> None:
        self.ignored[type(message).__name__] += 1

    def origin(self, order: Order, cause: Message, now: int) -> Origin:
        """Return the first fields of a fact about `order` that follows from `cause`.

        Outcomes carry host time; the market time of such a fact is that of the decision.
        """
        request = order.request
        assert request is not None, "only an order that was begun gets here"
        return Origin(
            ts_event=request.ts_event,
            ts_init=now,
            correlation_id=request.correlation_id,
            causation_id=cause.causation_id or order.client_order_id,
            client_order_id=order.client_order_id,
            strategy_id=order.strategy_id,
            instrument_id=order.instrument_id,
        )
