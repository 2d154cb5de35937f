"""What a journal promises, whatever store it stands on."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from trading.identifiers import StreamName


class Record(msgspec.Struct, frozen=True):
    """One durable fact.

    Attributes
    ----------
    seq : int
        1, 2, 3 ... per stream, without holes.
    epoch : int
        Lease epoch of the writer; 0 on a shared stream.
    ts : int
        Host time of the append (ns UTC).
    payload : bytes
        The encoded event.
    digest : bytes
        16 bytes: BLAKE2b over (digest of the record before, seq, epoch, ts, payload).
    """

    seq: int
    epoch: int
    ts: int
    payload: bytes
    digest: bytes


class Journal(Protocol):
    """Ordered streams of records; one writer per stream, any number of readers and processes.

    Calls block. One object is used by one thread at a time.

    After `append` raised `JournalUnavailable` the writer restores its state by reading: what can be
    read from then on is what was appended, and it does not change behind the writer's back.

    Every method raises `JournalUnavailable` when the store cannot be used, and `JournalCorrupt`
    when what it holds is not what was written.
    """

    def acquire(self, stream: StreamName, holder: str) -> int:
        """Take the lease: raise the epoch by one, durably, and return it.

        Parameters
        ----------
        holder : str
            Who takes it, for people who look into the store.
        """

    def epoch(self, stream: StreamName) -> int:
        """Return the epoch that rules; 0 when the stream was never leased. Cheap."""

    def append(self, stream: StreamName, epoch: int, payloads: Sequence[bytes], ts: int) -> int:
        """Append all payloads or none; they are durable on return. Return the last seq.

        Raises
        ------
        StaleEpoch
            If `epoch` does not rule (0 never does).
        """

    def append_shared(self, stream: StreamName, payloads: Sequence[bytes], ts: int) -> int:
        """Append to a stream that anybody may write; otherwise like `append`.

        Raises
        ------
        StaleEpoch
            If the stream is leased.
        """

    def head(self, stream: StreamName) -> int:
        """Return the last seq; 0 when the stream is empty. Cheap."""

    def read(self, stream: StreamName, after: int = 0) -> Iterator[Record]:
        """Yield the records behind seq `after`, in order, each one verified before it is yielded.

        Raises
        ------
        JournalCorrupt
            At the first record that does not fit; it names the last good one.
        """

    def verify(self, stream: StreamName) -> int:
        """Check the whole chain and return the last seq."""

    def streams(self) -> list[StreamName]:
        """Return the names of all streams, sorted."""

    def close(self) -> None:
        """Release files and connections."""
