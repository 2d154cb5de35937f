"""The single orders behind the levels of one side of a book (L3)."""

from collections.abc import Iterator
from math import fsum

from trading.book.book import Level


class LevelOrders:
    """Orders by id and by price; says which levels a change of one order changes."""

    def __init__(self) -> None:
        self._price_of: dict[str, float] = {}
        self._sizes_at: dict[float, dict[str, float]] = {}

    def __iter__(self) -> Iterator[tuple[str, float, float]]:
        """Yield `(order_id, price, size)`."""
        for price, sizes in self._sizes_at.items():
            for order_id, size in sizes.items():
                yield order_id, price, size

    def clear(self) -> None:
        self._price_of.clear()
        self._sizes_at.clear()

    def set(self, order_id: str, price: float, size: float) -> list[Level]:
        """Add, resize or move one order, or remove it when `size` is not positive.

        Returns
        -------
        list of Level
            The levels that changed, with their new sizes (0: nothing is left there). The sum is
            correctly rounded, so it does not depend on the order of arrival.
        """
        changed = [self._remove(order_id)] if order_id in self._price_of else []
        if size > 0:
            self._price_of[order_id] = price
            sizes = self._sizes_at.setdefault(price, {})
            sizes[order_id] = size
            changed.append((price, fsum(sizes.values())))
        return changed

    def _remove(self, order_id: str) -> Level:
        price = self._price_of.pop(order_id)
        sizes = self._sizes_at[price]
        del sizes[order_id]
        if not sizes:
            del self._sizes_at[price]
        return price, fsum(sizes.values())
