"""The hash chain: every digest covers the record before it, and a sealed head says where it ends.

The chain alone shows what was altered, swapped or taken out of the middle; the head shows what is
missing or added at the end, and holds the lease. The digests carry no secret: they tell damage
and accidents, not somebody who recomputes them on purpose.
"""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from actors.journal.journal import Record
from trading.identifiers import StreamName

GENESIS = bytes(16)
"""What stands before the first record."""


class Damage(Exception):
    """What the store holds is not what was written; the message says what is wrong."""


class Head(msgspec.Struct, frozen=True):
    """The end of a stream and its lease: the one value that every write replaces.

    Attributes
    ----------
    seq, digest
        Of the last record.
    epoch, holder
        Of the lease.
    turn : int
        Rises with every replacement, so that no two heads of a stream are equal.
    writer : str
        Which journal object wrote it, so that two writers never write the same head.
    """

    seq: int = 0
    digest: bytes = GENESIS
    epoch: int = 0
    holder: str = ""
    turn: int = 0
    writer: str = ""


EMPTY = Head()
"""The head of a stream that nobody wrote yet."""


def chain_digest(previous: bytes, seq: int, epoch: int, ts: int, payload: bytes) -> bytes:
    """Return the digest (16 bytes) of one record behind the record with digest `previous`."""
    text = b"%b%d,%d,%d," % (previous, seq, epoch, ts)
    return blake2b(text + payload, digest_size=16).digest()


def extend(
    head: Head, epoch: int, payloads: Sequence[bytes], ts: int
) -> tuple[Head, tuple[Record, ...]]:
    """Return the records that carry `payloads` behind `head`, and the head behind them."""
    records = []
    seq, digest = head.seq, head.digest
    for payload in payloads:
        seq += 1
        digest = chain_digest(digest, seq, epoch, ts, payload)
        records.append(Record(seq, epoch, ts, payload, digest))
    return msgspec.structs.replace(head, seq=seq, digest=digest), tuple(records)


def check_link(seq: int, digest: bytes, record: Record) -> None:
    """Raise `Damage` unless `record` follows the record `seq` with `digest`."""
    if record.seq != seq + 1:
        raise Damage(f"record {seq + 1} is missing, {record.seq} stands in its place")
    if record.digest != chain_digest(digest, record.seq, record.epoch, record.ts, record.payload):
        raise Damage(f"record {record.seq} does not fit its digest")


def check_end(seq: int, digest: bytes, head: Head) -> None:
    """Raise `Damage` unless the record `seq` with `digest` is the one that `head` ends with."""
    if seq != head.seq:
        raise Damage(f"the head says that {head.seq} records were written, {seq} are there")
    if digest != head.digest:
        raise Damage(f"record {seq} is not the one that the head names")


def record_of(seq: object, epoch: object, ts: object, payload: object, digest: object) -> Record:
    """Return the record in five raw values of a store.

    Raises
    ------
    Damage
        If one of them has the wrong type.
    """
    if (
        isinstance(seq, int)
        and isinstance(epoch, int)
        and isinstance(ts, int)
        and isinstance(payload, bytes)
        and isinstance(digest, bytes)
    ):
        return Record(seq, epoch, ts, payload, digest)
    raise Damage(f"record {seq!r} has fields of the wrong type")


def seal(stream: StreamName, head: Head) -> bytes:
    """Return `head` as a line of text that tells when it, or its stream, was altered."""
    body = msgspec.json.encode(head)
    return _seal_of(stream, body) + b" " + body


def unseal(stream: StreamName, sealed: object) -> Head:
    """Return the head in `sealed`.

    Raises
    ------
    Damage
        If it is not what `seal` returned for this stream.
    """
    if not isinstance(sealed, bytes):
        raise Damage("the head is missing")
    given, _, body = sealed.partition(b" ")
    if given != _seal_of(stream, body):
        raise Damage("the head does not fit its seal")
    return msgspec.json.decode(body, type=Head)


def _seal_of(stream: StreamName, body: bytes) -> bytes:
    return blake2b(stream.encode() + b"\n" + body, digest_size=16).hexdigest().encode()
