"""What must survive the process besides sequence numbers: orders that were handed over, executions that came.

The engine counts a message as received when its callback returns. If the process is killed before the broker
has journalled the execution in it, the venue never sends it again. So every report is appended here first,
in the engine's thread, and `mass_status` answers from here.

One line of JSON per entry. The operating system keeps what was written when the process is killed; a
line that was cut is ignored.
"""

import fcntl
import logging
import os
import threading
from pathlib import Path

import msgspec

from actors.venues.fix.messages import SentOrder

log = logging.getLogger(__name__)


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    """`sent` or `text`, a raw ExecutionReport; `ts` is when we wrote it (ns UTC)."""

    ts: int
    sent: SentOrder | None = None
    text: str = ""


class StoreInUse(Exception):
    """Another process, or another adapter, has the session."""


class Record:
    """An append-only file; safe to append to from any thread.

    Parameters
    ----------
    path : Path
        Its folder is made when it is missing.
    keep_from : int
        Entries written before (ns UTC) are dropped now.

    Raises
    ------
    StoreInUse
        If somebody else has it open.
    """

    def __init__(self, path: Path, keep_from: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._holder = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._holder)
            raise StoreInUse(f"another process uses {path.parent}") from None
        self.entries = [each for each in _read(path) if each.ts >= keep_from]
        fresh = path.with_suffix(".new")
        fresh.write_bytes(b"".join(_line(each) for each in self.entries))
        fresh.replace(path)
        self._file: int | None = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add_order(self, sent: SentOrder, now: int) -> None:
        """Remember an order; before it is handed to the engine."""
        self._append(_Entry(ts=now, sent=sent))

    def add_report(self, text: str, now: int) -> None:
        """Remember an ExecutionReport; before the engine counts it as received."""
        self._append(_Entry(ts=now, text=text))

    def close(self) -> None:
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                os.close(file)
                os.close(self._holder)

    def _append(self, entry: _Entry) -> None:
        with self._lock:
            if self._file is None:
                raise OSError("the record is closed")
            os.write(self._file, _line(entry))


def _line(entry: _Entry) -> bytes:
    return msgspec.json.encode(entry) + b"\n"


def _read(path: Path) -> list[_Entry]:
    if not path.exists():
        return []
    entries, broken = [], 0
    for line in path.read_bytes().split(b"\n"):
        try:
            entries += [msgspec.json.decode(line, type=_Entry)] if line else []
        except msgspec.DecodeError:
            broken += 1
    if broken:
        log.warning("%s: %d lines were cut and are ignored", path, broken)
    return entries
