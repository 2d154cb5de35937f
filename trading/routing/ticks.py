"""Limit prices on the tick grid of a venue, never worse than what was asked for."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trading.instruments import Instrument
from trading.values import OrderSide


def limit_on_grid(side: OrderSide, price: Decimal, instrument: Instrument) -> Decimal:
    """Return the nearest tick that is not beyond `price`: down for a buy, up for a sale."""
    rounding = ROUND_FLOOR if side is OrderSide.BUY else ROUND_CEILING
    tick = instrument.tick_size
    return ((price / tick).quantize(Decimal(1), rounding=rounding) * tick).quantize(tick)
