"""The layout of frames: what is written is read, and rubbish raises only what a reader expects."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.bus import wire

numbers = st.integers(0, 2**64 - 1)
names = st.text(max_size=60)
topics = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
EXPECTED = (struct.error, ValueError, IndexError)


@settings(deadline=None)
@given(numbers, numbers, names, names, st.binary(max_size=300))
def test_command_is_read_as_written(sequence, previous, to, sender, payload):
    frame = wire.command_frame(sequence, previous, to, sender, payload)

    assert frame[0] == wire.COMMAND
    assert wire.parse_command(frame) == (sequence, previous, to, sender, payload)


@settings(deadline=None)
@given(numbers, names, st.binary(max_size=300))
def test_request_and_answers_are_read_as_written(number, to, payload):
    request = wire.request_frame(number, to, payload)

    assert request[0] == wire.REQUEST
    assert wire.parse_request(request) == (number, to, payload)
    assert wire.parse_answer(wire.reply_frame(number, payload)) == (wire.REPLY, number, payload)
    assert wire.parse_answer(wire.ack_frame(number, to)) == (wire.ACK, number, to.encode())


@settings(deadline=None)
@given(topics, st.binary(max_size=300))
def test_publication_is_read_as_written_and_begins_with_its_topic(topic, payload):
    frame = wire.publication(topic, payload)

    assert frame.startswith(topic.encode())
    assert wire.parse_publication(frame) == (topic, payload)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(
        [wire.parse_command, wire.parse_request, wire.parse_answer, wire.parse_publication]
    ),
    st.binary(max_size=80),
)
def test_rubbish_raises_nothing_that_a_reader_does_not_expect(parse, rubbish):
    try:
        parse(rubbish)
    except EXPECTED:
        return


def test_name_that_is_too_long_for_a_frame_is_refused():
    with pytest.raises(ValueError, match="range"):
        wire.command_frame(1, 0, "x" * 256, "y", b"")
