"""What a search has done so far, as an append-only file: suggestions, measurements, endings, in their order.

A search that is started again reads it from the beginning and stands where it stood; see `tune.searcher`.
A record is its length (4 bytes, big-endian) and a msgpack map. One that was cut off by a crash is dropped.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from trading.errors import DataError


class Ending(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"
    """Early: others did better on the folds that it had seen."""
    SKIPPED = "skipped"
    """The strategy refuses these parameters, alone or on these bars."""
    FAILED = "failed"
    """The strategy raised something else, or its worker died again and again."""


class Suggested(msgspec.Struct, frozen=True, tag=True):
    number: int
    params: dict[str, Any]


class Measured(msgspec.Struct, frozen=True, tag=True):
    """One fold of one trial.

    Attributes
    ----------
    train, test : dict
        Figures by name of the training and of the test slice.
    returns : bytes
        Of the test slice, one float64 per bar.
    """

    number: int
    fold: int
    train: dict[str, float]
    test: dict[str, float]
    returns: bytes


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The end of a trial.

    Attributes
    ----------
    score : float
        What the search was told; NaN when there is none.
    reason : str
        Why, when the ending needs one.
    """

    number: int
    ending: Ending
    score: float
    reason: str = ""


Record: TypeAlias = Suggested | Measured | Ended


class Ledger:
    """The file, open for appending."""

    def __init__(self, path: Path) -> None:
        """Open the ledger and cut off what a crash left half-written.

        Raises
        ------
        DataError
            If a whole record cannot be read.
        """
        path.touch()
        records, length = _read(path)
        self.records = records
        self._file = path.open("r+b")
        self._file.truncate(length)
        self._file.seek(length)

    def append(self, record: Record) -> None:
        """Write a record; it is on the disk when this returns."""
        payload = msgspec.msgpack.encode(record)
        self._file.write(len(payload).to_bytes(4, "big") + payload)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.records.append(record)

    def close(self) -> None:
        self._file.close()


def read_ledger(path: Path) -> list[Record]:
    """Return all whole records, oldest first.

    Raises
    ------
    DataError
        If one of them cannot be read.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[list[Record], int]:
    """Return the whole records and where the last of them ends (bytes)."""
    content = path.read_bytes()
    decoder = msgspec.msgpack.Decoder(Record)
    records: list[Record] = []
    end = 0
    while end + 4 <= len(content):
        start = end + 4
        stop = start + int.from_bytes(content[end:start], "big")
        if stop > len(content):
            break
        try:
            records.append(decoder.decode(content[start:stop]))
        except msgspec.DecodeError as error:
            raise DataError(
                f"{path}: the record at byte {end} is damaged ({error}); remove the run's folder."
            ) from None
        end = stop
    return records, end
