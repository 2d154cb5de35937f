"""The machine that keeps the books of one venue and says what their tops are."""

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any

from trading.book.measures import size_imbalance, weighted_mid
from trading.book.tracked_book import TrackedBook, Verdict
from trading.commands import RequestBook
from trading.data import BarSlice, BookDelta, BookSnapshot, BookTop, QuoteTick
from trading.effects import Effect, Publish, Send
from trading.events import Event
from trading.identifiers import InstrumentId, MachineName, StreamName, Venue, machine_name
from trading.instruments import Instrument
from trading.messages import Message
from trading.outcomes import Started
from trading.values import NANOS_PER_SECOND, OrderSide

RESNAPSHOT_RETRY_NS = NANOS_PER_SECOND
"""An unanswered snapshot request is repeated by the first message that comes this much later."""


class BookShard:
    """Keeps one book per instrument from `data.<venue>.`, publishes `book.<venue>.`.

    After every change of a valid book with two sides it publishes a `BookTop`, with the times and
    correlation of the message that caused it. Its `sequence` is the incoming one: it goes on over a
    restart of this machine, and a jump means that the book was invalid meanwhile. A bar slice passes
    through behind the tops of its moment.

    A book that cannot be trusted (`TrackedBook`) is silent: the feed is asked for a snapshot once,
    and again only when `RESNAPSHOT_RETRY_NS` brought no valid book. Nothing is journalled: a
    restarted shard asks for all its books. Who asks for a book gets it as soon as it is valid, with the
    correlation of the request as its cause.

    The levels of one venue event come as single deltas, each of which must leave the book uncrossed.
    A feed gets that by sending the removals of an event before its other changes.

    Parameters
    ----------
    venue : Venue
        Venue whose data are followed.
    instruments : iterable of Instrument
        The books to keep; messages about others are counted and ignored.
    feed : MachineName
        Who is asked for snapshots.
    """

    stream: StreamName | None = None
    follows: tuple[StreamName, ...] = ()

    def __init__(self, venue: Venue, instruments: Iterable[Instrument], feed: MachineName) -> None:
        self.name = machine_name("book", venue)
        self.subscribes = (f"data.{venue}.",)
        self._feed = feed
        self._slice_topic = f"book.{venue}.slice"
        self._books = {item.instrument_id: TrackedBook(item) for item in instruments}
        self._topics = {key: f"book.{venue}.{key}" for key in self._books}
        self._unknown_count = 0
        self._handlers: dict[type[Message], Callable[[Any, int], list[Effect]]] = {
            BookDelta: self._update,
            BookSnapshot: self._update,
            QuoteTick: self._update,
            BarSlice: self._pass_on,
            RequestBook: self._answer,
            Started: self._start,
        }

    def handle(self, message: Message, now: int) -> list[Effect]:
        handler = self._handlers.get(type(message))
        return [] if handler is None else handler(message, now)

    def apply(self, event: Event) -> None:
        """Do nothing: a shard has no stream and follows none."""

    def is_stale(self, instrument_id: InstrumentId, now: int, limit_ns: int) -> bool:
        """Return True when the book is unknown, invalid, or has not changed for `limit_ns`.

        Age counts from `ts_init` of the last message that changed the book, so the way from the feed
        to here counts too.

        Parameters
        ----------
        now : int
            Host time (ns UTC).
        """
        tracked = self._books.get(instrument_id)
        return tracked is None or tracked.is_stale(now, limit_ns)

    def view(self) -> Mapping[str, Any]:
        return {
            "unknown": self._unknown_count,
            "books": {key: _view(tracked) for key, tracked in self._books.items()},
        }

    def state_hash(self) -> str:
        """Hash of the books as they are: equal on every replay of the same messages."""
        state = sorted((key, b.is_valid, b.book.state_hash()) for key, b in self._books.items())
        return blake2b(repr(state).encode(), digest_size=16).hexdigest()

    def validate(self) -> None:
        for key, tracked in self._books.items():
            assert not (tracked.is_valid and tracked.book.is_crossed), f"{key}: crossed"
            for side in OrderSide:
                levels = list(tracked.book.levels(side))
                assert all(size > 0 for _, size in levels), f"{key}: size not positive"
                ranks = [-side.sign * price for price, _ in levels]
                assert ranks == sorted(set(ranks)), f"{key}: {side} is out of order"

    def _start(self, started: Started, now: int) -> list[Effect]:
        return [
            effect
            for tracked in self._books.values()
            if not tracked.is_valid
            for effect in self._request(tracked, started, now)
        ]

    def _update(self, message: BookDelta | BookSnapshot | QuoteTick, now: int) -> list[Effect]:
        tracked = self._books.get(message.instrument_id)
        if tracked is None:
            self._unknown_count += 1
            return []
        verdict = _accept(tracked, message)
        if verdict is Verdict.CHANGED:
            return self._publish(tracked)
        return self._request(tracked, message, now) if verdict is Verdict.UNTRUSTED else []

    def _pass_on(self, slice_: BarSlice, now: int) -> list[Effect]:
        return [Publish(self._slice_topic, slice_)]

    def _publish(self, tracked: TrackedBook) -> list[Effect]:
        tracked.requested_at = None
        effects: list[Effect] = []
        top = _top(tracked)
        if top is not None:
            effects.append(Publish(self._topics[tracked.instrument_id], top))
        effects.extend(
            Send(asker, tracked.snapshot(causation_id=request))
            for asker, request in tracked.askers.items()
        )
        tracked.askers.clear()
        return effects

    def _request(self, tracked: TrackedBook, cause: Message, now: int) -> list[Effect]:
        asked = tracked.requested_at
        if asked is not None and now - asked < RESNAPSHOT_RETRY_NS:
            return []
        tracked.requested_at = now
        request = RequestBook(
            ts_event=cause.ts_event,
            ts_init=now,
            correlation_id=cause.correlation_id,
            causation_id=cause.correlation_id,
            instrument_id=tracked.instrument_id,
            reply_to=self.name,
        )
        return [Send(self._feed, request)]

    def _answer(self, request: RequestBook, now: int) -> list[Effect]:
        tracked = self._books.get(request.instrument_id)
        if tracked is None:
            self._unknown_count += 1
            return []
        if tracked.is_valid:
            return [Send(request.reply_to, tracked.snapshot(causation_id=request.correlation_id))]
        tracked.askers[request.reply_to] = request.correlation_id
        return []


