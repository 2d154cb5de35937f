"""Raw captures of Binance websockets: `<receive time ns> <message>` per line, often gzipped.

Understood are depthUpdate, trade and bookTicker messages of combined streams, spot and futures, and the REST
snapshot of the book that recorders ask for. All times are those of reception: one clock for all
messages, and what a trader knew. The book is rebuilt as Binance documents: it begins with the
snapshot, and updates that the snapshot holds already are left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl

from actors.storage.kinds import Kind, Table, schema_of
from actors.storage.rows import NAMED_MAX, BadRow, BadRows
from trading.errors import DataError

Level = tuple[str, str]


@dataclass(slots=True)
class _Capture:
    """What has been read so far."""

    file: str
    symbol: str = ""
    quotes: list[tuple[Any, ...]] = field(default_factory=list)
    trades: list[tuple[Any, ...]] = field(default_factory=list)
    depth: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    snapshot: tuple[int, dict[str, Any]] | None = None
    received: int = 0
    last_update: int = 0
    bad_count: int = 0
    bad: list[BadRow] = field(default_factory=list)


def read_capture(file: str, lines: Iterable[bytes]) -> tuple[list[Table], BadRows]:
    """Return the quotes, trades and book deltas of a capture of one symbol, and the bad lines.

    Bad are lines that are no message, go back in time, are of another symbol, or prices and sizes
    that cannot be; also a book update that does not follow the one before it: something is missing.
    """
    capture = _Capture(file)
    for number, line in enumerate(lines, start=1):
        try:
            _take(capture, line)
        except (ValueError, KeyError, TypeError, DataError) as error:
            capture.bad_count += 1
            if len(capture.bad) < NAMED_MAX:
                shown = line[:60].decode("utf-8", "replace").strip()
                capture.bad.append(BadRow(file, number, "message", shown, _reason(error)))
    deltas = list(_deltas(capture))
    tables = [
        Table(kind, "", _frame(kind, capture.symbol, rows))
        for kind, rows in (
            (Kind.QUOTE, capture.quotes), (Kind.TRADE, capture.trades), (Kind.DELTA, deltas),
        )
        if rows
    ]  # fmt: skip
    return tables, BadRows(capture.bad_count, tuple(capture.bad))


def _take(capture: _Capture, line: bytes) -> None:
    stamp, _, text = line.partition(b" ")
    received, message = int(stamp), msgspec.json.decode(text)
    if received < capture.received:
        raise ValueError("is older than the line before it")
    if "lastUpdateId" in message:
        _take_snapshot(capture, received, message)
    else:
        data = message["data"]
        _require_symbol(capture, data["s"])
        match message["stream"].partition("@")[2].partition("@")[0]:
            case "depth":
                _take_depth(capture, received, data)
            case "trade":
                side = "SELL" if data["m"] else "BUY"  # m: the buyer was the maker
                price, size = _price(data["p"]), _size(data["q"])
                capture.trades.append((received, price, size, side))
            case "bookTicker":
                bid, ask = _price(data["b"]), _price(data["a"])
                capture.quotes.append((received, bid, ask, _size(data["B"]), _size(data["A"])))
            case stream:
                raise ValueError(f"is of the unknown stream {stream!r}")
    capture.received = received


def _require_symbol(capture: _Capture, symbol: str) -> None:
    if capture.symbol and symbol != capture.symbol:
        raise ValueError(f"is of {symbol}, the others are of {capture.symbol}")
    capture.symbol = symbol


def _take_snapshot(capture: _Capture, received: int, message: dict[str, Any]) -> None:
    if capture.snapshot is not None:
        raise ValueError("is a second snapshot of the book; capture each connection apart")
    for price, size in (*message["bids"], *message["asks"]):
        _price(price), _size(size)
    capture.snapshot = received, message


def _take_depth(capture: _Capture, received: int, data: dict[str, Any]) -> None:
    """Futures name the update before (`pu`); on spot the first id of an update follows the last."""
    before = data["pu"] if "pu" in data else data["U"] - 1
    last, capture.last_update = capture.last_update, data["u"]
    for price, size in (*data["b"], *data["a"]):
        _price(price), _size(size)
    if last and before != last:
        raise ValueError(f"follows update {before}, not {last}: updates are missing")
    capture.depth.append((received, data))


def _deltas(capture: _Capture) -> Iterable[tuple[Any, ...]]:
    """Removals come before changes, so that no half-applied message crosses the book."""
    start, newest = 0, 0
    if capture.snapshot is not None:
        start, snapshot = capture.snapshot
        newest = snapshot["lastUpdateId"]
        yield from _levels(start, snapshot["bids"], snapshot["asks"])
    for received, data in capture.depth:
        if data["u"] > newest:
            yield from _levels(max(received, start), data["b"], data["a"])


def _levels(ts: int, bids: list[Level], asks: list[Level]) -> list[tuple[Any, ...]]:
    rows = [
        (ts, side, float(price), float(size))
        for side, levels in (("BUY", bids), ("SELL", asks))
        for price, size in levels
    ]
    return sorted(rows, key=lambda row: row[3] > 0)


def _frame(kind: Kind, symbol: str, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    schema = schema_of(kind)
    values = {name: dtype for name, dtype in schema.items() if name not in ("symbol", "sequence")}
    frame = pl.DataFrame(rows, schema=values, orient="row")
    numbered = frame.with_columns(
        symbol=pl.lit(symbol), sequence=pl.int_range(1, frame.height + 1, dtype=pl.Int64)
    )
    return numbered.select(*schema)


def _price(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(f"has the price {text}; it is above 0")
    return value


def _size(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(f"has the size {text}; it is 0 or more")
    return value


def _reason(error: Exception) -> str:
    known = str(error)
    is_ours = known.startswith(("is ", "has ", "follows "))
    return known if is_ours else "is no message of a Binance stream"
