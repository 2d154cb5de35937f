"""Which venue an order rests at: all would fill at the same price, so the fee decides, then the queue."""

from collections.abc import Sequence
from decimal import Decimal

from trading.routing.lots import sendable
from trading.routing.quotes import VenueQuote
from trading.values import ZERO, OrderSide


def best_resting(
    side: OrderSide, quantity: Decimal, price: Decimal, quotes: Sequence[VenueQuote]
) -> VenueQuote | None:
    """Return the venue with the lowest maker fee, and of equals the shortest queue; None when none takes it.

    Venues that must not be used, and those for which the quantity is too small, too large or not whole lots
    of theirs at least in part, are passed over. At a venue where the price would trade at once, it is the
    better the further it reaches into the book.

    Parameters
    ----------
    quantity : Decimal
        Units; a venue may take less of it, in its own lots.
    price : Decimal
        Limit, in quote currency.
    """
    able = [
        (_score(side, price, quote), index, quote)
        for index, quote in enumerate(quotes)
        if not quote.unavailable and sendable(quote.within(quantity), quote.instrument, price)
    ]
    return min(able)[2] if able else None


def queue_ahead(side: OrderSide, price: Decimal, quote: VenueQuote) -> Decimal:
    """Return the units that would trade before an order at `price`, as far as the book is known."""
    better = [size for level, size in quote.side(side) if side.sign * level >= side.sign * price]
    return sum(better, ZERO)


def _score(side: OrderSide, price: Decimal, quote: VenueQuote) -> tuple[Decimal, Decimal]:
    """Cost of one unit after fees, then the queue; lower is better."""
    other = quote.best(side.opposite)
    if other is not None and side.sign * other <= side.sign * price:
        return side.sign * other + quote.fees.taking(other), ZERO
    return side.sign * price + quote.fees.making(price), queue_ahead(side, price, quote)
