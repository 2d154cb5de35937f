"""What a bus hands over, where hosts are found, and the layout of the frames between them.

Commands and requests travel in one frame each (DEALER to ROUTER), answers in one frame back.
Integers are little-endian; names are UTF-8, at most 255 bytes.

    command   0x01 | sequence u64 | previous u64 | len(to) u8 | len(sender) u8 | to sender payload
    ack       0x02 | sequence u64 | to
    request   0x03 | request id u64 | len(to) u8 | to payload
    reply     0x04 | request id u64 | payload

`previous` is the sequence of the command just before it that the sender still keeps, 0 for the
oldest. A receiver that has not seen `previous` missed something and takes nothing until the
sender repeats from its oldest.

Publications are one frame, `topic 0x00 payload`. An empty payload is the publisher's answer to a
new subscription: from here on the subscriber misses nothing.
"""

from collections.abc import Mapping
from functools import lru_cache
from struct import Struct

import msgspec

from trading.identifiers import MachineName

COMMAND, ACK, REQUEST, REPLY = 1, 2, 3, 4
PAYLOAD_BYTES_MAX = 64 * 1024 * 1024
"""Longest payload; a peer that sends more is disconnected."""

_COMMAND_HEAD = Struct("<BQQ")
_HEAD = Struct("<BQ")
_NAMES_CACHED = 4096


class HostAddress(msgspec.Struct, frozen=True):
    """Where one life of a host is reached.

    Attributes
    ----------
    incarnation : str
        Names one life of the host; never used again.
    router : str
        ZeroMQ endpoint for commands and requests.
    pub : str
        ZeroMQ endpoint for publications.
    """

    host: str
    incarnation: str
    router: str
    pub: str


Routes = Mapping[MachineName, HostAddress]
"""Which host runs which machine."""


class Token(msgspec.Struct, frozen=True, gc=False):
    """Names one received command or request: hand it to `ack` or `reply`."""

    identity: bytes
    number: int
    to: MachineName


class Command(msgspec.Struct, frozen=True, gc=False):
    """A command for machine `to`; repeated until `ack(token)` or a later one of `to` is acknowledged."""

    token: Token
    to: MachineName
    sender: MachineName
    payload: bytes


class Published(msgspec.Struct, frozen=True, gc=False):
    topic: str
    payload: bytes


class Request(msgspec.Struct, frozen=True, gc=False):
    """A question that may get lost, like its answer: `reply(token, payload)`."""

    token: Token
    to: MachineName
    payload: bytes


class ReplyReceived(msgspec.Struct, frozen=True, gc=False):
    request_id: int
    payload: bytes


class LinkChanged(msgspec.Struct, frozen=True, gc=False):
    """Machine `machine` can (or cannot) be reached, from now on."""

    machine: MachineName
    is_up: bool


class Woken(msgspec.Struct, frozen=True, gc=False):
    """Somebody called `wake`, once or more often."""


Inbound = Command | Published | Request | ReplyReceived | LinkChanged | Woken


def command_frame(
    sequence: int, previous: int, to: MachineName, sender: MachineName, payload: bytes
) -> bytes:
    return _COMMAND_HEAD.pack(COMMAND, sequence, previous) + _names(to, sender) + payload


def parse_command(frame: bytes) -> tuple[int, int, MachineName, MachineName, bytes]:
    """Return sequence, previous, to, sender and payload.

    Raises
    ------
    ValueError, struct.error, IndexError
        If the frame is none of ours.
    """
    _, sequence, previous = _COMMAND_HEAD.unpack_from(frame)
    sender_at = 19 + frame[17]
    payload_at = sender_at + frame[18]
    if payload_at > len(frame):
        raise ValueError("a command frame ends within its names")
    to, sender = _name(frame[19:sender_at]), _name(frame[sender_at:payload_at])
    return sequence, previous, to, sender, frame[payload_at:]


def ack_frame(sequence: int, to: MachineName) -> bytes:
    return _HEAD.pack(ACK, sequence) + to.encode()


def request_frame(request_id: int, to: MachineName, payload: bytes) -> bytes:
    name = to.encode()
    return _HEAD.pack(REQUEST, request_id) + bytes((len(name),)) + name + payload


def parse_request(frame: bytes) -> tuple[int, MachineName, bytes]:
    """Return request id, to and payload. Raises what `parse_command` raises."""
    _, request_id = _HEAD.unpack_from(frame)
    payload_at = 10 + frame[9]
    if payload_at > len(frame):
        raise ValueError("a request frame ends within its name")
    return request_id, _name(frame[10:payload_at]), frame[payload_at:]


def reply_frame(request_id: int, payload: bytes) -> bytes:
    return _HEAD.pack(REPLY, request_id) + payload


def parse_answer(frame: bytes) -> tuple[int, int, bytes]:
    """Return kind (ACK or REPLY), sequence or request id, and the rest. Raises `struct.error`."""
    kind, number = _HEAD.unpack_from(frame)
    return kind, number, frame[9:]


def publication(topic: str, payload: bytes) -> bytes:
    return _topic_head(topic) + payload


def parse_publication(frame: bytes) -> tuple[str, bytes]:
    """Return topic and payload. Raises `ValueError` if the frame is none of ours."""
    end = frame.index(0)
    return _topic(frame[:end]), frame[end + 1 :]


# A host talks to few machines and about few topics, again and again.


@lru_cache(_NAMES_CACHED)
def _names(to: MachineName, sender: MachineName) -> bytes:
    first, second = to.encode(), sender.encode()
    return bytes((len(first), len(second))) + first + second


@lru_cache(_NAMES_CACHED)
def _name(raw: bytes) -> MachineName:
    return MachineName(raw.decode())


@lru_cache(_NAMES_CACHED)
def _topic_head(topic: str) -> bytes:
    return topic.encode() + b"\0"


@lru_cache(_NAMES_CACHED)
def _topic(raw: bytes) -> str:
    return raw.decode()
