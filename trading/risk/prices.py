"""The last good price of each instrument, as risk needs it: for exposure, for equity, for freshness."""

from collections.abc import Mapping
from decimal import Decimal

from trading.book.tick_grid import price_on_grid
from trading.data import BookTop
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.values import OrderSide

_PRICE_MAX = 1e12
"""Above it a float price is a defect of the source, not a price."""


class Quote:
    """Best bid and ask, and the host time (ns) at which the feed saw them."""

    __slots__ = ("ask_px", "bid_px", "exposure_px", "seen_at")

    def __init__(self) -> None:
        self.bid_px = self.ask_px = 0.0
        self.seen_at = 0
        self.exposure_px: Decimal | None = None

    def take(self, top: BookTop) -> None:
        if top.bid_px != self.bid_px or top.ask_px != self.ask_px:
            self.bid_px, self.ask_px = top.bid_px, top.ask_px
            self.exposure_px = None  # worked out when somebody asks
        self.seen_at = top.ts_init


class Prices:
    """Last good quote per instrument. A bad one (NaN, infinite, not positive, one-sided) changes nothing.

    An instrument without a quote since the start is valued at its last fill.
    """

    def __init__(self, instruments: Mapping[InstrumentId, Instrument]) -> None:
        self._instruments = instruments
        self._ticks = {key: float(value.tick_size) for key, value in instruments.items()}
        self._quotes: dict[InstrumentId, Quote] = {}
        self._last_fill_px: dict[InstrumentId, Decimal] = {}
        self.bad_count = 0

    def update(self, top: BookTop) -> bool:
        """Take a quote over; False, and counted, when it is no usable one."""
        tick = self._ticks.get(top.instrument_id)
        # A comparison with NaN is false, so this refuses it too.
        if (
            tick is None
            or not tick <= top.bid_px <= _PRICE_MAX
            or not tick <= top.ask_px <= _PRICE_MAX
        ):
            self.bad_count += 1
            return False
        quote = self._quotes.get(top.instrument_id)
        if quote is None:
            quote = self._quotes[top.instrument_id] = Quote()
        quote.take(top)
        return True

    def note_fill(self, instrument_id: InstrumentId, price: Decimal) -> None:
        self._last_fill_px[instrument_id] = price

    def note_held(self, instrument_id: InstrumentId, price: Decimal) -> None:
        """Value what the account held before us at its average price.

        Where the venue does not say that price (0), an instrument that is traded here waits for its first quote;
        one that is not, and so never has a quote, counts as nothing.
        """
        if price > 0 or instrument_id not in self._instruments:
            self._last_fill_px[instrument_id] = price

    def seen_at(self, instrument_id: InstrumentId) -> int | None:
        """Return the feed's host time (ns) of the last good quote; None when there is none."""
        quote = self._quotes.get(instrument_id)
        return None if quote is None else quote.seen_at

    def exposure_px(self, instrument_id: InstrumentId) -> Decimal | None:
        """Return the higher side of the book, on the tick grid: what exposure is counted at."""
        quote = self._quotes.get(instrument_id)
        if quote is None:
            return self._last_fill_px.get(instrument_id)
        if quote.exposure_px is None:
            instrument = self._instruments[instrument_id]
            price = max(quote.bid_px, quote.ask_px)
            quote.exposure_px = price_on_grid(price, instrument, self._ticks[instrument_id])
        return quote.exposure_px

    def opposite_px(self, instrument_id: InstrumentId, side: OrderSide) -> Decimal | None:
        """Return the price that an order of `side` could trade at now; None when there is no quote."""
        quote = self._quotes.get(instrument_id)
        if quote is None:
            return None
        return Decimal(repr(quote.ask_px if side is OrderSide.BUY else quote.bid_px))

    def middle_px(self, instrument_id: InstrumentId) -> Decimal | None:
        """Return the middle of the book: what equity is counted at; None when there is no quote."""
        quote = self._quotes.get(instrument_id)
        return None if quote is None else Decimal(repr((quote.bid_px + quote.ask_px) / 2))
