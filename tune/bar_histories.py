"""Where batch forecasts take the recent bars of a symbol from: a stored data set, or a table in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from actors.feeds.sources import PriceTable
from actors.storage.catalogue import Catalogue
from actors.storage.corporate_actions import adjust
from actors.storage.kinds import Kind
from actors.storage.manifest import StoredFile
from trading.errors import DataError
from trading.forecasting.history import History
from trading.identifiers import symbol_of
from trading.indicators.rolling import FloatArray


class BarHistories(Protocol):
    """Recent bars by symbol. Is sent to every worker."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """All that it has, sorted."""

    def history(self, symbol: str, bars: int) -> History:
        """Return the newest `bars` bars of a symbol, fewer when there are no more.

        Raises
        ------
        DataError
            If they cannot be read.
        """


@dataclass(frozen=True, slots=True, eq=False)
class TableHistories:
    """Bars of a table, made by `table_histories`; rows in which a symbol has no price are not bars of it.

    Attributes
    ----------
    columns : mapping of symbol to its column
    """

    table: PriceTable
    columns: Mapping[str, int]

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(sorted(self.columns))

    def history(self, symbol: str, bars: int) -> History:
        """Return the newest bars of a symbol. See `BarHistories`."""
        column = self.columns[symbol]
        rows = np.flatnonzero(~np.isnan(self.table.close[:, column]))[-bars:]
        return History(
            symbol,
            self.table.ts[rows],
            self.table.close[rows, column],
            _known_volume(self.table.volume[rows, column]),
        )


def table_histories(table: PriceTable) -> TableHistories:
    """Return the bars of a table by symbol.

    Raises
    ------
    DataError
        If two instruments have one symbol.
    """
    columns = {symbol_of(name): column for column, name in enumerate(table.instrument_ids)}
    if len(columns) < len(table.instrument_ids):
        raise DataError("a symbol is in the table twice; forecasts are stored by symbol.")
    return TableHistories(table, columns)


@dataclass(frozen=True, slots=True)
class StoredHistories:
    """Bars of one version of a data set, adjusted for splits and dividends; made by `stored_histories`.

    Attributes
    ----------
    files : mapping of symbol to its files, the newest first
    actions : mapping of symbol to its corporate actions
    """

    catalogue: str
    name: str
    files: Mapping[str, tuple[StoredFile, ...]]
    actions: Mapping[str, pl.DataFrame]

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(sorted(self.files))

    def history(self, symbol: str, bars: int) -> History:
        """Return the newest bars of a symbol. See `BarHistories`."""
        catalogue = Catalogue(self.catalogue)
        frames: list[pl.DataFrame] = []
        for file in self.files[symbol]:
            frames.insert(0, catalogue.read_file(self.name, file))
            if sum(frame.height for frame in frames) >= bars:
                break
        frame = pl.concat(frames).tail(bars)
        if symbol in self.actions:
            frame = adjust(frame, self.actions[symbol])
        ts, close, volume = (frame[name].to_numpy() for name in ("ts", "close", "volume"))
        return History(symbol, ts, close, _known_volume(volume))


def stored_histories(
    catalogue: Catalogue, name: str, interval: str = "1d", symbols: Sequence[str] = ()
) -> StoredHistories:
    """Return the bars of a data set as it is now; an import meanwhile changes nothing.

    On several machines the catalogue must be on storage that all of them share.

    Parameters
    ----------
    symbols
        Empty for all.

    Raises
    ------
    DataError
        If the data set has no bars of that interval, or lacks a symbol.
    """
    files: dict[str, list[StoredFile]] = {}
    for file in catalogue.manifest(name).files:
        if (file.kind, file.interval) == (Kind.BAR, interval):
            files.setdefault(file.symbol, []).append(file)
    missing = [symbol for symbol in symbols if symbol not in files]
    if missing or not files:
        what = f"of {missing[0]}" if missing else "at all"
        raise DataError(f"data set {name!r} has no bars of {interval} {what}.")
    actions = catalogue.actions(name).partition_by("symbol", as_dict=True)
    return StoredHistories(
        catalogue.url,
        name,
        {
            symbol: tuple(sorted(files[symbol], key=lambda file: -file.last))
            for symbol in symbols or files
        },
        {str(symbol): rows for (symbol,), rows in actions.items()},
    )


def _known_volume(volume: FloatArray) -> FloatArray | None:
    """Sources without volumes have zeros."""
    return volume if (volume > 0).any() else None
