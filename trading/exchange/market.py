"""The prices of the moment, as the replay told them. Not durable: it is asked for after a restart."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import inf

from trading.book.tick_grid import sure_tick
from trading.data import Bar, TradeTick
from trading.exchange.historic_book import BookEvent, HistoricBook, is_sound
from trading.exchange.liquidity import Crowd, Ladder, LadderShape, Liquidity, Shown
from trading.identifiers import InstrumentId
from trading.instruments import Instrument

_NOTHING = Ladder()


class Market:
    """Last price of each instrument, and what the crowd offers in it.

    Instruments that the replay has bars of alone get a synthetic ladder around each close. Those
    whose book it replays keep that book: bars then say nothing about their liquidity.

    Attributes
    ----------
    last : dict of instrument_id to the last price, on the tick grid
        Close of the bar; of a historic book the last trade, or the middle where there are no trades.
    historic : dict of instrument_id to its historic book
    ignored_bars, ignored_events : int
        With a bad price, or of an instrument that is not listed here.
    """

    def __init__(
        self, instruments: Mapping[InstrumentId, Instrument], liquidity: Liquidity
    ) -> None:
        self._instruments = instruments
        self._shapes = {key: LadderShape(each, liquidity) for key, each in instruments.items()}
        self._ticks = {key: float(each.tick_size) for key, each in instruments.items()}
        self._middles: dict[InstrumentId, int] = {}
        self._ladders: dict[InstrumentId, Ladder] = {}
        self.last: dict[InstrumentId, Decimal] = {}
        self.historic: dict[InstrumentId, HistoricBook] = {}
        self.ignored_bars = 0
        self.ignored_events = 0

    def ladder(self, instrument_id: InstrumentId) -> Crowd:
        """Return what can be taken; nothing while no price is known."""
        book = self.historic.get(instrument_id)
        if book is not None:
            return book
        ladder = self._ladders.get(instrument_id)
        if ladder is None:
            middle = self._middles.get(instrument_id)
            if middle is None:
                return _NOTHING
            ladder = self._ladders[instrument_id] = self._shapes[instrument_id].ladder(middle)
        return ladder

    def untouched(self, instrument_id: InstrumentId) -> tuple[Shown, Shown] | None:
        """Return bids and asks as floats while no order has looked at a synthetic ladder, else None."""
        middle = self._middles.get(instrument_id)
        if middle is None or instrument_id in self._ladders:
            return None
        return self._shapes[instrument_id].shown(middle)

    def has_synthetic(self, instrument_id: InstrumentId) -> bool:
        """Return whether bars have set a ladder."""
        return instrument_id in self._middles and instrument_id not in self.historic

    def record(self, event: BookEvent | TradeTick) -> HistoricBook | None:
        """Return the book that the event belongs to, made if needed; None when it makes no sense."""
        key = event.instrument_id
        book = self.historic.get(key)
        if book is None:
            instrument = self._instruments.get(key)
            if instrument is None:
                self.ignored_events += 1
                return None
            book = self.historic[key] = HistoricBook(instrument)
        if not is_sound(event):
            self.ignored_events += 1
            return None
        return book

    def follow(self, instrument_id: InstrumentId) -> bool:
        """Take the last price over from the historic book; False while it has none."""
        last = self.historic[instrument_id].last_price()
        if last is not None:
            self.last[instrument_id] = last
        return instrument_id in self.last

    def update(self, bars: Iterable[Bar]) -> tuple[Bar, ...]:
        """Move the ladders to the closes; return the bars that were good."""
        good = []
        for bar in bars:
            key = bar.instrument_id
            instrument = self._instruments.get(key)
            middle = self._middle(bar, instrument) if instrument else None
            if instrument is None or middle is None:
                self.ignored_bars += 1
                continue
            good.append(bar)
            if key not in self.historic:
                self.last[key] = middle * instrument.tick_size
                self._middles[key] = middle
                self._ladders.pop(key, None)
        return tuple(good)

    def _middle(self, bar: Bar, instrument: Instrument) -> int | None:
        """Return the close in ticks, rounded half to even; None when a price makes no sense."""
        close = bar.close
        # A comparison with NaN is false, so this refuses it too.
        if not (
            0 < bar.open < inf and 0 < bar.high < inf and 0 < bar.low < inf and 0 < close < inf
        ):
            return None
        ticks = sure_tick(close, self._ticks[bar.instrument_id])
        if ticks is not None:
            return ticks or None
        try:
            return int(instrument.price(close) / instrument.tick_size)
        except (ValueError, ArithmeticError):
            return None  # less than a tick, or beyond what Decimal can hold on the grid
