"""How the trades went: losing trades in a row, and trades of the day. Market time throughout."""

from bisect import bisect_right
from decimal import Decimal

from trading.market_hours import MarketHours


class TradeResults:
    """Counters that follow from the fills alone.

    A *trade* is an order with a fill; it counts on the day of its first fill. Its *result* is what it
    realised for its strategy, before commissions; an order that closed nothing has none.

    Parameters
    ----------
    hours : MarketHours
        Whose trading days count.
    """

    def __init__(self, hours: MarketHours) -> None:
        self._hours = hours
        self._losses: list[int] = []  # market times, never falling
        self._day = 0
        self._trades = 0

    def add_trade(self, ts_event: int) -> None:
        """Count a trade; one that belongs to a day that is over changes nothing."""
        day = self._hours.day_of(ts_event)
        if day > self._day:
            self._day = day
            self._trades = 0
        self._trades += day == self._day

    def add_result(self, profit: Decimal, ts_event: int) -> None:
        """A trade ended: a loss lengthens the run, anything else ends it."""
        if profit < 0:
            self._losses.append(ts_event)
        else:
            self._losses.clear()

    def consecutive_losses(self, after: int) -> int:
        """Return the losses since the last trade that was none, and later than `after` (ns)."""
        return len(self._losses) - bisect_right(self._losses, after)

    def trades_on(self, day: int) -> int:
        """Return the trades of `day`, or of the later day on which trading already is."""
        return self._trades if self._day >= day else 0

    def durable(self) -> list[object]:
        """Return what two equal folds have in common."""
        return [self._losses, self._day, self._trades]
