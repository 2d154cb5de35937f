"""What a number of market data can be at all."""

import math

from trading.data import Bar

PRICE_MIN, PRICE_MAX = 1e-9, 1e9


def is_price(price: float) -> bool:
    """Return whether this can be a price: not so for NaN, infinity, zero and what is negative or absurd."""
    return PRICE_MIN <= price <= PRICE_MAX


def is_size(size: float) -> bool:
    """Return whether this can be a size or a volume: finite and not negative."""
    return 0.0 <= size < math.inf


def is_bar(bar: Bar) -> bool:
    """Return whether the prices of a bar can be, and lie between its low and its high."""
    low, high = bar.low, bar.high
    return (
        PRICE_MIN <= low <= bar.open <= high <= PRICE_MAX
        and low <= bar.close <= high
        and is_size(bar.volume)
    )
