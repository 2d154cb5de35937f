"""The extra cost of taking liquidity from the crowd."""

from decimal import Decimal

import msgspec

from trading.exchange.orders import VenueOrder
from trading.instruments import Instrument
from trading.values import ZERO

_BPS = Decimal(10_000)


class Slippage(msgspec.Struct, frozen=True, kw_only=True):
    """Moves the price of a taker fill against the taker.

    It applies to synthetic liquidity alone: between two of our orders it would make money
    appear or vanish.

    Attributes
    ----------
    bps : Decimal
        Basis points of the price (>= 0).
    """

    bps: Decimal = ZERO

    def __post_init__(self) -> None:
        if not 0 <= self.bps < _BPS:
            raise ValueError("slippage must be at least 0 and below 10000 basis points")

    def price(self, taker: VenueOrder, price: Decimal, instrument: Instrument) -> Decimal:
        """Return the price that the taker pays: on the tick grid and never beyond its limit."""
        if self.bps == 0:
            return price
        moved = price * (1 + taker.side.sign * self.bps / _BPS)
        slipped = instrument.price(max(moved, instrument.tick_size))
        if taker.price is not None and not taker.accepts(slipped):
            return taker.price
        return slipped
