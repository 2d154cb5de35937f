"""Prices on the grid of an instrument: float to tick number and back."""

from decimal import Decimal
from fractions import Fraction

from trading.instruments import Instrument

TICKS_MAX = 10**9
"""Up to here a float tells a price from the middle between two ticks."""
TIE = 1e-6
"""Prices nearer than this (in ticks) to such a middle must be rounded in Decimal."""


def sure_tick(price: float, tick_size: float) -> int | None:
    """Return the number of the nearest tick, or None where a float cannot tell (NaN too)."""
    ticks = price / tick_size
    return round(ticks) if ticks < TICKS_MAX and abs(ticks % 1.0 - 0.5) > TIE else None


def price_on_grid(price: float, instrument: Instrument, tick_size: float) -> Decimal:
    """Return `instrument.price(price)`, several times faster for nearly every price. Raises like it.

    Parameters
    ----------
    tick_size : float
        That of the instrument.
    """
    tick = sure_tick(price, tick_size)
    return tick * instrument.tick_size if tick is not None and tick > 0 else instrument.price(price)


class TickGrid:
    """Converts between prices (float, quote currency) and ticks (int).

    Exact while a price is less than 2**50 ticks.

    Parameters
    ----------
    tick_size : Decimal or float
        Smallest step of the price (> 0). A float stands for the decimal number that it prints as.

    Raises
    ------
    ValueError
        If `tick_size` is not positive and finite.
    """

    def __init__(self, tick_size: Decimal | float) -> None:
        exact = Decimal(str(tick_size))
        if not exact.is_finite() or exact <= 0:
            raise ValueError(f"the tick size must be a positive number, got {tick_size}")
        self.tick_size = float(exact)
        self.numerator, self.denominator = Fraction(exact).as_integer_ratio()

    def tick_of(self, price: float) -> int:
        """Return the number of the nearest tick (half to even)."""
        return round(price / self.tick_size)

    def price_of(self, tick: int) -> float:
        """Return the float nearest to `tick * tick_size`: a quotient of integers rounds once."""
        return tick * self.numerator / self.denominator
