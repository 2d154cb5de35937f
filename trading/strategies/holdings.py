"""What a leader discloses in reports, as the signal LEADER_WEIGHT. What it trades is in `published`.

A holding is known when it was *disclosed*, never on the day that it was reported for: managers of more than 100
million dollars report to the SEC on Form 13F up to 45 days after the end of a quarter (17 CFR 240.13f-1), long
positions in listed securities alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Literal, TypeAlias

import numpy as np

from trading.errors import DataError
from trading.identifiers import InstrumentId, symbol_of
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.values import NANOS_PER_DAY

HoldingUnit: TypeAlias = Literal["value", "shares", "weight"]
"""What a holding's amount is: money, a number of shares, or a fraction of the leader's capital."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One line of a disclosure.

    Attributes
    ----------
    report_date : date
        Day that the holding is reported for.
    disclosed_date : date
        Day on which it was made public; it counts as known from the end of that day (UTC).
    symbol : str
        Of the instrument, without the venue.
    amount : float
        Signed; its unit is the same in all lines.
    """

    report_date: date
    disclosed_date: date
    symbol: str
    amount: float


def weights_of_holdings(
    holdings: Iterable[Holding],
    ts: IntArray,
    instrument_ids: Sequence[InstrumentId],
    unit: HoldingUnit = "value",
    close: FloatArray | None = None,
) -> FloatArray:
    """Return LEADER_WEIGHT (time, instrument): at each bar the newest report among those disclosed before.

    The lines of one report date and one disclosed date are a whole portfolio; a later disclosure for the same
    report date replaces it (amendments that only add lines must be joined with the original first).
    Lines of one symbol add up; its instruments on several venues each get its weight. Values and shares
    become fractions of the portfolio's gross value, which counts the symbols that are not among the
    instruments too.

    Parameters
    ----------
    ts : (time,)
        Close of each bar (ns UTC), rising.
    unit : {"value", "shares", "weight"}
        Of all amounts.
    close : (time, instrument) or None
        Prices of the bars; needed for shares, which are valued at the last bar of the report date. Prices that
        were adjusted for later splits need shares that were adjusted too.

    Returns
    -------
    (time, instrument)
        NaN before the first disclosure; 0 for what is not in the portfolio.

    Raises
    ------
    DataError
        If a line was disclosed before its report date, has an amount that is not a finite number, or is in
        shares and has no price at its report date.
    """
    lines = sorted(holdings, key=lambda line: (line.disclosed_date, line.report_date))
    _check_lines(lines)
    prices = _Prices(ts, instrument_ids, close) if unit == "shares" else None
    known_from: list[int] = []
    portfolios: list[FloatArray] = []
    newest = date.min
    for (disclosed, report), portfolio in groupby(
        lines, key=lambda line: (line.disclosed_date, line.report_date)
    ):
        if report >= newest:
            newest = report
            amounts = _amounts(portfolio, prices)
            gross = 1.0 if unit == "weight" else sum(map(abs, amounts.values()))
            ours = [amounts.get(symbol_of(name), 0.0) for name in instrument_ids]
            known_from.append(end_of_day(disclosed))
            portfolios.append(np.array(ours) / (gross or 1.0))
    return in_force(known_from, portfolios, ts, len(instrument_ids))


def lag_cost(traded: FloatArray, leader_price: FloatArray, our_price: FloatArray) -> FloatArray:
    """Return what it cost that we traded later than the leader: traded * (our_price / leader_price - 1).

    Parameters
    ----------
    traded : array
        Signed value of our trade at the leader's price (> 0 bought, < 0 sold): money, or a fraction of
        the capital.
    leader_price, our_price : array
        Of one unit (> 0), of the same shape or broadcast.

    Returns
    -------
    array
        In the unit of `traded`; > 0 where we paid more or got less than the leader. NaN with a NaN price.
    """
    cost: FloatArray = traded * (our_price / leader_price - 1.0)
    return cost


class _Prices:
    """The last price of each symbol on a day."""

    def __init__(
        self, ts: IntArray, instrument_ids: Sequence[InstrumentId], close: FloatArray | None
    ) -> None:
        if close is None:
            raise DataError("Holdings in shares need prices: pass the closes of the bars.")
        self._ts, self._close = ts, close
        self._column = {symbol_of(name): i for i, name in enumerate(instrument_ids)}

    def at(self, day: date, symbol: str) -> float:
        row = int(np.searchsorted(self._ts, end_of_day(day))) - 1
        column = self._column.get(symbol)
        price = self._close[row, column] if row >= 0 and column is not None else np.nan
        if not np.isfinite(price):
            raise DataError(
                f"Holding of {symbol} on {day}: no price to value its shares; give values instead."
            )
        return float(price)


def _amounts(portfolio: Iterable[Holding], prices: _Prices | None) -> dict[str, float]:
    """Sum of the amounts of each symbol; shares at their prices."""
    amounts: dict[str, float] = {}
    for line in portfolio:
        price = prices.at(line.report_date, line.symbol) if prices else 1.0
        amounts[line.symbol] = amounts.get(line.symbol, 0.0) + line.amount * price
    return amounts


def _check_lines(lines: Iterable[Holding]) -> None:
    for line in lines:
        if line.disclosed_date < line.report_date:
            raise DataError(
                f"Holding of {line.symbol}: disclosed on {line.disclosed_date}, before its report date "
                f"{line.report_date}; correct the dates."
            )
        if not np.isfinite(line.amount):
            raise DataError(
                f"Holding of {line.symbol} on {line.report_date}: the amount is {line.amount}; "
                "it must be a finite number."
            )


def in_force(
    known_from: Sequence[int], portfolios: Sequence[FloatArray], ts: IntArray, instruments: int
) -> FloatArray:
    """Return, at each of `ts`, the last portfolio that is known by then; NaN before the first.

    Parameters
    ----------
    known_from : sequence of int
        When each portfolio became known (ns UTC), not falling.
    """
    nothing = np.full(instruments, np.nan)
    known = np.searchsorted(np.array(known_from, dtype=np.int64), ts, side="right")
    weights: FloatArray = np.vstack([nothing, *portfolios])[known]
    return weights


def end_of_day(day: date) -> int:
    """Return the first moment of the next day (ns UTC): from then on what happened on the day is known."""
    return (day.toordinal() + 1 - date(1970, 1, 1).toordinal()) * NANOS_PER_DAY
