"""Splits and dividends: what they do to prices, and when they happen to holders.

A table of actions has a row per event: `symbol`, `ex_date` (the first day without the right), `kind` and `value`.
A split's value is units after over units before (4.0 for 4:1, 0.1 for a 1:10 reverse split). A dividend's is
cash per unit held on the ex-date, after a split of the same day.
"""

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from actors.feeds.sources import PriceTable
from actors.storage.kinds import Kind
from actors.storage.layouts import Layout
from actors.storage.source_files import LINE, read_cells
from trading.errors import DataError
from trading.identifiers import symbol_of

if TYPE_CHECKING:
    from trading.backtest.engine import Actions

SPLIT = "split"
DIVIDEND = "dividend"
NEW_YORK = "America/New_York"
ACTIONS_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "ex_date": pl.Date(),
    "kind": pl.String(),
    "value": pl.Float64(),
}
_PRICES = ("open", "high", "low", "close")
_ANY = Layout(kind=Kind.TRADE, columns={"time": "ex_date", "symbol": "symbol", "price": "value"})


def no_actions() -> pl.DataFrame:
    """Return an empty table."""
    return pl.DataFrame(schema=ACTIONS_SCHEMA)


def read_actions(file: str) -> pl.DataFrame:
    """Return the actions in a CSV or Parquet file with the columns symbol, ex_date, kind, value.

    Raises
    ------
    DataError
        Naming the file, line and column of the first row that cannot be right.
    """
    cells = read_cells(file, _ANY)
    if "kind" not in cells.columns:
        raise DataError(f"{file} has no column 'kind'; it says split or dividend.")
    dates = pl.col("ex_date")
    if cells["ex_date"].dtype == pl.String:
        dates = dates.str.to_date("%Y-%m-%d", strict=False)
    frame = cells.with_columns(
        dates.cast(pl.Date),
        pl.col("kind").str.to_lowercase(),
        pl.col("value").cast(pl.Float64, strict=False),
    )
    good = {
        "symbol": pl.col("symbol").is_not_null(),
        "ex_date": pl.col("ex_date").is_not_null(),
        "kind": pl.col("kind").is_in([SPLIT, DIVIDEND]),
        "value": pl.col("value").is_finite() & (pl.col("value") > 0),
    }
    wrong = frame.filter(~pl.all_horizontal(rule.fill_null(value=False) for rule in good.values()))
    if wrong.height:
        column = next(
            name
            for name, rule in good.items()
            if not wrong[:1].select(rule.fill_null(value=False)).item()
        )
        line = wrong[LINE][0]
        shown = cells.filter(pl.col(LINE) == line)[column][0]
        raise DataError(
            f"{file}, line {line}, column {column}: {shown!r} cannot be; {_LEGAL[column]}."
        )
    return _merged(file, frame.select(*ACTIONS_SCHEMA))


def adjust(frame: pl.DataFrame, actions: pl.DataFrame, time_zone: str = NEW_YORK) -> pl.DataFrame:
    """Return bars as if every split and dividend had happened before the first one.

    Prices before an ex-date are divided by the ratio of a split, volumes multiplied by it. A dividend D
    scales prices before its ex-date by 1 - D / P, P the last close before it (after the split of the
    same day): the returns of the adjusted closes are those of who reinvests at that close, the CRSP and
    Yahoo convention. The newest prices stay as they are.

    Parameters
    ----------
    frame : polars.DataFrame
        Bars: symbol, ts, open, high, low, close, volume; sorted.
    time_zone : str
        Where an ex-date is a date.

    Raises
    ------
    DataError
        If a dividend is not smaller than the price before it.
    """
    adjusted = []
    for rows in frame.partition_by("symbol", maintain_order=True):
        prices, units = _factors(rows, actions, time_zone)
        adjusted.append(
            rows.with_columns(
                *((pl.col(name) * pl.Series(prices)).alias(name) for name in _PRICES),
                (pl.col("volume") * pl.Series(units)).alias("volume"),
            )
        )
    return pl.concat(adjusted) if adjusted else frame


def action_arrays(table: PriceTable, actions: pl.DataFrame, time_zone: str = NEW_YORK) -> "Actions":
    """Return the actions on the bars of a table, for the vector gear.

    An action stands at the first bar with a price on or after its ex-date; actions before the first such
    bar, or after the last, happen to nobody.

    Returns
    -------
    Actions
        `splits` (1 where nothing happens) and `dividends` (0), both (time, instrument).
    """
    from trading.backtest.engine import Actions

    splits, dividends = np.ones_like(table.close), np.zeros_like(table.close)
    for column, name in enumerate(table.instrument_ids):
        rows = np.flatnonzero(np.isfinite(table.close[:, column]))
        days = _days(pl.Series(table.ts[rows]), time_zone)
        for at, kind, value in _placed(days, symbol_of(name), actions):
            if kind == SPLIT:
                splits[rows[at], column] *= value
            else:
                dividends[rows[at], column] += value
    return Actions(splits=splits, dividends=dividends)


_LEGAL = {
    "symbol": "it must be there",
    "ex_date": "write YYYY-MM-DD",
    "kind": "write split or dividend",
    "value": "it is a number above 0",
}


def _merged(file: str, frame: pl.DataFrame) -> pl.DataFrame:
    repeated = frame.filter(frame.is_duplicated())
    if repeated.height:
        symbol, day, kind, _ = repeated.row(0)
        raise DataError(f"{file} has the {kind} of {symbol} on {day} twice.")
    return frame.sort("symbol", "ex_date", "kind", "value")


def _factors(
    rows: pl.DataFrame, actions: pl.DataFrame, time_zone: str
) -> tuple["np.ndarray", "np.ndarray"]:
    """Return what the prices and volumes of one symbol are multiplied by."""
    prices, units = np.ones(rows.height), np.ones(rows.height)
    close = rows["close"].to_numpy()
    splits: dict[int, float] = {}
    placed = _placed(_days(rows["ts"], time_zone), rows["symbol"][0], actions)
    for at, _, ratio in (each for each in placed if each[1] == SPLIT):
        splits[at] = splits.get(at, 1.0) * ratio
        prices[:at] /= ratio
        units[:at] *= ratio
    cash: dict[int, float] = {}
    for at, _, value in (each for each in placed if each[1] == DIVIDEND and each[0] > 0):
        cash[at] = cash.get(at, 0.0) + value
    for at, value in cash.items():
        before = close[at - 1] / splits.get(at, 1.0)
        if value >= before:
            raise DataError(
                f"{rows['symbol'][0]}: a dividend of {value} is not below the price {before} "
                "before it; prices that are adjusted already need no actions."
            )
        prices[:at] *= 1 - value / before
    return prices, units


def _placed(days: pl.Series, symbol: str, actions: pl.DataFrame) -> list[tuple[int, str, float]]:
    """Return (bar, kind, value) of the actions of one symbol that fall on its bars."""
    found = []
    for ex_date, kind, value in (
        actions.filter(pl.col("symbol") == symbol).select("ex_date", "kind", "value").rows()
    ):
        at = _first_at(days, ex_date)
        if at < days.len() and ex_date >= days[0]:
            found.append((at, kind, value))
    return found


def _first_at(days: pl.Series, day: date) -> int:
    return int(days.search_sorted(day, side="left"))


def _days(ts: pl.Series, time_zone: str) -> pl.Series:
    """Return the local day of each bar; a bar that closes at midnight belongs to the day before."""
    last_ns = (ts - 1).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    return last_ns.dt.convert_time_zone(time_zone).dt.date()
