"""The journal over any store that can do one thing atomically: replace a head and add records.

Leases, appends and the fencing of stale writers are all the same step, a compare-and-swap of the
head: who decided on a head that no longer rules changes nothing, looks again and decides anew.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import msgspec

from actors.journal.chain import (
    GENESIS,
    Damage,
    Head,
    check_end,
    check_link,
    extend,
)
from actors.journal.journal import Record
from trading.errors import JournalCorrupt, JournalUnavailable, StaleEpoch
from trading.identifiers import StreamName

PAGE_SIZE = 512
"""Records per look into the store when reading; a page is one consistent snapshot."""
ATTEMPTS_MAX = 1000
"""Every lost attempt means that another writer got through; so many in a row is a bug."""


class Page(msgspec.Struct, frozen=True):
    """Records in the store's order and the head, seen at one moment.

    `fault` says why the records end early or the head is None; "" when all could be read.
    """

    records: Sequence[Record]
    head: Head | None
    fault: str = ""


class ChainedJournal(ABC):
    """A `Journal`; subclasses say how one store loads, swaps and pages."""

    def __init__(self) -> None:
        self._writer = secrets.token_hex(8)
        self._heads: dict[StreamName, Head] = {}

    # -- what a store offers

    @abstractmethod
    def _load(self, stream: StreamName) -> Head:
        """Return the ruling head, `EMPTY` when the stream does not exist. Raises `Damage`."""

    @abstractmethod
    def _swap(self, stream: StreamName, old: Head, new: Head, records: Sequence[Record]) -> Head:
        """Replace `old` by `new` and add `records`: all or nothing, durable on return.

        Returns the head that rules now: `new`, or the one that stood there instead of `old`.

        Raises
        ------
        JournalUnavailable
            If nothing changed, or if that is not known yet; then the store is asked
            before this object uses the stream again.
        Damage
            If the last record is not the one that the head names.
        """

    @abstractmethod
    def _page(self, stream: StreamName, first: int, limit: int) -> Page:
        """Return up to `limit` records from seq `first` on."""

    @abstractmethod
    def streams(self) -> list[StreamName]: ...

    @abstractmethod
    def close(self) -> None: ...

    # -- writing

    def acquire(self, stream: StreamName, holder: str) -> int:
        def lease(head: Head) -> tuple[Head, tuple[Record, ...]]:
            return msgspec.structs.replace(head, epoch=head.epoch + 1, holder=holder), ()

        return self._change(stream, None, lease).epoch

    def append(self, stream: StreamName, epoch: int, payloads: Sequence[bytes], ts: int) -> int:
        def add(head: Head) -> tuple[Head, tuple[Record, ...]]:
            if epoch != head.epoch or epoch < 1:
                raise StaleEpoch(stream, epoch, head.epoch)
            return extend(head, epoch, payloads, ts)

        return self._change(stream, self._known(stream, epoch), add).seq

    def append_shared(self, stream: StreamName, payloads: Sequence[bytes], ts: int) -> int:
        def add(head: Head) -> tuple[Head, tuple[Record, ...]]:
            if head.epoch:
                raise StaleEpoch(stream, 0, head.epoch)
            return extend(head, 0, payloads, ts)

        return self._change(stream, self._known(stream, 0), add).seq

    def _known(self, stream: StreamName, epoch: int) -> Head | None:
        """Return the head this object wrote last, if it is worth trying; it saves one look."""
        head = self._heads.get(stream)
        return head if head is not None and head.epoch == epoch else None

    def _change(
        self,
        stream: StreamName,
        head: Head | None,
        step: Callable[[Head], tuple[Head, tuple[Record, ...]]],
    ) -> Head:
        self._heads.pop(stream, None)
        try:
            if head is None:
                head = self._load(stream)
            for _ in range(ATTEMPTS_MAX):
                wanted, records = step(head)
                wanted = msgspec.structs.replace(wanted, turn=head.turn + 1, writer=self._writer)
                head = self._swap(stream, head, wanted, records)
                if head == wanted:
                    self._heads[stream] = head
                    return head
        except Damage as damage:
            raise self._corrupt(stream, damage) from damage
        raise JournalUnavailable(f"journal stream {stream}: too many writers at once; try again")

    # -- reading

    def epoch(self, stream: StreamName) -> int:
        return self._ruling(stream).epoch

    def head(self, stream: StreamName) -> int:
        return self._ruling(stream).seq

    def read(self, stream: StreamName, after: int = 0) -> Iterator[Record]:
        seq, digest = after, self._digest_at(stream, after)
        try:
            while True:
                page = self._page(stream, seq + 1, PAGE_SIZE)
                for record in page.records:
                    check_link(seq, digest, record)
                    yield record
                    seq, digest = record.seq, record.digest
                if len(page.records) < PAGE_SIZE:
                    break
            if page.head is None:
                raise Damage(page.fault)
            check_end(seq, digest, page.head)
        except Damage as damage:
            raise JournalCorrupt(stream, seq, str(damage)) from damage

    def verify(self, stream: StreamName) -> int:
        last = 0
        for record in self.read(stream):
            last = record.seq
        return last

    def _ruling(self, stream: StreamName) -> Head:
        try:
            return self._load(stream)
        except Damage as damage:
            raise self._corrupt(stream, damage) from damage

    def _digest_at(self, stream: StreamName, seq: int) -> bytes:
        if seq == 0:
            return GENESIS
        page = self._page(stream, seq, 1)
        if not page.records or page.records[0].seq != seq:
            damage = Damage(page.fault or f"record {seq}, which was read before, is missing")
            raise self._corrupt(stream, damage)
        return page.records[0].digest

    def _corrupt(self, stream: StreamName, damage: Damage) -> JournalCorrupt:
        try:
            last_good = self.verify(stream)
        except JournalCorrupt as error:
            last_good = error.last_good
        return JournalCorrupt(stream, last_good, str(damage))
