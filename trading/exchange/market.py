"""The prices of the moment, as the replay told them. Not durable: it is asked for after a restart."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import isfinite

from trading.data import Bar
from trading.exchange.liquidity import Ladder, Liquidity, build_ladder
from trading.identifiers import InstrumentId
from trading.instruments import Instrument

_NOTHING = Ladder()


class Market:
    """Last price and synthetic ladder of each instrument.

    Attributes
    ----------
    last : dict of instrument_id to the last close, on the tick grid
    ladders : dict of instrument_id to what is left of its ladder
    ignored_bars : int
        Bars with a bad price or of an instrument that is not listed here.
    """

    def __init__(
        self, instruments: Mapping[InstrumentId, Instrument], liquidity: Liquidity
    ) -> None:
        self._instruments = instruments
        self._liquidity = liquidity
        self.last: dict[InstrumentId, Decimal] = {}
        self.ladders: dict[InstrumentId, Ladder] = {}
        self.ignored_bars = 0

    def ladder(self, instrument_id: InstrumentId) -> Ladder:
        """Return the ladder; an empty one while no price is known."""
        return self.ladders.get(instrument_id, _NOTHING)

    def update(self, bars: Iterable[Bar]) -> tuple[Bar, ...]:
        """Rebuild the ladders around the closes; return the bars that were good."""
        good = []
        for bar in bars:
            instrument = self._instruments.get(bar.instrument_id)
            close = _price(bar, instrument) if instrument else None
            if instrument is None or close is None:
                self.ignored_bars += 1
                continue
            self.last[bar.instrument_id] = close
            self.ladders[bar.instrument_id] = build_ladder(close, instrument, self._liquidity)
            good.append(bar)
        return tuple(good)


def _price(bar: Bar, instrument: Instrument) -> Decimal | None:
    prices = (bar.open, bar.high, bar.low, bar.close)
    if not all(isfinite(price) and price > 0 for price in prices):
        return None
    try:
        return instrument.price(bar.close)
    except (ValueError, ArithmeticError):
        return None  # less than a tick, or beyond what Decimal can hold on the grid
