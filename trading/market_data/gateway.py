"""The machine between a venue's stream and the data guard: it stands where a replay and an exchange stand in a rehearsal."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from trading.codec import digest_of
from trading.commands import RequestBars, RequestBook
from trading.data import Bar, BookDelta, BookSnapshot, MarketData, QuoteTick, TradeTick
from trading.effects import AskFeed, Effect, FetchBars, FetchBook, SetTimer, SubscribeFeed
from trading.events import Event
from trading.identifiers import MachineName, StreamName, machine_name
from trading.market_data.config import GatewayConfig
from trading.market_data.slice_stream import SliceStream
from trading.market_data.tick_stream import TickStream
from trading.messages import Message
from trading.outcomes import (
    BarsFetched,
    BookFetched,
    FeedAskFailed,
    FeedOverran,
    FeedSubscribed,
    Started,
    TimerFired,
    VenueConnected,
    VenueDisconnected,
)
from trading.values import NANOS_PER_SECOND, DataKind

SUBSCRIBE, SILENCE = "subscribe", "silence"
SUBSCRIBE_TIMEOUT_NS = 10 * NANOS_PER_SECOND
RETRY_NS, RETRY_NS_MAX = NANOS_PER_SECOND, 30 * NANOS_PER_SECOND

__all__ = ["GatewayConfig", "MarketGateway"]


class MarketGateway:
    """The machine `market:<venue>`: a venue's stream in, `market.<venue>.*` out.

    Life: it subscribes at its start and again at every `VenueConnected`; once the venue has confirmed, it asks
    for the bars that it lacks. While the venue is disconnected nothing is published, and what is downstream
    goes stale by itself. Nothing is journalled: bars come from the venue's history, sequences from the clock.
    """

    stream: StreamName | None = None
    follows: tuple[StreamName, ...] = ()
    subscribes: tuple[str, ...] = ()

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        self.name: MachineName = machine_name("market", config.venue)
        self._ticks = TickStream(config)
        self._slices = SliceStream(config, self.name)
        self._subscriptions = config.subscriptions
        self._is_connected = False
        self._is_subscribed = False
        self._is_over = False
        self._failures = 0
        self._heard_at = 0
        self._is_mute = False
        self._reason = ""
        self._counts: Counter[str] = Counter()
        self._handlers: dict[type[Message], Callable[[Any, int], list[Effect]]] = {
            QuoteTick: self._on_quote,
            TradeTick: self._on_trade,
            BookDelta: self._ticks.delta,
            BookSnapshot: self._ticks.snapshot,
            Bar: self._slices.take_bar,
            RequestBars: self._slices.request,
            RequestBook: self._on_request_book,
            BarsFetched: self._slices.take_history,
            BookFetched: self._on_book,
            FeedSubscribed: self._on_subscribed,
            FeedAskFailed: self._on_failed,
            FeedOverran: self._on_overran,
            VenueConnected: self._on_connected,
            VenueDisconnected: self._on_disconnected,
            Started: self._on_started,
            TimerFired: self._on_timer,
        }

    def handle(self, message: Message, now: int) -> list[Effect]:
        handler = self._handlers.get(type(message))
        if handler is None:
            return []
        if not isinstance(message, MarketData):
            return handler(message, now)
        if not self._is_connected:
            self._counts["while_disconnected"] += 1
            return []
        self._heard_at, self._is_mute = now, False
        try:
            return handler(message, now)
        except (TypeError, ValueError, AttributeError, OverflowError):
            # A field that is not what its type says: only an adapter in this process can do that.
            self._counts["malformed"] += 1
            return []

    def apply(self, event: Event) -> None:
        """Do nothing: a gateway has no stream and follows none."""

    def view(self) -> Mapping[str, Any]:
        return {
            "connected": self._is_connected,
            "subscribed": self._is_subscribed,
            "given_up": self._is_over,
            "reason": self._reason,
            "heard_at": self._heard_at,
            "mute": self._is_mute,
            **self._counts,
            "ticks": self._ticks.view(),
            "bars": self._slices.view(),
        }

    def state_hash(self) -> str:
        return digest_of(None)

    def validate(self) -> None:
        assert self._is_connected or not self._is_subscribed

    # -- the connection

    def _on_started(self, started: Started, now: int) -> list[Effect]:
        return [
            self._subscribe(),
            *self._slices.start(now),
            SetTimer(SILENCE, now + self.config.max_silence_ns),
        ]

    def _on_connected(self, connected: VenueConnected, now: int) -> list[Effect]:
        self._lose("")
        self._is_connected = True
        self._is_over = False
        self._heard_at = now
        self._failures = 0
        self._counts["connections"] += 1
        return [self._subscribe()]

    def _on_disconnected(self, gone: VenueDisconnected, now: int) -> list[Effect]:
        self._lose(gone.reason)
        self._is_over = gone.is_final
        return []

    def _lose(self, reason: str) -> None:
        self._is_connected = self._is_subscribed = self._is_mute = False
        self._reason = reason
        self._ticks.restart()
        self._slices.lose()

    def _subscribe(self) -> Effect:
        return AskFeed(SubscribeFeed(self._subscriptions), SUBSCRIBE_TIMEOUT_NS)

    def _on_subscribed(self, subscribed: FeedSubscribed, now: int) -> list[Effect]:
        """From the first confirmation of a connection on nothing is missed; a later one changes nothing."""
        if not self._is_connected or self._is_subscribed:
            return []
        self._is_subscribed = True
        self._failures = 0
        return self._slices.watch(now)

    def _on_failed(self, failed: FeedAskFailed, now: int) -> list[Effect]:
        self._counts["failed_asks"] += 1
        self._reason = failed.reason
        match failed.question:
            case FetchBars.__name__:
                return self._slices.fail_history(failed, now)
            case FetchBook.__name__ if failed.instrument_id is not None:
                self._ticks.failed(failed.instrument_id)
            case SubscribeFeed.__name__ if self._is_connected:
                delay = min(RETRY_NS * 2**self._failures, RETRY_NS_MAX)
                self._failures = min(self._failures + 1, 10)
                return [SetTimer(SUBSCRIBE, now + (RETRY_NS_MAX if failed.is_final else delay))]
            case _:
                pass
        return []

    def _on_timer(self, timer: TimerFired, now: int) -> list[Effect]:
        match timer.key:
            case "silence":
                return self._listen(now)
            case "subscribe":
                return [self._subscribe()] if self._is_connected else []
            case _:
                return self._slices.fire(timer.key, now)

    def _listen(self, now: int) -> list[Effect]:
        """Subscribe once more when a connection says nothing: the venue may have forgotten us."""
        limit = self.config.max_silence_ns
        silent_ns = now - self._heard_at if self._is_connected else 0
        was_mute, self._is_mute = self._is_mute, silent_ns >= limit
        again = SetTimer(SILENCE, now + limit - (0 if self._is_mute else silent_ns))
        if not self._is_mute or was_mute:
            return [again]
        self._counts["mutes"] += 1
        return [self._subscribe(), again]

    # -- what is streamed

    def _on_quote(self, quote: QuoteTick, now: int) -> list[Effect]:
        publication = self._ticks.quote(quote, now)
        if publication is None:
            return []
        self._slices.add_quote(quote, now)
        return [publication]

    def _on_trade(self, trade: TradeTick, now: int) -> list[Effect]:
        publication = self._ticks.trade(trade, now)
        if publication is None:
            return []
        self._slices.add_trade(trade, now)
        return [publication]

    def _on_request_book(self, request: RequestBook, now: int) -> list[Effect]:
        return self._ticks.request(request, now) if self._is_connected else []

    def _on_book(self, fetched: BookFetched, now: int) -> list[Effect]:
        return self._ticks.fetched(fetched.snapshot, now) if self._is_connected else []

    def _on_overran(self, overran: FeedOverran, now: int) -> list[Effect]:
        """Count what was lost on the way; ask for the books and the bars that it belongs to."""
        self._counts["conflated"] += overran.conflated
        self._counts["lost_trades"] += overran.trades
        self._counts["lost_bars"] += overran.bars
        self._counts["lost_books"] += len(overran.books)
        if not self._is_connected:
            return []
        effects = [e for key in overran.books for e in self._ticks.book_lost(key, now)]
        is_from_trades = self.config.bars_from is DataKind.TRADES
        if overran.bars or (overran.trades and is_from_trades):
            effects += self._slices.overrun(now)
        return effects
