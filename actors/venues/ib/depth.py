"""Market depth: TWS sends rows by position, books here are levels by price."""

from collections.abc import Sequence

from trading.values import BookAction, OrderSide

INSERT, UPDATE, DELETE = range(3)
_SIDE_OF = {1: OrderSide.BUY, 0: OrderSide.SELL}

Levels = dict[float, float]
"""Size by price."""
Book = tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]
"""`(price, size)` of bids and asks."""
Change = tuple[OrderSide, BookAction, float, float]
"""Side, action, price, size."""


class Depth:
    """Rows of one instrument. Several rows may have one price: market makers, or exchanges."""

    def __init__(self) -> None:
        self._rows: dict[OrderSide, list[tuple[float, float]]] = {}
        self._shown: dict[OrderSide, Levels] = {}
        self.clear()

    def clear(self) -> None:
        """Begin again: TWS said that its rows are void."""
        self._rows = {OrderSide.BUY: [], OrderSide.SELL: []}
        self._shown = {OrderSide.BUY: {}, OrderSide.SELL: {}}

    def take(self, position: int, operation: int, side: int, price: float, size: float) -> bool:
        """Take one row; return whether it fits what was known."""
        found = _SIDE_OF.get(side)
        if found is None:
            return False
        rows = self._rows[found]
        if operation == INSERT and 0 <= position <= len(rows):
            rows.insert(position, (price, size))
        elif operation == UPDATE and 0 <= position < len(rows):
            rows[position] = (price, size)
        elif operation == UPDATE and position == len(rows):
            rows.append((price, size))
        elif operation == DELETE and 0 <= position < len(rows):
            del rows[position]
        else:
            return False
        return True

    @property
    def is_two_sided(self) -> bool:
        return all(self._rows.values())

    def show(self) -> Book:
        """Return the whole book; changes count from here."""
        self._shown = {side: _levels(rows) for side, rows in self._rows.items()}
        return self.book()

    def book(self) -> Book:
        """Return bids and asks, best first."""
        bids, asks = (_levels(self._rows[side]) for side in (OrderSide.BUY, OrderSide.SELL))
        return tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items()))

    def changes(self) -> list[Change]:
        """Return what changed since the last snapshot or change."""
        found: list[Change] = []
        for side, rows in self._rows.items():
            before, now = self._shown[side], _levels(rows)
            self._shown[side] = now
            gone = before.keys() - now.keys()
            found += [(side, BookAction.DELETE, price, 0.0) for price in sorted(gone)]
            found += [
                (side, BookAction.UPDATE, price, size)
                for price, size in now.items()
                if before.get(price) != size
            ]
        return found


def _levels(rows: Sequence[tuple[float, float]]) -> Levels:
    levels: Levels = {}
    for price, size in rows:
        if price > 0 and size > 0:
            levels[price] = levels.get(price, 0.0) + size
    return levels
