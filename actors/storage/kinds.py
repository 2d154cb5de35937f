"""The kinds of market data that the catalogue holds, and their columns."""

import re
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from trading.errors import DataError

SCHEMA_VERSION = 1
"""Rises when a column changes its meaning; an older reader refuses a newer data set."""

_UNITS_NS = {
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}


class Kind(StrEnum):
    """What one row is. Every row has `symbol` and `ts` (ns UTC).

    BAR: `ts` is the close of the bar. QUOTE, TRADE, DELTA: `ts` is when it happened; `sequence` rises by
    one per row of one symbol. DELTA: the new size at one price level of the book, 0 removes it.
    """

    BAR = "bar"
    QUOTE = "quote"
    TRADE = "trade"
    DELTA = "delta"


VALUES: dict[Kind, tuple[str, ...]] = {
    Kind.BAR: ("open", "high", "low", "close", "volume"),
    Kind.QUOTE: ("bid_px", "ask_px", "bid_size", "ask_size"),
    Kind.TRADE: ("price", "size", "side"),
    Kind.DELTA: ("side", "price", "size"),
}
"""Columns behind `symbol` and `ts` (and `sequence`); all are float64 but `side` (BUY, SELL or empty)."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of one kind, sorted by symbol, then time.

    Attributes
    ----------
    interval : str
        Length of the bars, for example `1m`; empty for events.
    frame : polars.DataFrame
        Columns as `schema_of(kind)`.
    """

    kind: Kind
    interval: str
    frame: pl.DataFrame


def schema_of(kind: Kind) -> dict[str, pl.DataType]:
    """Return the columns of a table and their types."""
    schema: dict[str, pl.DataType] = {"symbol": pl.String(), "ts": pl.Int64()}
    if kind is not Kind.BAR:
        schema["sequence"] = pl.Int64()
    for name in VALUES[kind]:
        schema[name] = pl.String() if name == "side" else pl.Float64()
    return schema


def interval_ns(interval: str) -> int:
    """Return the length of an interval such as `30s`, `1m`, `4h` or `1d` in nanoseconds.

    Raises
    ------
    DataError
        If it is not a number and one of s, m, h, d.
    """
    match = re.fullmatch(r"([1-9]\d*)([smhd])", interval)
    if match is None:
        raise DataError(f"{interval!r} is no interval; write for example 30s, 1m, 4h or 1d.")
    return int(match[1]) * _UNITS_NS[match[2]]
