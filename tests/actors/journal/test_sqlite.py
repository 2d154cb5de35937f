"""What can happen to SQLite files: flipped bits, cut ends, full disks, foreign hands."""

import os
import random
import shutil
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
COUNT = 120


def write(folder, count=COUNT):
    """Return an open journal with `count` records in batches of four, of two owners."""
    rng = random.Random(7)
    journal = SqliteJournal(folder)
    for epoch in (1, 2):
        assert journal.acquire(STREAM, "owner") == epoch
        for number in range(count // 8):
            batch = [rng.randbytes(rng.randrange(10, 300)) for _ in range(4)]
            journal.append(STREAM, epoch, batch, ts=number)
    return journal


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folders with the same records: `closed` in one file, `open` mostly in the write-ahead log."""
    root = tmp_path_factory.mktemp("written")
    journal = write(root / "live")
    records = list(journal.read(STREAM))
    shutil.copytree(root / "live", root / "open", ignore=shutil.ignore_patterns("*-shm"))
    journal.close()
    shutil.copytree(root / "live", root / "closed")
    return root, records


@pytest.fixture
def copy(written, tmp_path):
    shutil.copytree(written[0] / "closed", tmp_path / "copy")
    return tmp_path / "copy"


def read_all(folder):
    """Return the records that were yielded, and the error that ended it, if any."""
    journal, got = SqliteJournal(folder), []
    try:
        got.extend(journal.read(STREAM))
        assert journal.head(STREAM) == len(got)
        assert journal.epoch(STREAM) == 2
    except (JournalCorrupt, ConfigError) as error:
        return got, error
    finally:
        journal.close()
    return got, None


def assert_good_or_told(folder, records):
    """Return whether damage was told; a bad record or a silent loss fails."""
    got, error = read_all(folder)
    assert got == records[: len(got)]
    if error is None:
        assert got == records
    elif isinstance(error, JournalCorrupt):
        assert error.last_good == len(got)
        assert f"the last good record is {len(got)}" in str(error)
    return error is not None


def edit(folder, *statements):
    with sqlite3.connect(folder / FILE) as db:
        for statement in statements:
            db.execute(*((statement,) if isinstance(statement, str) else statement))
    db.close()


# -- damage


@pytest.mark.parametrize(("state", "rounds"), [("closed", 1400), ("open", 600)])
def test_random_flipped_bit_is_never_silent(written, tmp_path, state, rounds):
    root, records = written
    rng = random.Random(17)
    names = sorted(path.name for path in (root / state).iterdir())
    contents = {name: (root / state / name).read_bytes() for name in names}
    told = 0
    for number in range(rounds):
        folder = tmp_path / "flipped"
        folder.mkdir()
        victim = rng.choices(names, [len(contents[name]) for name in names])[0]
        # Every fifth flip goes to the start, where the file's own structure is.
        bits = 8 * (min(100, len(contents[victim])) if number % 5 == 0 else len(contents[victim]))
        bit = rng.randrange(bits)
        for name, content in contents.items():
            data = bytearray(content)
            if name == victim:
                data[bit // 8] ^= 1 << bit % 8
            (folder / name).write_bytes(data)
        told += assert_good_or_told(folder, records)
        shutil.rmtree(folder)
    assert told > rounds / 3  # the rest fell on unused bytes


@pytest.mark.parametrize("state", ["closed", "open"])
def test_file_cut_anywhere_is_never_silent(written, tmp_path, state):
    root, records = written
    for path in sorted((root / state).glob("*.sqlite*")):
        size = path.stat().st_size
        for kept in sorted({0, 1, 50, 100, 4095, 4096, size // 2, size - 4096, size - 1}):
            folder = tmp_path / f"{path.name}-{kept}"
            shutil.copytree(root / state, folder)
            os.truncate(folder / path.name, kept)
            is_told = assert_good_or_told(folder, records)
            # With the whole log still there, the file below it is not needed.
            assert is_told or (state == "open" and path.name == FILE)


def test_every_altered_payload_names_the_record_before_it(copy, written):
    _, records = written
    for seq in (1, 2, 60, 119, 120):
        payload = records[seq - 1].payload
        for altered in (payload + b"\x00", payload[:-1], b"", payload[::-1]):
            edit(copy, ("UPDATE record SET payload = ? WHERE seq = ?", (altered, seq)))
            got, error = read_all(copy)
            assert got == records[: seq - 1]
            assert isinstance(error, JournalCorrupt)
            assert (error.stream, error.last_good) == (STREAM, seq - 1)
        edit(copy, ("UPDATE record SET payload = ? WHERE seq = ?", (payload, seq)))
    assert read_all(copy) == (records, None)


@pytest.mark.parametrize(
    ("statements", "last_good"),
    [
        (["DELETE FROM record WHERE seq > 100"], 100),
        (["DELETE FROM record"], 0),
        (["DELETE FROM record WHERE seq = 50"], 49),
        (["DELETE FROM record WHERE seq = 1"], 0),
        (
            [
                "UPDATE record SET seq = 1000 WHERE seq = 110",
                "UPDATE record SET seq = 110 WHERE seq = 111",
                "UPDATE record SET seq = 111 WHERE seq = 1000",
            ],
            109,
        ),
        (["INSERT INTO record SELECT 121, epoch, ts, payload, digest FROM record WHERE seq = 120"], 120),
        (["UPDATE record SET epoch = 3 WHERE seq = 90"], 89),
        (["UPDATE record SET ts = ts + 1 WHERE seq = 91"], 90),
        (["UPDATE record SET payload = 'text' WHERE seq = 92"], 91),
        (["UPDATE record SET digest = zeroblob(16) WHERE seq = 93"], 92),
        (["UPDATE lease SET head = replace(head, '\"epoch\":2', '\"epoch\":1')"], 120),
        (["DELETE FROM lease"], 120),
        (["DROP TABLE lease"], 120),
        (["DROP TABLE record"], 0),
    ],
)  # fmt: skip
def test_tampered_tail_stops_at_the_last_good_record(copy, written, statements, last_good):
    _, records = written
    edit(copy, *statements)
    got, error = read_all(copy)
    assert got == records[:last_good]
    assert isinstance(error, JournalCorrupt)
    assert error.last_good == last_good


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM record WHERE seq = 120",
        "INSERT INTO record SELECT 121, epoch, ts, payload, digest FROM record WHERE seq = 120",
        "UPDATE record SET digest = zeroblob(16) WHERE seq = 120",
        "UPDATE lease SET head = CAST('nonsense' AS BLOB)",
    ],
)
def test_nothing_is_appended_behind_a_damaged_end(copy, statement):
    edit(copy, statement)
    journal = SqliteJournal(copy)
    with pytest.raises(JournalCorrupt):
        journal.append(STREAM, 2, [b"more"], ts=1)
    with pytest.raises(JournalCorrupt):
        journal.acquire(STREAM, "successor")
    journal.close()


def test_older_copy_of_the_file_is_told_apart_from_the_newest(tmp_path):
    folder = tmp_path / "journal"
    write(folder, 40).close()
    old = (folder / FILE).read_bytes()
    journal = SqliteJournal(folder)
    journal.append(STREAM, 2, [b"newest"], ts=1)
    journal.close()
    (folder / FILE).write_bytes(old)

    journal = SqliteJournal(folder)
    for question in (journal.head, journal.epoch, journal.verify):
        with pytest.raises(JournalCorrupt, match="41 records up to epoch 2 were acknowledged") as e:
            question(STREAM)
        assert e.value.last_good == 40
    (folder / MARK).unlink()  # what the message offers
    assert journal.verify(STREAM) == 40
    journal.close()


def test_lease_that_is_gone_is_told(tmp_path):
    folder = tmp_path / "journal"
    write(folder, 8).close()
    old = (folder / FILE).read_bytes()
    journal = SqliteJournal(folder)
    assert journal.acquire(STREAM, "successor") == 3
    journal.close()
    (folder / FILE).write_bytes(old)
    journal = SqliteJournal(folder)
    with pytest.raises(JournalCorrupt, match="up to epoch 3 were acknowledged"):
        journal.acquire(STREAM, "third")
    journal.close()


def test_read_behind_a_missing_record_names_the_one_before(copy):
    edit(copy, "DELETE FROM record WHERE seq = 50")
    journal = SqliteJournal(copy)
    with pytest.raises(JournalCorrupt) as caught:
        list(journal.read(STREAM, after=50))
    assert caught.value.last_good == 49
    journal.close()


def test_file_that_is_gone_is_a_loss_and_says_so(copy):
    (copy / FILE).unlink()
    journal = SqliteJournal(copy)
    assert journal.streams() == [STREAM]
    with pytest.raises(JournalCorrupt, match="is gone") as caught:
        journal.acquire(STREAM, "successor")
    assert caught.value.last_good == 0
    journal.close()


def test_file_of_another_stream_is_refused(copy):
    other = StreamName("account:paper:OTHER")
    shutil.copy(copy / FILE, copy / "account%3Apaper%3AOTHER.sqlite")
    journal = SqliteJournal(copy)
    with pytest.raises(JournalCorrupt, match="does not fit its seal"):
        journal.head(other)
    journal.close()


# -- versions and permissions


def test_file_of_a_newer_version_is_refused(copy):
    edit(copy, "PRAGMA user_version = 2")
    journal = SqliteJournal(copy)
    with pytest.raises(ConfigError, match="has version 2 and this program knows 1"):
        journal.acquire(STREAM, "a")
    journal.close()


def test_every_commit_is_synced(tmp_path):
    journal = write(tmp_path, 8)
    assert journal._files[STREAM]._value("PRAGMA synchronous") == 2  # FULL
    journal.close()


def test_files_belong_to_the_owner_alone(tmp_path):
    journal = write(tmp_path / "journal", 8)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "journal").iterdir()}
    assert modes == dict.fromkeys((FILE, MARK, FILE + "-wal", FILE + "-shm"), 0o600)
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o700
    journal.close()


# -- trouble that passes


def test_file_locked_by_another_process_is_unavailable_until_it_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.01)
    journal = write(tmp_path, 8)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailable, match="locked.*try again"):
        journal.append(STREAM, 2, [b"9"], ts=1)
    assert journal.verify(STREAM) == 8  # readers are not held up
    other.execute("ROLLBACK")
    assert journal.append(STREAM, 2, [b"9"], ts=1) == 9
    other.close()
    journal.close()


def test_commit_that_fails_leaves_nothing(tmp_path):
    journal = write(tmp_path, 8)
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
    journal = write(small_disk / "journal", 8)
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
    write(small_disk / "journal", 8).close()
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
    journal = write(tmp_path, 8)
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
