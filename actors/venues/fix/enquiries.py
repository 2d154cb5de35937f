"""Questions to the venue: one order, all open orders, positions, cash."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from actors.venues.fix import messages
from actors.venues.fix.answers import Answers, Cash, OpenOrders, Positions
from actors.venues.fix.known_orders import KnownOrders
from actors.venues.fix.messages import Fields, MsgType
from actors.venues.fix.order_ids import RisingNumbers
from actors.venues.fix.parse import Reading
from actors.venues.fix.waiting import Take
from actors.venues.pacing import Pacing, Priority
from trading.errors import VenueRefused
from trading.identifiers import ClientOrderId
from trading.reports import AccountReport, OrderStatusReport, PositionReport

NOT_OFFERED = "NOT_OFFERED"
Ask = Callable[[MsgType, Fields, tuple[str, ...], Take], Awaitable[Any]]
"""Send a message, wait for what answers one of the keys, and return what `Take` makes of it."""


class Enquiries:
    """Asks what the dialect offers, and refuses the rest by name."""

    def __init__(
        self,
        reading: Reading,
        known: KnownOrders,
        ask: Ask,
        pacing: Pacing,
        account: str,
        numbers: RisingNumbers,
    ) -> None:
        self._reading = reading
        self._offered = reading.dialect.requests
        self._known = known
        self._answers = Answers(reading, known)
        self._ask = ask
        self._pacing = pacing
        self._account = account
        self._numbers = numbers

    async def order_status(self, client_order_id: ClientOrderId) -> OrderStatusReport | None:
        """Return the state of one order; None when the venue does not know it."""
        key = await self._begin("status", self._offered.order_status)
        sent = self._known.orders.get(client_order_id)
        fields = messages.order_status(
            client_order_id, sent, key, self._account, self._reading.dialect
        )
        keys = (key, f"status:{client_order_id}", f"status:{fields[11]}")
        found: tuple[OrderStatusReport | None] = await self._ask(
            MsgType.ORDER_STATUS, fields, keys, self._answers.described
        )
        return found[0]

    async def open_orders(self) -> tuple[OrderStatusReport, ...]:
        """Return all working orders: by one question, or by one for each that is known."""
        if not self._offered.mass_status:
            return await self._each_open_order()
        key = await self._begin("orders", is_offered=True)
        take = OpenOrders(self._answers, self._reading)
        found: tuple[OrderStatusReport, ...] = await self._ask(
            MsgType.MASS_STATUS, messages.mass_status(key), (key,), take
        )
        return found

    async def positions(self) -> tuple[PositionReport, ...]:
        key = await self._begin("positions", self._offered.positions)
        now = time.time_ns()
        fields = messages.request_for_positions(key, self._account, now)
        found: tuple[PositionReport, ...] = await self._ask(
            MsgType.REQUEST_FOR_POSITIONS, fields, (key,), Positions(self._reading, now)
        )
        return found

    async def account(self) -> AccountReport:
        key = await self._begin("cash", self._offered.collateral)
        fields = messages.collateral_inquiry(key, self._account)
        found: AccountReport = await self._ask(
            MsgType.COLLATERAL_INQUIRY, fields, (key,), Cash(self._reading, time.time_ns())
        )
        return found

    async def _begin(self, what: str, is_offered: bool) -> str:
        """Wait for a turn, and return the id of the question."""
        if not is_offered:
            raise VenueRefused(NOT_OFFERED, f"the venue answers no questions for {what} over FIX")
        await self._pacing.turn(Priority.QUERY)
        return f"{what}-{self._numbers.next()}"

    async def _each_open_order(self) -> tuple[OrderStatusReport, ...]:
        found = []
        for sent in self._known.open_orders():
            report = await self.order_status(sent.client_order_id)
            if report is None:
                self._known.close(sent)
            elif not report.status.is_terminal:
                found.append(report)
        return tuple(found)
