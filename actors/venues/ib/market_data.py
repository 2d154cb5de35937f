"""Market data of Interactive Brokers behind the port that every venue offers."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from actors.venues.ib.config import IbOptions, check_options
from actors.venues.ib.connection import Connection, Listener, OrderEvent
from actors.venues.ib.contract_book import ContractBook, to_library
from actors.venues.ib.error_codes import DEPTH_HALTED, DEPTH_RESET, ErrorKind
from actors.venues.ib.history import History, what_to_show
from actors.venues.ib.instruments import market_hours
from actors.venues.ib.link import Link, LinkMessage, LinkUser
from actors.venues.ib.messages import ContractListing, TwsError
from actors.venues.ib.streams import (
    PIECE_S,
    BarStream,
    BookStream,
    QuoteStream,
    Stream,
    StreamMessage,
    TradeStream,
)
from actors.venues.pacing import Priority
from actors.venues.profile import VenueSettings
from trading.data import Bar, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.errors import OutcomeUnknown, VenueError, VenueRefused
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.market_hours import MarketHours
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.ports import FeedMessage, MarketDataPort, Subscription
from trading.values import NANOS_PER_SECOND, DataKind

log = logging.getLogger(__name__)

BOOK_ROWS = 10
BOOK_SETTLE_S = 0.2
"""A book that is asked for once is complete when its rows pause for so long."""
_FARM_DOWN, _FARM_UP = 2103, 2104
_CANCELS = {
    DataKind.QUOTES: "cancelMktData",
    DataKind.TRADES: "cancelTickByTickData",
    DataKind.BOOKS: "cancelMktDepth",
    DataKind.BARS: "cancelRealTimeBars",
}
_Active = tuple[int, Stream]


class IbMarketData:
    """Streams and history over a client id of their own; used in one event loop.

    IB streams no times for quotes and books (`ts_event` is when they arrived here) and whole seconds for
    trades. While one of IB's market data farms is broken the feed counts as disconnected.
    """

    def __init__(self, settings: VenueSettings, options: IbOptions) -> None:
        self.contracts = ContractBook(settings.instruments, options.currency)
        self._options = options
        self._on_message: Callable[[FeedMessage], None] | None = None
        self._history = History(options)
        self._wanted: dict[Subscription, None] = {}
        self._active: dict[Subscription, _Active] = {}
        self._dirty: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken_farms: set[str] = set()
        self._sequence = 0
        self._book_sequences: dict[InstrumentId, int] = {}
        listener = Listener(_ignore_order, self._on_error, _log_unreadable)
        user = LinkUser(self._prepare, self._link_changed, listener)
        self._link = Link(options, options.feed_client_id, user)

    # -- the session

    async def connect(self, on_message: Callable[[FeedMessage], None]) -> None:
        """Begin to connect, and go on trying; `VenueConnected` tells when the streams are subscribed."""
        self._on_message = on_message
        self._link.start()

    async def disconnect(self) -> None:
        """Close the session for good."""
        for task in self._tasks:
            task.cancel()
        await self._link.stop()
        self._on_message = None

    def connection(self) -> Connection:
        """Return the connection, for the questions that IB alone answers.

        Raises
        ------
        VenueUnreachable
            If it is not up.
        """
        return self._link.connection()

    async def _prepare(self, connection: Connection, is_new: bool) -> None:
        await self.contracts.load(connection)
        if not is_new:
            return
        self._active.clear()
        self._broken_farms.clear()
        await connection.send(
            Priority.DATA, "reqMarketDataType", int(self._options.market_data_type)
        )
        for subscription in list(self._wanted):
            try:
                await self._begin(connection, subscription)
            except (VenueRefused, OutcomeUnknown) as error:
                log.error("%s cannot be subscribed to: %s", subscription, error)

    def _link_changed(self, message: LinkMessage) -> None:
        if not isinstance(message, VenueClockRead):
            self._tell(message)

    # -- streams

    async def subscribe(self, subscriptions: tuple[Subscription, ...]) -> None:
        """Begin to stream; without a connection as soon as there is one.

        Raises
        ------
        VenueRefused
            If an instrument is unknown, or IB has no such stream. What IB refuses later (no market data
            subscription) is logged; the data then never comes.
        """
        for subscription in subscriptions:
            _check(subscription)
            if subscription in self._wanted:
                continue
            if self._link.is_up:
                await self._begin(self._link.connection(), subscription)
            self._wanted[subscription] = None

    async def unsubscribe(self, subscriptions: tuple[Subscription, ...]) -> None:
        for subscription in subscriptions:
            self._wanted.pop(subscription, None)
            active = self._active.pop(subscription, None)
            if active is not None and self._link.is_up:
                await self._end(self._link.connection(), subscription, active[0])

    async def _begin(self, connection: Connection, subscription: Subscription) -> None:
        key = subscription.instrument_id
        listing = await self.contracts.listing(connection, key)
        instrument = await self.contracts.instrument(connection, key)
        stream = _stream(subscription, float(instrument.multiplier))
        number = connection.next_id()
        self._active[subscription] = (number, stream)
        connection.follow(number, self._handler(number, stream))
        method, details = _request(subscription, listing)
        await connection.send(Priority.DATA, method, number, *details)

    async def _end(self, connection: Connection, subscription: Subscription, number: int) -> None:
        connection.unfollow(number)
        is_book = subscription.kind is DataKind.BOOKS
        details = (True,) if is_book else ()
        await connection.send(Priority.DATA, _CANCELS[subscription.kind], number, *details)

    def _handler(self, number: int, stream: Stream) -> Callable[[str, tuple[Any, ...]], None]:
        def take(name: str, values: tuple[Any, ...]) -> None:
            for message in stream.take(name, values, time.time_ns()):
                self._tell_data(message)
            if not self._dirty:
                asyncio.get_running_loop().call_soon(self._flush)
            self._dirty[number] = stream

        return take

    def _flush(self) -> None:
        """Tell what arrived together as one change."""
        dirty, self._dirty = self._dirty, {}
        now = time.time_ns()
        for number, stream in dirty.items():
            for message in stream.flush(now):
                self._tell_data(message)
            if isinstance(stream, BookStream) and stream.is_broken:
                self._begin_again(number)

    # -- what goes wrong with a stream

    def _on_error(self, error: TwsError) -> None:
        if error.request_id < 0:
            self._farm_changed(error)
            return
        found = self._subscription(error.request_id)
        if found is None:
            return
        stream = self._active[found][1]
        if error.code == DEPTH_RESET and isinstance(stream, BookStream):
            stream.reset()
        elif error.code == DEPTH_HALTED:
            self._begin_again(error.request_id)
        elif error.kind is not ErrorKind.WARNING:
            log.error("IB does not stream %s: %d %s", found, error.code, error.text)

    def _farm_changed(self, error: TwsError) -> None:
        farm = error.text.rpartition(":")[2].strip()
        now = time.time_ns()
        if error.code == _FARM_DOWN:
            self._broken_farms.add(farm)
            self._tell(VenueDisconnected(ts_event=now, ts_init=now, reason=error.text))
        elif error.code == _FARM_UP and farm in self._broken_farms:
            self._broken_farms.discard(farm)
            if self._link.is_up and not self._broken_farms:
                self._restart_books()
                self._tell(VenueConnected(ts_event=now, ts_init=now))

    def _restart_books(self) -> None:
        for subscription, (number, _) in list(self._active.items()):
            if subscription.kind is DataKind.BOOKS:
                self._begin_again(number)

    def _begin_again(self, number: int) -> None:
        subscription = self._subscription(number)
        if subscription is not None and self._link.is_up:
            del self._active[subscription]
            work = self._renew(self._link.connection(), subscription, number)
            task = asyncio.get_running_loop().create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _renew(self, connection: Connection, subscription: Subscription, number: int) -> None:
        try:
            await self._end(connection, subscription, number)
            await self._begin(connection, subscription)
        except VenueError as error:
            log.warning("%s cannot be subscribed to again: %s", subscription, error)

    def _subscription(self, number: int) -> Subscription | None:
        return next((each for each, active in self._active.items() if active[0] == number), None)

    def _tell_data(self, message: StreamMessage) -> None:
        if isinstance(message, BookSnapshot | BookDelta):
            key = message.instrument_id
            sequence = self._book_sequences.get(key, 0) + 1
            self._book_sequences[key] = sequence
        else:
            sequence = self._sequence = self._sequence + 1
        self._tell(msgspec.structs.replace(message, sequence=sequence))

    def _tell(self, message: FeedMessage) -> None:
        if self._on_message is not None:
            self._on_message(message)

    # -- questions

    async def instruments(self, symbols: tuple[str, ...]) -> tuple[Instrument, ...]:
        return await self.contracts.search(self.connection(), symbols)

    async def hours(self, instrument_id: InstrumentId, *, is_liquid: bool = True) -> MarketHours:
        """Return the sessions of about a week that IB announces; see `instruments.market_hours`."""
        listing = await self.contracts.listing(self.connection(), instrument_id)
        return market_hours(listing, is_liquid=is_liquid)

    async def book(self, instrument_id: InstrumentId) -> BookSnapshot:
        """Return the book: that of the running stream, or of one that lasts until its rows pause."""
        active = self._active.get(Subscription(instrument_id, DataKind.BOOKS))
        if active is not None and isinstance(active[1], BookStream):
            return self._numbered(active[1].book(time.time_ns()))
        return await self._book_once(self.connection(), instrument_id)

    async def bars(
        self, instrument_id: InstrumentId, interval_ns: int, start: int, end: int
    ) -> tuple[Bar, ...]:
        connection = self.connection()
        listing = await self.contracts.listing(connection, instrument_id)
        span = (start, end)
        return await self._history.bars(connection, listing, instrument_id, interval_ns, span)

    async def quotes(
        self, instrument_id: InstrumentId, start: int, end: int
    ) -> tuple[QuoteTick, ...]:
        connection = self.connection()
        listing = await self.contracts.listing(connection, instrument_id)
        return await self._history.quotes(connection, listing, instrument_id, (start, end))

    async def trades(
        self, instrument_id: InstrumentId, start: int, end: int
    ) -> tuple[TradeTick, ...]:
        connection = self.connection()
        listing = await self.contracts.listing(connection, instrument_id)
        return await self._history.trades(connection, listing, instrument_id, (start, end))

    async def _book_once(self, connection: Connection, key: InstrumentId) -> BookSnapshot:
        subscription = Subscription(key, DataKind.BOOKS)
        listing = await self.contracts.listing(connection, key)
        instrument = await self.contracts.instrument(connection, key)
        stream = BookStream(key, float(instrument.multiplier))
        arrived = asyncio.Event()

        def take(name: str, values: tuple[Any, ...]) -> None:
            stream.take(name, values, time.time_ns())
            arrived.set()

        number = connection.next_id()
        connection.follow(number, take)
        method, details = _request(subscription, listing)
        try:
            await connection.send(Priority.DATA, method, number, *details)
            await self._settled(arrived)
        finally:
            connection.unfollow(number)
        await self._end(connection, subscription, number)
        return self._numbered(stream.book(time.time_ns()))

    async def _settled(self, arrived: asyncio.Event) -> None:
        patience = self._options.request_timeout_s
        try:
            while True:
                async with asyncio.timeout(patience):
                    await arrived.wait()
                arrived.clear()
                patience = BOOK_SETTLE_S
        except TimeoutError:
            if patience != BOOK_SETTLE_S:
                raise OutcomeUnknown("TWS sent no market depth") from None

    def _numbered(self, snapshot: BookSnapshot) -> BookSnapshot:
        sequence = self._book_sequences.get(snapshot.instrument_id, 0)
        return msgspec.structs.replace(snapshot, sequence=sequence)


def _check(subscription: Subscription) -> None:
    piece_ns = PIECE_S * NANOS_PER_SECOND
    interval_ns = subscription.interval_ns
    if subscription.kind is DataKind.BARS and (interval_ns <= 0 or interval_ns % piece_ns):
        raise VenueRefused("UNSUPPORTED", f"bars of IB are whole multiples of {PIECE_S} s")


def _stream(subscription: Subscription, multiplier: float) -> Stream:
    key = subscription.instrument_id
    match subscription.kind:
        case DataKind.QUOTES:
            return QuoteStream(key, multiplier)
        case DataKind.TRADES:
            return TradeStream(key, multiplier)
        case DataKind.BOOKS:
            return BookStream(key, multiplier)
        case DataKind.BARS:
            return BarStream(key, subscription.interval_ns, multiplier)


def _request(subscription: Subscription, listing: ContractListing) -> tuple[str, tuple[Any, ...]]:
    """Return the library's method, and what follows the number of the stream."""
    contract = to_library(listing.contract)
    match subscription.kind:
        case DataKind.QUOTES:
            return "reqMktData", (contract, "", False, False, [])
        case DataKind.TRADES:
            return "reqTickByTickData", (contract, "Last", 0, False)
        case DataKind.BOOKS:
            return "reqMktDepth", (contract, BOOK_ROWS, True, [])
        case DataKind.BARS:
            return "reqRealTimeBars", (contract, PIECE_S, what_to_show(listing), False, [])


def _ignore_order(event: OrderEvent) -> None:
    """A connection for market data has no orders."""


def _log_unreadable(kind: str, reason: str) -> None:
    log.warning("a message of kind %s from TWS cannot be read: %s", kind[:20], reason)


def open_market_data(settings: VenueSettings) -> MarketDataPort:
    """Return the connection for market data; not connected yet.

    Raises
    ------
    ConfigError
        If an option is wrong.
    """
    return IbMarketData(settings, check_options(settings.read_options(IbOptions)))


if TYPE_CHECKING:
    _port: type[MarketDataPort] = IbMarketData
