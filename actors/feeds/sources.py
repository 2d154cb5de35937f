"""Price tables from data sets, CSV and Parquet files. Every bad row is named, none is repaired."""

import difflib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from trading.data import Bar
from trading.errors import DataError
from trading.identifiers import InstrumentId, instrument_id

SP500 = "sp500"
LISTING = "XNAS"
"""Second part of the instrument ids of all sources: where their stocks are said to be listed."""
NEW_YORK = ZoneInfo("America/New_York")
SESSION_CLOSE = time(16, 0)
FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, eq=False)
class PriceTable:
    """Bars of several instruments at the same moments.

    Attributes
    ----------
    ts : (time,) int64
        Close of each bar (ns UTC), rising.
    open, high, low, close, volume : (time, instrument) float64
        NaN in a price is a missing bar. Sources with closes alone repeat them; volume is then 0.
    """

    ts: NDArray[np.int64]
    instrument_ids: tuple[InstrumentId, ...]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.ts.size)

    def bars_at(self, index: int) -> tuple[Bar, ...]:
        """Return the bars of one moment; instruments without one are left out."""
        ts = int(self.ts[index])
        return tuple(
            Bar(
                ts_event=ts,
                instrument_id=name,
                open=float(self.open[index, column]),
                high=float(self.high[index, column]),
                low=float(self.low[index, column]),
                close=float(self.close[index, column]),
                volume=float(self.volume[index, column]),
                sequence=index + 1,
            )
            for column, name in enumerate(self.instrument_ids)
            if np.isfinite(self.close[index, column])
        )


def symbols_of(source: str, symbols: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the symbols to trade: those asked for, or all that the source has.

    Raises
    ------
    DataError
        If the source cannot be read or lacks a symbol.
    """
    known = tuple(_closes(source).columns[1:])
    if not known or not all(known):
        raise DataError(f"{source}: every column behind `Date` needs a symbol as its name.")
    if not symbols:
        return known
    for symbol in symbols:
        if symbol not in known:
            near = difflib.get_close_matches(symbol.upper(), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}."
            raise DataError(f"{source} has no symbol {symbol!r}; {hint}")
    return tuple(dict.fromkeys(symbols))


def load_prices(source: str, symbols: Sequence[str]) -> PriceTable:
    """Return the table of `symbols`, in that order.

    Parameters
    ----------
    source : str
        `sp500` (skfolio's 20 stocks, adjusted closes 1990 to 2022), or the path of a CSV or Parquet
        file: `Date` and one column per symbol with closes, or `Date,Ticker,Open,High,Low,Close,Volume`.

    Raises
    ------
    DataError
        If the file, a symbol or a row is missing or wrong; the message names file and row.
    """
    symbols = symbols_of(source, symbols)
    frame = _closes(source)
    ts = _timestamps(source, frame["Date"].to_list())
    arrays: dict[str, NDArray[np.float64]] = {
        "close": frame.select(symbols).to_numpy().astype(np.float64)
    }
    wide = _fields(source)
    for name in FIELDS:
        if name in arrays:
            continue
        if wide is not None and name in wide:
            arrays[name] = wide[name].select(symbols).to_numpy().astype(np.float64)
        else:
            arrays[name] = np.zeros_like(arrays["close"]) if name == "volume" else arrays["close"]
    for name in ("open", "high", "low", "close"):
        _require_positive(source, name, arrays[name], frame["Date"].to_list(), symbols)
    ids = tuple(instrument_id(symbol, LISTING) for symbol in symbols)
    return PriceTable(ts, ids, **arrays)


def _closes(source: str) -> Any:
    """Return a polars frame: `Date`, then one column of closes per symbol."""
    if source == SP500:
        return _sp500()
    frame = _read(source)
    if "Ticker" in frame.columns:
        return _pivot(source, frame, "Close")
    return _checked(source, frame, frame.columns[1:])


def _fields(source: str) -> dict[str, Any] | None:
    if source == SP500:
        return None
    frame = _read(source)
    if "Ticker" not in frame.columns:
        return None
    columns = {name: name.capitalize() for name in FIELDS if name.capitalize() in frame.columns}
    return {name: _pivot(source, frame, column) for name, column in columns.items()}


def _sp500() -> Any:
    """Read the file that `skfolio.datasets.load_sp500_dataset` reads, without importing skfolio.

    The import costs two seconds and a hundred megabytes, which a host that takes over from a dead
    one does not have.
    """
    import polars as pl

    found = importlib.util.find_spec("skfolio")
    folders = found.submodule_search_locations if found is not None else None
    if not folders:
        raise DataError("data.source is `sp500` but the package skfolio is missing; install it.")
    path = Path(folders[0]) / "datasets" / "data" / "sp500_dataset.csv.gz"
    return pl.read_csv(path, try_parse_dates=True)


def _read(source: str) -> Any:
    import polars as pl

    path = Path(source).expanduser()
    if not path.is_file():
        raise DataError(
            f"there is no file {source!r}; data.source is `sp500` or a CSV or Parquet file."
        )
    try:
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, try_parse_dates=True, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{source} cannot be read: {reason}") from error
    if not frame.columns or frame.columns[0] != "Date":
        raise DataError(f"{source}: the first column must be `Date`, found {frame.columns[:1]}.")
    return frame


def _pivot(source: str, frame: Any, column: str) -> Any:
    import polars as pl

    if column not in frame.columns:
        raise DataError(f"{source}: there is no column {column!r}; a file with `Ticker` needs it.")
    checked = _checked(source, frame, [column])
    try:
        return checked.pivot(on="Ticker", index="Date", values=column).sort("Date")
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"{source}: column {column!r} cannot be arranged by Ticker: {reason}"
        ) from error


def _checked(source: str, frame: Any, columns: Sequence[str]) -> Any:
    """Turn columns into numbers, or refuse them, naming the first cell that is none."""
    import polars as pl

    for name in columns:
        is_number = frame[name].dtype.is_numeric()
        plain = frame[name] if is_number else frame[name].cast(pl.String, strict=False)
        numbers = plain.cast(pl.Float64, strict=False)
        bad = numbers.is_null() & frame[name].is_not_null()
        if bad.any():
            row = int(bad.arg_max() or 0)
            raise DataError(
                f"{source}, line {row + 2}, column {name}: {frame[name][row]!r} is not a number."
            )
        frame = frame.with_columns(numbers)
    return frame


def _timestamps(source: str, dates: list[Any]) -> NDArray[np.int64]:
    """Turn dates (close of the New York session) or moments into ns UTC, strictly rising."""
    ts = np.zeros(len(dates), dtype=np.int64)
    for row, moment in enumerate(dates):
        if isinstance(moment, datetime):
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        elif hasattr(moment, "year"):
            aware = datetime.combine(moment, SESSION_CLOSE, tzinfo=NEW_YORK)
        else:
            raise DataError(f"{source}, row {row + 1}: {moment!r} is not a date.")
        ts[row] = int(aware.timestamp()) * 1_000_000_000
        if row and ts[row] <= ts[row - 1]:
            kind = "repeats" if ts[row] == ts[row - 1] else "is older than"
            raise DataError(f"{source}, row {row + 1}: {moment} {kind} the row before it.")
    if not len(ts):
        raise DataError(f"{source} holds no rows.")
    return ts


def _require_positive(
    source: str, field: str, prices: NDArray[np.float64], dates: list[Any], symbols: Sequence[str]
) -> None:
    bad = np.isinf(prices) | (prices <= 0)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"{source}, row {row + 1} ({dates[row]}), {symbols[column]}: {field} is "
            f"{prices[row, column]}; a price is a positive number."
        )
