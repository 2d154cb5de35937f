"""Calendar periods as pure functions of timestamps: when a month (or several) begins."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

BARS_PER_MONTH_MAX = 31
"""Most daily bars that a calendar month can hold, also in markets without weekends."""


def period_starts(ts: IntArray, months: int) -> NDArray[np.bool_]:
    """Mark the first row of each period of `months` calendar months (UTC), counted from January 1970.

    The first row is never marked: without the row before it, nobody can tell.

    Parameters
    ----------
    ts : (time,)
        Times (ns UTC), rising.
    months : int
        Length of a period (1 to 12).
    """
    period = ts.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64) // months
    starts = np.zeros(ts.shape, dtype=np.bool_)
    starts[1:] = period[1:] != period[:-1]
    return starts


def row_of_last(marks: NDArray[np.bool_]) -> IntArray:
    """Return, for each row, the row of the last mark up to and including it (-1 before the first).

    Parameters
    ----------
    marks : (time,)
    """
    rows: IntArray = np.maximum.accumulate(np.where(marks, np.arange(marks.size), -1))
    return rows
