"""The last good price of each instrument, on its price grid."""

from collections.abc import Iterable
from decimal import Decimal

from trading.book.tick_grid import TICKS_MAX, price_on_grid
from trading.identifiers import InstrumentId
from trading.instruments import Instrument


class LastPrices:
    """Takes float prices as they come; makes the exact one when somebody asks for it.

    A price that makes no sense (not finite, rounds to zero or less, of an instrument that is not
    listed) changes nothing.

    Attributes
    ----------
    bad_count : int
        Prices that made no sense.
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = {each.instrument_id: each for each in instruments}
        self._ticks = {key: float(each.tick_size) for key, each in self._instruments.items()}
        self._seen: dict[InstrumentId, float] = {}
        self._exact: dict[InstrumentId, Decimal] = {}
        self.bad_count = 0

    def set(self, instrument_id: InstrumentId, price: float) -> None:
        tick = self._ticks.get(instrument_id)
        # A comparison with NaN is false, so this refuses it too.
        if tick is not None and tick <= price <= tick * TICKS_MAX:
            self._seen[instrument_id] = price
            self._exact.pop(instrument_id, None)
        else:
            self._set_exact(instrument_id, price)

    def get(self, instrument_id: InstrumentId, /) -> Decimal | None:
        """Return the price; None while there is none."""
        exact = self._exact.get(instrument_id)
        if exact is None:
            price = self._seen.get(instrument_id)
            if price is None:
                return None
            instrument, tick = self._instruments[instrument_id], self._ticks[instrument_id]
            exact = self._exact[instrument_id] = price_on_grid(price, instrument, tick)
        return exact

    def _set_exact(self, instrument_id: InstrumentId, price: float) -> None:
        instrument = self._instruments.get(instrument_id)
        try:
            if instrument is not None:
                self._exact[instrument_id] = instrument.price(price)
                return
        except ValueError:
            pass  # not finite, or not positive: counted like that of an unknown instrument
        self.bad_count += 1
