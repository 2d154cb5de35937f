"""AlpacaMarketData: stocks, options and crypto, behind the port that every feed offers."""

import logging
import time
from collections.abc import Callable

from alpaca.data.historical.crypto import CryptoHistoricalDataClient
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.trading.client import TradingClient

from actors.venues.alpaca.config import AlpacaOptions
from actors.venues.alpaca.feed_parse import Message
from actors.venues.alpaca.history import UNSUPPORTED, History
from actors.venues.alpaca.http import RestChannel, budget
from actors.venues.alpaca.instruments import InstrumentTable, venue_symbol
from actors.venues.alpaca.market_stream import MarketStream
from actors.venues.alpaca.stream_session import SessionListener, StreamSession
from actors.venues.alpaca.ticks import MINUTE_NS, TickMaker
from actors.venues.profile import VenueSettings
from trading.data import Bar, BookSnapshot, QuoteTick, TradeTick
from trading.errors import VenueRefused
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.ports import FeedMessage, MarketDataPort, Subscription
from trading.values import AssetClass, DataKind

log = logging.getLogger(__name__)

_CLIENTS = {
    AssetClass.EQUITY: StockHistoricalDataClient,
    AssetClass.CRYPTO: CryptoHistoricalDataClient,
    AssetClass.OPTION: OptionHistoricalDataClient,
}
_COUNTED_PER_WARNING = 1_000


