"""What a router knows of one venue: what can be traded there, what it costs, and whether it may be used."""

from decimal import Decimal

import msgspec

from trading.algorithms.parameters import Listing
from trading.instruments import Instrument
from trading.values import ZERO, OrderSide

_BPS = Decimal(10_000)
Level = tuple[Decimal, Decimal]
"""`(price, size)`: quote currency per unit, units."""
Sides = tuple[tuple[Level, ...], tuple[Level, ...]]
"""Bids and asks, best first."""


class VenueFees(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue charges for one order.

    Attributes
    ----------
    maker_bps, taker_bps : Decimal
        Basis points of the value; negative is a rebate.
    per_unit : Decimal
        Quote currency per unit.
    minimum : Decimal
        Least fee of an order that takes (quote currency); 0 is none, so that a rebate stays one.
    """

    maker_bps: Decimal = ZERO
    taker_bps: Decimal = ZERO
    per_unit: Decimal = ZERO
    minimum: Decimal = ZERO

    def taking(self, price: Decimal) -> Decimal:
        """Return the fee of one unit that is taken at `price`, before the minimum."""
        return price * self.taker_bps / _BPS + self.per_unit

    def making(self, price: Decimal) -> Decimal:
        """Return the fee of one unit that rests at `price` and fills."""
        return price * self.maker_bps / _BPS + self.per_unit


class VenueQuote(msgspec.Struct, frozen=True, kw_only=True):
    """One venue at one moment.

    Attributes
    ----------
    bids, asks : tuple of (price, size)
        Best first, on the grids of the instrument; as deep as is known.
    max_quantity : Decimal or None
        What the balance or the position there allows (units); None is no limit.
    unavailable : str
        Why the venue must not be used now; empty when it may be.
    may_be_deeper : bool
        The levels are at most a top, and the book behind it can be asked for.
    """

    listing: Listing
    instrument: Instrument
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    fees: VenueFees = VenueFees()
    max_quantity: Decimal | None = None
    unavailable: str = ""
    may_be_deeper: bool = False

    def side(self, side: OrderSide) -> tuple[Level, ...]:
        """Return what rests on one side: bids for BUY."""
        return self.bids if side is OrderSide.BUY else self.asks

    def best(self, side: OrderSide) -> Decimal | None:
        """Return the best price of one side: the bid for BUY."""
        levels = self.side(side)
        return levels[0][0] if levels else None

    def within(self, quantity: Decimal) -> Decimal:
        """Return what of `quantity` the balance or the position allows."""
        return quantity if self.max_quantity is None else min(quantity, self.max_quantity)

    @property
    def middle(self) -> Decimal | None:
        bid, ask = self.best(OrderSide.BUY), self.best(OrderSide.SELL)
        return None if bid is None or ask is None else (bid + ask) / 2


def middle_of(quotes: tuple[VenueQuote, ...]) -> Decimal | None:
    """Return the middle of the best bid and the best ask over all usable venues; None without both."""
    usable = [quote for quote in quotes if not quote.unavailable]
    bids = [bid for quote in usable if (bid := quote.best(OrderSide.BUY)) is not None]
    asks = [ask for quote in usable if (ask := quote.best(OrderSide.SELL)) is not None]
    return (max(bids) + min(asks)) / 2 if bids and asks else None
