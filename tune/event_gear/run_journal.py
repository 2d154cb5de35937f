"""The journal of one run: in memory, without hashes, because nobody restores anything from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from actors.journal.journal import Record
from trading.errors import StaleEpoch
from trading.identifiers import StreamName


class RunJournal:
    """Numbers and keeps what is appended, but for the streams that somebody digests at once.

    Parameters
    ----------
    digested : mapping of stream to function
        Gets each payload of the stream, which is not kept: a stream with a fact per bar would fill
        the memory.
    """

    def __init__(self, digested: Mapping[StreamName, Callable[[bytes], None]]) -> None:
        self._digested = digested
        self._records: dict[StreamName, list[Record]] = {}
        self._heads: dict[StreamName, int] = {}
        self._epochs: dict[StreamName, int] = {}

    def acquire(self, stream: StreamName, holder: str) -> int:
        epoch = self._epochs.get(stream, 0) + 1
        self._epochs[stream] = epoch
        return epoch

    def epoch(self, stream: StreamName) -> int:
        return self._epochs.get(stream, 0)

    def append(self, stream: StreamName, epoch: int, payloads: Sequence[bytes], ts: int) -> int:
        current = self._epochs.get(stream, 0)
        if not epoch or epoch != current:
            raise StaleEpoch(stream, epoch, current)
        return self._write(stream, epoch, payloads, ts)

    def append_shared(self, stream: StreamName, payloads: Sequence[bytes], ts: int) -> int:
        current = self._epochs.get(stream, 0)
        if current:
            raise StaleEpoch(stream, 0, current)
        return self._write(stream, 0, payloads, ts)

    def head(self, stream: StreamName) -> int:
        return self._heads.get(stream, 0)

    def read(self, stream: StreamName, after: int = 0) -> Iterator[Record]:
        """Yield the records behind `after`; none of a digested stream."""
        yield from self._records.get(stream, [])[after:]

    def verify(self, stream: StreamName) -> int:
        return self.head(stream)

    def streams(self) -> list[StreamName]:
        return sorted(self._heads)

    def close(self) -> None:
        """Nothing to close."""

    def _write(self, stream: StreamName, epoch: int, payloads: Sequence[bytes], ts: int) -> int:
        head = self._heads.get(stream, 0)
        digest = self._digested.get(stream)
        if digest is not None:
            for payload in payloads:
                digest(payload)
        else:
            records = self._records.setdefault(stream, [])
            for seq, payload in enumerate(payloads, start=head + 1):
                records.append(Record(seq, epoch, ts, payload, b""))
        self._heads[stream] = head = head + len(payloads)
        return head
