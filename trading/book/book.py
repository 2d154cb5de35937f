"""What every order book offers, and the one way to hash it."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Protocol

from trading.data import BookDelta, BookSnapshot
from trading.values import OrderSide

Level = tuple[float, float]
"""`(price, size)`: price in quote currency on the tick grid, size in units (> 0)."""
OrderEntry = tuple[OrderSide, str, float, float]
"""`(side, order_id, price, size)` of one order of an L3 feed."""


class Book(Protocol):
    """The resting orders of one instrument, summed per price level.

    BUY is the bid side, SELL the ask side. A price goes to the nearest tick. A feed is L2 (no
    `order_id`: a delta sets the size of a level) or L3 (`order_id` set: a delta sets the size of one
    order, and the size of a level is the sum of its orders). Should a feed mix both, the last
    word on a level wins. A snapshot replaces everything, known orders too. A size that is not
    positive removes.
    """

    @property
    def sequence(self) -> int:
        """Sequence of the last message applied. The book does not judge it; the shard does."""

    @property
    def is_crossed(self) -> bool:
        """True when the best bid is at or above the best ask."""

    def apply(self, delta: BookDelta) -> None:
        """Apply one change.

        Raises
        ------
        ValueError
            If the price is NaN.
        OverflowError
            If the price is infinite.
        """

    def apply_snapshot(self, snapshot: BookSnapshot) -> None:
        """Forget everything and take over the levels of `snapshot`. Raises like `apply`."""

    def best_bid(self) -> Level | None: ...

    def best_ask(self) -> Level | None: ...

    def levels(self, side: OrderSide) -> Iterator[Level]:
        """Every level of one side, best first. The book must not change meanwhile."""

    def depth(self, side: OrderSide, n: int) -> list[Level]:
        """The `n` best levels of one side (fewer when there are fewer), best first."""

    def state_hash(self) -> str:
        """Hash of sequence, levels and orders: equal for equal books of any implementation."""


def hash_book(book: Book, orders: list[OrderEntry]) -> str:
    """Return the hash of `book`, whose L3 orders are `orders` in any order."""
    sides = [
        [(price, float(size)) for price, size in book.levels(side)]
        for side in (OrderSide.BUY, OrderSide.SELL)
    ]
    known = sorted(
        (side.value, order_id, price, float(size)) for side, order_id, price, size in orders
    )
    return blake2b(repr((book.sequence, *sides, known)).encode(), digest_size=16).hexdigest()
