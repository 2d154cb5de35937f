"""Bars by time, from trades or from the middle of quotes and books."""

from collections.abc import Iterable
from enum import StrEnum

from trading.book.ladder import LadderBook
from trading.data import Bar, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.identifiers import InstrumentId
from trading.instruments import Instrument

MarketEvent = QuoteTick | TradeTick | BookDelta | BookSnapshot


class BarPrice(StrEnum):
    """What a bar is made of."""

    TRADE = "trade"
    MIDDLE = "middle"
    """Of the best bid and ask; the volume is that of the trades all the same."""


class _Open:
    """One bar under way."""

    __slots__ = ("close", "high", "low", "open", "volume")

    def __init__(self, price: float) -> None:
        self.open = self.high = self.low = self.close = price
        self.volume = 0.0

    def take(self, price: float) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price


class BarBuilder:
    """Collects events; gives one bar per instrument that had a price since the last call of `close`."""

    def __init__(self, instruments: Iterable[Instrument], price: BarPrice) -> None:
        self._price = price
        self._books = {each.instrument_id: LadderBook(each.tick_size) for each in instruments}
        self._bars: dict[InstrumentId, _Open] = {}
        self._volumes: dict[InstrumentId, float] = {}

    def add(self, event: MarketEvent) -> None:
        """Take one event over; those of instruments that are not listed say nothing."""
        key = event.instrument_id
        if key not in self._books:
            return
        price = None
        if type(event) is TradeTick:
            self._volumes[key] = self._volumes.get(key, 0.0) + event.size
            price = event.price
        if self._price is BarPrice.MIDDLE:
            price = self._middle(event)
        if price is None:
            return
        bar = self._bars.get(key)
        if bar is None:
            self._bars[key] = _Open(price)
        else:
            bar.take(price)

    def close(self, ts_event: int, sequence: int) -> tuple[Bar, ...]:
        """Return the bars that end at `ts_event`, and begin anew; empty when there were no prices."""
        bars = tuple(
            Bar(
                ts_event=ts_event,
                ts_init=ts_event,
                sequence=sequence,
                instrument_id=key,
                open=bar.open,
                high=bar.high,
                low=bar.low,
                close=bar.close,
                volume=self._volumes.get(key, 0.0),
            )
            for key, bar in sorted(self._bars.items())
        )
        self._bars.clear()
        self._volumes.clear()
        return bars

    def _middle(self, event: MarketEvent) -> float | None:
        match event:
            case TradeTick():
                return None
            case QuoteTick():
                return (event.bid_px + event.ask_px) / 2
            case BookDelta() | BookSnapshot():
                book = self._books[event.instrument_id]
                book.apply(event) if isinstance(event, BookDelta) else book.apply_snapshot(event)
                bid, ask = book.best_bid(), book.best_ask()
                return None if bid is None or ask is None else (bid[0] + ask[0]) / 2
