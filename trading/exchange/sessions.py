"""When an order may trade: in the session, around it when it says so, or in one auction.

An auction takes what was accepted before it. The opening auction is at the first slice of a session, with its
prices; the closing auction at the slice that closes it, or when the next one shows that it is over, with the
last prices before. Without sessions every day of UTC is one.
"""

from trading.commands import SubmitOrder
from trading.exchange.orders import VenueOrder
from trading.market_hours import ALWAYS_OPEN, MarketHours
from trading.values import OrderType, TimeInForce


class Sessions:
    """The sessions of a venue, and what time it is there.

    Attributes
    ----------
    time : int
        Market time (ns UTC).
    """

    def __init__(self, hours: MarketHours = ALWAYS_OPEN) -> None:
        self._hours = hours
        self.time = 0

    @property
    def is_open(self) -> bool:
        return self._hours.is_open(self.time)

    def day_of(self, ts: int) -> int:
        """Return the trading day of `ts`, counted from 1970-01-01."""
        return self._hours.day_of(ts)

    def begins_at(self, order: SubmitOrder, ts: int) -> int:
        """Return the market time (ns UTC) from which an order accepted at `ts` may trade; 0 is at once.

        Orders without a price that come between sessions wait for the next; those with one rest until it is on.
        """
        match order.time_in_force:
            case TimeInForce.OPG:
                return self._hours.next_open(ts)
            case TimeInForce.CLS:
                return self._hours.end_of_day(ts + 1)
            case _:
                is_market = order.order_type is OrderType.MARKET
                is_on = self._hours.is_open(ts)
                return self._hours.next_open(ts) if is_market and not is_on else 0

    def is_awake(self, order: VenueOrder) -> bool:
        """Return whether the order may trade now."""
        return not order.is_dormant and (order.request.extended_hours or self.is_open)
