"""kill -9 of writers and servers: what was acknowledged is there, and nothing is torn."""

import random
import threading

import pytest

from trading.errors import JournalUnavailable
from trading.identifiers import StreamName

STREAM = StreamName("account:paper:DEMO")
ROUNDS = 20

WRITER = """
import sys
from actors.journal.open import open_journal
journal = open_journal(sys.argv[1])
epoch = journal.acquire("account:paper:DEMO", "writer")
last = journal.head("account:paper:DEMO")
while True:
    size = last % 7 + 1
    batch = [b"%d/%d" % (last + 1, number) + bytes(500) for number in range(size)]
    last = journal.append("account:paper:DEMO", epoch, batch, 0)
    print(last, flush=True)
"""


def assert_batches_are_whole(journal):
    """Every batch starts with its first seq, and has all of its records."""
    records = [record.payload.rstrip(b"\x00").decode() for record in journal.read(STREAM)]
    last = 0
    while last < len(records):
        size = last % 7 + 1
        assert records[last : last + size] == [f"{last + 1}/{number}" for number in range(size)]
        last += size
    assert last == len(records)


def test_killed_writer_has_lost_nothing_that_it_acknowledged(url, journal, spawn):
    rng = random.Random(3)
    for round_number in range(1, ROUNDS + 1):
        writer = spawn(WRITER, url)
        acknowledged = 0
        for _ in range(rng.randrange(1, 40)):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        rest = writer.stdout.read().split("\n")[:-1]
        writer.wait()
        acknowledged = int(rest[-1]) if rest else acknowledged
        assert journal.verify(STREAM) >= acknowledged
        assert journal.epoch(STREAM) == round_number
    assert_batches_are_whole(journal)


def append_until_refused(journal, acknowledged):
    while True:
        acknowledged.append(journal.append(STREAM, 1, [b"first", b"second"], ts=1))


def test_killed_server_has_lost_nothing_that_it_acknowledged(make_server, connect):
    server = make_server()
    journal = connect(server.url)
    epoch = journal.acquire(STREAM, "writer")
    acknowledged = [0]
    for round_number in range(6):
        killer = threading.Timer(0.05 + 0.03 * round_number, server.kill)
        killer.start()
        with pytest.raises(JournalUnavailable):
            append_until_refused(journal, acknowledged)
        killer.join()
        known = acknowledged[-1]
        with pytest.raises(JournalUnavailable):
            journal.head(STREAM)
        server.start()
        head = journal.head(STREAM)
        assert head in (
            known,
            known + 2,
        )  # the one in flight: all or nothing, and now it is settled
        assert journal.verify(STREAM) == head
        assert connect(server.url).verify(STREAM) == head
        acknowledged.append(journal.append(STREAM, epoch, [b"first", b"second"], ts=head))
        assert acknowledged[-1] == head + 2
