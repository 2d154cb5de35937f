"""All that the journal says of each order, found by its id."""

import threading
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from actors.blueprint import Blueprint
from cluster.desk.link import ClusterLink
from trading.codec import decode
from trading.desk_facts import OrderRequested, requests_stream
from trading.events import Event, OrderEvent
from trading.identifiers import ClientOrderId, StreamName, account_stream, machine_name


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One fact and where it stands."""

    stream: StreamName
    sequence: int
    fact: Event


class OrderFacts:
    """Follows the streams that speak of orders; keeps where each fact stands, not the fact.

    A cache of the journal: whoever reads the same journal comes to the same.
    """

    def __init__(self, link: ClusterLink) -> None:
        self._link = link
        self._lock = threading.Lock()
        self.requests_stream = requests_stream(link.blueprint.account_id)
        self._read = dict.fromkeys(_streams(link.blueprint), 0)
        self._places: defaultdict[ClientOrderId, list[tuple[StreamName, int]]] = defaultdict(list)
        self._requests: dict[ClientOrderId, Recorded] = {}

    def refresh(self) -> None:
        """Read what is new.

        Raises
        ------
        JournalError
            If the journal cannot be used.
        """
        with self._lock, self._link.journal() as journal:
            for stream, last in self._read.items():
                if journal.head(stream) <= last:
                    continue
                for record in journal.read(stream, last):
                    self._note(stream, record.seq, decode(record.payload))
                    self._read[stream] = record.seq

    def request(self, key: ClientOrderId) -> Recorded | None:
        """Return the request that gave an order its id; the first one counts."""
        return self._requests.get(key)

    def of(self, key: ClientOrderId) -> list[Recorded]:
        """Return the facts about an order as the hosts' clocks order them; those of one stream in its order."""
        with self._lock, self._link.journal() as journal:
            found = []
            for stream, sequence in self._places.get(key, ()):
                record = next(journal.read(stream, sequence - 1))
                fact = decode(record.payload)
                assert isinstance(fact, Event)
                found.append(Recorded(stream=stream, sequence=sequence, fact=fact))
        return sorted(found, key=lambda each: each.fact.ts_init)

    def _note(self, stream: StreamName, sequence: int, fact: object) -> None:
        if isinstance(fact, OrderRequested):
            key = fact.order.client_order_id
            place = Recorded(stream=stream, sequence=sequence, fact=fact)
            self._requests.setdefault(key, place)
        elif isinstance(fact, OrderEvent):
            key = fact.client_order_id
        else:
            return
        self._places[key].append((stream, sequence))


def _streams(blueprint: Blueprint) -> Iterator[StreamName]:
    """Yield the streams that speak of orders: who asked, what risk and the strategies refused, what became of them.

    All requests stand in that of the first account: one order among them is what makes a key count once.
    """
    yield requests_stream(blueprint.account_id)
    for account in blueprint.accounts:
        yield StreamName(account.name("risk"))
        yield account_stream(account.venue, account.account_id)
    for plan in blueprint.strategies:
        yield StreamName(machine_name("strategy", plan.strategy_id))
