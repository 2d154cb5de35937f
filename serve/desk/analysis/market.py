"""What the price source has: its symbols, and their bars."""

from datetime import datetime

from pydantic import Field

from actors.feeds.sources import PriceTable
from serve.desk.analysis.figures import Figure
from serve.desk.analysis.prices import PriceData, prices_of
from serve.desk.answers import Answer, Provenance, Source, moment
from serve.desk.front_desk import FrontDesk
from trading.errors import NotFound, UsageError
from trading.identifiers import symbol_of
from tune.prices import moment_of

BARS_MAX = 10_000


class PriceBar(Answer):
    at: datetime = Field(description="Close of the bar (UTC).")
    open: Figure = Field(description="None where the source has closes alone.")
    high: Figure
    low: Figure
    close: float
    volume: Figure = Field(description="None where the source has no volumes.")


class BarList(Provenance):
    """Bars of one symbol, oldest first."""

    symbol: str
    instrument_id: str
    bars: list[PriceBar]
    left_out: int = Field(description="Older bars of that time that the limit left out.")
    data: PriceData


class SymbolHistory(Answer):
    symbol: str
    instrument_id: str
    first: datetime
    last: datetime
    bars: int


class SymbolList(Provenance):
    symbols: list[SymbolHistory]
    data: PriceData


def symbols(desk: FrontDesk) -> SymbolList:
    """Return every symbol that the source has prices of."""
    stored = prices_of(desk)
    table, rows = stored.table, []
    for column, name in enumerate(table.instrument_ids):
        ts = table.ts[stored.rows_of(column)]
        if ts.size:
            rows.append(
                SymbolHistory(
                    symbol=symbol_of(name),
                    instrument_id=name,
                    first=moment(int(ts[0])),
                    last=moment(int(ts[-1])),
                    bars=int(ts.size),
                )
            )
    return SymbolList(
        source=Source.REGISTRY,
        as_of=moment(int(table.ts[-1])),
        symbols=rows,
        data=stored.data(range(len(table.instrument_ids)), table.ts),
    )


def bars(
    desk: FrontDesk,
    symbol: str,
    start: str | None = None,
    end: str | None = None,
    limit: int = 500,
) -> BarList:
    """Return the newest bars of a symbol.

    Parameters
    ----------
    start, end : str or None
        YYYY, YYYY-MM or YYYY-MM-DD, both included; None is no bound.
    limit : int
        Most bars (1 to 10,000).

    Raises
    ------
    NotFound
        If there is no such symbol, or no bar of it in that time.
    UsageError
        If a date cannot be read or the limit is out of range.
    """
    if not 1 <= limit <= BARS_MAX:
        raise UsageError(f"limit is {limit}, must be from 1 to {BARS_MAX}.")
    stored = prices_of(desk)
    table, column = stored.table, stored.column(symbol)
    name, rows = table.instrument_ids[column], stored.rows_of(column)
    since = moment_of(start) if start else int(table.ts[0])
    until = moment_of(end, is_end=True) if end else int(table.ts[-1]) + 1
    inside = rows[(table.ts[rows] >= since) & (table.ts[rows] < until)]
    if not inside.size:
        raise NotFound(
            f"there are no bars of {symbol_of(name)} in that time; {desk.source} has it from "
            f"{moment(int(table.ts[rows[0]])).date()} to {moment(int(table.ts[rows[-1]])).date()}."
        )
    newest = inside[-limit:]
    return BarList(
        source=Source.REGISTRY,
        as_of=moment(int(table.ts[newest[-1]])),
        symbol=symbol_of(name),
        instrument_id=name,
        bars=[_bar(table, int(row), column) for row in newest],
        left_out=int(inside.size - newest.size),
        data=stored.data([column], table.ts[newest]),
    )


def _bar(table: PriceTable, row: int, column: int) -> PriceBar:
    has_range = table.open is not table.close
    has_volume = bool(table.volume[:, column].any())
    return PriceBar(
        at=moment(int(table.ts[row])),
        open=table.open[row, column] if has_range else None,
        high=table.high[row, column] if has_range else None,
        low=table.low[row, column] if has_range else None,
        close=table.close[row, column],
        volume=table.volume[row, column] if has_volume else None,
    )
