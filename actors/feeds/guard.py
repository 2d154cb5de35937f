"""The data guard: what a venue sends is checked before anybody trades on it (rule R8).

Every refusal has a code and is counted. Nothing here raises, whatever arrives.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from trading.codec import digest_of
from trading.commands import RequestBook
from trading.data import Bar, BarSlice, BookDelta, BookSnapshot, MarketData, QuoteTick, TradeTick
from trading.effects import Effect, Publish, Send, SetTimer
from trading.events import Event
from trading.identifiers import InstrumentId, MachineName, StreamName, Venue, machine_name
from trading.market_data.plausibility import PRICE_MAX, PRICE_MIN
from trading.messages import Message
from trading.outcomes import Started, TimerFired
from trading.values import NANOS_PER_SECOND, BookAction

SYMBOL_LENGTH_MAX = 64
FUTURE_NS_MAX = 60 * NANOS_PER_SECOND
AHEAD_NS_MAX = 31 * 86_400 * NANOS_PER_SECOND
"""In a replay: longest plausible pause of a market."""
SILENCE = "silence"


class RejectCode(StrEnum):
    """Why a piece of market data is not passed on."""

    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    OVERSIZED_SYMBOL = "OVERSIZED_SYMBOL"
    NOT_A_NUMBER = "NOT_A_NUMBER"
    INFINITE = "INFINITE"
    NOT_POSITIVE = "NOT_POSITIVE"
    ABSURD_PRICE = "ABSURD_PRICE"
    BAD_SIZE = "BAD_SIZE"
    CROSSED = "CROSSED"
    LOCKED = "LOCKED"
    BAD_LEVELS = "BAD_LEVELS"
    BAD_BAR = "BAD_BAR"
    DUPLICATE = "DUPLICATE"
    OUT_OF_ORDER = "OUT_OF_ORDER"
    TOO_OLD = "TOO_OLD"
    FROM_THE_FUTURE = "FROM_THE_FUTURE"
    PRICE_JUMP = "PRICE_JUMP"
    MALFORMED = "MALFORMED"


class GuardConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed accepts.

    Attributes
    ----------
    max_silence_ns : int
        Connected but mute for so long is stale (ns of host time).
    max_age_ns : int
        Data older than the newest of the feed by more than this is refused (ns of market time); of a live feed
        also a slice that closed so long before the host's clock.
    max_lag_ns : int
        Of a live feed: quotes, trades and books that are older than this when they arrive are refused (ns).
    max_jump : float or None
        Greatest ratio between a price and the last one of the instrument, either way; None: no limit.
    is_replay : bool
        Market time is not host time: from the future is what is alone 31 days ahead of the newest. Without it
        market time is host time: what is more than a minute ahead of the host's clock is from the future.
    """

    venue: Venue
    source: MachineName
    instruments: frozenset[InstrumentId]
    max_silence_ns: int = 5 * NANOS_PER_SECOND
    max_age_ns: int = 3_600 * NANOS_PER_SECOND
    max_lag_ns: int = 10 * NANOS_PER_SECOND
    max_jump: float | None = None
    is_replay: bool = True


