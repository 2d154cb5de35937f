"""From the venue's ticks to ours: instrument ids, units, times and sequence numbers."""

from collections.abc import Callable, Iterator

from actors.venues.alpaca.feed_parse import (
    BookChange,
    Level,
    Message,
    MinuteBar,
    Quote,
    Trade,
    nanos,
)
from trading.data import Bar, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.values import NANOS_PER_SECOND, BookAction, OrderSide

MINUTE_NS = 60 * NANOS_PER_SECOND
Tick = QuoteTick | TradeTick | Bar | BookDelta | BookSnapshot
_TAKERS = {"B": OrderSide.BUY, "S": OrderSide.SELL}


class TickMaker:
    """Makes ticks of the instruments that it was told of; others are left out.

    Parameters
    ----------
    now : function
        The host's clock (ns UTC).
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._known: dict[str, tuple[InstrumentId, float]] = {}
        self._sequence = 0
        self._books: dict[InstrumentId, int] = {}

    def add(self, symbol: str, instrument: Instrument) -> None:
        """Make ticks of what the venue calls `symbol` from now on."""
        self._known[symbol] = (instrument.instrument_id, float(instrument.multiplier))

    def ticks(self, message: Message | None) -> Iterator[Tick]:
        """Yield the ticks in one message: none for what is not market data."""
        match message:
            case Quote():
                yield from self._quote(message)
            case Trade():
                yield from self._trade(message)
            case MinuteBar():
                yield from self._bar(message)
            case BookChange():
                yield from self._book(message)
            case _:
                return

    def _quote(self, quote: Quote) -> Iterator[Tick]:
        known, at = self._known.get(quote.S), nanos(quote.t)
        if known is None or at is None:
            return
        self._sequence += 1
        yield QuoteTick(
            ts_event=at,
            ts_init=self._now(),
            sequence=self._sequence,
            instrument_id=known[0],
            bid_px=quote.bp,
            ask_px=quote.ap,
            bid_size=quote.bs * known[1],
            ask_size=quote.as_ * known[1],
        )

    def _trade(self, trade: Trade) -> Iterator[Tick]:
        known, at = self._known.get(trade.S), nanos(trade.t)
        if known is None or at is None:
            return
        self._sequence += 1
        yield TradeTick(
            ts_event=at,
            ts_init=self._now(),
            sequence=self._sequence,
            instrument_id=known[0],
            price=trade.p,
            size=trade.s * known[1],
            aggressor_side=_TAKERS.get(trade.tks),
        )

    def _bar(self, bar: MinuteBar) -> Iterator[Tick]:
        known, at = self._known.get(bar.S), nanos(bar.t)
        if known is None or at is None:
            return
        self._sequence += 1
        yield Bar(
            ts_event=at + MINUTE_NS,
            ts_init=self._now(),
            sequence=self._sequence,
            instrument_id=known[0],
            open=bar.o,
            high=bar.h,
            low=bar.l,
            close=bar.c,
            volume=bar.v * known[1],
        )

    def _book(self, change: BookChange) -> Iterator[Tick]:
        known, at = self._known.get(change.S), nanos(change.t)
        if known is None or at is None:
            return
        key = known[0]
        if change.r:
            yield BookSnapshot(
                ts_event=at,
                ts_init=self._now(),
                sequence=self._next(key),
                instrument_id=key,
                bids=levels(change.b, is_bid=True),
                asks=levels(change.a, is_bid=False),
            )
            return
        for side, changed in ((OrderSide.BUY, change.b), (OrderSide.SELL, change.a)):
            for level in changed:
                yield BookDelta(
                    ts_event=at,
                    ts_init=self._now(),
                    sequence=self._next(key),
                    instrument_id=key,
                    side=side,
                    action=BookAction.UPDATE if level.s > 0 else BookAction.DELETE,
                    price=level.p,
                    size=level.s,
                )

    def _next(self, key: InstrumentId) -> int:
        self._books[key] = self._books.get(key, 0) + 1
        return self._books[key]


def levels(side: list[Level], *, is_bid: bool) -> tuple[tuple[float, float], ...]:
    """Return one side of a book, best first, without empty levels."""
    found = [(level.p, level.s) for level in side if level.s > 0]
    return tuple(sorted(found, reverse=is_bid))
