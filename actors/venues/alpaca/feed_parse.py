"""Frames of the market data streams (msgpack) as ticks. Pure, and cheap: one typed decoding per frame.

Whatever comes in, nothing escapes: what cannot be read is left out and counted by the caller.
"""

from collections.abc import Iterator

import msgspec

_EXT = msgspec.msgpack.Ext
_NANOS = 1_000_000_000
_TIMESTAMP = -1


class Quote(msgspec.Struct, frozen=True, tag_field="T", tag="q", gc=False):
    S: str
    t: msgspec.msgpack.Ext
    bp: float = 0.0
    ap: float = 0.0
    bs: float = 0.0
    as_: float = msgspec.field(name="as", default=0.0)


class Trade(msgspec.Struct, frozen=True, tag_field="T", tag="t", gc=False):
    """`tks` is the side of the taker, of crypto: B or S."""

    S: str
    t: msgspec.msgpack.Ext
    p: float
    s: float
    tks: str = ""


class MinuteBar(msgspec.Struct, frozen=True, tag_field="T", tag="b", gc=False):
    """`t` is when the minute began."""

    S: str
    t: msgspec.msgpack.Ext
    o: float
    h: float
    l: float  # noqa: E741
    c: float
    v: float = 0.0


class Level(msgspec.Struct, frozen=True, gc=False):
    p: float
    s: float


class BookChange(msgspec.Struct, frozen=True, tag_field="T", tag="o"):
    """A whole book when `r` is set; else the levels that changed, gone where the size is zero."""

    S: str
    t: msgspec.msgpack.Ext
    b: list[Level] = []
    a: list[Level] = []
    r: bool = False


class Success(msgspec.Struct, frozen=True, tag_field="T", tag="success"):
    msg: str = ""


class Refusal(msgspec.Struct, frozen=True, tag_field="T", tag="error"):
    code: int = 0
    msg: str = ""


class Subscribed(msgspec.Struct, frozen=True, tag_field="T", tag="subscription"):
    """What is streamed now."""


Message = Quote | Trade | MinuteBar | BookChange | Success | Refusal | Subscribed

_FRAME = msgspec.msgpack.Decoder(list[Message])
_PARTS = msgspec.msgpack.Decoder(list[msgspec.Raw])
_PART = msgspec.msgpack.Decoder(Message)


def messages(frame: bytes | str) -> Iterator[Message | None]:
    """Yield what a frame says; None for each message that cannot be read or is of a kind that we leave out."""
    if isinstance(frame, str):
        frame = frame.encode(errors="replace")
    try:
        yield from _FRAME.decode(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        yield from _one_by_one(frame)


def nanos(at: msgspec.msgpack.Ext) -> int | None:
    """Return a msgpack timestamp as ns UTC, exact; None when it is none."""
    if at.code != _TIMESTAMP:
        return None
    data = bytes(at.data)
    match len(data):
        case 4:
            return int.from_bytes(data) * _NANOS
        case 8:
            packed = int.from_bytes(data)
            return (packed & 0x3_FFFF_FFFF) * _NANOS + (packed >> 34)
        case 12:
            seconds = int.from_bytes(data[4:], signed=True)
            return seconds * _NANOS + int.from_bytes(data[:4])
        case _:
            return None


def _one_by_one(frame: bytes) -> Iterator[Message | None]:
    try:
        parts = _PARTS.decode(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        yield None
        return
    for part in parts:
        try:
            yield _PART.decode(part)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            yield None
