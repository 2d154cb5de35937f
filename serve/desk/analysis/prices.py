"""Stored prices for analyses: up to the market time of the cluster, and named in every answer made of them."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import Field

from actors.feeds.sources import PriceTable, load_prices
from serve.desk.answers import Answer, Provenance, moment
from serve.desk.front_desk import FrontDesk
from trading.errors import ClusterUnreachable, DataError, NotFound
from trading.identifiers import symbol_of
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars
from trading.values import NANOS_PER_DAY

_FIELDS = ("open", "high", "low", "close", "volume")


class PriceData(Answer):
    """The stored prices that an answer was made of."""

    name: str = Field(description="Name of the data source.")
    symbols: list[str]
    first: datetime
    last: datetime
    bars: int


class Computed(Provenance):
    """Base of answers that are computed."""

    method: str = Field(description="How it was computed, in a sentence.")
    data: PriceData


@dataclass(frozen=True, slots=True, eq=False)
class StoredPrices:
    """A price table with the name of its source.

    Attributes
    ----------
    is_cut : bool
        Later bars were left out, because the cluster's market is not there yet.
    """

    source: str
    table: PriceTable
    is_cut: bool

    @property
    def symbols(self) -> list[str]:
        return [symbol_of(name) for name in self.table.instrument_ids]

    def column(self, symbol: str) -> int:
        """Return the column of a symbol: `AAPL`, `aapl` or `AAPL.XNAS`.

        Raises
        ------
        NotFound
            Naming what is nearest.
        """
        wanted, symbols = symbol.strip().upper(), self.symbols
        for names in (symbols, self.table.instrument_ids):
            for column, name in enumerate(names):
                if name.upper() == wanted:
                    return column
        near = difflib.get_close_matches(wanted, symbols, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(symbols[:20])}."
        raise NotFound(f"{self.source} has no prices of {symbol!r}; {hint}")

    def columns(self, symbols: Iterable[str]) -> list[int]:
        """Return the columns of symbols, each once, in the order given. Raises `NotFound`."""
        return list(dict.fromkeys(self.column(symbol) for symbol in symbols))

    def rows_of(self, column: int) -> IntArray:
        """Return the rows in which an instrument has a price."""
        return np.flatnonzero(np.isfinite(self.table.close[:, column]))

    def bars(self, columns: Sequence[int], count: int) -> Bars:
        """Return the newest `count` bars of some columns."""
        rows = slice(max(0, len(self.table) - count), len(self.table))
        names = tuple(self.table.instrument_ids[column] for column in columns)
        fields = {name: getattr(self.table, name)[rows][:, columns] for name in _FIELDS}
        return Bars(self.table.ts[rows], names, **fields)

    def common_closes(self, columns: Sequence[int], days: int) -> tuple[IntArray, FloatArray]:
        """Return times and closes (time, asset) of the bars that all have, in the last `days` calendar days of them."""
        close = self.table.close[:, columns]
        has_all = np.isfinite(close).all(axis=1)
        ts, close = self.table.ts[has_all], close[has_all]
        since = int(np.searchsorted(ts, ts[-1] - days * NANOS_PER_DAY)) if ts.size else 0
        return ts[since:], close[since:]

    def data(self, columns: Iterable[int], ts: IntArray) -> PriceData:
        """Name the prices of some columns at the times `ts` (not empty)."""
        symbols = self.symbols
        return PriceData(
            name=self.source,
            symbols=[symbols[column] for column in columns],
            first=moment(int(ts[0])),
            last=moment(int(ts[-1])),
            bars=int(ts.size),
        )


def prices_of(desk: FrontDesk) -> StoredPrices:
    """Return all prices that were known at the market time of the cluster; all there are when none answers.

    Nobody who trades in a replay shall see its future. A file is read again when it has changed.

    Raises
    ------
    DataError
        If the source cannot be read, or begins after the market time.
    """
    file = Path(desk.source).expanduser()
    changed_ns = file.stat().st_mtime_ns if file.is_file() else 0
    table = _read(desk.source, changed_ns)
    clock_ns = _market_time(desk)
    end = int(np.searchsorted(table.ts, clock_ns, side="right")) if clock_ns else len(table)
    if not end:
        raise DataError(f"{desk.source} begins after {moment(clock_ns)}, where the market is.")
    return _known(desk.source, changed_ns, end)


@lru_cache(maxsize=8)
def _known(source: str, changed_ns: int, end: int) -> StoredPrices:
    """Return the first `end` bars; one object as long as nothing changes, so that more can be kept for it."""
    table = _read(source, changed_ns)
    return StoredPrices(source, _until(table, end), is_cut=end < len(table))


@lru_cache(maxsize=4)
def _read(source: str, changed_ns: int) -> PriceTable:
    return load_prices(source, ())


def _market_time(desk: FrontDesk) -> int:
    try:
        return desk.trading.snapshot().clock_ns
    except ClusterUnreachable:
        return 0


def _until(table: PriceTable, end: int) -> PriceTable:
    """Cut a table; what is one array for several fields stays one."""
    cut = {id(getattr(table, name)): getattr(table, name)[:end] for name in _FIELDS}
    fields = {name: cut[id(getattr(table, name))] for name in _FIELDS}
    return PriceTable(table.ts[:end], table.instrument_ids, **fields)
