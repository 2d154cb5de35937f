"""Brackets, one-triggers-another and one-cancels-other: all orders of a list, or none."""

import asyncio
from contextlib import ExitStack, suppress

from actors.venues.ib.connection import Connection
from actors.venues.ib.enquiries import Enquiries
from actors.venues.ib.order_entry import OrderEntry
from actors.venues.ib.order_terms import OCA_REDUCE_WITH_BLOCK, Terms
from actors.venues.ib.reporting import Reporting
from trading.commands import CancelOrder, SubmitOrderList
from trading.errors import OutcomeUnknown, VenueError, VenueRefused, VenueUnreachable
from trading.identifiers import VenueOrderId
from trading.values import OrderListKind

_WITH_ENTRY = (OrderListKind.BRACKET, OrderListKind.OTO)


class OrderLists:
    """Lists of orders that TWS itself watches over."""

    def __init__(self, entry: OrderEntry, reporting: Reporting, enquiries: Enquiries) -> None:
        self._entry = entry
        self._reporting = reporting
        self._enquiries = enquiries

    async def submit(
        self, connection: Connection, order_list: SubmitOrderList
    ) -> tuple[VenueOrderId, ...]:
        """Send all orders of a list; TWS holds the first ones back until it has the last.

        Raises
        ------
        VenueRefused
            If TWS refused one; the others were withdrawn, and none of them traded.
        OutcomeUnknown
            If it cannot be said that none of them works.
        """
        if order_list.kind is OrderListKind.MULTI_LEG:
            raise VenueRefused("UNSUPPORTED", "MULTI_LEG lists are not sent to IB")
        keys = tuple(order.client_order_id for order in order_list.orders)
        for key in keys:
            self._entry.refuse_repeat(key)
        listing, instrument = await self._entry.resolve(
            connection, order_list.orders[0].instrument_id
        )
        terms = [self._entry.terms(order, instrument) for order in order_list.orders]
        order_ids = [connection.next_id() for _ in keys]
        _chain(order_list, terms, order_ids)
        with ExitStack() as stack:
            queues = [stack.enter_context(self._reporting.watch(each)) for each in order_ids]
            for number, (order_id, each) in enumerate(zip(order_ids, terms, strict=True)):
                try:
                    await self._entry.place(connection, order_id, listing, each)
                except VenueUnreachable as error:
                    if number == 0:
                        raise
                    raise OutcomeUnknown(f"the list was sent in part: {error}") from None
            answers = await asyncio.gather(
                *(
                    self._entry.acknowledged(connection, queue, key)
                    for queue, key in zip(queues, keys, strict=True)
                ),
                return_exceptions=True,
            )
        failures = [each for each in answers if isinstance(each, BaseException)]
        if failures:
            await self._withdraw(connection, order_list, failures)
        return tuple(each for each in answers if isinstance(each, str))

    async def _withdraw(
        self,
        connection: Connection,
        order_list: SubmitOrderList,
        failures: list[BaseException],
    ) -> None:
        """Cancel what works of a list that was refused in part; raise what became of it."""
        account_id = order_list.account_id
        keys = {order.client_order_id for order in order_list.orders}
        refusals = [each for each in failures if isinstance(each, VenueRefused | VenueUnreachable)]
        if len(refusals) < len(failures):
            raise next(each for each in failures if each not in refusals)
        try:
            for known in await self._enquiries.live_orders(connection):
                if known.key in keys:
                    cancel = CancelOrder(client_order_id=known.key, account_id=account_id)
                    with suppress(VenueRefused):  # it is gone, as the next question shows
                        await self._entry.cancel(connection, cancel)
            left = [known.key for known in await self._enquiries.live_orders(connection)]
        except VenueError as error:
            raise OutcomeUnknown(f"{refusals[0]}; the rest may work: {error}") from None
        traded = [key for key in keys if self._reporting.fills.has_order(key)]
        if traded or keys & set(left):
            raise OutcomeUnknown(f"{refusals[0]}; orders of the list work or have traded")
        raise refusals[0]


def _chain(order_list: SubmitOrderList, terms: list[Terms], order_ids: list[int]) -> None:
    """Add what makes TWS treat the orders as one list."""
    group = order_list.orders[0].client_order_id
    exits = terms[1:] if order_list.kind in _WITH_ENTRY else terms
    if len(exits) > 1:
        for each in exits:
            each |= {"ocaGroup": group, "ocaType": OCA_REDUCE_WITH_BLOCK}
    if order_list.kind in _WITH_ENTRY:
        for each in exits:
            each["parentId"] = order_ids[0]
        for each in terms[:-1]:
            each["transmit"] = False
