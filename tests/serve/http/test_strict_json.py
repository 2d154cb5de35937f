"""JSON that all readers read alike: the fast look at its depth is the slow one, and large bodies hold nobody up."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.http import strict_json
from serve.http.problems import RequestRefused
from serve.http.strict_json import DEPTH_MAX, require_strict_json


def deepest(body: bytes) -> int:
    """Return how deep brackets outside of texts nest, byte by byte."""
    depth = most = 0
    is_text = is_escaped = False
    for byte in body:
        if is_text:
            is_text = is_escaped or byte != 0x22
            is_escaped = byte == 0x5C and not is_escaped
        elif byte == 0x22:
            is_text = True
        else:
            depth += (byte in b"[{") - (byte in b"]}")
            most = max(most, depth)
    return most


@given(st.lists(st.sampled_from(list(b'"\\[]{}a\n\xff')), max_size=400).map(bytes))
def test_depth_is_that_of_a_reader_who_looks_at_every_byte(noise: bytes) -> None:
    for body in (noise, b"[" * (DEPTH_MAX - 2) + noise):
        is_refused = False
        try:
            strict_json._require_shallow(body)
        except RequestRefused:
            is_refused = True
        assert is_refused == (deepest(body) > DEPTH_MAX)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=30,
    ),
    st.booleans(),
)  # fmt: skip
def test_what_a_writer_writes_passes(value: object, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    asyncio.run(require_strict_json(body))


@pytest.mark.parametrize(
    "body", [b'"\xed\xa0\x80"', b'"\\ud800"', b'["\\uDBFFx"]', b'{"\\udc00":1}']
)
def test_half_a_surrogate_pair_is_no_text(body: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        asyncio.run(require_strict_json(body))
    assert caught.value.status == 400


def test_a_large_body_is_read_while_others_are_answered() -> None:
    async def work() -> int:
        checking = asyncio.create_task(require_strict_json(b"[" + b"{}," * 300_000 + b"{}]"))
        turns = 0
        while not checking.done():
            await asyncio.sleep(0)
            turns += 1
        await checking
        return turns

    assert asyncio.run(work()) > 3


@pytest.mark.parametrize(
    "body", [b"[" * 40 + b'"\\' * 400_000, b"[" * 40 + b'"' + b'\\"' * 400_000]
)
def test_texts_that_do_not_end_are_looked_at_once(body: bytes) -> None:
    """A look that went back would take longer for these than a test may last."""
    with pytest.raises(RequestRefused):
        asyncio.run(require_strict_json(body))
