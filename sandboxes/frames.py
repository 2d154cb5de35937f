"""The wire between the host and a worker: a length (4 bytes, little-endian) and one MessagePack map.

The host sends `{v, seq, op, ...}`: `start` (preload modules), `lock` (the filter), `load` (a strategy),
`bars` (one or more pieces of a table, of which the last asks for weights) and `run` (a script). The
worker answers with `{v, seq, kind, ...}`, one of the classes below. One request is outstanding at a time.

Numbers travel as raw little-endian bytes. Whatever comes back is decoded into a strict type, never
unpickled, and believed in nothing: not its length, its sequence, its shape or its values.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sandboxes.errors import InvalidResult, ProtocolViolation, StrategyFailed
from sandboxes.sandbox import Source
from trading.strategies.bar_strategy import WEIGHT_MAX

VERSION = 1
LENGTH_BYTES = 4
REQUEST_BYTES_MAX = 8 << 20
"""Longest request; a longer table goes in pieces."""
PLAIN_ARRAYS = ("ts", "close", "open", "high", "low", "volume")
NAMES = "instrument_ids"
_TEXT_MAX = 4096

_encode = msgspec.msgpack.Encoder().encode


class Reply(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    v: int
    seq: int


class Hello(Reply, frozen=True, tag="hello"):
    """The modules are loaded. `pid` is the number of the process as it sees itself."""

    pid: int


class Done(Reply, frozen=True, tag="done"):
    """A request without a result is carried out."""


class Weights(Reply, frozen=True, tag="weights"):
    """A piece of the answer: `data` is float64 in rows; `shape` is that of the whole."""

    shape: tuple[int, ...]
    data: bytes
    last: bool


class Invalid(Reply, frozen=True, tag="invalid"):
    """The strategy gave something that is no table of numbers."""

    what: str


class File(Reply, frozen=True, tag="file"):
    """A piece of a file that a script wrote."""

    name: str
    data: bytes


class Failed(Reply, frozen=True, tag="failed"):
    """The code raised."""

    name: str
    message: str
    trace: str


_decoder = msgspec.msgpack.Decoder(Hello | Done | Weights | Invalid | File | Failed)
Answer = Hello | Done | Weights | Invalid | File | Failed


def framed(message: Mapping[str, Any]) -> bytes:
    """Return one message as it travels."""
    body = _encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "little") + body


def length_of(prefix: bytes, limit: int) -> int:
    """Return how long the next message is.

    Raises
    ------
    ProtocolViolation
        If it is empty or longer than `limit` bytes.
    """
    length = int.from_bytes(prefix, "little")
    if not 0 < length <= limit:
        raise ProtocolViolation(
            f"a frame of {length:,} bytes was announced; up to {limit:,} are taken."
        )
    return length


def answer_of(body: bytes, sequence: int) -> Answer:
    """Return a message of the worker.

    Raises
    ------
    ProtocolViolation
        If it is not of the form that was agreed, or answers another request.
    """
    try:
        answer: Answer = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolViolation(f"an answer that is none: {str(error)[:200]}.") from None
    if answer.v != VERSION or answer.seq != sequence:
        raise ProtocolViolation(
            f"an answer to {answer.v}/{answer.seq}, asked was {VERSION}/{sequence}."
        )
    return answer


def failure_of(failed: Failed) -> StrategyFailed:
    """Return what the code raised, in printable text of bounded length."""
    return StrategyFailed(
        printable(failed.name, 100),
        printable(failed.message, 500),
        printable(failed.trace, _TEXT_MAX),
    )


def printable(text: str, length: int) -> str:
    """Return untrusted text without control characters, and not longer than `length`."""
    cut = text[-length:] if len(text) > length else text
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in cut
    )


def request(op: str, sequence: int, **fields: Any) -> bytes:
    return framed({"v": VERSION, "seq": sequence, "op": op, **fields})


def load_request(sequence: int, source: Source, parameters: Mapping[str, Any]) -> bytes:
    return request(
        "load", sequence, name=source.name, text=source.text, parameters=dict(parameters)
    )


def bars_requests(sequence: int, bars: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the frames that ask for the weights of these bars.

    Parameters
    ----------
    bars : mapping
        The arrays of `sandboxes.sandbox.Sandbox.targets`; `instrument_ids`, a sequence of names, may be
        among them.
    """
    names: Sequence[str] = [str(name) for name in bars.get(NAMES, ())]
    arrays = {name: _plain(name, array) for name, array in bars.items() if name != NAMES}
    rows = len(arrays["ts"])
    per_row = sum(array.strides[0] for array in arrays.values()) if rows else 1
    step = max(1, (REQUEST_BYTES_MAX - (64 << 10)) // per_row)
    for start in range(0, max(rows, 1), step):
        piece = {name: array[start : start + step].tobytes() for name, array in arrays.items()}
        yield request(
            "bars",
            sequence,
            columns=int(arrays["close"].shape[1]),
            instrument_ids=names,
            arrays=piece,
            last=start + step >= rows,
        )


def _plain(name: str, array: Any) -> NDArray[Any]:
    return np.ascontiguousarray(array, dtype="<i8" if name == "ts" else "<f8")


def shape_of(bars: Mapping[str, Any]) -> tuple[int, int]:
    """Return (time, instrument) of these bars."""
    rows, columns = np.shape(bars["close"])
    return int(rows), int(columns)


def weights_of(pieces: Sequence[Weights], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the weights that all pieces make.

    Raises
    ------
    InvalidResult
        If they are not of that shape, not finite, or beyond what any strategy may hold.
    """
    if any(tuple(piece.shape) != shape for piece in pieces):
        got = "x".join(map(str, pieces[0].shape[:4])) or "a single value"
        raise InvalidResult(f"weights of shape {got}, asked were {shape[0]}x{shape[1]}.")
    data = b"".join(piece.data for piece in pieces)
    if len(data) != 8 * shape[0] * shape[1]:
        raise InvalidResult(f"weights of {len(data):,} bytes do not fill {shape[0]}x{shape[1]}.")
    weights = np.frombuffer(data, dtype="<f8").reshape(shape)
    if not np.isfinite(weights).all():
        raise InvalidResult("a weight is NaN or infinite; give 0 where nothing is to be held.")
    if weights.size and np.abs(weights).max() > WEIGHT_MAX:
        raise InvalidResult(
            f"a weight of {np.abs(weights).max():g}; at most {WEIGHT_MAX:g} is taken."
        )
    return weights.astype(np.float64)
