"""Quantities that a venue takes: whole lots, at least the minimum, worth at least the minimum value."""

from decimal import Decimal

from trading.instruments import Instrument
from trading.values import ZERO


def smallest_order(instrument: Instrument, price: Decimal | None) -> Decimal:
    """Return the smallest quantity that an order may have (units).

    Parameters
    ----------
    price : Decimal or None
        What a unit is worth; without it the minimum value is not looked at.
    """
    least = max(instrument.min_quantity, instrument.lot_size)
    if price is not None and price > 0 and instrument.min_notional > 0:
        least = max(least, instrument.min_notional / price)
    return rounded_up(least, instrument)


def rounded_up(quantity: Decimal, instrument: Instrument) -> Decimal:
    """Return the quantity as whole lots, upwards."""
    whole = instrument.quantity(quantity)
    return whole if whole >= quantity else whole + instrument.lot_size


def sendable(quantity: Decimal, instrument: Instrument, price: Decimal | None) -> Decimal:
    """Return what of `quantity` one order can ask for: whole lots, or 0 when that is too little."""
    if quantity <= 0:
        return ZERO
    whole = instrument.quantity(quantity)
    return whole if whole >= smallest_order(instrument, price) else ZERO
