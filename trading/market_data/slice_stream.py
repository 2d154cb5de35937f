"""Bars of a venue as slices: built or taken over, published once each, kept, and fetched where they were missed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from trading.commands import RequestBars
from trading.data import Bar, BarsHistory, QuoteTick, TradeTick
from trading.effects import Effect, Publish, Send, SetTimer
from trading.identifiers import MachineName
from trading.market_data.arrivals import AHEAD_NS_MAX
from trading.market_data.backfill import Backfill, Goal
from trading.market_data.bar_builder import BarBuilder
from trading.market_data.closing_slices import ClosingSlices
from trading.market_data.config import GatewayConfig
from trading.market_data.kept_slices import KeptSlices
from trading.market_data.plausibility import is_bar, is_price, is_size
from trading.outcomes import BarsFetched, FeedAskFailed
from trading.values import NANOS_PER_SECOND, DataKind

BOUNDARY, CLOSING, BACKFILL, REFILL = "boundary", "closing", "backfill", "refill"
REFILL_NS = 60 * NANOS_PER_SECOND
"""Pause before history is tried again that the venue did not answer for."""
PATIENCE_NS = 5 * NANOS_PER_SECOND
"""How long behind its grace a bar is waited for that the venue's history does not have yet."""
LATE_SLICE_NS_MAX = 3_600 * NANOS_PER_SECOND
"""A slice that closed before is history alone, however long its bars are."""


