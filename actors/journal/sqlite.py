"""The embedded journal: one SQLite file per stream, in write-ahead mode, synced at every commit.

A commit that raises did not happen: its frames lie behind the end of the log that every process
goes by, and the next commit overwrites them. If this process dies in between, a successor may find
them; it restores by reading, so it agrees with what it finds.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote

from actors.journal.chain import (
    EMPTY,
    GENESIS,
    Damage,
    Head,
    check_end,
    record_of,
    seal,
    unseal,
)
from actors.journal.chained_journal import ChainedJournal, Page
from actors.journal.journal import Record
from actors.journal.mark import read_mark, write_mark
from trading.errors import ConfigError, JournalUnavailable
from trading.identifiers import StreamName

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 2.0
"""How long to wait for another process that writes the same file; it needs one sync."""

_SUFFIX = ".sqlite"
_MARK_SUFFIX = ".mark"
_SCHEMA = f"""
PRAGMA journal_mode = WAL;
CREATE TABLE record (
    seq INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    payload BLOB NOT NULL,
    digest BLOB NOT NULL
);
CREATE TABLE lease (head BLOB NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
"""
_TROUBLE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_AUTH,
    }
)
"""What may pass: the disk, the permissions, other processes. Everything else is damage."""
_WAIT = "another process is writing to it: try again, or stop that process if it hangs"
_MEND = "free disk space or mend the disk or its permissions"


class SqliteJournal(ChainedJournal):
    """Streams as files in `folder`; many processes may use the folder at once.

    Parameters
    ----------
    folder : Path or str
        Made, for the owner alone, if it does not exist. On a local disk: write-ahead logs
        do not work over network file systems.

    Raises
    ------
    ConfigError
        If the folder cannot be made or used.
    """

    def __init__(self, folder: Path | str) -> None:
        super().__init__()
        self._folder = Path(folder).absolute()
        self._files: dict[StreamName, _StreamFile] = {}
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"journal folder {self._folder} cannot be made ({error.strerror}); "
                "name a folder that you may write to"
            ) from error

    def streams(self) -> list[StreamName]:
        names = {
            unquote(path.stem)
            for suffix in (_SUFFIX, _MARK_SUFFIX)
            for path in self._folder.glob(f"*{suffix}")
        }
        return [StreamName(name) for name in sorted(names)]

    def close(self) -> None:
        while self._files:
            self._files.popitem()[1].close()

    def _load(self, stream: StreamName) -> Head:
        file = self._file(stream)
        return EMPTY if file is None else file.load()

    def _swap(self, stream: StreamName, old: Head, new: Head, records: Sequence[Record]) -> Head:
        file = self._file(stream)
        if file is None:
            self._create(stream)
            file = self._file(stream)
            assert file is not None
        return file.swap(old, new, records)

    def _page(self, stream: StreamName, first: int, limit: int) -> Page:
        try:
            file = self._file(stream)
        except Damage as damage:
            return Page((), None, str(damage))
        return Page((), EMPTY) if file is None else file.page(first, limit)

    def _path(self, stream: StreamName) -> Path:
        return self._folder / f"{quote(stream, safe='')}{_SUFFIX}"

    def _file(self, stream: StreamName) -> "_StreamFile | None":
        file = self._files.get(stream)
        if file is not None:
            return file
        path = self._path(stream)
        with _explained(path):
            if path.exists():
                file = self._files[stream] = _StreamFile(stream, path)
            elif path.with_suffix(_MARK_SUFFIX).exists():
                raise Damage(f"the file {path} is gone")
        return file

    def _create(self, stream: StreamName) -> None:
        """Make the file whole, then give it its name: nobody ever sees half of it."""
        path = self._path(stream)
        with (
            _explained(path),
            tempfile.TemporaryDirectory(prefix=".new-", dir=self._folder) as folder,
        ):
            fresh = Path(folder) / "fresh"
            fresh.touch(mode=0o600)
            db = sqlite3.connect(fresh, isolation_level=None)
            try:
                db.executescript(_SCHEMA)
                db.execute("INSERT INTO lease (head) VALUES (?)", (seal(stream, EMPTY),))
            finally:
                db.close()
            with suppress(FileExistsError):  # another process was faster
                path.hardlink_to(fresh)
            _sync_folder(self._folder)


class _StreamFile:
    """One stream's open file."""

    def __init__(self, stream: StreamName, path: Path) -> None:
        self._stream = stream
        self._path = path
        self._mark = path.with_suffix(_MARK_SUFFIX)
        self._db = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,  # made by one thread, used by another, one at a time
        )
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        version = self._value("PRAGMA user_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise ConfigError(
                f"journal file {self._path} has version {version} and this program knows "
                f"{SCHEMA_VERSION}; use the newer program that wrote it"
            )
        if version != SCHEMA_VERSION:
            raise Damage(f"the file has version {version}, which never existed")
        if self._value("PRAGMA journal_mode") != "wal":
            raise Damage("the file is not in write-ahead mode")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA trusted_schema = OFF")
        self._db.execute("PRAGMA cell_size_check = ON")

    def close(self) -> None:
        self._db.close()

    def load(self) -> Head:
        with _explained(self._path):
            return self._head(read_mark(self._mark))

    def swap(self, old: Head, new: Head, records: Sequence[Record]) -> Head:
        sealed = seal(self._stream, old)
        with _explained(self._path), self._transaction("IMMEDIATE"):
            current = self._value("SELECT head FROM lease")
            if current != sealed:
                return unseal(self._stream, current)
            self._check_tail(old)
            self._db.executemany(
                "INSERT INTO record (seq, epoch, ts, payload, digest) VALUES (?, ?, ?, ?, ?)",
                [(r.seq, r.epoch, r.ts, r.payload, r.digest) for r in records],
            )
            self._db.execute("UPDATE lease SET head = ?", (seal(self._stream, new),))
        write_mark(self._mark, new.seq, new.epoch)
        return new

    def page(self, first: int, limit: int) -> Page:
        records: list[Record] = []
        try:
            with _explained(self._path):
                acknowledged = read_mark(self._mark)
                with self._transaction("DEFERRED"):
                    rows = self._db.execute(
                        "SELECT seq, epoch, ts, payload, digest FROM record"
                        " WHERE seq >= ? ORDER BY seq LIMIT ?",
                        (first, limit),
                    )
                    records.extend(record_of(*row) for row in rows)
                    return Page(records, self._head(acknowledged))
        except Damage as damage:
            return Page(records, None, str(damage))

    def _head(self, acknowledged: tuple[int, int]) -> Head:
        """Return the head; `acknowledged` was read before, so the head may only be newer."""
        head = unseal(self._stream, self._value("SELECT head FROM lease"))
        seq, epoch = acknowledged
        if head.seq < seq or head.epoch < epoch:
            raise Damage(
                f"{seq} records up to epoch {epoch} were acknowledged, the file has "
                f"{head.seq} up to {head.epoch} (to accept the loss, delete {self._mark})"
            )
        return head

    def _check_tail(self, head: Head) -> None:
        """Never append behind a damaged end."""
        rows = self._db.execute("SELECT seq, digest FROM record ORDER BY seq DESC LIMIT 1")
        seq, digest = rows.fetchone() or (0, GENESIS)
        check_end(seq, digest, head)

    def _value(self, statement: str) -> object:
        row = self._db.execute(statement).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        self._roll_back()  # what is left of one that failed to roll back
        self._db.execute(f"BEGIN {kind}")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into `JournalUnavailable` or `Damage`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        if code & 0xFF not in _TROUBLE:  # the low byte is the kind, the rest the detail
            raise Damage(f"SQLite cannot read the file ({error})") from error
        is_busy = code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        raise _unavailable(path, str(error), _WAIT if is_busy else _MEND) from error
    except OSError as error:
        raise _unavailable(path, error.strerror or str(error), _MEND) from error


def _unavailable(path: Path, reason: str, advice: str) -> JournalUnavailable:
    return JournalUnavailable(f"journal file {path} cannot be used ({reason}); {advice}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
