"""How long a forecast may be traded on: bars of market time, told by the bars themselves."""

import numpy as np

from trading.indicators.periods import IntArray

WEEK_NS = 7 * 86_400 * 1_000_000_000


def expiry_after(ts: IntArray, valid_bars: int) -> int:
    """Return the market time until which a forecast made of these bars is valid (ns UTC).

    It reaches half a bar behind the close of the `valid_bars`-th bar after the last one, so that a close that comes a
    little late is still served and the close after it never is. When that bar closes is told by what followed the bars
    of the same time in earlier weeks, the longest of them: a Friday's daily bar is followed by one on Monday, an
    evening's by one of the next morning. Without such a bar it is the longest way over so many bars that
    there was. A holiday of which the window holds no like ends a forecast too early; one that it holds lets forecasts of
    that day of the week count until the bar after a holiday, also when there is none.

    Parameters
    ----------
    ts : (time,)
        Close of each bar (ns UTC), rising; more than `valid_bars`.
    """
    usual = int(np.median(np.diff(ts)))
    spans = ts[valid_bars:] - ts[:-valid_bars]
    since = ts[-1] - ts[:-valid_bars]
    is_same_time = (since + usual // 2) % WEEK_NS < usual
    alike = spans[is_same_time & (since > usual)]
    return int(ts[-1]) + int((alike if alike.size else spans).max()) + usual // 2