class SliceStream:
    """One slice per boundary, whatever happens to the connection.

    A slice of bars that were watched from their beginning to their end is published when it closes. Any other
    is asked of the venue's history: after a start, a reconnect, or trades that were lost. So is every slice that
    closed while nobody listened; of those only the newest is published, and only while it is new.
    """

    def __init__(self, config: GatewayConfig, name: MachineName) -> None:
        keys = tuple(each.instrument_id for each in config.instruments)
        self._name = name
        self._topic = f"market.{config.venue}.slice"
        self._interval_ns = config.bar_interval_ns
        self._grace_ns = config.grace_ns
        self._count = config.history_bars
        self._bars_from = config.bars_from
        self._known = frozenset(keys)
        self._builder = BarBuilder(config.bar_interval_ns)
        self._closing = ClosingSlices(keys, config.grace_ns)
        self._kept = KeptSlices(keys, config.bar_interval_ns, config.history_bars)
        self._backfill = Backfill(keys, config.bar_interval_ns)
        self._watched_from: int | None = None
        """Since when nothing was missed (host time, ns); None while nobody listens."""
        self._published = 0
        self._complete_until = 0
        """Close of the newest bar before which nothing is missing (ns UTC)."""
        self._is_ready = False
        self._must_repeat = False
        self._goal_until = 0
        self._waiting: dict[MachineName, int] = {}
        self._counts: Counter[str] = Counter()

    # -- the connection

    def start(self, now: int) -> list[Effect]:
        if self._bars_from is DataKind.BARS:
            return []
        return [
            SetTimer(
                BOUNDARY, self._boundary(now - self._grace_ns) + self._interval_ns + self._grace_ns
            )
        ]

    def watch(self, now: int) -> list[Effect]:
        """Everything is streamed from now on; what was missed before is asked for."""
        self._watched_from = now
        return self._begin_backfill(now)

    def lose(self) -> None:
        """Nothing is streamed any more: bars that have not closed cannot be whole."""
        self._watched_from = None
        self._builder.clear()
        self._closing.clear()
        self._backfill.stop()

    def overrun(self, now: int) -> list[Effect]:
        """Ticks or bars were lost on the way: what they belong to is asked of the history."""
        if self._watched_from is None:
            return []
        self._watched_from = now
        self._builder.clear()
        self._closing.clear()
        return self._begin_backfill(now) if self._bars_from is DataKind.BARS else []

    # -- what is streamed

    def add_trade(self, trade: TradeTick, now: int) -> None:
        if self._bars_from is DataKind.TRADES and is_price(trade.price) and is_size(trade.size):
            self._add(trade, trade.price, trade.size, now)

    def add_quote(self, quote: QuoteTick, now: int) -> None:
        """Take the middle of a quote that can be one; it has no volume."""
        bid, ask = quote.bid_px, quote.ask_px
        if self._bars_from is DataKind.QUOTES and is_price(bid) and is_price(ask) and bid < ask:
            self._add(quote, (bid + ask) / 2, 0.0, now)

    def take_bar(self, bar: Bar, now: int) -> list[Effect]:
        """Gather the venue's own bar with the others of its boundary."""
        if self._bars_from is not DataKind.BARS or not self._is_sound(bar, now):
            return []
        sequence = self._kept.sequence_of(bar.ts_event)
        is_watched = self._watched_from is not None and bar.ts_event > self._watched_from
        if is_watched or sequence <= self._published:
            self._closing.add(sequence, bar, self._published, now)
            return self._close_slices(now)
        self._kept.add(bar)  # its slice may have passed in part: the backfill tells
        return []

    def fire(self, key: str, now: int) -> list[Effect]:
        """React to one of the own timers; others are none of ours."""
        match key:
            case "boundary":
                return [*self._close_bars(now), *self.start(now)]
            case "closing":
                return self._close_slices(now)
            case "backfill":
                return self._go_on(now)
            case "refill":
                return [] if self._watched_from is None else self._begin_backfill(now)
            case _:
                return []

    # -- history

    def take_history(self, fetched: BarsFetched, now: int) -> list[Effect]:
        bars = [each for each in fetched.bars if self._is_of(each, fetched)]
        self._counts["bad_history"] += len(fetched.bars) - len(bars)
        for bar in bars:
            self._kept.add(bar)
        self._backfill.take(fetched, bars, now)
        return self._go_on(now)

    def fail_history(self, failed: FeedAskFailed, now: int) -> list[Effect]:
        self._backfill.fail(failed, now)
        return self._go_on(now)

    def request(self, request: RequestBars, now: int) -> list[Effect]:
        """Answer from what is kept; while that is being fetched, the question waits."""
        if self._is_ready and self._backfill.is_done:
            return [self._answer(request.reply_to, request.count, now)]
        self._waiting[request.reply_to] = request.count
        return []

    def view(self) -> Mapping[str, Any]:
        newest = self._kept.newest
        return {
            "published_slice": self._published,
            "newest_slice": newest,
            "newest_close": self._kept.slice_at(newest).ts_event if newest else 0,
            "kept": len(self._kept),
            "has_history": self._is_ready,
            "fetching": not self._backfill.is_done,
            "waiting": sorted(self._waiting),
            "without_history": dict(sorted(self._backfill.given_up.items())),
            "late_bars": self._closing.late_count,
            **self._counts,
        }

    # -- closing

    def _add(self, tick: TradeTick | QuoteTick, price: float, size: float, now: int) -> None:
        if not 0 <= tick.ts_event <= now + AHEAD_NS_MAX:
            return
        if not self._builder.add(tick.instrument_id, tick.ts_event, price, size):
            self._counts["late_ticks"] += 1

    def _close_bars(self, now: int) -> list[Effect]:
        """Publish what was built and is whole; ask the history for what is not."""
        boundary = self._boundary(now - self._grace_ns)
        built = self._builder.close(boundary)
        since = self._watched_from
        if since is None:
            return []
        effects: list[Effect] = []
        for close_at, bars in built:
            if since <= close_at - self._interval_ns:
                effects += self._publish(close_at, bars, now)
        if since > boundary - self._interval_ns:
            self._counts["partial_bars"] += sum(len(bars) for _, bars in built)
            effects += self._begin_backfill(now)
        return effects

    def _close_slices(self, now: int) -> list[Effect]:
        effects: list[Effect] = []
        for _, bars in self._closing.take_due(now):
            effects += self._publish(max(bar.ts_event for bar in bars), bars, now)
        due = self._closing.next_due()
        return effects if due is None else [*effects, SetTimer(CLOSING, due)]

    def _publish(self, close_at: int, bars: Iterable[Bar], now: int) -> list[Effect]:
        for bar in bars:
            self._kept.add(bar)
        if self._is_ready and self._backfill.is_done and not self._backfill.is_unfinished:
            self._complete_until = max(self._complete_until, close_at)
        sequence = self._kept.sequence_of(close_at)
        return [] if sequence <= self._published else [self._publication(sequence, now)]

    def _publication(self, sequence: int, now: int) -> Publish:
        self._published = sequence
        self._counts["slices"] += 1
        slice_ = msgspec.structs.replace(
            self._kept.slice_at(sequence), ts_init=now, correlation_id=f"{self._name}/{sequence}"
        )
        return Publish(self._topic, slice_)

    # -- fetching

    def _begin_backfill(self, now: int) -> list[Effect]:
        if not self._backfill.is_done:
            self._must_repeat = True
            return []
        boundary = self._boundary(now)
        patience_until = boundary + self._grace_ns + PATIENCE_NS
        self._must_repeat = False
        self._goal_until = boundary
        if boundary > self._complete_until:
            goal = Goal(
                since=self._complete_until,
                until=now,
                count=self._count,
                wanted_at=boundary if now < patience_until else 0,
                patience_until=patience_until,
            )
            self._backfill.begin(goal)
        return self._go_on(now)

    def _go_on(self, now: int) -> list[Effect]:
        if self._watched_from is None:
            return []
        effects: list[Effect] = [*self._backfill.asks(now)]
        due = self._backfill.next_due()
        if due is not None:
            effects.append(SetTimer(BACKFILL, due))
        if self._backfill.is_done:
            effects += self._finish(now)
        return effects

    def _finish(self, now: int) -> list[Effect]:
        """Answer who waited, and publish the newest slice if nobody has seen it and it is new."""
        self._is_ready = True
        if not self._backfill.given_up:
            self._complete_until = max(self._complete_until, self._goal_until)
        waiting, self._waiting = self._waiting, {}
        effects: list[Effect] = [self._answer(to, count, now) for to, count in waiting.items()]
        newest = self._kept.newest
        if newest > self._published:
            age_ns = now - self._kept.slice_at(newest).ts_event
            if age_ns <= min(self._interval_ns, LATE_SLICE_NS_MAX):
                effects.append(self._publication(newest, now))
            self._published = newest
        if self._must_repeat:
            return [*effects, *self._begin_backfill(now)]
        if self._backfill.is_unfinished:
            effects.append(SetTimer(REFILL, now + REFILL_NS))
        return effects

    def _answer(self, to: MachineName, count: int, now: int) -> Send:
        slices = self._kept.last(count)
        history = BarsHistory(
            ts_event=slices[-1].ts_event if slices else 0,
            ts_init=now,
            sequence=self._kept.newest,
            slices=slices,
        )
        return Send(to, history)

    # -- checks

    def _is_sound(self, bar: Bar, now: int) -> bool:
        newest = now + min(AHEAD_NS_MAX, self._interval_ns)  # no bar closes before its time
        is_sound = bar.instrument_id in self._known and is_bar(bar) and bar.ts_event <= newest
        self._counts["bad_bars"] += not is_sound
        return is_sound

    def _is_of(self, bar: Bar, fetched: BarsFetched) -> bool:
        return (
            bar.instrument_id == fetched.instrument_id
            and bar.instrument_id in self._known
            and fetched.start <= bar.ts_event <= fetched.end
            and is_bar(bar)
        )

    def _boundary(self, moment: int) -> int:
        """Return the newest boundary at or before `moment` (ns UTC)."""
        return moment // self._interval_ns * self._interval_ns
