"""A mark beside a SQLite file: so much was acknowledged, whatever the file says.

SQLite drops the end of a write-ahead log whose checksums do not hold and carries on with an older
state: right after a crash, silent loss after damage to the disk. The mark tells the two apart.
It is written behind each durable commit and never synced, so it may lag but never runs ahead.
A copy of a folder in use has to take the mark first, or leave it out.
"""

import os
import struct
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

_NUMBERS = struct.Struct(">QQ")
_CHECK_SIZE = 8


def read_mark(path: Path) -> tuple[int, int]:
    """Return (seq, epoch) that were acknowledged at least; (0, 0) when nothing is known."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0, 0
    numbers, check = data[: _NUMBERS.size], data[_NUMBERS.size :]
    if check != _check(numbers):
        return 0, 0
    seq, epoch = _NUMBERS.unpack(numbers)
    return seq, epoch


def write_mark(path: Path, seq: int, epoch: int) -> None:
    """Replace the mark in place."""
    numbers = _NUMBERS.pack(seq, epoch)
    # The records are durable already; a mark that cannot be written only lags.
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, numbers + _check(numbers), 0)
        finally:
            os.close(descriptor)


def _check(numbers: bytes) -> bytes:
    return blake2b(numbers, digest_size=_CHECK_SIZE).digest()
