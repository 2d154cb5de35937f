"""Returns by calendar month and year."""

from dataclasses import dataclass

import numpy as np

from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray

MONTHS = 12


@dataclass(frozen=True, slots=True, eq=False)
class MonthlyTable:
    """Compound returns (fraction); NaN where there were no bars.

    Attributes
    ----------
    years : (year,) int64
        Every calendar year from the first bar to the last.
    months : (year, 12)
    totals : (year,)
    """

    years: IntArray
    months: FloatArray
    totals: FloatArray


def monthly_table(ts: IntArray, returns: FloatArray) -> MonthlyTable:
    """Return the compound return of each month; a bar belongs to the month (UTC) of its time.

    Parameters
    ----------
    ts : (time,)
        Times of the bars (ns UTC), rising.
    returns : (time,)
        A NaN makes its month and year NaN.
    """
    if not ts.size:
        return MonthlyTable(np.zeros(0, np.int64), np.zeros((0, MONTHS)), np.zeros(0))
    month = ts.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)
    first_year, last_year = int(month[0]) // MONTHS, int(month[-1]) // MONTHS
    count = last_year - first_year + 1
    months = _compound(month - first_year * MONTHS, returns, count * MONTHS).reshape(count, MONTHS)
    totals = _compound(month // MONTHS - first_year, returns, count)
    return MonthlyTable(np.arange(first_year, last_year + 1) + 1970, months, totals)


def _compound(period: IntArray, returns: FloatArray, count: int) -> FloatArray:
    """Compound the returns of each of `count` periods; `period` rises."""
    starts = np.flatnonzero(np.diff(period, prepend=-1))
    result = np.full(count, np.nan)
    result[period[starts]] = np.multiply.reduceat(1.0 + returns, starts) - 1.0
    return result
