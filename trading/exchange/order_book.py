"""Our working limit orders of one instrument in price-time priority."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from decimal import Decimal

from trading.exchange.liquidity import Crowd, Level
from trading.exchange.orders import VenueOrder
from trading.values import ZERO, OrderSide

_Entry = tuple[Decimal, int, VenueOrder]


class OrderBook:
    """Two sides, each sorted by price (best first), then by priority.

    An order must be taken out before its price, priority or status changes.
    """

    __slots__ = ("_sides",)

    def __init__(self) -> None:
        self._sides: dict[OrderSide, list[_Entry]] = {OrderSide.BUY: [], OrderSide.SELL: []}

    def add(self, order: VenueOrder) -> None:
        insort(self._sides[order.side], (*_key(order), order))

    def remove(self, order: VenueOrder) -> None:
        side = self._sides[order.side]
        index = bisect_left(side, _key(order))
        is_there = index < len(side) and side[index][2] is order
        assert is_there, f"{order.request.client_order_id} is not in the book"
        del side[index]

    @property
    def is_empty(self) -> bool:
        return not any(self._sides.values())

    def best(self, side: OrderSide) -> VenueOrder | None:
        orders = self._sides[side]
        return orders[0][2] if orders else None

    def orders(self, side: OrderSide) -> Iterator[VenueOrder]:
        """Yield the orders of one side, the first to trade first."""
        return (entry[2] for entry in self._sides[side])

    def validate(self, may_trade: Callable[[VenueOrder], bool] | None = None) -> None:
        """Raise `AssertionError` when the best bid reaches the best ask, of the orders that may trade now.

        Others (regular ones between sessions, say) may cross until they may trade.
        """
        bid, ask = (next(filter(may_trade, self.orders(side)), None) for side in OrderSide)
        if bid is not None and ask is not None:
            assert ask.price is not None
            assert not bid.accepts(ask.price), f"crossed: bid {bid.price}, ask {ask.price}"


def depth(side: OrderSide, book: OrderBook, ladder: Crowd) -> list[Level]:
    """Return what the venue shows of one side: our orders and the crowd added up by price."""
    sizes: dict[Decimal, Decimal] = {}
    for order in book.orders(side):
        assert order.price is not None
        sizes[order.price] = sizes.get(order.price, ZERO) + order.leaves_qty
    if not sizes:
        return list(ladder.levels(side))
    for price, size in ladder.levels(side):
        sizes[price] = sizes.get(price, ZERO) + size
    prices = sorted(sizes, reverse=side is OrderSide.BUY)
    return [Level(price, sizes[price]) for price in prices]


def _key(order: VenueOrder) -> tuple[Decimal, int]:
    assert order.price is not None
    return (-order.price if order.side is OrderSide.BUY else order.price, order.priority)
