"""Volume-weighted average price, since the session began or over the last rows.

Source: Berkowitz, Logue and Noser (1988), "The Total Cost of Transactions on the NYSE", Journal of Finance 43. A bar
stands for its volume at its typical price.

NaN rule: within a session a row with a NaN is NaN and counts for nothing; in a moving window it makes each row
NaN whose window holds it. NaN also where nothing was traded.
"""

import math

from trading.indicators.periods import IntArray
from trading.indicators.ratio import ratio, ratio_of_numbers
from trading.indicators.recursion import BoolArray, anchored_sum
from trading.indicators.rolling import FloatArray
from trading.indicators.typical_price import typical_price
from trading.indicators.windows import MovingWindow, join_sums, moving_sum
from trading.values import NANOS_PER_DAY


def session_starts(ts: IntArray, opens_at_ns: int = 0) -> BoolArray:
    """Mark the first bar of each daily session.

    The first row is never marked: without the row before it, nobody can tell.

    Parameters
    ----------
    ts : (time,)
        Close of each bar (ns UTC), rising. A bar that closes as a session opens belongs to the one before.
    opens_at_ns : int
        When a session opens, after midnight UTC (ns).
    """
    day = (ts - opens_at_ns - 1) // NANOS_PER_DAY
    xp = ts.__array_namespace__()
    starts: BoolArray = xp.zeros(ts.shape, dtype=xp.bool)
    starts[1:] = day[1:] != day[:-1]
    return starts


def session_vwap(
    high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray, starts: BoolArray
) -> FloatArray:
    """Return the average since the last start. Warm-up: the rows before the first start.

    Parameters
    ----------
    high, low, close, volume : (time, instrument)
    starts : (time,)
        True in the first row of each session.

    Returns
    -------
    (time, instrument)
    """
    value = typical_price(high, low, close) * volume
    known_volume = volume + value * 0.0
    return ratio(anchored_sum(value, starts), anchored_sum(known_volume, starts), math.nan)


class SessionVwap:
    """`session_vwap`, one bar at a time."""

    __slots__ = ("_has_begun", "_value", "_volume")

    def __init__(self) -> None:
        self._has_begun = False
        self._value = self._volume = 0.0

    def update(
        self, high: float, low: float, close: float, volume: float, *, starts: bool
    ) -> float:
        """Return the average after this bar; `starts` says that it is the first of its session."""
        if starts:
            self._has_begun = True
            self._value = self._volume = 0.0
        value = typical_price(high, low, close) * volume
        if not self._has_begun or math.isnan(value):
            return math.nan
        self._value += value
        self._volume += volume
        return ratio_of_numbers(self._value, self._volume, math.nan)


def rolling_vwap(
    high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray, window: int
) -> FloatArray:
    """Return the average over the last `window` rows. Warm-up: `window - 1` rows.

    Parameters
    ----------
    high, low, close, volume : (time, instrument)

    Returns
    -------
    (time, instrument)
    """
    value = typical_price(high, low, close) * volume
    return ratio(moving_sum(value, window), moving_sum(volume, window), math.nan)


class RollingVwap:
    """`rolling_vwap`, one bar at a time."""

    __slots__ = ("_value", "_volume")

    def __init__(self, window: int) -> None:
        self._value, self._volume = (MovingWindow(window, join_sums) for _ in range(2))

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Return the average after this bar."""
        value = self._value.update(typical_price(high, low, close) * volume)[0]
        return ratio_of_numbers(value, self._volume.update(volume)[0], math.nan)
