"""A journal in memory: the simulator's disk. Survives simulated crashes; can be told to fail."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from actors.journal.chain import GENESIS, chain_digest
from actors.journal.journal import Record
from trading.errors import JournalUnavailable, StaleEpoch
from trading.identifiers import StreamName


class SimulatedCrash(Exception):
    """The process died here."""


@dataclass(slots=True)
class Disk:
    """What survives a crash: every stream's records and lease epoch.

    Attributes
    ----------
    ample : frozenset of StreamName
        Streams on a disk of their own, which never fills up (the venue's).
    """

    ample: frozenset[StreamName] = frozenset()
    records: dict[StreamName, list[Record]] = field(default_factory=dict)
    epochs: dict[StreamName, int] = field(default_factory=dict)
    is_full: bool = False

    def has_space(self, stream: StreamName) -> bool:
        return not self.is_full or stream in self.ample


def never(_: StreamName) -> bool:
    return False


class MemoryJournal:
    """One process's view of the disk.

    Parameters
    ----------
    crash_before, crash_after : function of the stream
        True makes the process die just before, or just after, an append became durable.
    """

    def __init__(
        self,
        disk: Disk,
        crash_before: Callable[[StreamName], bool] = never,
        crash_after: Callable[[StreamName], bool] = never,
    ) -> None:
        self._disk = disk
        self._crash_before = crash_before
        self._crash_after = crash_after

    def acquire(self, stream: StreamName, holder: str) -> int:
        if not self._disk.has_space(stream):
            raise JournalUnavailable(f"{stream}: no space left")
        epoch = self._disk.epochs.get(stream, 0) + 1
        self._disk.epochs[stream] = epoch
        return epoch

    def epoch(self, stream: StreamName) -> int:
        return self._disk.epochs.get(stream, 0)

    def append(self, stream: StreamName, epoch: int, payloads: Sequence[bytes], ts: int) -> int:
        current = self.epoch(stream)
        if epoch != current:
            raise StaleEpoch(stream, epoch, current)
        if self._crash_before(stream):
            raise SimulatedCrash(f"before append to {stream}")
        last = self._write(stream, epoch, payloads, ts)
        if self._crash_after(stream):
            raise SimulatedCrash(f"after append to {stream}")
        return last

    def append_shared(self, stream: StreamName, payloads: Sequence[bytes], ts: int) -> int:
        if self.epoch(stream):
            raise StaleEpoch(stream, 0, self.epoch(stream))
        return self._write(stream, 0, payloads, ts)

    def head(self, stream: StreamName) -> int:
        return len(self._disk.records.get(stream, ()))

    def read(self, stream: StreamName, after: int = 0) -> Iterator[Record]:
        yield from self._disk.records.get(stream, [])[after:]

    def verify(self, stream: StreamName) -> int:
        return self.head(stream)

    def streams(self) -> list[StreamName]:
        return sorted(self._disk.records)

    def close(self) -> None:
        """Nothing to close."""

    def _write(self, stream: StreamName, epoch: int, payloads: Sequence[bytes], ts: int) -> int:
        if not self._disk.has_space(stream):
            raise JournalUnavailable(f"{stream}: no space left")
        records = self._disk.records.setdefault(stream, [])
        for payload in payloads:
            previous = records[-1].digest if records else GENESIS
            seq = len(records) + 1
            digest = chain_digest(previous, seq, epoch, ts, payload)
            records.append(Record(seq, epoch, ts, payload, digest))
        return len(records)