class AlpacaMarketData:
    """Belongs to the event loop in which it is connected.

    Each asset class has a stream of its own, and the venue allows one connection to each. Those of the configured
    instruments are opened by `connect`, others when something of them is subscribed. `VenueConnected` means that all
    of them are up.

    Parameters
    ----------
    now : function
        The host's clock (ns UTC).
    """

    def __init__(self, settings: VenueSettings, *, now: Callable[[], int] = time.time_ns) -> None:
        self._options = options = settings.read_options(AlpacaOptions)
        self._now = now
        key = settings.credential("ALPACA_API_KEY")
        secret = settings.credential("ALPACA_SECRET_KEY")
        self._keys = (key, secret)
        url = options.trading_url(is_live=settings.is_live)
        self._trading = RestChannel(
            TradingClient(key, secret, paper=not settings.is_live, raw_data=True, url_override=url),
            pacing=budget(options.requests_per_min),
            timeout_s=options.request_timeout_s,
            now=now,
        )
        data_budget = budget(options.data_requests_per_min)
        self._rest = {
            kind: RestChannel(
                client(key, secret, raw_data=True, url_override=options.market_data_url),
                pacing=data_budget,
                timeout_s=options.request_timeout_s,
                now=now,
            )
            for kind, client in _CLIENTS.items()
        }
        self._table = InstrumentTable(
            settings.instruments, self._trading, fractional=options.fractional
        )
        self._history = History(self._rest, options.feed, now)
        self._maker = TickMaker(now)
        self._first = {each.asset_class for each in settings.instruments} & _CLIENTS.keys()
        self._streams: dict[AssetClass, tuple[MarketStream, StreamSession]] = {}
        self._on_message: Callable[[FeedMessage], None] | None = None
        self._is_up = False
        self._left_out = 0

    # -- streams

    async def connect(self, on_message: Callable[[FeedMessage], None]) -> None:
        """Begin to open the streams, and go on trying."""
        self._on_message = on_message
        for kind in sorted(self._first | self._streams.keys() or {AssetClass.EQUITY}):
            self._stream(kind)
        for _, session in self._streams.values():
            session.start()

    async def disconnect(self) -> None:
        """Close everything; nothing more is told."""
        self._on_message = None
        for _, session in self._streams.values():
            await session.stop()
        for rest in (self._trading, *self._rest.values()):
            rest.close()

    async def subscribe(self, subscriptions: tuple[Subscription, ...]) -> None:
        """Stream these too.

        Raises
        ------
        VenueRefused
            If the venue does not stream one of them, or refuses it.
        """
        for kind, wanted in (await self._grouped(subscriptions)).items():
            is_new = kind not in self._streams
            stream, session = self._stream(kind)
            await stream.subscribe(wanted, is_up=session.is_up)
            if is_new and self._on_message is not None:
                session.start()

    async def unsubscribe(self, subscriptions: tuple[Subscription, ...]) -> None:
        """Stream these no more."""
        for kind, gone in (await self._grouped(subscriptions)).items():
            if kind in self._streams:
                stream, session = self._streams[kind]
                await stream.unsubscribe(gone, is_up=session.is_up)

    async def _grouped(
        self, subscriptions: tuple[Subscription, ...]
    ) -> dict[AssetClass, frozenset[tuple[DataKind, str]]]:
        found: dict[AssetClass, set[tuple[DataKind, str]]] = {}
        for each in subscriptions:
            instrument = await self._table.of_id(each.instrument_id)
            _check(each, instrument.asset_class)
            symbol = venue_symbol(instrument)
            self._maker.add(symbol, instrument)
            found.setdefault(instrument.asset_class, set()).add((each.kind, symbol))
        return {kind: frozenset(wanted) for kind, wanted in found.items()}

    def _stream(self, kind: AssetClass) -> tuple[MarketStream, StreamSession]:
        known = self._streams.get(kind)
        if known is not None:
            return known
        stream = MarketStream(
            kind,
            url=self._options.market_stream_url(kind),
            keys=self._keys,
            timeout_s=self._options.request_timeout_s,
            on_message=self._take,
        )
        session = StreamSession(
            stream,
            SessionListener(self._came_up, self._went_down),
            timeout_s=self._options.stream_timeout_s,
            open_timeout_s=self._options.request_timeout_s,
            secrets=self._keys,
        )
        self._streams[kind] = (stream, session)
        return stream, session

    def _take(self, message: Message | None) -> None:
        if message is None:
            self._left_out += 1
            if self._left_out % _COUNTED_PER_WARNING == 1:
                log.warning("Alpaca: %d stream messages were left out so far", self._left_out)
        elif self._on_message is not None:
            for tick in self._maker.ticks(message):
                self._on_message(tick)

    def _came_up(self) -> None:
        self._is_up = all(session.is_up for _, session in self._streams.values())
        if self._is_up:
            self._tell(VenueConnected(ts_event=self._now(), ts_init=self._now()))

    def _went_down(self, reason: str, is_final: bool) -> None:
        self._is_up = False
        now = self._now()
        self._tell(VenueDisconnected(ts_event=now, ts_init=now, reason=reason, is_final=is_final))

    def _tell(self, message: VenueConnected | VenueDisconnected) -> None:
        if self._on_message is not None:
            self._on_message(message)

    # -- enquiries

    async def instruments(self, symbols: tuple[str, ...]) -> tuple[Instrument, ...]:
        return tuple([await self._table.listed(symbol) for symbol in symbols])

    async def book(self, instrument_id: InstrumentId) -> BookSnapshot:
        instrument = await self._table.of_id(instrument_id)
        return await self._history.book(instrument, venue_symbol(instrument))

    async def bars(
        self, instrument_id: InstrumentId, interval_ns: int, start: int, end: int
    ) -> tuple[Bar, ...]:
        what = await self._table.of_id(instrument_id)
        return await self._history.bars(what, venue_symbol(what), interval_ns, start, end)

    async def quotes(
        self, instrument_id: InstrumentId, start: int, end: int
    ) -> tuple[QuoteTick, ...]:
        what = await self._table.of_id(instrument_id)
        return await self._history.quotes(what, venue_symbol(what), start, end)

    async def trades(
        self, instrument_id: InstrumentId, start: int, end: int
    ) -> tuple[TradeTick, ...]:
        what = await self._table.of_id(instrument_id)
        return await self._history.trades(what, venue_symbol(what), start, end)


def _check(wanted: Subscription, kind: AssetClass) -> None:
    """Refuse by name what the venue does not stream."""
    if wanted.kind is DataKind.BOOKS and kind is not AssetClass.CRYPTO:
        raise VenueRefused(UNSUPPORTED, f"Alpaca streams no books of {kind}")
    if wanted.kind is DataKind.BARS and kind is AssetClass.OPTION:
        raise VenueRefused(UNSUPPORTED, "Alpaca streams no bars of options")
    if wanted.kind is DataKind.BARS and wanted.interval_ns != MINUTE_NS:
        raise VenueRefused(UNSUPPORTED, "Alpaca streams bars of one minute only")


def open_feed(settings: VenueSettings) -> MarketDataPort:
    """Return the adapter for market data; not connected yet."""
    return AlpacaMarketData(settings)
