"""Foreign hands in the keys of a journal on a server: nothing bad is read, nothing is silent."""

import random

import pytest

from trading.errors import JournalCorrupt
from trading.identifiers import StreamName

STREAM = StreamName("account:paper:DEMO")
HEAD_KEY = "neural-trader:{account:paper:DEMO}:head"
RECORDS_KEY = "neural-trader:{account:paper:DEMO}:records"


def rewrite(client, entries, head):
    client.delete(RECORDS_KEY, HEAD_KEY)
    for entry_id, fields in entries:
        client.xadd(RECORDS_KEY, fields, id=entry_id)
    if head is not None:
        client.set(HEAD_KEY, head)


@pytest.fixture
def stored(server, direct):
    """The client, and the ten records as they are stored."""
    epoch = direct.acquire(STREAM, "owner")
    rng = random.Random(5)
    direct.append(STREAM, epoch, [rng.randbytes(12) for _ in range(10)], ts=123_456)
    with server.client() as client:
        yield client, client.xrange(RECORDS_KEY), client.get(HEAD_KEY)


def assert_stops(direct, records, last_good):
    got = []
    with pytest.raises(JournalCorrupt) as caught:
        got.extend(direct.read(STREAM))
    assert got == records[:last_good]
    assert caught.value.last_good == last_good


@pytest.mark.parametrize(
    ("tamper", "last_good"),
    [
        (lambda entries: entries[:7], 7),
        (lambda entries: [], 0),
        (lambda entries: entries[:4] + entries[5:], 4),
        (lambda entries: entries[1:], 0),
        (
            lambda entries: [
                *entries[:8],
                (entries[8][0], entries[9][1]),
                (entries[9][0], entries[8][1]),
            ],
            8,
        ),
        (lambda entries: [*entries, (b"11-0", entries[9][1])], 10),
        (lambda entries: [*entries, (b"10-1", entries[9][1])], 10),
        (lambda entries: [*entries[:9], (b"10-0", {b"payload": b"alone"})], 9),
        (lambda entries: [*entries[:9], (b"10-0", {b"other": entries[9][1][b"record"]})], 9),
        (lambda entries: [*entries[:9], (b"10-0", entries[9][1] | {b"more": b"1"})], 9),
        (lambda entries: [*entries[:9], (b"12-0", entries[9][1])], 9),
    ],
)
def test_tampered_tail_stops_at_the_last_good_record(direct, stored, tamper, last_good):
    client, entries, head = stored
    records = list(direct.read(STREAM))
    rewrite(client, tamper(entries), head)
    assert_stops(direct, records, last_good)
    with pytest.raises(JournalCorrupt):
        direct.verify(STREAM)


def test_nothing_is_appended_behind_a_damaged_end(direct, stored):
    client, entries, head = stored
    for tampered in (entries[:9], [*entries, (b"11-0", entries[9][1])]):
        rewrite(client, tampered, head)
        with pytest.raises(JournalCorrupt):
            direct.append(STREAM, 1, [b"more"], ts=1)
        assert len(client.xrange(RECORDS_KEY)) == len(tampered)


@pytest.mark.parametrize("head", [None, b"", b"nonsense"])
def test_lost_head_is_told_and_the_records_are_still_readable(direct, stored, head):
    client, entries, _ = stored
    records = list(direct.read(STREAM))
    rewrite(client, entries, head)
    assert_stops(direct, records, 10)
    with pytest.raises(JournalCorrupt):
        direct.acquire(STREAM, "successor")


def test_random_flipped_bit_in_the_store_is_never_silent(direct, stored):
    client, entries, head = stored
    records = list(direct.read(STREAM))
    rng = random.Random(11)
    for _ in range(300):
        index = rng.randrange(len(entries))
        value = bytearray(entries[index][1][b"record"])
        bit = rng.randrange(len(value) * 8)
        value[bit // 8] ^= 1 << bit % 8
        fields = {b"record": bytes(value)}
        with client.pipeline() as pipeline:
            rewrite(
                pipeline,
                [*entries[:index], (entries[index][0], fields), *entries[index + 1 :]],
                head,
            )
            pipeline.execute()
        assert_stops(direct, records, index)

    for bit in rng.sample(range(len(head) * 8), 100):
        flipped = bytearray(head)
        flipped[bit // 8] ^= 1 << bit % 8
        rewrite(client, entries, bytes(flipped))
        assert_stops(direct, records, 10)
