"""What every journal promises, on every store."""

import shutil
import threading
from collections import defaultdict
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.journal.chain import GENESIS, chain_digest
from actors.journal.chained_journal import PAGE_SIZE
from trading.errors import JournalCorrupt, StaleEpoch
from trading.identifiers import StreamName

STREAM = StreamName("account:paper:DEMO")
KILL = StreamName("kill:DEMO")


def payloads_of(journal, stream=STREAM, after=0):
    return [record.payload for record in journal.read(stream, after)]


def test_system_redis_server_is_among_the_stores():
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on this machine; the tests run on SQLite and Valkey")


def test_unknown_stream_is_empty(journal):
    assert journal.head(STREAM) == 0
    assert journal.epoch(STREAM) == 0
    assert journal.verify(STREAM) == 0
    assert list(journal.read(STREAM)) == []
    assert journal.streams() == []


def test_records_come_back_as_they_went_in(journal):
    epoch = journal.acquire(STREAM, "a")
    assert journal.append(STREAM, epoch, [b"one", b"", b"\x00\xff"], ts=7) == 3
    assert journal.append(STREAM, epoch, [b"four"], ts=-1) == 4

    records = list(journal.read(STREAM))
    assert [(r.seq, r.epoch, r.ts, r.payload) for r in records] == [
        (1, 1, 7, b"one"),
        (2, 1, 7, b""),
        (3, 1, 7, b"\x00\xff"),
        (4, 1, -1, b"four"),
    ]
    previous = GENESIS
    for r in records:
        assert r.digest == chain_digest(previous, r.seq, r.epoch, r.ts, r.payload)
        previous = r.digest
    assert journal.head(STREAM) == journal.verify(STREAM) == 4


def test_append_of_nothing_changes_nothing(journal):
    epoch = journal.acquire(STREAM, "a")
    journal.append(STREAM, epoch, [b"one"], ts=1)
    assert journal.append(STREAM, epoch, [], ts=2) == 1
    assert journal.verify(STREAM) == 1


def test_batch_with_an_impossible_payload_leaves_nothing(journal):
    epoch = journal.acquire(STREAM, "a")
    with pytest.raises(TypeError):
        journal.append(STREAM, epoch, [b"one", "text", b"three"], ts=1)
    assert journal.head(STREAM) == 0
    assert journal.append(STREAM, epoch, [b"one"], ts=1) == 1


def test_read_starts_behind_the_given_seq(journal):
    epoch = journal.acquire(STREAM, "a")
    journal.append(STREAM, epoch, [b"1", b"2", b"3"], ts=1)
    assert payloads_of(journal, after=2) == [b"3"]
    assert payloads_of(journal, after=3) == []


def test_read_behind_the_end_is_a_loss_and_says_so(journal):
    epoch = journal.acquire(STREAM, "a")
    journal.append(STREAM, epoch, [b"1", b"2"], ts=1)
    with pytest.raises(JournalCorrupt) as caught:
        list(journal.read(STREAM, after=3))
    assert caught.value.last_good == 2


@pytest.mark.parametrize("count", [PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE])
def test_read_goes_over_pages(journal, count):
    epoch = journal.acquire(STREAM, "a")
    written = [b"%d" % number for number in range(count)]
    journal.append(STREAM, epoch, written, ts=1)
    assert payloads_of(journal) == written
    assert payloads_of(journal, after=count - 1) == written[-1:]


def test_appends_while_reading_are_read_or_left_but_never_torn(journal, url, connect):
    epoch = journal.acquire(STREAM, "a")
    journal.append(STREAM, epoch, [b"%d" % n for n in range(PAGE_SIZE)], ts=1)
    reading = connect(url).read(STREAM)
    assert next(reading).seq == 1
    journal.append(STREAM, epoch, [b"new"], ts=2)
    assert [r.seq for r in reading] == list(range(2, PAGE_SIZE + 2))


def test_lease_raises_the_epoch_by_one_each_time(journal):
    assert [journal.acquire(STREAM, holder) for holder in "abb"] == [1, 2, 3]
    assert journal.epoch(STREAM) == 3


def test_old_owner_is_refused_and_the_new_one_goes_on(journal, url, connect):
    successor = connect(url)
    old = journal.acquire(STREAM, "old")
    journal.append(STREAM, old, [b"1"], ts=1)
    new = successor.acquire(STREAM, "new")

    with pytest.raises(StaleEpoch) as caught:
        journal.append(STREAM, old, [b"lost"], ts=2)
    assert (caught.value.held, caught.value.current) == (old, new)
    assert successor.append(STREAM, new, [b"2"], ts=3) == 2
    with pytest.raises(StaleEpoch):
        journal.append(STREAM, old, [b"lost again"], ts=4)
    assert [(r.epoch, r.payload) for r in journal.read(STREAM)] == [(1, b"1"), (2, b"2")]


@pytest.mark.parametrize("epoch", [-1, 0, 1, 2])
def test_append_without_a_lease_is_refused(journal, epoch):
    with pytest.raises(StaleEpoch):
        journal.append(STREAM, epoch, [b"1"], ts=1)
    assert journal.head(STREAM) == 0


