"""What can happen around SQLite files: versions, permissions, locks, full disks."""

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from actors.journal import sqlite
from actors.journal.sqlite import SqliteJournal
from trading.errors import ConfigError, JournalCorrupt, JournalUnavailable
from trading.identifiers import StreamName

STREAM = StreamName("account:paper:DEMO")
FILE = "account%3Apaper%3ADEMO.sqlite"
MARK = "account%3Apaper%3ADEMO.mark"


def write(folder):
    """Return an open journal with eight records of the second owner."""
    journal = SqliteJournal(folder)
    journal.acquire(STREAM, "first")
    journal.append(STREAM, journal.acquire(STREAM, "second"), [b"%d" % n for n in range(8)], ts=1)
    return journal


# -- versions and permissions


def test_file_of_a_newer_version_is_refused(tmp_path):
    write(tmp_path).close()
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("PRAGMA user_version = 2")
    db.close()
    journal = SqliteJournal(tmp_path)
    with pytest.raises(ConfigError, match="has version 2 and this program knows 1"):
        journal.acquire(STREAM, "a")
    journal.close()


def test_every_commit_is_synced(tmp_path):
    journal = write(tmp_path)
    assert journal._files[STREAM]._value("PRAGMA synchronous") == 2  # FULL
    journal.close()


def test_files_belong_to_the_owner_alone(tmp_path):
    journal = write(tmp_path / "journal")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "journal").iterdir()}
    assert modes == dict.fromkeys((FILE, MARK, FILE + "-wal", FILE + "-shm"), 0o600)
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o700
    journal.close()


# -- trouble that passes


def test_file_locked_by_another_process_is_unavailable_until_it_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.01)
    journal = write(tmp_path)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailable, match="database is locked"):
        journal.append(STREAM, 2, [b"9"], ts=1)
    assert journal.verify(STREAM) == 8  # readers are not held up
    other.execute("ROLLBACK")
    assert journal.append(STREAM, 2, [b"9"], ts=1) == 9
    other.close()
    journal.close()


def test_commit_that_fails_leaves_nothing(tmp_path):
    journal = write(tmp_path)
    other = SqliteJournal(tmp_path)
    file = journal._files[STREAM]
    file._db.execute("PRAGMA max_page_count = 1")  # SQLite raises it to the size it has
    with pytest.raises(JournalUnavailable, match="full"):
        journal.append(STREAM, 2, [bytes(100_000), b"10"], ts=1)
    assert journal.verify(STREAM) == other.verify(STREAM) == 8
    file._db.execute("PRAGMA max_page_count = 100000")
    assert journal.append(STREAM, 2, [bytes(100_000), b"10"], ts=1) == 10
    assert other.verify(STREAM) == 10
    other.close()
    journal.close()


LIMITED = """
import resource, sys
from actors.journal.sqlite import SqliteJournal
from trading.errors import JournalUnavailable

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

journal = SqliteJournal(sys.argv[1])
epoch = journal.acquire("a", "owner")
known = journal.append("a", epoch, [b"x"] * 10, 0)
failures = 0
for round in range(5):
    limit(150_000)
    while True:
        try:
            known = journal.append("a", epoch, [bytes(3000)] * 4, round)
        except JournalUnavailable:
            failures += 1
            break
    assert journal.head("a") == journal.verify("a") == known
    try:
        journal.append("b", journal.acquire("b", "owner"), [bytes(200_000)], round)
    except JournalUnavailable:
        failures += 1
    limit(resource.RLIM_INFINITY)
    known = journal.append("a", epoch, [b"room again"], round)
    assert journal.head("b") == 0
print(known, failures)
"""


def test_file_that_may_not_grow_refuses_appends_and_loses_nothing(tmp_path, spawn):
    process = spawn(LIMITED, str(tmp_path))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    known, failures = (int(word) for word in out.split())
    assert failures == 10
    journal = SqliteJournal(tmp_path)
    assert journal.verify("a") == known
    journal.close()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root; the file size limit is tested anyway")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue
    return path


def append_until_refused(journal):
    while True:  # the log may have room left from before
        journal.append(STREAM, 2, [bytes(20_000)] * 3, ts=1)


def test_full_disk_refuses_appends_and_loses_nothing(small_disk):
    journal = write(small_disk / "journal")
    for known in range(8, 12):
        ballast = fill(small_disk)
        with pytest.raises(JournalUnavailable, match="free disk space"):
            append_until_refused(journal)
        head = journal.head(STREAM)
        assert journal.verify(STREAM) == head
        with pytest.raises(JournalUnavailable):
            journal.append_shared(StreamName("kill:DEMO"), [b"1"], ts=1)
        assert journal.streams() == [STREAM]
        ballast.unlink()
        assert journal.append(STREAM, 2, [b"room again"], ts=known) == head + 1
    journal.close()


def test_read_only_disk_is_unavailable(small_disk):
    write(small_disk / "journal").close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    journal = SqliteJournal(small_disk / "journal")
    with pytest.raises(JournalUnavailable, match="permissions"):
        journal.acquire(STREAM, "a")
    journal.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, JournalUnavailable),
        (sqlite3.SQLITE_IOERR_FSYNC, JournalUnavailable),
        (sqlite3.SQLITE_READONLY, JournalUnavailable),
        (sqlite3.SQLITE_CANTOPEN, JournalUnavailable),
        (sqlite3.SQLITE_CORRUPT_INDEX, JournalCorrupt),
        (sqlite3.SQLITE_NOTADB, JournalCorrupt),
        (sqlite3.SQLITE_ERROR, JournalCorrupt),
    ],
)
def test_sqlite_errors_become_ours(tmp_path, monkeypatch, code, expected):
    journal = write(tmp_path)
    file = journal._files[STREAM]

    def fail(statement):
        error = sqlite3.OperationalError("told so")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(file, "_value", fail)
    with pytest.raises(expected, match="told so"):
        journal.append(STREAM, 2, [b"9"], ts=1)
    with pytest.raises(expected, match="told so"):
        journal.head(STREAM)
    monkeypatch.undo()
    assert journal.append(STREAM, 2, [b"9"], ts=1) == 9
    journal.close()
