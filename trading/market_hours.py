"""When a market is open, and which trading day a moment belongs to."""

from bisect import bisect_left, bisect_right
from itertools import pairwise

import msgspec

from trading.values import NANOS_PER_DAY


class MarketHours(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions of one market. Without any, it is always open and days are those of UTC.

    Attributes
    ----------
    opens, closes : tuple of int
        Begin and end of each session (ns UTC, both belong to it), in order, without overlap.

    Raises
    ------
    ValueError
        If they are not in order.
    """

    opens: tuple[int, ...] = ()
    closes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        bounds = [moment for pair in zip(self.opens, self.closes, strict=True) for moment in pair]
        if any(left > right for left, right in pairwise(bounds)):
            raise ValueError("sessions must be in order and must not overlap")

    def is_open(self, ts: int) -> bool:
        """Return whether a session is on at `ts` (ns UTC)."""
        if not self.opens:
            return True
        session = bisect_right(self.opens, ts) - 1
        return session >= 0 and ts <= self.closes[session]

    def next_open(self, ts: int) -> int:
        """Return when the first session after `ts` begins (ns UTC); without sessions the next day of UTC."""
        session = bisect_right(self.opens, ts)
        if session < len(self.opens):
            return self.opens[session]
        return (ts // NANOS_PER_DAY + 1) * NANOS_PER_DAY

    def day_of(self, ts: int) -> int:
        """Return the trading day of `ts`: the UTC date, counted from 1970-01-01, of the close that comes next.

        What happens after a close belongs to the next session's day.
        """
        return self.end_of_day(ts) // NANOS_PER_DAY

    def end_of_day(self, ts: int) -> int:
        """Return the last moment (ns UTC) of the trading day of `ts`."""
        session = bisect_left(self.closes, ts)
        if session < len(self.closes):
            return self.closes[session]
        day = ts // NANOS_PER_DAY
        if self.closes:  # days of UTC again, the first of them is the one behind the last session
            day = max(day, self.closes[-1] // NANOS_PER_DAY + 1)
        return (day + 1) * NANOS_PER_DAY - 1


ALWAYS_OPEN = MarketHours()
