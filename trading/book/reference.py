"""The obvious order book: the specification that the fast one is held to."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from math import fsum

from trading.book.book import Level, hash_book
from trading.book.tick_grid import TickGrid
from trading.data import BookDelta, BookSnapshot
from trading.values import BookAction, OrderSide


class ReferenceBook:
    """A `Book` of plain dictionaries, sorted whenever it is read."""

    def __init__(self, tick_size: Decimal | float) -> None:
        self._grid = TickGrid(tick_size)
        self.sequence = 0
        self._sizes: dict[OrderSide, dict[int, float]] = {side: {} for side in OrderSide}
        self._orders: dict[OrderSide, dict[str, tuple[int, float]]] = {s: {} for s in OrderSide}

    def apply(self, delta: BookDelta) -> None:
        tick = self._grid.tick_of(delta.price)
        size = 0.0 if delta.action is BookAction.DELETE else delta.size
        if delta.order_id:
            self._set_order(delta.side, delta.order_id, tick, size)
        else:
            self._set_level(delta.side, tick, size)
        self.sequence = delta.sequence

    def apply_snapshot(self, snapshot: BookSnapshot) -> None:
        for side, levels in ((OrderSide.BUY, snapshot.bids), (OrderSide.SELL, snapshot.asks)):
            self._sizes[side].clear()
            self._orders[side].clear()
            for price, size in levels:
                self._set_level(side, self._grid.tick_of(price), size)
        self.sequence = snapshot.sequence

    def best_bid(self) -> Level | None:
        return next(self.levels(OrderSide.BUY), None)

    def best_ask(self) -> Level | None:
        return next(self.levels(OrderSide.SELL), None)

    @property
    def is_crossed(self) -> bool:
        bid, ask = self.best_bid(), self.best_ask()
        return bid is not None and ask is not None and bid[0] >= ask[0]

    def levels(self, side: OrderSide) -> Iterator[Level]:
        sizes = self._sizes[side]
        for tick in sorted(sizes, reverse=side is OrderSide.BUY):
            yield self._grid.price_of(tick), sizes[tick]

    def depth(self, side: OrderSide, n: int) -> list[Level]:
        return list(islice(self.levels(side), n))

    def state_hash(self) -> str:
        return hash_book(
            self,
            [
                (side, order_id, self._grid.price_of(tick), size)
                for side, orders in self._orders.items()
                for order_id, (tick, size) in orders.items()
            ],
        )

    def _set_level(self, side: OrderSide, tick: int, size: float) -> None:
        self._sizes[side].pop(tick, None)
        if size > 0:
            self._sizes[side][tick] = size

    def _set_order(self, side: OrderSide, order_id: str, tick: int, size: float) -> None:
        orders = self._orders[side]
        changed = [orders.pop(order_id)[0]] if order_id in orders else []
        if size > 0:
            orders[order_id] = (tick, size)
            changed.append(tick)
        for level in changed:
            total = fsum(size for at, size in orders.values() if at == level)
            self._set_level(side, level, total)
