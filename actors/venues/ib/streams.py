"""From what TWS streams under one number to our market data. Pure but for the time, which is handed in."""

import math
from typing import Any, Protocol

from actors.venues.ib.depth import Depth
from trading.data import Bar, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.identifiers import InstrumentId
from trading.values import NANOS_PER_SECOND

Side = tuple[tuple[float, float], ...]
StreamMessage = QuoteTick | TradeTick | Bar | BookDelta | BookSnapshot

PIECE_S = 5
"""Length of the only real-time bars that IB streams."""
_BID_PRICES, _ASK_PRICES = frozenset({1, 66}), frozenset({2, 67})
_BID_SIZES, _ASK_SIZES = frozenset({0, 69}), frozenset({3, 70})
"""Live and delayed ticks."""


class Stream(Protocol):
    """One subscription."""

    def take(self, name: str, values: tuple[Any, ...], now: int) -> list[StreamMessage]:
        """Take one message of TWS; return what is to be told at once."""

    def flush(self, now: int) -> list[StreamMessage]:
        """Return what is to be told once everything that arrived together was taken."""


class QuoteStream:
    """Best bid and offer. TWS sends each number by itself and without a time: what came together is one quote.

    Parameters
    ----------
    multiplier : float
        Units per contract: sizes are told in contracts by IB, in units by us.
    """

    def __init__(self, key: InstrumentId, multiplier: float = 1.0) -> None:
        self._key = key
        self._multiplier = multiplier
        self._bid_px = self._ask_px = 0.0
        self._bid_size = self._ask_size = 0.0
        self._is_new = False

    def take(self, name: str, values: tuple[Any, ...], now: int) -> list[StreamMessage]:
        if name == "priceSizeTick":
            kind, price, size = values
            self._price(int(kind), float(price), float(size))
        elif name == "tickSize":
            kind, size = values
            self._size(int(kind), float(size))
        return []

    def flush(self, now: int) -> list[StreamMessage]:
        if not self._is_new:
            return []
        self._is_new = False
        if not (_is_price(self._bid_px) and _is_price(self._ask_px)):
            return []
        quote = QuoteTick(
            ts_event=now,
            ts_init=now,
            instrument_id=self._key,
            bid_px=self._bid_px,
            ask_px=self._ask_px,
            bid_size=self._bid_size * self._multiplier,
            ask_size=self._ask_size * self._multiplier,
        )
        return [quote]

    def _price(self, kind: int, price: float, size: float) -> None:
        if kind in _BID_PRICES:
            self._bid_px, self._bid_size, self._is_new = price, size, True
        elif kind in _ASK_PRICES:
            self._ask_px, self._ask_size, self._is_new = price, size, True

    def _size(self, kind: int, size: float) -> None:
        if kind in _BID_SIZES:
            self._is_new |= self._bid_size != size
            self._bid_size = size
        elif kind in _ASK_SIZES:
            self._is_new |= self._ask_size != size
            self._ask_size = size


class TradeStream:
    """Single trades. IB tells their second, and not who was the aggressor."""

    def __init__(self, key: InstrumentId, multiplier: float = 1.0) -> None:
        self._key = key
        self._multiplier = multiplier

    def take(self, name: str, values: tuple[Any, ...], now: int) -> list[StreamMessage]:
        if name != "tickByTickAllLast":
            return []
        _, time, price, size, *_ = values
        if not _is_price(price) or size <= 0:
            return []
        trade = TradeTick(
            ts_event=int(time) * NANOS_PER_SECOND,
            ts_init=now,
            instrument_id=self._key,
            price=float(price),
            size=float(size) * self._multiplier,
        )
        return [trade]

    def flush(self, now: int) -> list[StreamMessage]:
        return []


class BookStream:
    """The book: a snapshot as soon as both sides are there, then changes.

    Attributes
    ----------
    is_broken : bool
        A row did not fit; the book must be subscribed to again.
    """

    def __init__(self, key: InstrumentId, multiplier: float = 1.0) -> None:
        self.is_broken = False
        self._key = key
        self._multiplier = multiplier
        self._depth = Depth()
        self._is_begun = False

    def reset(self) -> None:
        """TWS emptied its book: ours begins again."""
        self._depth.clear()
        self._is_begun = False

    def take(self, name: str, values: tuple[Any, ...], now: int) -> list[StreamMessage]:
        if name == "updateMktDepthL2":
            position, _, operation, side, price, size, *_ = values
        elif name == "updateMktDepth":
            position, operation, side, price, size = values
        else:
            return []
        if not self._depth.take(position, operation, side, price, size * self._multiplier):
            self.is_broken = True
        return []

    def flush(self, now: int) -> list[StreamMessage]:
        if not self._is_begun:
            if not self._depth.is_two_sided:
                return []
            self._is_begun = True
            return [self._snapshot(now, *self._depth.show())]
        return [
            BookDelta(
                ts_event=now,
                ts_init=now,
                instrument_id=self._key,
                side=side,
                action=action,
                price=price,
                size=size,
            )
            for side, action, price, size in self._depth.changes()
        ]

    def book(self, now: int) -> BookSnapshot:
        """Return the book as it is, for somebody who asks; what is streamed goes on as before."""
        return self._snapshot(now, *self._depth.book())

    def _snapshot(self, now: int, bids: Side, asks: Side) -> BookSnapshot:
        return BookSnapshot(
            ts_event=now, ts_init=now, instrument_id=self._key, bids=bids, asks=asks
        )


class BarStream:
    """Bars of whole multiples of five seconds, put together from IB's.

    A bar of which we did not see the beginning is not told.
    """

    def __init__(self, key: InstrumentId, interval_ns: int, multiplier: float = 1.0) -> None:
        self._key = key
        self._interval_s = interval_ns // NANOS_PER_SECOND
        self._multiplier = multiplier
        self._begin: int | None = None
        self._pieces: list[tuple[float, float, float, float, float]] = []

    def take(self, name: str, values: tuple[Any, ...], now: int) -> list[StreamMessage]:
        if name != "realtimeBar":
            return []
        start, *prices = values[:6]
        piece = tuple(float(price) for price in prices)
        if not all(_is_price(price) for price in piece[:4]):
            return []
        told = []
        begin = start - start % self._interval_s
        if self._begin is not None and begin > self._begin:
            told += self._close(now)
        if self._pieces or start == begin:
            self._begin = begin
            self._pieces.append((piece[0], piece[1], piece[2], piece[3], max(piece[4], 0.0)))
            if start + PIECE_S == begin + self._interval_s:
                told += self._close(now)
        return told

    def flush(self, now: int) -> list[StreamMessage]:
        return []

    def _close(self, now: int) -> list[StreamMessage]:
        pieces, self._pieces = self._pieces, []
        begin, self._begin = self._begin, None
        if not pieces or begin is None:
            return []
        opens, highs, lows, closes, volumes = zip(*pieces, strict=True)
        bar = Bar(
            ts_event=(begin + self._interval_s) * NANOS_PER_SECOND,
            ts_init=now,
            instrument_id=self._key,
            open=opens[0],
            high=max(highs),
            low=min(lows),
            close=closes[-1],
            volume=sum(volumes) * self._multiplier,
        )
        return [bar]


def _is_price(value: float) -> bool:
    return math.isfinite(value) and value > 0
