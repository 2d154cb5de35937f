"""From the cells of one file to rows of the catalogue."""

import re
from collections.abc import Mapping
from datetime import date

import polars as pl

from actors.storage.kinds import VALUES, Kind
from actors.storage.layouts import OPTIONAL, Layout
from actors.storage.rows import FILE, TIME_CELL, BadRows, Rule, split, value_rules
from actors.storage.source_files import LINE
from actors.storage.times import timestamps
from trading.errors import DataError

SYMBOL_PATTERN = r"^[A-Za-z0-9._^-]+$"
"""Symbols are names of folders."""
_SIDES = {
    "buy": "BUY",
    "b": "BUY",
    "bid": "BUY",
    "sell": "SELL",
    "s": "SELL",
    "a": "SELL",
    "ask": "SELL",
}


def parse(
    file: str, cells: pl.DataFrame, layout: Layout, *, symbol: str, day: date | None, interval: str
) -> tuple[pl.DataFrame, BadRows]:
    """Return the good rows (columns of the kind, file, line, time as written) and the bad ones.

    Parameters
    ----------
    symbol : str
        Of all rows, where the file has no column for it.

    Raises
    ------
    DataError
        If no symbol is known, or a symbol cannot be the name of a folder.
    """
    frame = _melted(cells, layout) if layout.is_wide else _picked(file, cells, layout, symbol)
    ts = timestamps(frame["raw.time"], layout, day, interval)
    frame = frame.with_columns(
        ts.alias("ts"),
        pl.lit(file).alias(FILE),
        pl.col("raw.time").cast(pl.String).alias(TIME_CELL),
    )
    raw = [name.removeprefix("raw.") for name in frame.columns if name.startswith("raw.")]
    present = {name: layout.columns.get(name, name) for name in raw if name != "time"}
    frame = frame.with_columns(_converted(name) for name in present)
    good, unreadable = split(frame, _conversion_rules(layout.columns["time"], present))
    good, wrong = split(_completed(good, layout), value_rules(layout.kind, present))
    columns = ["symbol", "ts", *VALUES[layout.kind], FILE, LINE, TIME_CELL]
    return good.select(columns), unreadable + wrong


def _melted(cells: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """A row per date and symbol; an empty cell is a symbol that did not trade, not an error."""
    time = layout.columns["time"]
    symbols = [name for name in cells.columns if name not in (LINE, time)]
    melted = cells.unpivot(
        index=[LINE, time], on=symbols, variable_name="symbol", value_name="raw.close"
    )
    _require_symbols("the header", melted["symbol"])
    return melted.rename({time: "raw.time"}).drop_nulls("raw.close")


def _picked(file: str, cells: pl.DataFrame, layout: Layout, symbol: str) -> pl.DataFrame:
    present = {ours: theirs for ours, theirs in layout.columns.items() if theirs in cells.columns}
    named = present.pop("symbol", None)
    if named is None and not symbol:
        raise DataError(f"{file} has no column with symbols; say which one it is with --symbol.")
    owner = pl.lit(symbol) if named is None else pl.col(named).cast(pl.String)
    picked = cells.select(
        LINE, owner.alias("symbol"), *(pl.col(t).alias(f"raw.{o}") for o, t in present.items())
    )
    _require_symbols(file, picked["symbol"])
    return picked


def _require_symbols(file: str, symbols: pl.Series) -> None:
    for symbol in symbols.unique():
        if symbol is None or not re.match(SYMBOL_PATTERN, symbol):
            raise DataError(
                f"{file}: {symbol!r} is no symbol; letters, digits and . _ ^ - are allowed."
            )


def _converted(name: str) -> pl.Expr:
    raw = pl.col(f"raw.{name}")
    if name == "side":
        text = raw.cast(pl.String).fill_null("")
        return text.str.to_lowercase().replace_strict(_SIDES, default=text).alias(name)
    return raw.cast(pl.Float64, strict=False).alias(name)


def _conversion_rules(time: str, present: Mapping[str, str]) -> list[Rule]:
    rules = [Rule(time, pl.col("ts").is_null(), pl.col(TIME_CELL), "is not a time")]
    for name, theirs in present.items():
        is_bad, cell = pl.col(name).is_null(), pl.col(f"raw.{name}")
        rules.append(Rule(theirs, is_bad, cell, "is not a number"))
    return rules


def _completed(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Add the columns that the source lacks: mids of two sides, closes for open, 0 for sizes."""
    if layout.is_two_sided:
        frame = frame.with_columns(
            ((pl.col(f"bid_{name}") + pl.col(f"ask_{name}")) / 2).alias(name)
            for name in VALUES[Kind.BAR][:4]
        )
    missing = [name for name in VALUES[layout.kind] if name not in frame.columns]
    return frame.with_columns(_stand_in(name).alias(name) for name in missing)


def _stand_in(name: str) -> pl.Expr:
    if name == "side":
        return pl.lit("")
    return pl.lit(0.0) if name in OPTIONAL else pl.col("close")
