"""One book of a shard, and whether it can be trusted."""

from collections import deque
from enum import Enum, auto

from trading.book.ladder import LadderBook
from trading.data import BookDelta, BookSnapshot, MarketData, QuoteTick
from trading.identifiers import MachineName
from trading.instruments import Instrument
from trading.values import OrderSide

WAITING_DELTAS_MAX = 1_000
"""Deltas kept while a snapshot is awaited; beyond it the oldest go, which the replay sees as a gap."""
NUMBER_MAX = 1e15
"""Above it a float price or size is a defect of the source."""


class Verdict(Enum):
    """What a message did to a book."""

    CHANGED = auto()
    """The book is valid and new."""
    IGNORED = auto()
    """The message was old or of no use; nothing changed."""
    UNTRUSTED = auto()
    """The book cannot be trusted: it needs a snapshot."""


class TrackedBook:
    """Applies the messages of one instrument in sequence, or refuses to.

    A delta must carry the next sequence. After a gap, a crossed book or numbers that cannot be,
    the book is invalid until a snapshot comes. Deltas that arrive meanwhile wait and are applied on
    top of it: a snapshot sent to this machine can be overtaken by published deltas that are newer.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument_id = instrument.instrument_id
        self.book = LadderBook(instrument.tick_size)
        self.is_valid = False
        self.last: MarketData = MarketData()
        """The last message that changed the book: its times and ids are those of the state."""
        self.requested_at: int | None = None
        """Host time (ns) of the snapshot request that is still unanswered."""
        self.askers: dict[MachineName, str] = {}
        """Who asked for the book while there was no valid one, with the correlation of the newest request."""
        self.update_count = 0
        self.gap_count = 0
        self.duplicate_count = 0
        self.crossed_count = 0
        self.malformed_count = 0
        self._has_depth = False
        self._waiting: deque[BookDelta] = deque(maxlen=WAITING_DELTAS_MAX)

    def accept_delta(self, delta: BookDelta) -> Verdict:
        """Apply `delta` if it is the next one; let it wait if the book is invalid."""
        self._has_depth = True
        if not self.is_valid:
            self._waiting.append(delta)
            return Verdict.UNTRUSTED
        expected = self.book.sequence + 1
        if delta.sequence < expected:
            self.duplicate_count += 1
            return Verdict.IGNORED
        if delta.sequence > expected:
            self.gap_count += 1
            self._waiting.append(delta)
            return self._distrust()
        if not _is_plausible(delta.price, delta.size):
            self.malformed_count += 1
            return self._distrust()
        self.book.apply(delta)
        return self._settle(delta)

    def accept_snapshot(self, snapshot: BookSnapshot) -> Verdict:
        """Replace the book by `snapshot`, then apply the deltas that waited and are newer."""
        self._has_depth = True
        verdict = self._replace(snapshot, snapshot)
        if not self._waiting:
            return verdict
        waiting, self._waiting = self._waiting, deque(maxlen=WAITING_DELTAS_MAX)
        for delta in waiting:
            if not self.is_valid or delta.sequence > self.book.sequence:
                verdict = self.accept_delta(delta)
        return verdict

    def accept_quote(self, quote: QuoteTick) -> Verdict:
        """Replace the book by the one level per side of `quote`, unless the source sends depth too."""
        if self._has_depth:
            return Verdict.IGNORED
        one_level = BookSnapshot(
            sequence=quote.sequence,
            instrument_id=quote.instrument_id,
            bids=((quote.bid_px, quote.bid_size),),
            asks=((quote.ask_px, quote.ask_size),),
        )
        return self._replace(one_level, quote)

    def is_stale(self, now: int, limit_ns: int) -> bool:
        """Return True when the book is invalid or its last change is older than `limit_ns`."""
        return not self.is_valid or now - self.last.ts_init > limit_ns

    def snapshot(self, causation_id: str) -> BookSnapshot:
        """Return the whole book as a message with the times and the sequence of its last change."""
        bids, asks = (tuple(self.book.levels(side)) for side in OrderSide)
        return BookSnapshot(
            ts_event=self.last.ts_event,
            ts_init=self.last.ts_init,
            correlation_id=self.last.correlation_id,
            causation_id=causation_id,
            sequence=self.book.sequence,
            instrument_id=self.instrument_id,
            bids=bids,
            asks=asks,
        )

    def _replace(self, snapshot: BookSnapshot, source: MarketData) -> Verdict:
        if self._is_old(source):
            self.duplicate_count += 1
            return Verdict.IGNORED
        for levels in (snapshot.bids, snapshot.asks):
            for price, size in levels:
                if not _is_plausible(price, size):
                    self.malformed_count += 1
                    return self._distrust()
        self.book.apply_snapshot(snapshot)
        return self._settle(source)

    def _is_old(self, source: MarketData) -> bool:
        # A source that restarts may count from the beginning again, but its clock goes on.
        is_repeat = source.sequence <= self.book.sequence and source.ts_init <= self.last.ts_init
        return self.is_valid and is_repeat

    def _settle(self, source: MarketData) -> Verdict:
        if self.book.is_crossed:
            self.crossed_count += 1
            return self._distrust()
        self.is_valid = True
        self.last = source
        self.update_count += 1
        return Verdict.CHANGED

    def _distrust(self) -> Verdict:
        self.is_valid = False
        return Verdict.UNTRUSTED


def _is_plausible(price: float, size: float) -> bool:
    # False for NaN and infinity too.
    return abs(price) <= NUMBER_MAX and abs(size) <= NUMBER_MAX
