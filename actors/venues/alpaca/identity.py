"""Which of our orders an order of the venue is.

Ours carry our id as `client_order_id`. A replacement is a new order at the venue: it carries our id with a suffix
(`<our id>-<milliseconds>`), so it means the same order to everybody, also after a restart. Exits of a list and legs
of options are named by the venue: they are known by their place in the order that they belong to.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator

from actors.venues.alpaca.messages import Order
from actors.venues.alpaca.parse import is_failed_replacement, is_replaced, is_working
from actors.venues.alpaca.wire import moment
from trading.errors import OutcomeUnknown
from trading.identifiers import ClientOrderId, derive_leg_id

_OURS = re.compile(r"([0-9a-f]{32})(-[0-9a-f]{1,16})?")
_FOREIGN = "ext-"
_LONGEST_ID = 64
_REMEMBERED = 100_000
MULTI_LEG = "mleg"
LISTS = frozenset({"bracket", "oco", "oto", MULTI_LEG})


def successor_id(key: ClientOrderId, now: int) -> str:
    """Return the id for an order that takes the place of ours; `now` in ns UTC."""
    return f"{key}-{now // 1_000_000:x}"


def own_id(text: str) -> ClientOrderId | None:
    """Return our id in a `client_order_id` of the venue; None when it is not one of ours."""
    match = _OURS.fullmatch(text)
    return None if match is None else ClientOrderId(match.group(1))


def foreign_id(venue_order_id: str) -> ClientOrderId:
    """Return the id that we give to an order that is not ours."""
    return ClientOrderId(f"{_FOREIGN}{venue_order_id}"[:_LONGEST_ID])


def leg_index(parent: Order, leg: Order, position: int) -> int:
    """Return the place that a leg has in our list: exits by what they are, option legs by their order."""
    if parent.order_class == MULTI_LEG:
        return position
    is_second_exit = parent.order_class == "bracket" and leg.type != "limit"
    return 2 if is_second_exit else 1


def flattened(orders: list[Order]) -> Iterator[Order]:
    """Yield every order by itself; the frame of a multi-leg order is none."""
    for order in orders:
        if order.order_class != MULTI_LEG or not order.legs:
            yield order
        yield from order.legs or ()


class OrderNames:
    """What was learned of the venue's orders. Forgetting costs a question, never a wrong answer."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, ClientOrderId] = OrderedDict()
        self._ids: dict[ClientOrderId, str] = {}
        self._frames: dict[str, str] = {}
        self._latest: dict[ClientOrderId, Order] = {}

    def learn(self, order: Order) -> ClientOrderId:
        """Take in an order with its legs; return our id of it (of a multi-leg frame: of its first leg)."""
        key = self._key(order)
        if key is None:
            key = foreign_id(order.id)
            if is_unnamed_leg(order, self):
                return key  # its parent may still say that it is ours
        is_foreign = own_id(key) is None
        self._remember(order, key)
        for position, leg in enumerate(order.legs or ()):
            index = leg_index(order, leg, position)
            ours = key if index == 0 else derive_leg_id(key, index)
            self._remember(leg, foreign_id(leg.id) if is_foreign else ours)
            if _is_frame(order):
                self._frames[leg.id] = order.id
        return key

    def adopt(self, venue_order_id: str) -> ClientOrderId:
        """Take an order for somebody else's: nothing says that it is ours."""
        return self._names.setdefault(venue_order_id, foreign_id(venue_order_id))

    def name(self, venue_order_id: str) -> ClientOrderId | None:
        return self._names.get(venue_order_id)

    def venue_id(self, key: ClientOrderId) -> str | None:
        """Return the venue's id of one of our orders; of several, the one that was in force last."""
        if key.startswith(_FOREIGN):
            return key.removeprefix(_FOREIGN)
        return self._ids.get(key)

    def latest(self, key: ClientOrderId) -> Order | None:
        """Return the order that works for ours, as it was last seen; it may have been replaced since."""
        return self._latest.get(key)

    def frame(self, venue_order_id: str) -> str | None:
        """Return the multi-leg order that an order is a leg of."""
        return self._frames.get(venue_order_id)

    def _key(self, order: Order) -> ClientOrderId | None:
        return (
            own_id(order.client_order_id)
            or self._names.get(order.id)
            or self._names.get(order.replaces or "")
        )

    def _remember(self, order: Order, key: ClientOrderId) -> None:
        self._names[order.id] = key
        if len(self._names) > _REMEMBERED:
            forgotten, name = self._names.popitem(last=False)
            self._frames.pop(forgotten, None)
            self._ids.pop(name, None)
        if _is_frame(order):
            return
        latest = self._latest.get(key)
        if is_working(order):
            if latest is None or latest.id == order.id or _age(order) >= _age(latest):
                self._latest[key] = order
        elif latest is not None and latest.id == order.id:
            del self._latest[key]
        if not (is_replaced(order) or is_failed_replacement(order)):
            self._ids[key] = order.id


def is_unnamed_leg(order: Order, names: OrderNames) -> bool:
    """Say whether only another order tells what this one is to us."""
    if own_id(order.client_order_id) is not None or names.name(order.id) is not None:
        return False
    return (order.order_class in LISTS and not order.legs) or bool(order.replaces)


def _is_frame(order: Order) -> bool:
    return order.order_class == MULTI_LEG and bool(order.legs)


def _age(order: Order) -> int:
    try:
        return moment(order.submitted_at)
    except OutcomeUnknown:
        return 0
