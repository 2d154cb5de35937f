"""The newest refused orders, read from the journal bit by bit: what the live screen shows."""

from collections import Counter

from actors.blueprint import Blueprint
from actors.journal.journal import Journal
from serve.desk.view import RefusalView
from trading.codec import decode
from trading.events import OrderDenied
from trading.identifiers import ClientOrderId, StreamName, account_stream, machine_name

RECENT = 50


class RefusalReader:
    """Follows every stream on which an order can be refused: account, risk, strategies.

    A look reads only what was appended since the look before, so it may be called several times a
    second. An order that two machines refused for the same reason counts once.
    """

    def __init__(self, journal: Journal, blueprint: Blueprint, recent: int = RECENT) -> None:
        self._journal = journal
        self._read = dict.fromkeys(_streams(blueprint), 0)
        self._seen: set[tuple[ClientOrderId, str]] = set()
        self._keep = recent
        self._recent: list[OrderDenied] = []
        self.totals: Counter[str] = Counter()
        """Refused orders by code, since the beginning of the journal."""

    def poll(self) -> tuple[RefusalView, ...]:
        """Return the last refusals, newest first.

        Raises
        ------
        JournalError
            If the journal cannot be used, or a record does not fit the chain.
        """
        fresh = [fact for stream in self._read for fact in self._fresh(stream)]
        # Streams are read one after the other: a late one may hold what happened earlier.
        newest = sorted([*self._recent, *fresh], key=lambda fact: fact.ts_init)
        self._recent = newest[-self._keep :]
        return tuple(_view(fact) for fact in reversed(self._recent))

    def _fresh(self, stream: StreamName) -> list[OrderDenied]:
        if self._journal.head(stream) <= self._read[stream]:
            return []
        found = []
        for record in self._journal.read(stream, self._read[stream]):
            self._read[stream] = record.seq
            fact = decode(record.payload)
            if isinstance(fact, OrderDenied) and self._is_new(fact):
                found.append(fact)
        return found

    def _is_new(self, fact: OrderDenied) -> bool:
        key = (fact.client_order_id, fact.code)
        if key in self._seen:
            return False
        self._seen.add(key)
        self.totals[fact.code] += 1
        return True


def recent_refusals(
    journal: Journal, blueprint: Blueprint, count: int = RECENT
) -> list[RefusalView]:
    """Return the last `count` refusals of a journal, newest first; see `RefusalReader.poll`."""
    return list(RefusalReader(journal, blueprint, count).poll())


def _streams(blueprint: Blueprint) -> list[StreamName]:
    deciders = [each.name("risk") for each in blueprint.accounts]
    deciders += [machine_name("strategy", plan.strategy_id) for plan in blueprint.strategies]
    accounts = [account_stream(each.venue, each.account_id) for each in blueprint.accounts]
    return [*accounts, *(StreamName(name) for name in deciders)]


def _view(fact: OrderDenied) -> RefusalView:
    order = fact.order
    return RefusalView(
        ts_event=fact.ts_event,
        strategy_id=fact.strategy_id,
        instrument_id=fact.instrument_id,
        side="" if order is None else str(order.side),
        quantity=None if order is None else order.quantity,
        code=fact.code,
        reason=fact.reason,
    )
