"""The only serialiser: msgpack arrays of tagged structs, deterministic byte for byte."""

from functools import reduce
from hashlib import blake2b
from operator import or_
from typing import Any

import msgspec

from trading import access_facts, commands, data, desk_facts, events, outcomes, reports
from trading.algorithms import facts as execution_facts
from trading.messages import Message


def _leaves(cls: type[Message]) -> list[type[Message]]:
    below = cls.__subclasses__()
    return [cls] if not below else [leaf for sub in below for leaf in _leaves(sub)]


_ROOMS = (access_facts, commands, data, desk_facts, events, execution_facts, outcomes, reports)
MESSAGE_TYPES: tuple[type[Message], ...] = tuple(
    cls for cls in _leaves(Message) if cls.__module__ in {room.__name__ for room in _ROOMS}
)
"""Every message that can travel; sorted by definition."""

_encoder = msgspec.msgpack.Encoder(decimal_format="string", order="deterministic")
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(reduce(or_, MESSAGE_TYPES))


def encode(message: Message) -> bytes:
    """Return the message as bytes; equal messages give equal bytes."""
    return _encoder.encode(message)


def decode(payload: bytes | memoryview) -> Message:
    """Return the message in `payload`.

    Raises
    ------
    msgspec.DecodeError
        If the bytes are not one known message.
    """
    try:
        message: Message = _decoder.decode(payload)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(f"not a message: {error}") from error
    return message


def digest(message: Message) -> str:
    """Return the hash (32 hexadecimal digits) of the encoded message."""
    return blake2b(encode(message), digest_size=16).hexdigest()


def digest_of(state: object) -> str:
    """Return the hash of any plain state: structs, numbers, strings, lists, dicts (sorted by key)."""
    return blake2b(_encoder.encode(state), digest_size=16).hexdigest()
