"""The wire, and what the host believes of it."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandboxes.errors import InvalidResult, ProtocolViolation
from sandboxes.frames import (
    LENGTH_BYTES,
    REQUEST_BYTES_MAX,
    VERSION,
    Done,
    Failed,
    Weights,
    answer_of,
    bars_requests,
    failure_of,
    framed,
    length_of,
    printable,
    weights_of,
)


def body(**fields: Any) -> bytes:
    return msgspec.msgpack.encode({"v": VERSION, "seq": 1, **fields})


def weights(values: Any, shape: tuple[int, ...] | None = None, *, last: bool = True) -> Weights:
    table = np.asarray(values, dtype="<f8")
    return Weights(v=VERSION, seq=1, shape=shape or table.shape, data=table.tobytes(), last=last)


def test_length_comes_before_the_message() -> None:
    frame = framed({"a": 1})
    assert length_of(frame[:LENGTH_BYTES], 100) == len(frame) - LENGTH_BYTES


@pytest.mark.parametrize("length", [0, 101, 0xFFFFFFFF])
def test_length_out_of_range_is_refused(length: int) -> None:
    with pytest.raises(ProtocolViolation):
        length_of(length.to_bytes(LENGTH_BYTES, "little"), 100)


def test_answer_of_the_agreed_form_is_taken() -> None:
    assert isinstance(answer_of(body(kind="done"), 1), Done)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "done", "extra": 1},
        {"kind": "order"},
        {"kind": "hello", "pid": "1"},
        {"kind": "weights", "shape": [1, 1], "data": "text", "last": True},
        {"kind": "weights", "shape": [1, 1], "data": b"", "last": 1},
        {"kind": "weights", "shape": 1, "data": b"", "last": True},
        {"kind": "file", "name": b"a", "data": b""},
        {"kind": "done", "seq": 2},
        {"kind": "done", "seq": True},
        {"kind": "done", "v": 2},
    ],
)
def test_any_other_form_is_a_violation(fields: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation):
        answer_of(body(**fields), 1)


@given(st.binary(max_size=200))
def test_noise_is_a_violation_and_nothing_else(noise: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        answer_of(noise, 1)


def test_deep_nesting_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation):
        answer_of(b"\x91" * 100_000, 1)


def test_pieces_make_the_table() -> None:
    pieces = [weights([[1.0], [2.0]], (3, 1), last=False), weights([[3.0]], (3, 1))]
    assert weights_of(pieces, (3, 1)).tolist() == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize(
    "piece",
    [
        weights([[np.nan]]),
        weights([[np.inf]]),
        weights([[10.01]]),
        weights([[-10.01]]),
        weights([[1.0], [2.0]]),
        weights([[1.0], [2.0]], (1, 1)),
        weights([], (1, 1)),
        weights(1.0),
        weights([1.0]),
        weights([[1e308]]),
    ],
)
def test_bad_weights_are_refused(piece: Weights) -> None:
    with pytest.raises(InvalidResult):
        weights_of([piece], (1, 1))


def test_long_table_is_cut_below_the_limit_and_nothing_is_lost() -> None:
    close = np.random.default_rng(1).normal(size=(40_000, 60))
    bars = {"ts": np.arange(40_000), "close": close}
    frames = list(bars_requests(7, bars))
    assert len(frames) > 2
    assert max(map(len, frames)) <= REQUEST_BYTES_MAX
    messages = [msgspec.msgpack.decode(frame[LENGTH_BYTES:]) for frame in frames]
    assert [message["last"] for message in messages] == [False] * (len(frames) - 1) + [True]
    whole = b"".join(message["arrays"]["close"] for message in messages)
    assert whole == close.tobytes()


def test_table_without_bars_is_one_frame() -> None:
    bars = {"ts": np.zeros(0), "close": np.zeros((0, 2))}
    assert len(list(bars_requests(1, bars))) == 1


def test_untrusted_text_is_made_printable_and_cut() -> None:
    assert printable("a\x1b[31m\x00b\n", 100) == "a\ufffd[31m\ufffdb\n"
    assert len(printable("x" * 10_000, 50)) == 50
    failed = Failed(v=1, seq=1, name="E" * 1000, message="\x07", trace="t" * 10_000)
    failure = failure_of(failed)
    assert len(failure.name) == 100
    assert "\x07" not in str(failure)
    assert len(failure.trace) == 4096