def test_epoch_from_the_future_is_refused(journal):
    epoch = journal.acquire(STREAM, "a")
    with pytest.raises(StaleEpoch):
        journal.append(STREAM, epoch + 1, [b"1"], ts=1)


def test_two_objects_with_one_lease_take_turns(journal, url, connect):
    other = connect(url)
    epoch = journal.acquire(STREAM, "a")
    for number in range(4):
        (journal, other)[number % 2].append(STREAM, epoch, [b"%d" % number], ts=number)
    assert payloads_of(journal) == [b"0", b"1", b"2", b"3"]


def test_shared_stream_takes_records_of_everybody(journal, url, connect):
    other = connect(url)
    assert journal.append_shared(KILL, [b"1"], ts=1) == 1
    assert other.append_shared(KILL, [b"2", b"3"], ts=2) == 3
    assert journal.append_shared(KILL, [b"4"], ts=3) == 4
    assert payloads_of(other, KILL) == [b"1", b"2", b"3", b"4"]
    assert {record.epoch for record in journal.read(KILL)} == {0}
    assert journal.epoch(KILL) == 0


def test_leased_stream_is_not_shared(journal, url, connect):
    other = connect(url)
    journal.append_shared(STREAM, [b"1"], ts=1)
    other.acquire(STREAM, "a")
    with pytest.raises(StaleEpoch):
        journal.append_shared(STREAM, [b"2"], ts=2)
    assert journal.head(STREAM) == 1


def test_streams_do_not_mix_and_keep_their_names(journal):
    names = [StreamName(name) for name in ("a:b", "a__b", "a/b", "..", "a%3Ab", "ü {x}:head", "*")]
    for number, name in enumerate(names):
        journal.append_shared(name, [name.encode()] * (number + 1), ts=1)
    assert journal.streams() == sorted(names)
    for number, name in enumerate(names):
        assert payloads_of(journal, name) == [name.encode()] * (number + 1)


def test_journal_made_by_one_thread_works_in_another(journal):
    journal.acquire(STREAM, "a")
    heads = []
    thread = threading.Thread(
        target=lambda: heads.append(journal.append(STREAM, 1, [b"1"], ts=1)), name="loop"
    )
    thread.start()
    thread.join()
    assert heads == [1]


def test_closed_journal_leaves_everything_to_the_next(journal, url, connect):
    epoch = journal.acquire(STREAM, "a")
    journal.append(STREAM, epoch, [b"1"], ts=1)
    journal.close()
    reopened = connect(url)
    assert reopened.verify(STREAM) == 1
    assert reopened.epoch(STREAM) == epoch


READER = """
import sys
from actors.journal.open import open_journal
journal = open_journal(sys.argv[1])
print(journal.head("account:paper:DEMO"), *(r.payload for r in journal.read("account:paper:DEMO")))
"""


def test_reader_in_another_process_sees_what_was_appended(journal, url, spawn):
    epoch = journal.acquire(STREAM, "a")
    journal.append(STREAM, epoch, [b"1", b"2"], ts=1)
    out, _ = spawn(READER, url).communicate(timeout=60)
    assert out.split() == ["2", "b'1'", "b'2'"]


CONTENDER = """
import sys
from actors.journal import redis, sqlite
from actors.journal.open import open_journal
redis.SOCKET_TIMEOUT_S = sqlite.BUSY_TIMEOUT_S = 90.0  # who holds the lock may be paused
journal = open_journal(sys.argv[1])
print("ready", flush=True)
for number in range(15):
    print(journal.acquire("account:paper:DEMO", sys.argv[2]))
    journal.append_shared("kill:DEMO", [sys.argv[2].encode()], number)
"""


def test_contenders_in_many_processes_get_distinct_epochs_and_lose_nothing(journal, url, spawn):
    contenders = [spawn(CONTENDER, url, name) for name in "abc"]
    epochs = defaultdict(list)
    for number, contender in enumerate(contenders):
        out, _ = contender.communicate(timeout=100)
        assert contender.returncode == 0
        epochs[number] = [int(line) for line in out.split()[1:]]
        assert epochs[number] == sorted(epochs[number])

    assert sorted(chain.from_iterable(epochs.values())) == list(range(1, 46))
    assert journal.epoch(STREAM) == 45
    assert journal.verify(KILL) == 45
    assert sorted(payloads_of(journal, KILL)) == [b"a"] * 15 + [b"b"] * 15 + [b"c"] * 15


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    batches=st.lists(st.lists(st.binary(max_size=50), max_size=4), max_size=6),
    successions=st.sets(st.integers(0, 5)),
)
def test_any_batches_under_any_leases_read_back_in_order(journal, batches, successions):
    stream = StreamName(f"any:{len(journal.streams())}")
    epoch, expected = journal.acquire(stream, "a"), []
    for number, batch in enumerate(batches):
        if number in successions:
            epoch = journal.acquire(stream, "b")
        journal.append(stream, epoch, batch, ts=number)
        expected += [(epoch, number, payload) for payload in batch]
    assert [(r.epoch, r.ts, r.payload) for r in journal.read(stream)] == expected
    assert journal.head(stream) == len(expected)
