"""How many bars a year holds, read from the times of the bars."""

import math

import numpy as np

from trading.indicators.periods import IntArray
from trading.indicators.returns import TRADING_DAYS_PER_YEAR
from trading.values import NANOS_PER_DAY

YEAR_NANOS = 365.25 * NANOS_PER_DAY
BUSINESS_DAYS_PER_WEEK = 5


def periods_per_year(ts: IntArray) -> float:
    """Return the number of bars in a year of 365.25 days, as the times show it.

    Daily bars on at most five days of the week count as 252 a year, the convention of stock markets.
    A sample shorter than a week of intraday bars has no nights and weekends in it and shows too many: give
    the number yourself then.

    Parameters
    ----------
    ts : (time,)
        Times of the bars (ns UTC), rising.

    Returns
    -------
    float
        NaN with fewer than two bars.
    """
    if ts.size < 2:
        return math.nan
    if _is_daily_business(ts):
        return float(TRADING_DAYS_PER_YEAR)
    return (ts.size - 1) * YEAR_NANOS / float(ts[-1] - ts[0])


def _is_daily_business(ts: IntArray) -> bool:
    middle = (ts.size - 1) // 2
    step = int(np.partition(np.diff(ts), middle)[middle])
    if abs(step - NANOS_PER_DAY) > NANOS_PER_DAY // 8:  # sessions end early, clocks change
        return False
    return int(np.count_nonzero(np.bincount(ts // NANOS_PER_DAY % 7))) <= BUSINESS_DAYS_PER_WEEK
