"""Bars for the laboratory: from a price table, for a span of time."""

from datetime import UTC, datetime

import numpy as np

from actors.feeds.sources import PriceTable
from trading.errors import DataError, UsageError
from trading.strategies.strategy import Bars


def moment_of(text: str, *, is_end: bool = False) -> int:
    """Return the begin of a year, month or day, or, for an end, that of the next one (ns UTC).

    Raises
    ------
    UsageError
        If the text is none of YYYY, YYYY-MM and YYYY-MM-DD.
    """
    parts = text.split("-")
    try:
        numbers = [int(part) for part in parts]
        year, month, day = (*numbers, 1, 1)[:3] if len(numbers) <= 3 else (0, 0, 0)
        if is_end and len(numbers) == 1:
            year += 1
        elif is_end and len(numbers) == 2:
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        seconds = datetime(year, month, day, tzinfo=UTC).timestamp()
    except ValueError:
        raise UsageError(f"{text!r} is no date; give YYYY, YYYY-MM or YYYY-MM-DD.") from None
    seconds += 86_400 if is_end and len(parts) == 3 else 0
    return int(seconds) * 1_000_000_000


def bars_of(table: PriceTable, start: str = "", end: str = "") -> Bars:
    """Return the bars of a table from `start` to `end`, both included; empty is no bound.

    Raises
    ------
    UsageError
        If a date cannot be read.
    DataError
        If no bar lies between them.
    """
    first = int(np.searchsorted(table.ts, moment_of(start))) if start else 0
    last = int(np.searchsorted(table.ts, moment_of(end, is_end=True))) if end else len(table)
    if first >= last:
        days = [datetime.fromtimestamp(int(table.ts[i]) / 1e9, UTC).date() for i in (0, -1)]
        raise DataError(
            f"there are no bars from {start or 'the begin'} to {end or 'the end'}; the data go from "
            f"{days[0]} to {days[1]}."
        )
    return Bars(
        table.ts,
        table.instrument_ids,
        table.close,
        table.open,
        table.high,
        table.low,
        table.volume,
    ).rows(first, last)
