"""What can be read off a book: pure functions of its levels.

Prices are in quote currency per unit, sizes in units. A function returns None when the book lacks
the side that it needs.
"""

from typing import NamedTuple

from trading.book.book import Book, Level
from trading.values import OrderSide


def mid(book: Book) -> float | None:
    """Return the middle of the best bid and the best ask."""
    bid, ask = book.best_bid(), book.best_ask()
    return None if bid is None or ask is None else (bid[0] + ask[0]) / 2


def spread(book: Book) -> float | None:
    """Return best ask less best bid."""
    bid, ask = book.best_bid(), book.best_ask()
    return None if bid is None or ask is None else ask[0] - bid[0]


def microprice(book: Book) -> float | None:
    """Return the `weighted_mid` of the best levels."""
    bid, ask = book.best_bid(), book.best_ask()
    return None if bid is None or ask is None else weighted_mid(bid, ask)


def weighted_mid(bid: Level, ask: Level) -> float:
    """Return the mid weighted by the size of the opposite side.

    `(bid * ask_size + ask * bid_size) / (bid_size + ask_size)`: the weighted mid-price of Stoikov
    (2018), "The micro-price: a high-frequency estimator of future prices", Quantitative Finance
    18(12). It lies between bid and ask, nearer to the side with less size.
    """
    (bid_px, bid_size), (ask_px, ask_size) = bid, ask
    return (bid_px * ask_size + ask_px * bid_size) / (bid_size + ask_size)


def imbalance(book: Book, n: int = 1) -> float | None:
    """Return the `size_imbalance` of the `n` best levels, each side summed.

    A book with one side gives 1 or -1, an empty book None.

    Raises
    ------
    ValueError
        If `n` is less than 1.
    """
    if n < 1:
        raise ValueError(f"imbalance needs at least one level, got n={n}")
    bid_size = sum(size for _, size in book.depth(OrderSide.BUY, n))
    ask_size = sum(size for _, size in book.depth(OrderSide.SELL, n))
    return size_imbalance(bid_size, ask_size) if bid_size or ask_size else None


def size_imbalance(bid_size: float, ask_size: float) -> float:
    """Return how far the sizes lean to the bid side, in [-1, 1].

    `(bid_size - ask_size) / (bid_size + ask_size)`: the order imbalance of Cartea, Jaimungal and
    Penalva (2015), "Algorithmic and High-Frequency Trading", chapter 12.
    """
    return (bid_size - ask_size) / (bid_size + ask_size)


class TradeCost(NamedTuple):
    """What taking a quantity from a book would cost, without fees and without hidden orders.

    Attributes
    ----------
    average_price : float or None
        Volume-weighted price of what can be filled; None when nothing can.
    slippage : float or None
        How much worse than the mid the average price is, in quote currency per unit (> 0 for either
        side of an uncrossed book); None without a mid or without a fill.
    unfilled_quantity : float
        Units that the book does not hold.
    """

    average_price: float | None
    slippage: float | None
    unfilled_quantity: float


def cost_to_trade(book: Book, side: OrderSide, quantity: float) -> TradeCost:
    """Walk the book as a market order would: BUY takes asks, SELL takes bids, best first.

    Slippage against the mid at decision time is the price part of the implementation shortfall of
    Perold (1988), "The implementation shortfall: paper versus reality", Journal of Portfolio
    Management 14(3).

    Parameters
    ----------
    quantity : float
        Units to trade (> 0).

    Raises
    ------
    ValueError
        If `quantity` is not positive.
    """
    if not quantity > 0:
        raise ValueError(f"the quantity to trade must be positive, got {quantity}")
    value, filled, unfilled = 0.0, 0.0, quantity
    for price, size in book.levels(side.opposite):
        taken = min(size, unfilled)
        value += taken * price
        filled += taken
        unfilled -= taken
        if unfilled <= 0:
            break
    if filled == 0:
        return TradeCost(None, None, quantity)
    average_price, middle = value / filled, mid(book)
    slippage = None if middle is None else side.sign * (average_price - middle)
    return TradeCost(average_price, slippage, unfilled)
