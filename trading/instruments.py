"""What can be traded: tick, lot, currency; the only place where money is rounded to a grid."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, DecimalException

import msgspec

from trading.identifiers import InstrumentId


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable thing.

    Attributes
    ----------
    tick_size : Decimal
        Smallest step of the price, in `currency` per unit (> 0).
    lot_size : Decimal
        Smallest step of the quantity, in units (> 0).
    min_quantity : Decimal
        Smallest quantity of an order, in units.
    currency : str
        ISO 4217 code of the quote currency.
    sector : str
        Of the issuer; empty when it has none or it is not known.
    """

    instrument_id: InstrumentId
    tick_size: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal(1)
    min_quantity: Decimal = Decimal(1)
    currency: str = "USD"
    sector: str = ""

    @property
    def groups(self) -> tuple[str, ...]:
        """What it shares with others: `sector:energy`, `currency:USD`, `venue:XNAS`."""
        venue = self.instrument_id.rpartition(".")[2]
        shared = (f"currency:{self.currency}", f"venue:{venue}")
        return (f"sector:{self.sector}", *shared) if self.sector else shared

    def __post_init__(self) -> None:
        if self.tick_size <= 0 or self.lot_size <= 0 or self.min_quantity < 0:
            raise ValueError(f"{self.instrument_id}: tick and lot must be positive")

    def price(self, value: float | Decimal) -> Decimal:
        """Round to the nearest tick (half to even).

        Raises
        ------
        ValueError
            If `value` is not finite, has more digits than a Decimal holds, or rounds to zero or less.
        """
        price = _on_grid(value, self.tick_size, ROUND_HALF_EVEN)
        if price <= 0:
            raise ValueError(f"{self.instrument_id}: price must be positive, got {value}")
        return price

    def quantity(self, value: float | Decimal) -> Decimal:
        """Round down to a whole number of lots (0 when less than one lot).

        Raises
        ------
        ValueError
            If `value` is negative, not finite, or has more digits than a Decimal holds.
        """
        quantity = _on_grid(value, self.lot_size, ROUND_DOWN)
        if quantity < 0:
            raise ValueError(f"{self.instrument_id}: quantity must not be negative, got {value}")
        return quantity


def _on_grid(value: float | Decimal, step: Decimal, rounding: str) -> Decimal:
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not exact.is_finite():
        raise ValueError(f"not a finite number: {value}")
    try:
        return ((exact / step).quantize(Decimal(1), rounding=rounding) * step).quantize(step)
    except DecimalException as error:
        raise ValueError(f"too large for a grid of {step}: {value}") from error
