"""What one check found."""

from datetime import UTC, datetime

import msgspec

from trading.strategies.strategy import Bars


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the verdict.

    Attributes
    ----------
    check : str
        Name of the check.
    passed : bool
    text : str
        One sentence: what was seen, and where first.
    bar : int or None
        Number of the bar that the sentence is about, counted from 1.
    instrument : str or None
        The instrument that it is about.
    """

    check: str
    passed: bool
    text: str
    bar: int | None = None
    instrument: str | None = None


def found_at(check: str, bars: Bars, row: int, column: int, text: str) -> Finding:
    """Return the finding that `check` failed at this row and column, which open the sentence."""
    instrument = str(bars.instrument_ids[column])
    place = f"{instrument} at {bar_of(bars, row)}"
    return Finding(
        check=check, passed=False, text=f"{place}: {text}", bar=row + 1, instrument=instrument
    )


def bar_of(bars: Bars, row: int) -> str:
    """Return how a sentence names the bar: its number, counted from 1, and its day (UTC)."""
    day = datetime.fromtimestamp(int(bars.ts[row]) // 10**9, UTC).date()
    return f"bar {row + 1} ({day})"
