"""What can happen to SQLite files: flipped bits, cut ends, foreign hands. Nothing is silent."""

import os
import random
import shutil
import sqlite3

import pytest

from actors.journal.sqlite import SqliteJournal
from trading.errors import ConfigError, JournalCorrupt
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
