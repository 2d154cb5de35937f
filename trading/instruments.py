"""What can be traded: tick, lot, currency; the only place where money is rounded to a grid."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, DecimalException

import msgspec

from trading.identifiers import InstrumentId
from trading.values import ZERO, AssetClass, OptionRight, TimeInForce


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
    min_notional : Decimal
        Smallest value of an order, in `currency`; 0 is no limit.
    asset_class : AssetClass
        What kind of thing it is: venues take other orders for options than for stocks.
    multiplier : Decimal
        Units per contract of the venue. Quantities here are units, not contracts: a contract on 100 shares is a lot of 100.
    is_margined : bool
        The price is not paid, only profit and loss settle in cash (futures, perpetuals).
    is_shortable : bool
        It may be sold short at the venue, as far as the venue says so in advance.
    calendar : str
        Sessions that it trades in, by the name of an exchange calendar (XNYS, 24/7); empty when not known.
    venue_symbol : str
        What the venue calls it; empty when that is the symbol in `instrument_id`.
    underlying, expiry, strike, right
        Of an option or future: symbol, day (ISO 8601), price, and whether it is a call.
    """

    instrument_id: InstrumentId
    tick_size: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal(1)
    min_quantity: Decimal = Decimal(1)
    currency: str = "USD"
    sector: str = ""
    min_notional: Decimal = ZERO
    asset_class: AssetClass = AssetClass.EQUITY
    multiplier: Decimal = Decimal(1)
    is_margined: bool = False
    is_shortable: bool = True
    calendar: str = ""
    venue_symbol: str = ""
    underlying: str = ""
    expiry: str = ""
    strike: Decimal | None = None
    right: OptionRight | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """What it shares with others: `sector:energy`, `currency:USD`, `venue:XNAS`."""
        venue = self.instrument_id.rpartition(".")[2]
        shared = (f"currency:{self.currency}", f"venue:{venue}")
        return (f"sector:{self.sector}", *shared) if self.sector else shared

    @property
    def order_time(self) -> TimeInForce:
        """How long an order of ours works that is to trade at once: what trades around the clock knows no day."""
        is_round_the_clock = self.asset_class in {AssetClass.CRYPTO, AssetClass.PERPETUAL}
        return TimeInForce.GTC if is_round_the_clock else TimeInForce.DAY

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
