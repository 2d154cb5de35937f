"""Price tables from the catalogue, and from whatever a user names as a source."""

import difflib
from collections.abc import Sequence

import numpy as np
import polars as pl

from actors.feeds.sources import FIELDS, SP500, PriceTable, load_prices
from actors.storage.calendars import NO_CALENDAR, sessions_between
from actors.storage.catalogue import Catalogue
from actors.storage.kinds import Kind, Table, interval_ns
from actors.storage.manifest import Manifest, StoredTable
from actors.storage.resampling import resample
from trading.errors import DataError
from trading.identifiers import instrument_id

CATALOGUE = "catalogue:"


def open_source(source: str, symbols: Sequence[str], catalogue: Catalogue) -> PriceTable:
    """Return the prices of a source.

    Parameters
    ----------
    source : str
        `sp500`, the path of a CSV or Parquet file (see `actors.feeds.sources`), `catalogue:NAME`, or
        `catalogue:NAME@INTERVAL` for bars of another length.
    symbols
        Empty for all that it has.

    Raises
    ------
    DataError
        If the source or a symbol is missing or wrong.
    """
    if source == SP500 or not source.startswith(CATALOGUE):
        return load_prices(source, symbols)
    name, _, interval = source.removeprefix(CATALOGUE).partition("@")
    return load_table(catalogue, name, symbols, interval=interval)


def load_table(
    catalogue: Catalogue,
    name: str,
    symbols: Sequence[str] = (),
    start: int | None = None,
    end: int | None = None,
    interval: str = "",
    calendar: str = NO_CALENDAR,
) -> PriceTable:
    """Return the bars of a data set that close from `start` up to, not including, `end` (ns UTC).

    Parameters
    ----------
    interval : str
        Empty for the one that is stored. Another is made of the longest stored bars that fit, or else
        of trades or quotes; see `resampling`.
    calendar : str
        For daily bars made of shorter ones: the exchange whose sessions they are.

    Raises
    ------
    DataError
        If the data set, a symbol or the interval is missing, or no bar lies in that time.
    """
    manifest = catalogue.manifest(name)
    table = _table_for(manifest, interval)
    wanted = _known_symbols(manifest.name, table, symbols)
    target = interval or table.interval
    if table.interval == target:
        frame = catalogue.read(name, Kind.BAR, target, wanted, start, end)
    else:
        frame = _resampled(catalogue, manifest, table, wanted, (start, end), target, calendar)
    if frame.is_empty():
        raise DataError(f"data set {name!r} has no bar of {target} in that time.")
    return _arranged(frame, wanted, manifest.venue)


def _table_for(manifest: Manifest, interval: str) -> StoredTable:
    """Return what the bars are read or made of."""
    bars = [table for table in manifest.tables if table.kind is Kind.BAR]
    if not interval and len(bars) == 1:
        return bars[0]
    if not interval:
        stored = ", ".join(table.interval for table in bars) or "no bars"
        raise DataError(f"data set {manifest.name!r} has {stored}; say which interval is meant.")
    step = interval_ns(interval)
    fitting = [table for table in bars if step % interval_ns(table.interval) == 0]
    if fitting:
        return max(fitting, key=lambda table: interval_ns(table.interval))
    for kind in (Kind.TRADE, Kind.QUOTE):
        for table in manifest.tables:
            if table.kind is kind:
                return table
    raise DataError(
        f"data set {manifest.name!r} holds nothing that bars of {interval} are made of."
    )


def _known_symbols(name: str, table: StoredTable, symbols: Sequence[str]) -> tuple[str, ...]:
    for symbol in symbols:
        if symbol not in table.symbols:
            near = difflib.get_close_matches(symbol.upper(), table.symbols, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(table.symbols)}."
            raise DataError(f"data set {name!r} has no symbol {symbol!r}; {hint}")
    return tuple(dict.fromkeys(symbols)) or table.symbols


def _resampled(
    catalogue: Catalogue,
    manifest: Manifest,
    table: StoredTable,
    symbols: tuple[str, ...],
    between: tuple[int | None, int | None],
    interval: str,
    calendar: str,
) -> pl.DataFrame:
    """A bar needs rows from before `start`, and none of `end` or later."""
    start, end = between
    since = None if start is None else start - interval_ns(interval)
    rows = catalogue.read(manifest.name, table.kind, table.interval, symbols, since, end)
    sessions = sessions_between(calendar, table.first, table.last)
    source = Table(table.kind, table.interval, rows)
    frame = resample(source, interval, until=table.last, sessions=sessions)
    if start is not None:
        frame = frame.filter(pl.col("ts") >= start)
    return frame if end is None else frame.filter(pl.col("ts") < end)


def _arranged(frame: pl.DataFrame, symbols: tuple[str, ...], venue: str) -> PriceTable:
    ts = frame["ts"].unique().sort().to_numpy()
    shape = (ts.size, len(symbols))
    arrays = {name: np.full(shape, np.nan) for name in FIELDS}
    arrays["volume"] = np.zeros(shape)
    for column, symbol in enumerate(symbols):
        rows = frame.filter(pl.col("symbol") == symbol)
        at = np.searchsorted(ts, rows["ts"].to_numpy())
        for name in FIELDS:
            arrays[name][at, column] = rows[name].to_numpy()
    ids = tuple(instrument_id(symbol, venue) for symbol in symbols)
    return PriceTable(ts, ids, **arrays)
