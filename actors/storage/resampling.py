"""Longer bars from events or shorter bars. A bar carries the time of its close and exists only after it."""

import numpy as np
import polars as pl

from actors.storage.calendars import Sessions
from actors.storage.kinds import Kind, Table, interval_ns, schema_of
from trading.errors import DataError
from trading.values import NANOS_PER_DAY

_BAR_END = "_bar"


def resample(
    table: Table, interval: str, *, until: int | None = None, sessions: Sessions | None = None
) -> pl.DataFrame:
    """Return bars of `interval`: open of the first row, close of the last, volumes summed.

    Bars begin at whole multiples of the interval since 1970 (UTC). With `sessions`, bars of a day are
    those of the exchange: from open to close, labelled with the close; rows outside are left out.
    Of bars, (start, end] belongs together, since a bar is labelled with its end; of events [start, end).
    Quotes become bars of their mid. A bar without rows does not exist.

    Parameters
    ----------
    until : int or None
        How far the source is complete (ns UTC); a bar that ends later is left out, since more rows may
        belong to it. None is the last row.

    Raises
    ------
    DataError
        If the interval is no multiple of that of the bars, sessions are asked for other than days, or the rows are
        book deltas, which hold no price of a trade.
    """
    step = _step(table, interval, sessions)
    rows = _as_bars(table)
    if rows.is_empty():
        return rows
    latest = int(rows["ts"].max()) if until is None else until  # type: ignore[arg-type]
    is_event = table.kind is not Kind.BAR
    ends = _session_ends(rows["ts"], sessions, is_event=is_event) if sessions else None
    marked = rows.with_columns(_grid_ends(step, is_event=is_event) if ends is None else ends)
    return (
        marked.filter(pl.col(_BAR_END) <= latest)
        .group_by("symbol", _BAR_END, maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
        .rename({_BAR_END: "ts"})
        .select(*schema_of(Kind.BAR))
    )


def _step(table: Table, interval: str, sessions: Sessions | None) -> int:
    step = interval_ns(interval)
    if table.kind is Kind.DELTA:
        raise DataError("book deltas cannot be resampled to bars; trades and quotes can.")
    if table.kind is Kind.BAR and step % interval_ns(table.interval):
        raise DataError(f"bars of {interval} cannot be made of bars of {table.interval}.")
    if sessions and step != NANOS_PER_DAY:
        raise DataError(f"sessions are for bars of 1d, not {interval}.")
    return step


def _as_bars(table: Table) -> pl.DataFrame:
    """Give every row the columns of a bar."""
    if table.kind is Kind.BAR:
        return table.frame
    if table.kind is Kind.TRADE:
        price, volume = pl.col("price"), pl.col("size")
    else:
        price, volume = (pl.col("bid_px") + pl.col("ask_px")) / 2, pl.lit(0.0)
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    return table.frame.select("symbol", "ts", **prices, volume=volume)


def _grid_ends(step: int, *, is_event: bool) -> pl.Expr:
    ts = pl.col("ts")
    number = ts // step + 1 if is_event else (ts + step - 1) // step
    return (number * step).alias(_BAR_END)


def _session_ends(ts: pl.Series, sessions: Sessions, *, is_event: bool) -> pl.Series:
    """Return the close of the session of each row, null outside."""
    moments = ts.to_numpy()
    # An event at the close comes after it; a bar that ends at the close is the session's last.
    at = np.searchsorted(sessions.closes, moments, side="right" if is_event else "left")
    inside = at < sessions.closes.size
    at = np.minimum(at, sessions.closes.size - 1)
    opens = sessions.opens[at]
    inside &= moments >= opens if is_event else moments > opens
    ends = pl.Series(_BAR_END, sessions.closes[at])
    return ends.set(~pl.Series(inside), None)
