"""Reading source files into tables: every file, one order, every bad row named."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from actors.storage.binance_capture import read_capture
from actors.storage.kinds import Kind, Table, interval_ns, schema_of
from actors.storage.layouts import BINANCE_CAPTURE, Layout, layout_named
from actors.storage.lean import lean_file
from actors.storage.parsing import parse
from actors.storage.rows import BadRows, order_rules, split
from actors.storage.source_files import read_bytes, read_cells
from trading.errors import DataError


@dataclass(frozen=True, slots=True)
class Source:
    """Files, and how to read them.

    Attributes
    ----------
    schema : str
        Name of a layout, or the path of a TOML file with one.
    symbol : str
        Of files that do not say it.
    interval : str
        Length of the bars, where the layout does not say it.
    skip_bad : bool
        Leave bad rows out and count them, instead of refusing them all.
    """

    files: tuple[str, ...]
    schema: str
    symbol: str = ""
    interval: str = ""
    skip_bad: bool = False


def read_source(
    source: Source, on_file: Callable[[str], None] = lambda _: None
) -> tuple[list[Table], BadRows]:
    """Return the tables of all files together, and the rows that were skipped.

    Parameters
    ----------
    on_file
        Called with each file that has been read.

    Raises
    ------
    DataError
        If a file or the layout is unusable, or a row is bad and bad rows are not skipped.
    """
    if not source.files:
        raise DataError("there is no file to import.")
    layout = layout_named(source.schema)
    bad = BadRows()
    if layout == BINANCE_CAPTURE:
        return _read_captures(source, on_file)
    parts: dict[tuple[Kind, str], list[pl.DataFrame]] = {}
    for file in source.files:
        kind, interval, frame, refused = _read_file(file, source, layout)
        _refuse(refused, source)
        bad += refused
        parts.setdefault((kind, interval), []).append(frame)
        on_file(file)
    tables = []
    for (kind, interval), frames in parts.items():
        table, refused = _joined(kind, interval, frames)
        _refuse(refused, source)
        bad += refused
        tables.append(table)
    _require_rows(tables, source)
    return tables, bad


def _read_file(
    file: str, source: Source, layout: Layout | str
) -> tuple[Kind, str, pl.DataFrame, BadRows]:
    symbol, day = source.symbol, None
    if isinstance(layout, str):
        found = lean_file(file)
        layout, day = found.layout, found.day
        symbol = symbol or found.symbol
    interval = source.interval or layout.interval
    if layout.kind is Kind.BAR:
        if not interval:
            raise DataError(f"{file}: say how long its bars are with --interval, for example 1m.")
        interval_ns(interval)
    else:
        interval = ""
    cells = read_cells(file, layout)
    frame, bad = parse(file, cells, layout, symbol=symbol, day=day, interval=interval)
    return layout.kind, interval, frame, bad


def _joined(kind: Kind, interval: str, frames: list[pl.DataFrame]) -> tuple[Table, BadRows]:
    """Put the files in the order of their first rows; within a file the order is the file's."""
    filled = [frame for frame in frames if frame.height] or frames[:1]
    filled.sort(key=lambda frame: (frame["ts"].min() or 0, frame["symbol"].min() or ""))
    frame, bad = split(pl.concat(filled), order_rules(kind))
    frame = frame.sort("symbol", "ts", maintain_order=True)
    if kind is not Kind.BAR:
        frame = frame.with_columns(sequence=pl.int_range(1, pl.len() + 1).over("symbol"))
    return Table(kind, interval, frame.select(*schema_of(kind))), bad


def _read_captures(source: Source, on_file: Callable[[str], None]) -> tuple[list[Table], BadRows]:
    """Captures of several symbols may be imported together, one file per symbol."""
    bad = BadRows()
    parts: dict[Kind, list[pl.DataFrame]] = {}
    seen: dict[str, str] = {}
    for file in source.files:
        tables, refused = read_capture(file, read_bytes(file).splitlines())
        _refuse(refused, source)
        bad += refused
        for table in tables:
            symbol = table.frame["symbol"][0]
            if seen.setdefault(symbol, file) != file:
                raise DataError(f"{file} and {seen[symbol]} both hold {symbol}; import one.")
            parts.setdefault(table.kind, []).append(table.frame)
        on_file(file)
    joined = [
        Table(kind, "", pl.concat(frames).sort("symbol", "sequence"))
        for kind, frames in parts.items()
    ]
    _require_rows(joined, source)
    return joined, bad


def _refuse(bad: BadRows, source: Source) -> None:
    if not bad.count or source.skip_bad:
        return
    more = f" {bad.count - 1:,} more rows are bad." if bad.count > 1 else ""
    raise DataError(
        f"{bad.named[0]}.{more} Correct the file, or leave out bad rows with --on-error skip."
    )


def _require_rows(tables: list[Table], source: Source) -> None:
    if not any(table.frame.height for table in tables):
        raise DataError(f"{source.files[0]}: no good row is left.")
