"""Seals and links notice every altered bit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.journal.chain import (
    EMPTY,
    Damage,
    Head,
    check_end,
    check_link,
    extend,
    record_of,
    seal,
    unseal,
)
from trading.identifiers import StreamName

STREAM = StreamName("account:paper:DEMO")
HEAD = Head(seq=3, digest=bytes(range(16)), epoch=2, holder="host/7", turn=9, writer="w")


def test_sealed_head_comes_back():
    assert unseal(STREAM, seal(STREAM, HEAD)) == HEAD


def test_seal_of_another_stream_is_refused():
    with pytest.raises(Damage):
        unseal(StreamName("account:paper:OTHER"), seal(STREAM, HEAD))


@pytest.mark.parametrize("sealed", [None, "text", 7, b"", b" ", b"{}"])
def test_what_is_no_head_is_refused(sealed):
    with pytest.raises(Damage):
        unseal(STREAM, sealed)


def test_every_single_bit_of_a_sealed_head_counts():
    sealed = seal(STREAM, HEAD)
    for bit in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damage):
            unseal(STREAM, bytes(flipped))


@settings(deadline=None)
@given(payloads=st.lists(st.binary(max_size=20), min_size=1, max_size=5))
def test_extended_head_ends_with_the_last_record(payloads):
    head, records = extend(EMPTY, 1, payloads, ts=5)
    seq, digest = 0, EMPTY.digest
    for record in records:
        check_link(seq, digest, record)
        seq, digest = record.seq, record.digest
    check_end(seq, digest, head)
    assert [record.payload for record in records] == payloads


@settings(deadline=None)
@given(
    field=st.sampled_from(["seq", "epoch", "ts", "payload", "digest"]),
    bit=st.integers(0, 63),
)
def test_every_altered_field_breaks_the_link(field, bit):
    _, (record,) = extend(EMPTY, 4, [b"8 bytes."], ts=5)
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    value = values[field]
    if isinstance(value, bytes):
        altered = bytearray(value)
        altered[bit // 8] ^= 1 << bit % 8
        values[field] = bytes(altered)
    else:
        values[field] = value ^ (1 << bit)
    with pytest.raises(Damage):
        check_link(0, EMPTY.digest, record_of(**values))


@pytest.mark.parametrize(
    "values",
    [
        ("1", 1, 1, b"", b""),
        (1, 1.0, 1, b"", b""),
        (1, 1, None, b"", b""),
        (1, 1, 1, "", b""),
        (1, 1, 1, b"", 7),
    ],
)
def test_values_of_the_wrong_type_are_no_record(values):
    with pytest.raises(Damage):
        record_of(*values)


def test_end_other_than_the_head_is_refused():
    head, records = extend(EMPTY, 1, [b"1", b"2"], ts=5)
    with pytest.raises(Damage):
        check_end(1, records[0].digest, head)
    with pytest.raises(Damage):
        check_end(2, records[0].digest, head)
