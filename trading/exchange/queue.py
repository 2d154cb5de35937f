"""How much of the market stands before our resting orders at their own price."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from trading.exchange.orders import VenueOrder
from trading.values import ZERO, OrderSide

_Key = tuple[str, int]


class _Place:
    """Side and price of an order, and the units ahead of it there."""

    __slots__ = ("ahead", "price", "side")

    def __init__(self, side: OrderSide, price: Decimal, ahead: Decimal) -> None:
        self.side = side
        self.price = price
        self.ahead = ahead


class Queue:
    """The places of our resting orders of one instrument.

    A place is not durable: after a restart an order stands behind all that is shown then. An order without
    a place, because no book is known, is filled by trades beyond its price alone.
    """

    def __init__(self) -> None:
        self._places: dict[_Key, _Place] = {}

    @property
    def is_empty(self) -> bool:
        return not self._places

    def watches(self, side: OrderSide) -> bool:
        """Return whether an order rests on `side`."""
        return not self.is_empty and any(place.side is side for place in self._places.values())

    def prices(self, side: OrderSide) -> set[Decimal]:
        return {place.price for place in self._places.values() if place.side is side}

    def line_up(
        self,
        orders: Iterable[VenueOrder],
        displayed: Callable[[OrderSide, Decimal], Decimal],
    ) -> None:
        """Give every new order the last place at its price, and forget those that are gone.

        To be called before the record changes, so that an order finds what was shown when it came. An
        order that lost its priority is new.
        """
        places: dict[_Key, _Place] = {}
        for order in orders:
            key = _key(order)
            place = self._places.get(key)
            if place is None:
                assert order.price is not None
                ahead = displayed(order.side, order.price)
                place = _Place(order.side, order.price, ahead)
            places[key] = place
        self._places = places

    def shrink(self, side: OrderSide, price: Decimal, shown: Decimal) -> None:
        """The level shows `shown` units: no more than that can be ahead."""
        for place in self._places.values():
            if place.side is side and place.price == price:
                place.ahead = min(place.ahead, shown)

    def reached(
        self, orders: Iterable[VenueOrder], price: Decimal, units: Decimal
    ) -> list[tuple[VenueOrder, Decimal]]:
        """Work off a trade of `units` at `price`; return what of it is ours, order by order.

        Parameters
        ----------
        orders : iterable of VenueOrder
            Of the side that was hit, in the order in which they trade.
        """
        ours: list[tuple[VenueOrder, Decimal]] = []
        left = units
        for order in orders:
            if left <= 0 or not order.accepts(price):
                break
            place = self._places.get(_key(order))
            is_through = order.price != price
            if place is None and not is_through:
                continue
            ahead = ZERO if place is None or is_through else place.ahead
            if place is not None:
                place.ahead = max(ZERO, place.ahead - left)
            filled = min(order.leaves_qty, max(ZERO, left - ahead))
            if filled > 0:
                ours.append((order, filled))
                left -= filled
        return ours


def _key(order: VenueOrder) -> _Key:
    return order.request.client_order_id, order.priority
