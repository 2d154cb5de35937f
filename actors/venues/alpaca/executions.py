"""Executions as the venue's account activities list them: what the stream said, and what it never got to say."""

from collections import OrderedDict

import msgspec

from actors.venues.alpaca.http import RestChannel
from actors.venues.alpaca.messages import Activity, TradeUpdate
from actors.venues.alpaca.parse import execution_id
from actors.venues.alpaca.wire import moment_text, number, shaped
from trading.errors import OutcomeUnknown
from trading.values import NANOS_PER_DAY, NANOS_PER_SECOND

_PAGE = 100
_OVERLAP_NS = 60 * NANOS_PER_SECOND
"""The activity of a fill and its message carry times of their own; what is told twice counts once."""
_POSTED_LATER_NS = 4 * NANOS_PER_DAY
"""Fees of crypto are posted at the end of the day, over a weekend later."""
_REMEMBERED = 10_000
FILL = "FILL"
COIN_FEE = "CFEE"


class Executions:
    """Reads activities, and keeps the two names that the venue has for one execution together."""

    def __init__(self, rest: RestChannel) -> None:
        self._rest = rest
        self._streamed: OrderedDict[tuple[str, str], str] = OrderedDict()

    def streamed(self, update: TradeUpdate) -> None:
        """Note how the stream named an execution."""
        filled = number(update.order.filled_qty)
        if update.execution_id and filled is not None:
            self._streamed[(update.order.id, str(filled.normalize()))] = update.execution_id
            if len(self._streamed) > _REMEMBERED:
                self._streamed.popitem(last=False)

    async def fills_since(self, since: int) -> list[Activity]:
        """Return executions from `since` (ns UTC, 0 is all) on, oldest first; some before it too."""
        found = await self._pages(FILL, max(since - _OVERLAP_NS, 0))
        return [self._as_streamed(activity) for activity in found]

    async def coin_fees_since(self, since: int) -> list[Activity]:
        """Return fees that were taken in coins, posted from a few days before `since` on."""
        return await self._pages(COIN_FEE, max(since - _POSTED_LATER_NS, 0))

    def _as_streamed(self, activity: Activity) -> Activity:
        """Name an execution as the stream did, should the venue ever name it in two ways."""
        filled = number(activity.cum_qty)
        if filled is None:
            return activity
        streamed = self._streamed.get((activity.order_id or "", str(filled.normalize())))
        if streamed is None or streamed == execution_id(activity):
            return activity
        return msgspec.structs.replace(activity, id=f"::{streamed}")

    async def _pages(self, kind: str, after: int) -> list[Activity]:
        params = {"direction": "asc", "page_size": str(_PAGE)}
        if after:
            params["after"] = moment_text(after)
        found: dict[str, Activity] = {}
        while True:
            raw = await self._rest.get(f"/account/activities/{kind}", params)
            page = shaped(raw, list[Activity])
            fresh = {each.id: each for each in page if each.id not in found}
            found.update(fresh)
            if len(page) < _PAGE:
                return list(found.values())
            if not fresh:
                raise OutcomeUnknown("Alpaca lists the same page of activities again and again")
            params = {**params, "page_token": page[-1].id}
