"""A market data connection that the test plays, and a market whose true bars a plain loop knows."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trading.data import Bar, BookSnapshot, TradeTick
from trading.errors import VenueUnreachable
from trading.identifiers import InstrumentId
from trading.outcomes import VenueConnected, VenueDisconnected

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def price_at(name: str, at: int) -> float:
    """Return a price that moves and depends on nothing but instrument and moment."""
    step = at // SECOND
    return round(100.0 + len(name) + 5 * math.sin(step / 97) + (step * 7919 % 13) / 10, 2)


def trades_between(
    name: InstrumentId, start: int, end: int, every_ns: int, is_open: Callable[[int], bool]
) -> list[TradeTick]:
    """Return the trades of [start, end): one every `every_ns` while the market is open."""
    first = -(-start // every_ns) * every_ns
    return [
        TradeTick(ts_event=at, instrument_id=name, price=price_at(name, at), size=float(at % 7 + 1))
        for at in range(first, end, every_ns)
        if is_open(at)
    ]


@dataclass
class Market:
    """Trades of several instruments, and the bars that follow from them."""

    names: tuple[InstrumentId, ...]
    every_ns: dict[InstrumentId, int]
    is_open: Callable[[int], bool] = lambda at: True
    interval_ns: int = MINUTE

    def bars(self, name: InstrumentId, start: int, end: int) -> tuple[Bar, ...]:
        """Return the bars that closed in [start, end]."""
        interval = self.interval_ns
        first = -(-start // interval) * interval
        closes = range(max(first, interval), end + 1, interval)
        bars = (self.bar(name, close_at) for close_at in closes)
        return tuple(bar for bar in bars if bar is not None)

    def bar(self, name: InstrumentId, close_at: int) -> Bar | None:
        start = close_at - self.interval_ns
        trades = trades_between(name, start, close_at, self.every_ns[name], self.is_open)
        prices = [trade.price for trade in trades]
        if not prices:
            return None
        return Bar(
            ts_event=close_at,
            instrument_id=name,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=sum(trade.size for trade in trades),
        )


@dataclass
class PlayedPort:
    """A `MarketDataPort`: keeps what it was asked, answers from `market`, raises what is in `errors`."""

    market: Market
    now: Callable[[], int]
    lag_ns: int = 0
    """How long after its close a bar appears in the history."""
    errors: list[Exception] = field(default_factory=list)
    books: dict[InstrumentId, BookSnapshot] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    on_message: Callable[[Any], None] | None = None
    is_up: bool = True

    async def connect(self, on_message: Callable[[Any], None]) -> None:
        self.calls.append(("connect",))
        self.on_message = on_message
        if self.is_up:
            self.say(VenueConnected(ts_event=self.now(), ts_init=self.now()))

    async def disconnect(self) -> None:
        self.calls.append(("disconnect",))

    async def subscribe(self, subscriptions: tuple[Any, ...]) -> None:
        self._call("subscribe", subscriptions)

    async def unsubscribe(self, subscriptions: tuple[Any, ...]) -> None:
        self._call("unsubscribe", subscriptions)

    async def instruments(self, symbols: tuple[str, ...]) -> tuple[Any, ...]:
        return ()

    async def book(self, instrument_id: InstrumentId) -> BookSnapshot:
        self._call("book", instrument_id)
        return self.books[instrument_id]

    async def bars(
        self, instrument_id: InstrumentId, interval_ns: int, start: int, end: int
    ) -> tuple[Bar, ...]:
        self._call("bars", instrument_id, start, end)
        return self.market.bars(instrument_id, start, min(end, self.now() - self.lag_ns))

    async def quotes(self, instrument_id: InstrumentId, start: int, end: int) -> tuple[Any, ...]:
        return ()

    async def trades(self, instrument_id: InstrumentId, start: int, end: int) -> tuple[Any, ...]:
        return ()

    def say(self, message: Any) -> None:
        assert self.on_message is not None
        self.on_message(message)

    def drop(self, reason: str = "reset") -> None:
        self.say(VenueDisconnected(ts_event=self.now(), ts_init=self.now(), reason=reason))

    def _call(self, *call: Any) -> None:
        self.calls.append(call)
        if self.errors:
            raise self.errors.pop(0)
        if not self.is_up:
            raise VenueUnreachable("the venue is down")