class DataGuard:
    """The machine `feed:<venue>`: `market.<venue>.*` in, `data.<venue>.*` out."""

    def __init__(self, config: GuardConfig) -> None:
        self.config = config
        self.name = machine_name("feed", config.venue)
        self.stream: StreamName | None = None
        self.follows: tuple[StreamName, ...] = ()
        self.subscribes: tuple[str, ...] = (f"market.{config.venue}.",)
        self._passed = 0
        self._rejected: Counter[RejectCode] = Counter()
        self._sequences: dict[tuple[str, str], int] = {}
        self._topics: dict[str, str] = {}
        self._last_price: dict[InstrumentId, float] = {}
        self._newest_ts = 0
        self._doubted_ts = 0
        self._heard_at = 0
        self._is_stale = False
        self._checks: dict[type[Message], Callable[[Any], RejectCode | None]] = {
            QuoteTick: _check_quote,
            TradeTick: _check_trade,
            BookDelta: _check_delta,
            BookSnapshot: _check_snapshot,
        }

    def handle(self, message: Message, now: int) -> list[Effect]:
        if isinstance(message, MarketData):
            return self._guard(message, now)
        match message:
            case RequestBook():
                return [Send(self.config.source, message)]
            case Started():
                self._heard_at = now
                return [SetTimer(SILENCE, now + self.config.max_silence_ns)]
            case TimerFired(key=key) if key == SILENCE:
                return self._listen(now)
            case _:
                return []

    def apply(self, event: Event) -> None:
        """A feed has nothing durable."""

    def view(self) -> Mapping[str, Any]:
        return {
            "passed": self._passed,
            "rejected": {str(code): count for code, count in sorted(self._rejected.items())},
            "stale": self._is_stale,
            "heard_at": self._heard_at,
            "newest": self._newest_ts,
        }

    def state_hash(self) -> str:
        return digest_of(None)

    def validate(self) -> None:
        assert self._passed >= 0

    # -- checks

    def _guard(self, message: MarketData, now: int) -> list[Effect]:
        try:
            if type(message) is BarSlice:
                return self._take_slice(message, now)
            return self._take(message, now)
        except (TypeError, ValueError, AttributeError):
            # A field that is not what its type says: only possible inside one process.
            return self._reject(RejectCode.MALFORMED)

    def _take(self, message: MarketData, now: int) -> list[Effect]:
        check = self._checks.get(type(message))
        if check is None:
            return self._reject(RejectCode.MALFORMED)
        name: InstrumentId = message.instrument_id  # type: ignore[attr-defined]
        code = (
            self._check_instrument(name)
            or self._check_time(message, now)
            or check(message)
            or self._check_sequence(type(message).__name__, name, message.sequence)
            or self._check_jump(name, message)
        )
        if code is not None:
            return self._reject(code)
        return self._pass_on(str(name), message, now)

    def _take_slice(self, slice_: BarSlice, now: int) -> list[Effect]:
        """Drop bad bars one by one; the slice itself goes on when its place in time is right."""
        code = self._check_time(slice_, now) or self._check_sequence(
            "BarSlice", "", slice_.sequence
        )
        if code is not None:
            return self._reject(code)
        good: list[Bar] = []
        for bar in slice_.bars:
            bad = self._check_instrument(bar.instrument_id) or _check_bar(bar)
            if bad is None:
                good.append(bar)
            else:
                self._rejected[bad] += 1
        if len(good) < len(slice_.bars):
            slice_ = msgspec.structs.replace(slice_, bars=tuple(good))
        return self._pass_on("slice", slice_, now)

    def _check_instrument(self, name: InstrumentId) -> RejectCode | None:
        if len(name) > SYMBOL_LENGTH_MAX:
            return RejectCode.OVERSIZED_SYMBOL
        return None if name in self.config.instruments else RejectCode.UNKNOWN_INSTRUMENT

    def _check_time(self, message: MarketData, now: int) -> RejectCode | None:
        if message.ts_event < self._newest_ts - self.config.max_age_ns:
            return RejectCode.TOO_OLD
        if self.config.is_replay:
            is_ahead = self._is_alone_ahead(message.ts_event)
            return RejectCode.FROM_THE_FUTURE if is_ahead else None
        if message.ts_event > now + FUTURE_NS_MAX:
            return RejectCode.FROM_THE_FUTURE
        oldest = self.config.max_age_ns if type(message) is BarSlice else self.config.max_lag_ns
        return RejectCode.TOO_OLD if message.ts_event < now - oldest else None

    def _is_alone_ahead(self, ts_event: int) -> bool:
        """One wild moment must not age all others; a second one near it says that time went on."""
        if not 0 < self._newest_ts < ts_event - AHEAD_NS_MAX:
            return False
        is_confirmed = abs(ts_event - self._doubted_ts) <= AHEAD_NS_MAX
        self._doubted_ts = ts_event
        return not is_confirmed

    def _check_sequence(self, kind: str, key: str, sequence: int) -> RejectCode | None:
        """A source without sequences sends 0; deltas are watched for gaps by the book."""
        if sequence == 0:
            return None
        last = self._sequences.get((kind, key))
        if last is not None and sequence <= last:
            return RejectCode.DUPLICATE if sequence == last else RejectCode.OUT_OF_ORDER
        self._sequences[kind, key] = sequence
        return None

    def _check_jump(self, name: InstrumentId, message: MarketData) -> RejectCode | None:
        limit = self.config.max_jump
        if limit is None or (price := _price_of(message)) is None:
            return None
        last = self._last_price.get(name)
        if last is not None and not 1 / limit <= price / last <= limit:
            return RejectCode.PRICE_JUMP
        self._last_price[name] = price
        return None

    # -- answers

    def _reject(self, code: RejectCode) -> list[Effect]:
        self._rejected[code] += 1
        return []

    def _pass_on(self, suffix: str, message: MarketData, now: int) -> list[Effect]:
        self._passed += 1
        self._heard_at = now
        self._is_stale = False
        self._newest_ts = max(self._newest_ts, message.ts_event)
        stamped = msgspec.structs.replace(
            message, ts_init=now, correlation_id=f"{self.name}/{self._passed}"
        )
        topic = self._topics.get(suffix)
        if topic is None:
            topic = self._topics[suffix] = f"data.{self.config.venue}.{suffix}"
        return [Publish(topic, stamped)]

    def _listen(self, now: int) -> list[Effect]:
        limit = self.config.max_silence_ns
        self._is_stale = now - self._heard_at >= limit
        wait = limit if self._is_stale else self._heard_at + limit - now
        return [SetTimer(SILENCE, now + wait)]


