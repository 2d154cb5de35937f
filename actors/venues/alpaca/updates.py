"""From updates of the trading stream to reports; what an update does not say by itself is asked for."""

import logging
from collections.abc import Callable

from actors.venues.alpaca.enquiries import Enquiries
from actors.venues.alpaca.executions import Executions
from actors.venues.alpaca.identity import MULTI_LEG
from actors.venues.alpaca.messages import TradeUpdate
from actors.venues.alpaca.orders import OrderLookup
from actors.venues.alpaca.parse import is_failed_replacement, is_replaced, update_fill
from trading.errors import VenueError
from trading.reports import FillReport, OrderStatusReport
from trading.values import NANOS_PER_SECOND

log = logging.getLogger(__name__)

_FILLS = frozenset({"fill", "partial_fill"})
_CORRECTIONS = frozenset({"trade_bust", "trade_correct"})
_RECENT_NS = 120 * NANOS_PER_SECOND


class UpdateReader:
    """Reads updates in the order in which they come.

    Attributes
    ----------
    count : int
        Updates so far.

    Parameters
    ----------
    tell : function of a report
    reconcile : function of a sentence
        Called when something happened that no report can say: the account has to be compared as a whole.
    """

    def __init__(
        self,
        enquiries: Enquiries,
        lookup: OrderLookup,
        executions: Executions,
        *,
        tell: Callable[[FillReport | OrderStatusReport], None],
        reconcile: Callable[[str], None],
        now: Callable[[], int],
    ) -> None:
        self.count = 0
        self._enquiries = enquiries
        self._lookup = lookup
        self._executions = executions
        self._tell = tell
        self._reconcile = reconcile
        self._now = now

    async def take(self, update: TradeUpdate) -> None:
        """Tell what one update says."""
        self.count += 1
        try:
            await self._read(update)
        except VenueError as error:
            self._reconcile(f"an update of order {update.order.id[:64]} is not clear: {error}")

    def unreadable(self, reason: str) -> None:
        """Something was said about an order that cannot be read."""
        self.count += 1
        self._reconcile(reason)

    async def _read(self, update: TradeUpdate) -> None:
        order = update.order
        if update.event in _CORRECTIONS:
            self._reconcile(f"the venue corrected a trade of order {order.id}: {update.event}")
            return
        key = await self._lookup.name(order)
        if order.order_class == MULTI_LEG and not order.symbol:
            await self._read_legs(update)
        elif update.event in _FILLS:
            fill = update_fill(update, await self._enquiries.subject(order.symbol or "", key))
            if fill is None:
                await self._tell_recent_fills()
            else:
                self._executions.streamed(update)
                self._tell(fill)
        elif is_failed_replacement(order):
            report = await self._enquiries.order_status(key)  # the order before it goes on
            if report is not None:
                self._tell(report)
        elif not is_replaced(order) and not self._lookup.is_superseded(order, key):
            self._tell(await self._enquiries.report(order, key))

    async def _read_legs(self, update: TradeUpdate) -> None:
        """An update of a multi-leg order speaks of all legs: their fills are asked for one by one."""
        if update.event in _FILLS:
            await self._tell_recent_fills()
            return
        for leg in update.order.legs or ():
            key = await self._lookup.name(leg)
            self._tell(await self._enquiries.report(leg, key))

    async def _tell_recent_fills(self) -> None:
        for fill in await self._enquiries.executions_since(self._now() - _RECENT_NS):
            self._tell(fill)
