"""Ask the venue for orders, by our ids: pages, lists, and orders that were replaced."""

from collections.abc import Iterable

from actors.venues.alpaca.failures import NOT_FOUND_CODES
from actors.venues.alpaca.http import RestChannel
from actors.venues.alpaca.identity import MULTI_LEG, OrderNames, flattened, is_unnamed_leg
from actors.venues.alpaca.messages import Order
from actors.venues.alpaca.parse import is_failed_replacement, is_replaced
from actors.venues.alpaca.wire import moment, moment_text, shaped
from actors.venues.pacing import Priority
from trading.errors import OutcomeUnknown, VenueRefused
from trading.identifiers import ClientOrderId
from trading.values import NANOS_PER_SECOND

_PAGE = 500
_OVERLAP_NS = NANOS_PER_SECOND
_SINGLE_QUESTIONS = 5
_LONGEST_CHAIN = 1_000


class OrderLookup:
    """Finds orders and teaches `names`; all raise as calls of a venue port do."""

    def __init__(self, rest: RestChannel, names: OrderNames) -> None:
        self._rest = rest
        self._names = names
        self._scanned_to = 0

    async def open_orders(self) -> list[Order]:
        """Return every order that works, each by itself, named."""
        found, _ = await self._pages("open", 0)
        orders = list(flattened(found))
        for order in orders:
            if is_unnamed_leg(order, self._names):
                await self._scan()
                break
        return orders

    async def name(self, order: Order) -> ClientOrderId:
        """Return our id of an order of the venue; what nothing says to be ours is somebody else's."""
        self._names.learn(order)
        if is_unnamed_leg(order, self._names):
            await self._scan()
        return self._names.name(order.id) or self._names.adopt(order.id)

    def is_superseded(self, order: Order, key: ClientOrderId) -> bool:
        """Say whether a younger order is known to work for ours: what this one says is old."""
        latest = self._names.latest(key)
        return latest is not None and latest.id != order.id

    async def name_all(self, venue_order_ids: Iterable[str]) -> None:
        """Learn what the orders with these ids are to us."""
        unknown = [key for key in dict.fromkeys(venue_order_ids) if self._names.name(key) is None]
        if len(unknown) > _SINGLE_QUESTIONS:
            await self._scan()
        for key in unknown:
            if self._names.name(key) is None:
                order = await self.by_venue_id(key)
                if order is None:
                    self._names.adopt(key)
                else:
                    await self.name(order)

    async def name_of(self, venue_order_id: str) -> ClientOrderId:
        """Return our id of an order of which only the venue's id is there."""
        await self.name_all((venue_order_id,))
        return self._names.name(venue_order_id) or self._names.adopt(venue_order_id)

    async def by_venue_id(self, key: str, priority: Priority = Priority.QUERY) -> Order | None:
        """Return one order with its legs; None when the venue does not know it."""
        return await self._one(f"/orders/{key}", {"nested": "true"}, priority)

    async def find(self, key: ClientOrderId, priority: Priority = Priority.QUERY) -> Order | None:
        """Return the order that works for ours, or the last one that did; None when the venue knows none."""
        order = self._names.latest(key)
        if order is not None:
            order = await self.by_venue_id(order.id, priority)
        if order is None:
            order = await self._one(
                "/orders:by_client_order_id", {"client_order_id": key}, priority
            )
        if order is None:
            order = await self._leg(key, priority)
        return None if order is None else await self._in_force(order, key, priority)

    async def _leg(self, key: ClientOrderId, priority: Priority) -> Order | None:
        """Find an order that the venue named itself: its list tells which one is ours."""
        if self._names.venue_id(key) is None:
            await self._scan()
        venue_id = self._names.venue_id(key)
        return None if venue_id is None else await self.by_venue_id(venue_id, priority)

    async def _in_force(self, order: Order, key: ClientOrderId, priority: Priority) -> Order:
        """Follow replacements to the order that counts, and pick our leg out of a frame."""
        for _ in range(_LONGEST_CHAIN):
            after = order.replaced_by if is_replaced(order) else None
            if after is None and is_failed_replacement(order):
                before = await self.by_venue_id(order.replaces or "", priority)
                if before is None or is_replaced(before):
                    break
                order = before
                continue
            if after is None:
                break
            following = await self.by_venue_id(after, priority)
            if following is None:
                raise OutcomeUnknown(
                    f"order {order.id} was replaced by one that Alpaca has not got"
                )
            order = following
        if order.order_class == MULTI_LEG and not order.symbol and not order.legs:
            order = await self.by_venue_id(order.id, priority) or order
        self._names.learn(order)
        legs = {self._names.name(leg.id): leg for leg in order.legs or ()}
        return legs.get(key, order) if order.order_class == MULTI_LEG else order

    async def _one(self, path: str, params: dict[str, str], priority: Priority) -> Order | None:
        try:
            order = shaped(await self._rest.get(path, params, priority), Order)
        except VenueRefused as error:
            if error.venue_code in NOT_FOUND_CODES:
                return None
            raise
        self._names.learn(order)
        return order

    async def _scan(self) -> None:
        """Learn every order, with the lists that it belongs to, that came since the last scan."""
        begin = max(self._scanned_to - _OVERLAP_NS, 0)
        _, self._scanned_to = await self._pages("all", begin)

    async def _pages(self, status: str, after: int) -> tuple[list[Order], int]:
        """Return all orders submitted after a time (ns UTC), oldest first, and the time of the last."""
        found: dict[str, Order] = {}
        while True:
            params = {"status": status, "nested": "true", "direction": "asc", "limit": str(_PAGE)}
            if after:
                params["after"] = moment_text(after)
            page = shaped(await self._rest.get("/orders", params), list[Order])
            for order in page:
                self._names.learn(order)
            fresh = {order.id: order for order in page if order.id not in found}
            found.update(fresh)
            newest = max((moment(order.submitted_at) for order in page), default=after)
            if len(page) < _PAGE:
                return list(found.values()), max(newest, after)
            if not fresh:
                raise OutcomeUnknown("Alpaca lists the same page of orders again and again")
            after = newest - 1  # others of the same moment may be on the next page
