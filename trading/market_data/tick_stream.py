"""Quotes, trades and books of a venue as the cluster publishes them: in order, and numbered."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from trading.commands import RequestBook
from trading.data import BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.effects import AskFeed, Effect, FetchBook, Publish
from trading.identifiers import InstrumentId
from trading.market_data.arrivals import Arrivals, Turn
from trading.market_data.book_recovery import BookRecovery
from trading.market_data.config import GatewayConfig
from trading.values import NANOS_PER_SECOND, DataKind

BOOK_TIMEOUT_NS = 5 * NANOS_PER_SECOND
ANSWER_AGE_NS_MAX = NANOS_PER_SECOND
"""An older quote is told nobody: it would look as new as the message that carries it."""


class TickStream:
    """Stamps what arrives with a sequence that rises by one per instrument and kind, and publishes it.

    A sequence begins at the host time, so that it rises from one life to the next too. Snapshots and changes
    of a book share one; a change that is missing leaves a gap in it, and the book is asked for.
    """

    def __init__(self, config: GatewayConfig) -> None:
        venue = config.venue
        self._has_books = DataKind.BOOKS in config.kinds
        self._topics = {
            each.instrument_id: f"market.{venue}.{each.instrument_id}"
            for each in config.instruments
        }
        self._arrivals = Arrivals()
        self._recovery = BookRecovery()
        self._quote_sequences: dict[InstrumentId, int] = {}
        self._trade_sequences: dict[InstrumentId, int] = {}
        self._book_sequences: dict[InstrumentId, int] = {}
        self._newest: dict[InstrumentId, tuple[QuoteTick, int]] = {}
        """The newest quote of each instrument and the host time at which it came."""
        self._counts: Counter[str] = Counter()

    def restart(self) -> None:
        """The connection is new, or gone: nothing that was heard before counts any more."""
        self._arrivals.restart()
        self._recovery.clear()
        self._newest.clear()

    def knows(self, instrument_id: InstrumentId) -> bool:
        """Return whether the instrument is streamed; one that is not is counted."""
        if instrument_id in self._topics:
            return True
        self._arrivals.refused["unknown_instrument"] += 1
        return False

    def quote(self, quote: QuoteTick, now: int) -> Publish | None:
        """Return the publication of a quote; None when it is of no use."""
        key = quote.instrument_id
        if not self.knows(key):
            return None
        if not self._arrivals.accept_quote(quote, now):
            return None
        self._newest[key] = quote, now
        self._counts["quotes"] += 1
        return self._stamped(quote, self._quote_sequences, now)

    def trade(self, trade: TradeTick, now: int) -> Publish | None:
        """Return the publication of a trade; None when it is a repeat."""
        if not self.knows(trade.instrument_id) or not self._arrivals.accept_trade(trade, now):
            return None
        self._counts["trades"] += 1
        return self._stamped(trade, self._trade_sequences, now)

    def delta(self, delta: BookDelta, now: int) -> list[Effect]:
        """Publish a change of a book; ask for the book when one before it is missing."""
        key = delta.instrument_id
        if not self.knows(key):
            return []
        turn = self._arrivals.turn_of(delta, now)
        if turn is Turn.REPEATED:
            return []
        effects = self.book_lost(key, now) if turn is Turn.BEYOND_GAP else []
        self._recovery.note(delta)
        return [*effects, self._publish_delta(delta, now)]

    def snapshot(self, snapshot: BookSnapshot, now: int) -> list[Effect]:
        """Publish a whole book that came with the stream: it begins anew."""
        if not self.knows(snapshot.instrument_id):
            return []
        self._arrivals.book_begins(snapshot)
        self._recovery.end(snapshot.instrument_id)
        return [self._publish_snapshot(snapshot, now)]

    # -- books on request

    def book_lost(self, instrument_id: InstrumentId, now: int) -> list[Effect]:
        """Leave a gap in the sequence of a book, so that nobody trusts it, and ask for it."""
        if not self.knows(instrument_id):
            return []
        self._counts["book_gaps"] += 1
        self._book_sequences[instrument_id] = self._book_sequences.get(instrument_id, now) + 1
        return self._fetch(instrument_id)

    def request(self, request: RequestBook, now: int) -> list[Effect]:
        """Ask the venue for a book; of a venue without books the newest quote does, if it is new."""
        key = request.instrument_id
        if not self.knows(key):
            return []
        if self._has_books:
            return self._fetch(key)
        quote, heard_at = self._newest.get(key, (None, 0))
        if quote is None or now - heard_at > ANSWER_AGE_NS_MAX:
            return []
        return [self._stamped(quote, self._quote_sequences, now)]

    def fetched(self, snapshot: BookSnapshot, now: int) -> list[Effect]:
        """Publish a book that was asked for, and on top of it what changed meanwhile."""
        newer = self._recovery.complete(snapshot)
        if newer is None:
            return []
        self._counts["resnapshots"] += 1
        return [
            self._publish_snapshot(snapshot, now),
            *(self._publish_delta(delta, now) for delta in newer),
        ]

    def failed(self, instrument_id: InstrumentId) -> None:
        """The venue did not give the book: whoever needs it asks again."""
        self._recovery.end(instrument_id)

    def view(self) -> Mapping[str, Any]:
        return {**self._counts, "refused": dict(sorted(self._arrivals.refused.items()))}

    def _fetch(self, instrument_id: InstrumentId) -> list[Effect]:
        if not self._recovery.begin(instrument_id):
            return []
        return [AskFeed(FetchBook(instrument_id), BOOK_TIMEOUT_NS)]

    def _publish_delta(self, delta: BookDelta, now: int) -> Publish:
        self._counts["deltas"] += 1
        return self._stamped(delta, self._book_sequences, now)

    def _publish_snapshot(self, snapshot: BookSnapshot, now: int) -> Publish:
        self._counts["snapshots"] += 1
        return self._stamped(snapshot, self._book_sequences, now)

    def _stamped(
        self,
        message: QuoteTick | TradeTick | BookDelta | BookSnapshot,
        sequences: dict[InstrumentId, int],
        now: int,
    ) -> Publish:
        key = message.instrument_id
        sequences[key] = sequence = sequences.get(key, now) + 1
        return Publish(self._topics[key], msgspec.structs.replace(message, sequence=sequence))
