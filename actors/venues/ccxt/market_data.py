"""CcxtMarketData: what an exchange publishes, streamed and from its history."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from ccxt.base.errors import ChecksumError

from actors.venues.ccxt import history
from actors.venues.ccxt.books import ToldBook
from actors.venues.ccxt.capabilities import capabilities_of
from actors.venues.ccxt.hooks import BookBroken, Tap
from actors.venues.ccxt.instruments import Markets
from actors.venues.ccxt.integrity import book_check
from actors.venues.ccxt.session import CcxtSession
from actors.venues.ccxt.stream import StreamBroken, StreamKeeper
from actors.venues.pacing import Priority
from actors.venues.profile import VenueSettings
from trading.data import Bar, BookSnapshot, QuoteTick, TradeTick
from trading.errors import OutcomeUnknown, VenueError, VenueRefused
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.ports import FeedMessage, MarketDataPort, Subscription
from trading.values import DataKind

log = logging.getLogger(__name__)

NANOS_PER_MS = 1_000_000
IDLE_S = 0.5
RESNAPSHOTS_MAX = 5
"""Wrong books in a row before the connection itself is opened anew."""
_T = TypeVar("_T")
Watch = Callable[[], Awaitable[Any]]


class CcxtMarketData:
    """Public data of one exchange, no key needed; used in one event loop."""

    def __init__(self, settings: VenueSettings) -> None:
        self._session = CcxtSession(settings, with_key=False)
        exchange, options = self._session.exchange, self._session.options
        self.capabilities = capabilities_of(
            exchange.has, exchange.features or {}, options.default_type, self._session.dialect
        )
        self._markets = Markets(settings.venue, settings.instruments)
        self._keeper = StreamKeeper(self._session, self, options.data_timeout_s)
        self._session.hooks.on_unreadable = self._unreadable
        self._session.hooks.check = book_check(exchange, self._session.name)
        self._on_message: Callable[[FeedMessage], None] | None = None
        self._watched: dict[Subscription, asyncio.Task[None] | None] = {}
        self._books: dict[InstrumentId, ToldBook] = {}
        self._open_bars: dict[Subscription, Bar] = {}
        self._is_open = False

    # -- the stream

    async def connect(self, on_message: Callable[[FeedMessage], None]) -> None:
        """Begin to connect, and go on trying; subscriptions are kept over a reconnect."""
        self._on_message = on_message
        self._keeper.start()

    async def disconnect(self) -> None:
        """Close everything; nothing is told any more."""
        self._on_message = None
        await self._keeper.stop()
        await self._session.close()

    async def subscribe(self, subscriptions: tuple[Subscription, ...]) -> None:
        """Stream these from now on.

        Raises
        ------
        VenueRefused
            If the exchange streams nothing of that kind, or does not have the instrument.
        """
        await self._load()
        for each in subscriptions:
            self._require(each)
        for each in subscriptions:
            if each not in self._watched:
                self._watched[each] = None
                if self._is_open:
                    self._begin(each)

    async def unsubscribe(self, subscriptions: tuple[Subscription, ...]) -> None:
        """Stream these no more; the exchange goes on sending until the connection is opened anew."""
        for each in subscriptions:
            task = self._watched.pop(each, None)
            if task is not None:
                task.cancel()

    async def prepare(self) -> None:
        await self._load()
        if self._session.has("fetchTime"):
            await self._session.call("fetch_time", priority=Priority.DATA)  # is anybody there?
        self._session.exchange.orderbooks, self._session.exchange.trades = {}, {}
        for book in self._books.values():
            book.forget()
        self._open_bars.clear()

    def watching(self) -> list[Awaitable[Any]]:
        return [self._hold()]

    def is_up(self) -> bool:
        clients = list((self._session.exchange.clients or {}).values())
        is_dialled = bool(clients) or not self._watched
        return self._is_open and is_dialled and all(client.isConnected for client in clients)

    def came_up(self) -> None:
        self._tell(VenueConnected(ts_event=time.time_ns(), ts_init=time.time_ns()))

    def went_down(self, reason: str, *, is_final: bool) -> None:
        now = time.time_ns()
        self._tell(VenueDisconnected(ts_event=now, ts_init=now, reason=reason, is_final=is_final))

    async def _hold(self) -> None:
        """Keep every subscription going; ends with the first that breaks."""
        self._is_open = True
        try:
            for each in self._watched:
                self._begin(each)
            while True:
                tasks = [task for task in self._watched.values() if task is not None]
                if not tasks:
                    await asyncio.sleep(IDLE_S)
                    continue
                done, _ = await asyncio.wait(
                    tasks, timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    if task in self._watched.values():
                        task.result()
                        raise StreamBroken("a stream ended")
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        self._is_open = False
        tasks = [task for task in self._watched.values() if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watched = dict.fromkeys(self._watched)

    def _begin(self, subscription: Subscription) -> None:
        work = self._watch(subscription)
        self._watched[subscription] = asyncio.get_running_loop().create_task(work)

    async def _watch(self, subscription: Subscription) -> None:
        watch, take = self._means(subscription)
        failures = 0
        while True:
            try:
                answer = await watch()
            except ChecksumError as error:
                failures += 1
                log.warning("%s: %s; reading the book again", subscription.instrument_id, error)
                if failures > RESNAPSHOTS_MAX:
                    raise
                self._book(subscription.instrument_id).forget()
                continue
            failures = 0
            take(subscription, answer)

    def _unreadable(self, client: Any, error: Exception) -> None:
        if isinstance(error, BookBroken):
            self._keeper.end(StreamBroken(str(error)))
        else:
            log.warning("a message of %s cannot be read: %s", self._session.name, error)

    # -- kinds of data

    def _require(self, each: Subscription) -> None:
        self._markets.symbol(each.instrument_id)
        if each.kind not in self.capabilities.streams:
            raise VenueRefused("UNSUPPORTED", f"{self._session.name} streams no {each.kind.value}")
        if each.kind is DataKind.BARS:
            history.timeframe(self._session, each.interval_ns)

    def _means(self, each: Subscription) -> tuple[Watch, Callable[[Subscription, Any], None]]:
        """Return the call of ccxt that waits for news of a subscription, and what takes them."""
        exchange, symbol = self._session.exchange, self._markets.symbol(each.instrument_id)
        depth, is_top = self._depth, self._session.dialect.quotes_from_book
        match each.kind:
            case DataKind.BOOKS:
                return (lambda: exchange.watch_order_book(symbol, depth)), self._take_book
            case DataKind.TRADES:
                self._tap_trades(each, symbol)
                return (lambda: exchange.watch_trades(symbol)), self._take_trades
            case DataKind.BARS:
                frame = history.timeframe(self._session, each.interval_ns)
                return (lambda: exchange.watch_ohlcv(symbol, frame)), self._take_bars
            case DataKind.QUOTES if self._session.has("watchBidsAsks") and not is_top:
                return (lambda: exchange.watch_bids_asks([symbol])), self._take_quotes
            case DataKind.QUOTES if self._session.has("watchTicker") and not is_top:
                return (lambda: exchange.watch_ticker(symbol)), self._take_quotes
            case DataKind.QUOTES:
                return (lambda: exchange.watch_order_book(symbol, depth)), self._take_top

    @property
    def _depth(self) -> int | None:
        """The smallest depth on offer that is enough; None leaves it to the exchange."""
        depths = self._session.dialect.depths
        wanted = self._session.options.book_depth
        return next((depth for depth in depths if depth >= wanted), depths[-1] if depths else None)

    def _take_book(self, each: Subscription, book: Mapping[str, Any]) -> None:
        now = time.time_ns()
        for message in self._book(each.instrument_id).changes(
            book["bids"], book["asks"], _time(book, now), now
        ):
            self._tell(message)

    def _tap_trades(self, each: Subscription, symbol: str) -> None:
        """Hear every trade as it comes: the answers of ccxt leave out some and repeat others."""

        def heard(raw: Mapping[str, Any]) -> None:
            if each in self._watched:
                self._tell(history.tick_of(raw, each.instrument_id, time.time_ns()))

        self._session.exchange.trades[symbol] = Tap(heard)

    def _take_trades(self, each: Subscription, answer: list[Mapping[str, Any]]) -> None:
        """Take what a tap cannot have heard: some exchanges replace the cache when they subscribe."""
        symbol = self._markets.symbol(each.instrument_id)
        if isinstance(self._session.exchange.trades.get(symbol), Tap):
            return
        for raw in answer:
            self._tell(history.tick_of(raw, each.instrument_id, time.time_ns()))
        self._tap_trades(each, symbol)

    def _take_bars(self, each: Subscription, candles: list[Any]) -> None:
        """Tell a bar once the next one has begun: only then is it whole."""
        now = time.time_ns()
        for candle in candles:
            bar = history.bar_of(candle, each.instrument_id, each.interval_ns, now)
            known = self._open_bars.get(each)
            if known is not None and known.ts_event < bar.ts_event:
                self._tell(known)
            if known is None or known.ts_event <= bar.ts_event:
                self._open_bars[each] = bar

    def _take_quotes(self, each: Subscription, answer: Mapping[str, Any]) -> None:
        symbol = self._markets.symbol(each.instrument_id)
        ticker = answer.get(symbol, answer)
        sides = [ticker.get(name) for name in ("bid", "ask", "bidVolume", "askVolume")]
        if sides[0] is None or sides[1] is None:
            return  # a market without orders on one side has no quote
        self._quote(each.instrument_id, [float(side or 0.0) for side in sides], ticker)

    def _take_top(self, each: Subscription, book: Mapping[str, Any]) -> None:
        if not book["bids"] or not book["asks"]:
            return
        bid, ask = book["bids"][0], book["asks"][0]
        self._quote(each.instrument_id, [bid[0], ask[0], bid[1], ask[1]], book)

    def _quote(self, key: InstrumentId, sides: list[float], source: Mapping[str, Any]) -> None:
        now = time.time_ns()
        self._tell(
            QuoteTick(
                ts_event=_time(source, now),
                ts_init=now,
                instrument_id=key,
                bid_px=sides[0],
                ask_px=sides[1],
                bid_size=sides[2],
                ask_size=sides[3],
            )
        )

    def _book(self, key: InstrumentId) -> ToldBook:
        return self._books.setdefault(key, ToldBook(key, self._session.options.book_depth))

    def _tell(self, message: FeedMessage) -> None:
        if self._on_message is not None:
            self._on_message(message)

    # -- questions

    async def instruments(self, symbols: tuple[str, ...]) -> tuple[Instrument, ...]:
        """Return what the exchange says of these: symbols of ccxt, of the exchange, or of our ids."""
        await self._load()
        return tuple(self._markets.find(symbol) for symbol in symbols)

    async def book(self, instrument_id: InstrumentId) -> BookSnapshot:
        """Return the book as it is now; of one that is streamed, begin the stream again with a snapshot."""
        await self._load()
        symbol = self._markets.symbol(instrument_id)
        depth = self._session.options.book_depth
        raw = await self._session.call(
            "fetch_order_book", symbol, self._depth, priority=Priority.DATA
        )
        now = time.time_ns()
        found = ToldBook(instrument_id, depth).changes(
            raw["bids"], raw["asks"], _time(raw, now), now
        )[0]
        assert isinstance(found, BookSnapshot)
        if instrument_id in self._books:
            self._books[instrument_id].forget()
        return found

    async def bars(
        self, instrument_id: InstrumentId, interval_ns: int, start: int, end: int
    ) -> tuple[Bar, ...]:
        await self._load()
        symbol = self._markets.symbol(instrument_id)
        return await _contained(
            history.bars(self._session, symbol, instrument_id, interval_ns, start, end)
        )

    async def trades(
        self, instrument_id: InstrumentId, start: int, end: int
    ) -> tuple[TradeTick, ...]:
        await self._load()
        symbol = self._markets.symbol(instrument_id)
        return await _contained(history.trades(self._session, symbol, instrument_id, start, end))

    async def quotes(
        self, instrument_id: InstrumentId, start: int, end: int
    ) -> tuple[QuoteTick, ...]:
        """Return nothing: no exchange behind ccxt keeps quotes."""
        return ()

    async def _load(self) -> None:
        await self._session.load_markets()
        if not self._markets.is_loaded:
            self._markets.load(self._session.exchange)


async def _contained(work: Awaitable[_T]) -> _T:
    try:
        return await work
    except VenueError:
        raise
    except Exception as error:
        raise OutcomeUnknown(f"the exchange's answer cannot be read: {error!r}") from error


def _time(source: Mapping[str, Any], now: int) -> int:
    ms = source.get("timestamp")
    return int(ms) * NANOS_PER_MS if ms else now


def open_market_data(settings: VenueSettings) -> MarketDataPort:
    """Return the connection for market data; not connected yet."""
    return CcxtMarketData(settings)
