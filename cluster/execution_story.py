"""What the journal says of one large order: its children, their fills, its end; read bit by bit."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from actors.blueprint import Blueprint
from actors.journal.journal import Journal
from cluster.parent_order import desk_of
from trading.algorithms.facts import (
    ChildPlanned,
    ExecutionEnded,
    ExecutionEvent,
    ExecutionRefused,
    ExecutionStarted,
)
from trading.codec import decode
from trading.events import (
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
)
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StreamName,
    TradeId,
    Venue,
    account_stream,
)
from trading.values import ZERO

_STATES: dict[type[Event], str] = {
    OrderAccepted: "ACCEPTED",
    OrderRejected: "REJECTED",
    OrderDenied: "DENIED",
    OrderCanceled: "CANCELED",
    OrderExpired: "EXPIRED",
}


class ChildRow(msgspec.Struct, kw_only=True):
    """One child as the facts so far tell it."""

    client_order_id: ClientOrderId
    venue: Venue
    account_id: AccountId
    instrument_id: InstrumentId
    side: str
    quantity: Decimal
    filled_qty: Decimal = ZERO
    status: str = "PLANNED"


class ExecutionStory:
    """Follows the streams of the desk and of all accounts, from where they end now.

    Parameters
    ----------
    from_start : bool
        Read them from their beginning, for an order that may be older.

    Attributes
    ----------
    started, refused, ended : fact or None
        What the desk said of the order itself.
    children : dict
        By id, in the order in which they were planned.
    """

    def __init__(
        self, journal: Journal, blueprint: Blueprint, key: ClientOrderId, *, from_start: bool
    ) -> None:
        self._journal = journal
        self._key = key
        self._desk = StreamName(desk_of(blueprint))
        streams = [self._desk]
        for each in blueprint.accounts:
            streams += [account_stream(each.venue, each.account_id), StreamName(each.name("risk"))]
        self._read = {stream: 0 if from_start else journal.head(stream) for stream in streams}
        self._fills: set[tuple[Venue, TradeId]] = set()
        self.started: ExecutionStarted | None = None
        self.refused: ExecutionRefused | None = None
        self.ended: ExecutionEnded | None = None
        self.children: dict[ClientOrderId, ChildRow] = {}

    def poll(self) -> list[Event]:
        """Return what is new about the order, oldest first.

        Raises
        ------
        JournalError
            If the journal cannot be used, or a record does not fit the chain.
        """
        # The desk's stream comes last: whatever the others name was planned there before.
        others = [
            fact for stream in self._read if stream != self._desk for fact in self._fresh(stream)
        ]
        found = [fact for fact in self._fresh(self._desk) if self._take(fact)]
        found += [fact for fact in others if self._take(fact)]
        return sorted(found, key=lambda fact: (fact.ts_init, isinstance(fact, ExecutionEnded)))

    def _fresh(self, stream: StreamName) -> Iterator[Event]:
        if self._journal.head(stream) <= self._read[stream]:
            return
        for record in self._journal.read(stream, self._read[stream]):
            self._read[stream] = record.seq
            fact = decode(record.payload)
            if isinstance(fact, Event):
                yield fact

    def _take(self, fact: Event) -> bool:
        """Fold a fact; say whether it is about this order."""
        if isinstance(fact, ExecutionEvent):
            return fact.parent_order_id == self._key and self._take_own(fact)
        child = self.children.get(fact.client_order_id) if isinstance(fact, OrderEvent) else None
        if child is None:
            return False
        if isinstance(fact, OrderFilled):
            return self._take_fill(child, fact)
        if type(fact) not in _STATES or (isinstance(fact, OrderAccepted) and child.filled_qty):
            return False
        child.status = _STATES[type(fact)]
        return True

    def _take_own(self, fact: ExecutionEvent) -> bool:
        match fact:
            case ExecutionStarted():
                self.started = fact
            case ExecutionRefused():
                self.refused = fact
            case ExecutionEnded():
                self.ended = fact
            case ChildPlanned(order=order):
                self.children[order.client_order_id] = ChildRow(
                    client_order_id=order.client_order_id,
                    venue=fact.venue,
                    account_id=order.account_id,
                    instrument_id=order.instrument_id,
                    side=str(order.side),
                    quantity=order.quantity,
                )
            case _:
                pass
        return True

    def _take_fill(self, child: ChildRow, fill: OrderFilled) -> bool:
        key = (child.venue, fill.trade_id)
        if key in self._fills:
            return False
        self._fills.add(key)
        child.filled_qty += fill.last_qty
        child.status = "FILLED" if child.filled_qty >= child.quantity else "PARTIALLY_FILLED"
        return True
