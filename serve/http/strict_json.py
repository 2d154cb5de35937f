"""JSON as RFC 8259 means it: no name twice, no number beyond a double, no bytes that are no text, no endless depth.

Parsers disagree about all of these, and what two parts of a system read differently, an attacker can use.
"""

import asyncio
import json
import re
from typing import Any

import numpy as np

from serve.http.problems import RequestRefused

DEPTH_MAX = 32
SMALL_BYTES = 16_384
"""Checked within a millisecond."""
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A text with its quotes, or what begins as one and does not end; it never looks at a byte twice."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1


async def require_strict_json(body: bytes) -> None:
    """Check a body before anybody reads it; a large one in a thread, so that others are answered meanwhile.

    Raises
    ------
    RequestRefused
        400 if it is no JSON, 422 if it is JSON that means different things to different readers.
    """
    if len(body) <= SMALL_BYTES:
        _require(body)
    else:
        await asyncio.to_thread(_require, body)


def _require(body: bytes) -> None:
    _require_shallow(body)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is no UTF-8") from None
    try:
        json.loads(
            text, object_pairs_hook=_once, parse_float=_finite, parse_int=_short, parse_constant=_no
        )
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at character {error.pos}") from None
    if _SURROGATE.search(body):
        _require_unicode(text)


def _require_unicode(text: str) -> None:
    """Python's reader takes one half of a surrogate pair, which no encoder gives out again."""
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _malformed("half a surrogate pair is no text") from None


def _require_shallow(body: bytes) -> None:
    """Find out how deep it nests, from the brackets outside of texts; a megabyte takes milliseconds."""
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return
    bare = np.frombuffer(_TEXT.sub(b"", body), np.uint8)
    if np.cumsum(_STEPS[bare], dtype=np.int64).max(initial=0) > DEPTH_MAX:
        raise _ambiguous(f"it nests deeper than {DEPTH_MAX} levels")


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _ambiguous(f"the name {twice[:64]!r} stands twice in one object")


def _finite(text: str) -> None:
    if float(text) in (float("inf"), float("-inf")):
        raise _ambiguous("a number is beyond the range of a double")


def _short(text: str) -> None:
    if len(text) > 300:
        raise _ambiguous("a number is beyond the range of a double")


def _no(text: str) -> None:
    raise _malformed(f"{text} is no JSON")


def _malformed(reason: str) -> RequestRefused:
    return RequestRefused(400, "REQUEST_NOT_JSON", f"The body is not JSON: {reason}.")


def _ambiguous(reason: str) -> RequestRefused:
    return RequestRefused(422, "REQUEST_INVALID", f"The body is ambiguous: {reason}.")
