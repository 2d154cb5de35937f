"""Prices for the laboratory: from a price table, for a span of time, adjusted where they must be."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from actors.feeds.sources import PriceTable
from trading.backtest.engine import Actions, run_backtest
from trading.backtest.result import BacktestResult
from trading.backtest.settings import BacktestSettings
from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars


@dataclass(frozen=True, slots=True, eq=False)
class Quoted:
    """What is traded when strategies look at adjusted prices.

    Attributes
    ----------
    bars : Bars
        As they were quoted, on the rows that strategies see.
    actions : Actions
        On the same rows.
    """

    bars: Bars
    actions: Actions

    def rows(self, start: int, stop: int) -> "Quoted":
        """Return the rows from `start` up to, not including, `stop`."""
        splits, dividends = self.actions.splits, self.actions.dividends
        inside = Actions(splits[start:stop], dividends[start:stop])
        return Quoted(self.bars.rows(start, stop), inside)


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """What strategies look at, and what is traded.

    Attributes
    ----------
    bars : Bars
        Adjusted, so that a split is no fall.
    market : Bars
        As they were quoted; `bars` itself when there are no actions.
    actions : Actions or None
        On the rows of `market`.
    """

    bars: Bars
    market: Bars
    actions: Actions | None = None

    @property
    def quoted(self) -> Quoted | None:
        """What is traded, when that is not `bars`."""
        return None if self.actions is None else Quoted(self.market, self.actions)


def trade(
    bars: Bars, weights: FloatArray, settings: BacktestSettings, quoted: Quoted | None = None
) -> BacktestResult:
    """Return the backtest of weights: on quoted prices where there are some, otherwise on the bars.

    Raises
    ------
    DataError
        Naming the instrument and the bar, when a price or a weight is unusable.
    """
    if quoted is None:
        return run_backtest(bars, weights, settings)
    return run_backtest(quoted.bars, weights, settings, quoted.actions)


def prices_of(
    table: PriceTable, actions: Actions | None = None, start: str = "", end: str = ""
) -> Prices:
    """Return the prices of a table from `start` to `end`, see `bars_of`.

    Parameters
    ----------
    actions : Actions or None
        On the rows of the table.
    """
    market = bars_of(table, start, end)
    if actions is None:
        return Prices(market, market)
    first = int(np.searchsorted(table.ts, market.ts[0]))
    rows = slice(first, first + len(market))
    inside = Actions(actions.splits[rows], actions.dividends[rows])
    return Prices(adjusted(market, inside), market, inside)


def adjusted(market: Bars, actions: Actions) -> Bars:
    """Return prices as if the newest shares had existed always, and dividends had been reinvested.

    Earlier prices are divided by the splits and multiplied by 1 - dividend / (price before it) of everything
    that follows (CRSP's method): returns become total returns. A constant factor on all rows of an
    instrument is what the future adds; decisions that depend on returns alone do not see it.
    """
    before = np.vstack([market.close[:1], market.close[:-1]]) / actions.splits
    paid = np.where(actions.dividends > 0, actions.dividends / before, 0.0)
    units = _product_of_later(actions.splits)
    factor = _product_of_later((1.0 - np.nan_to_num(paid)) / actions.splits)
    prices = {name: getattr(market, name) * factor for name in ("open", "high", "low", "close")}
    return replace(market, **prices, volume=market.volume * units)


def _product_of_later(values: FloatArray) -> FloatArray:
    """Return the product of all rows behind each row."""
    reverse = np.cumprod(values[::-1], axis=0)[::-1]
    product: FloatArray = np.vstack([reverse[1:], np.ones((1, values.shape[1]))])
    return product


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
        datetime(year, month, day, tzinfo=UTC)  # before an end moves on: there is no month 0
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