def _price_of(message: MarketData) -> float | None:
    match message:
        case QuoteTick():
            return (message.bid_px + message.ask_px) / 2
        case TradeTick():
            return message.price
        case BookSnapshot(bids=bids, asks=asks) if bids and asks:
            return (bids[0][0] + asks[0][0]) / 2
        case _:
            return None


def _check_price(price: float) -> RejectCode | None:
    if PRICE_MIN <= price <= PRICE_MAX:
        return None  # nearly always
    if math.isnan(price):
        return RejectCode.NOT_A_NUMBER
    if math.isinf(price):
        return RejectCode.INFINITE
    return RejectCode.NOT_POSITIVE if price <= 0 else RejectCode.ABSURD_PRICE


def _check_prices(prices: Iterable[float]) -> RejectCode | None:
    return next((code for price in prices if (code := _check_price(price))), None)


def _check_sizes(sizes: Iterable[float]) -> RejectCode | None:
    is_bad = any(not math.isfinite(size) or size < 0 for size in sizes)
    return RejectCode.BAD_SIZE if is_bad else None


def _check_spread(bid: float, ask: float) -> RejectCode | None:
    if bid > ask:
        return RejectCode.CROSSED
    return RejectCode.LOCKED if bid == ask else None


def _check_quote(quote: QuoteTick) -> RejectCode | None:
    return (
        _check_prices((quote.bid_px, quote.ask_px))
        or _check_sizes((quote.bid_size, quote.ask_size))
        or _check_spread(quote.bid_px, quote.ask_px)
    )


def _check_trade(trade: TradeTick) -> RejectCode | None:
    return _check_price(trade.price) or _check_sizes((trade.size,))


def _check_delta(delta: BookDelta) -> RejectCode | None:
    sizes = (delta.size,) if delta.action is BookAction.UPDATE else ()
    return _check_price(delta.price) or _check_sizes(sizes)


def _check_snapshot(snapshot: BookSnapshot) -> RejectCode | None:
    """Levels best first and rising away from the middle; an empty side is legal, an empty book not."""
    bids, asks = snapshot.bids, snapshot.asks
    if not bids and not asks:
        return RejectCode.BAD_LEVELS
    if _are_sound(bids, -1.0) and _are_sound(asks, 1.0):
        return _check_spread(bids[0][0], asks[0][0]) if bids and asks else None
    levels = (*bids, *asks)
    code = _check_prices(price for price, _ in levels) or _check_sizes(size for _, size in levels)
    if code is not None:
        return code
    bid_prices, ask_prices = [price for price, _ in bids], [price for price, _ in asks]
    if bid_prices != sorted(set(bid_prices), reverse=True) or ask_prices != sorted(set(ask_prices)):
        return RejectCode.BAD_LEVELS
    return _check_spread(bid_prices[0], ask_prices[0]) if bids and asks else None


def _are_sound(levels: Iterable[tuple[float, float]], direction: float) -> bool:
    """Return whether nothing is wrong with one side: in one pass, for what is nearly always the case."""
    last = -math.inf
    for price, size in levels:
        rank = price * direction
        # A comparison with NaN is false.
        if not (PRICE_MIN <= price <= PRICE_MAX and 0 <= size < math.inf and last < rank):
            return False
        last = rank
    return True


def _check_bar(bar: Bar) -> RejectCode | None:
    low, high = bar.low, bar.high
    if (
        PRICE_MIN <= low <= bar.open <= high <= PRICE_MAX
        and low <= bar.close <= high
        and 0 <= bar.volume < math.inf
    ):
        return None  # nearly always
    prices = (bar.open, bar.high, bar.low, bar.close)
    code = _check_prices(prices) or _check_sizes((bar.volume,))
    if code is not None:
        return code
    is_consistent = bar.low <= min(prices) and bar.high >= max(prices)
    return None if is_consistent else RejectCode.BAD_BAR
