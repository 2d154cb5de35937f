"""Quotes, trades and book deltas of the catalogue as messages, in the order of time."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import polars as pl

from actors.storage.catalogue import Catalogue
from actors.storage.kinds import VALUES, Kind
from actors.storage.manifest import StoredFile
from trading.data import BookDelta, QuoteTick, TradeTick
from trading.identifiers import InstrumentId, instrument_id
from trading.values import NANOS_PER_DAY, BookAction, OrderSide

MarketEvent = QuoteTick | TradeTick | BookDelta
EVENT_KINDS = (Kind.DELTA, Kind.TRADE, Kind.QUOTE)
"""Also the order of kinds at the same moment."""
_SIDES = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL, "": None}


def read_events(
    catalogue: Catalogue,
    name: str,
    start: int | None = None,
    end: int | None = None,
    *,
    symbols: Sequence[str] = (),
    kinds: Sequence[Kind] = EVENT_KINDS,
) -> Iterator[MarketEvent]:
    """Yield the events with `start` <= ts < `end` (ns UTC), `ts_event` never falling.

    One day is in memory at a time. `sequence` rises by one per message of one kind and instrument. A
    book that is to be complete must be read from the beginning: deltas say what changes.

    Raises
    ------
    DataError
        If the data set or one of its files is missing or damaged.
    """
    manifest = catalogue.manifest(name)
    files = [
        file
        for file in manifest.files
        if file.kind in kinds
        and (not symbols or file.symbol in symbols)
        and (start is None or file.last >= start)
        and (end is None or file.first < end)
    ]
    files.sort(key=_day)
    for _, of_day in groupby(files, key=_day):
        frames = [_ordered(catalogue.read_file(name, file), file.kind) for file in of_day]
        rows = pl.concat(frames, how="diagonal").sort("ts", "_order", "symbol", "sequence")
        if start is not None:
            rows = rows.filter(pl.col("ts") >= start)
        if end is not None:
            rows = rows.filter(pl.col("ts") < end)
        yield from _messages(rows, manifest.venue)


def _day(file: StoredFile) -> int:
    return file.first // NANOS_PER_DAY


def _ordered(frame: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    return frame.with_columns(_order=pl.lit(EVENT_KINDS.index(kind), dtype=pl.Int8))


def _messages(rows: pl.DataFrame, venue: str) -> Iterator[MarketEvent]:
    ids = {symbol: instrument_id(symbol, venue) for symbol in rows["symbol"].unique()}
    for row in rows.iter_rows(named=True):
        yield _message(row, EVENT_KINDS[row["_order"]], ids[row["symbol"]])


def _message(row: dict[str, Any], kind: Kind, instrument: InstrumentId) -> MarketEvent:
    about: dict[str, Any] = {
        "ts_event": row["ts"],
        "sequence": row["sequence"],
        "instrument_id": instrument,
    }
    if kind is Kind.QUOTE:
        return QuoteTick(**about, **{name: row[name] for name in VALUES[Kind.QUOTE]})
    price, size, side = row["price"], row["size"], row["side"]
    if kind is Kind.TRADE:
        return TradeTick(**about, price=price, size=size, aggressor_side=_SIDES[side])
    action = BookAction.UPDATE if size > 0 else BookAction.DELETE
    return BookDelta(**about, side=OrderSide(side), action=action, price=price, size=size)