def _accept(tracked: TrackedBook, message: BookDelta | BookSnapshot | QuoteTick) -> Verdict:
    if type(message) is BookDelta:
        return tracked.accept_delta(message)
    if type(message) is BookSnapshot:
        return tracked.accept_snapshot(message)
    assert type(message) is QuoteTick
    return tracked.accept_quote(message)


def _top(tracked: TrackedBook) -> BookTop | None:
    bid, ask, source = tracked.book.best_bid(), tracked.book.best_ask(), tracked.last
    if bid is None or ask is None:
        return None
    (bid_px, bid_size), (ask_px, ask_size) = bid, ask
    return BookTop(
        ts_event=source.ts_event,
        ts_init=source.ts_init,
        correlation_id=source.correlation_id,
        causation_id=source.correlation_id,
        sequence=source.sequence,
        instrument_id=tracked.instrument_id,
        bid_px=bid_px,
        ask_px=ask_px,
        bid_size=bid_size,
        ask_size=ask_size,
        microprice=weighted_mid(bid, ask),
        imbalance=size_imbalance(bid_size, ask_size),
    )


def _view(tracked: TrackedBook) -> dict[str, Any]:
    is_valid = tracked.is_valid
    bid = tracked.book.best_bid() if is_valid else None
    ask = tracked.book.best_ask() if is_valid else None
    return {
        "is_valid": is_valid,
        "updates": tracked.update_count,
        "gaps": tracked.gap_count,
        "duplicates": tracked.duplicate_count,
        "crossed": tracked.crossed_count,
        "malformed": tracked.malformed_count,
        "bid_px": None if bid is None else bid[0],
        "bid_size": None if bid is None else bid[1],
        "ask_px": None if ask is None else ask[0],
        "ask_size": None if ask is None else ask[1],
        "ts_event": tracked.last.ts_event,
        "ts_init": tracked.last.ts_init,
    }
