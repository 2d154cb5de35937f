"""A value over time: its largest fall, and the Sharpe ratio of its daily changes."""

from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev

from trading.values import NANOS_PER_DAY, ZERO

DAYS_PER_YEAR = 252


class Curve:
    """Follows one value. Capital that is moved in or out is neither a profit nor a loss.

    Floats: this is looked at, it moves no money. A day is a UTC day of market time and counts with
    its last value; the first day is compared with the value at the start.

    Parameters
    ----------
    start : Decimal
        Value, and capital, at the start. When the first value that is added stands on another capital, the
        curve starts there.
    """

    def __init__(self, start: Decimal) -> None:
        self._peak = start
        self._start = float(start)
        self._capital = start
        self._daily: dict[int, float] = {}
        self._moved: defaultdict[int, float] = defaultdict(float)
        self.max_drawdown = 0.0

    def add(self, ts_event: int, value: Decimal, capital: Decimal | None = None) -> None:
        """Add the value at market time `ts_event` (ns UTC).

        Parameters
        ----------
        capital : Decimal or None
            All that was brought in until then; None: no more than before.
        """
        day = ts_event // NANOS_PER_DAY
        moved = ZERO if capital is None else capital - self._capital
        if moved:
            self._capital += moved
            if self._daily:
                self._peak += moved
                self._moved[day] += float(moved)
            else:
                self._peak, self._start = value, float(value)
        if value >= self._peak:
            self._peak = value
        else:
            self.max_drawdown = max(self.max_drawdown, self.drawdown(value))
        self._daily[day] = float(value)

    def drawdown(self, value: Decimal) -> float:
        """Return (peak - value) / peak, in [0, ...); 0 at or above the peak."""
        peak = self._peak
        return float((peak - value) / peak) if peak > 0 and value < peak else 0.0

    def sharpe(self) -> float | None:
        """Return sqrt(252) * mean / standard deviation (n - 1) of the daily returns, zero rate.

        None with fewer than two returns, with a value of zero or less, or when nothing varies.
        """
        values = [self._start, *self._daily.values()]
        if len(values) < 3 or min(values) <= 0:
            return None
        moved = [self._moved.get(day, 0.0) for day in self._daily]
        returns = [
            (after - flow) / before - 1.0
            for (before, after), flow in zip(pairwise(values), moved, strict=True)
        ]
        spread = stdev(returns)
        return sqrt(DAYS_PER_YEAR) * fmean(returns) / spread if spread > 0 else None
