"""What the venue publishes of its books, numbered."""

from collections.abc import Iterable
from typing import Any

import msgspec

from trading.data import BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.effects import Effect, Publish
from trading.exchange.historic_book import BookEvent, HistoricBook
from trading.exchange.liquidity import Shown
from trading.exchange.market import Market
from trading.exchange.order_book import depth
from trading.exchange.turn import Turn
from trading.exchange.venue_state import VenueState
from trading.identifiers import InstrumentId, Venue
from trading.values import OrderSide


class Publication:
    """Snapshots of synthetic books, and the record of historic ones as it was."""

    def __init__(self, venue: Venue, state: VenueState, market: Market) -> None:
        self._venue = venue
        self._state = state
        self._market = market
        self._sequences: dict[tuple[str, InstrumentId], int] = {}
        self._topics: dict[InstrumentId, str] = {}

    def books(self, instrument_ids: Iterable[InstrumentId], turn: Turn) -> list[Effect]:
        """Return the whole book of each instrument that has one."""
        effects: list[Effect] = []
        for key in instrument_ids:
            historic = self._market.historic.get(key)
            if historic is not None:
                effects += self._historic(key, historic, turn)
            elif self._market.has_synthetic(key):
                effects.append(self.synthetic(key, turn))
        return effects

    def synthetic(self, key: InstrumentId, turn: Turn) -> Effect:
        """Return the whole book of an instrument that bars have set a ladder for."""
        return self._snapshot(key, *self._shown(key), turn)

    def event(self, event: BookEvent | TradeTick, turn: Turn) -> Effect:
        """Return the event as the venue's own message."""
        key = event.instrument_id
        stamped: Any = msgspec.structs.replace(
            event,
            ts_init=turn.now,
            causation_id=turn.causation_id,
            sequence=self._next(_kind(event), key, turn.now),
        )
        return Publish(self._topic(key), stamped)

    def _historic(self, key: InstrumentId, book: HistoricBook, turn: Turn) -> list[Effect]:
        bids, asks = (tuple(book.record.levels(side)) for side in (OrderSide.BUY, OrderSide.SELL))
        if book.has_depth:
            return [self._snapshot(key, bids, asks, turn)] if bids or asks else []
        if not (bids and asks):
            return []
        quote = QuoteTick(
            ts_event=turn.ts_event,
            instrument_id=key,
            bid_px=bids[0][0],
            ask_px=asks[0][0],
            bid_size=bids[0][1],
            ask_size=asks[0][1],
        )
        return [self.event(quote, turn)]

    def _shown(self, key: InstrumentId) -> tuple[Shown, Shown]:
        book = self._state.books.get(key)
        if book is None or book.is_empty:
            untouched = self._market.untouched(key)
            if untouched is not None:
                return untouched
        ladder = self._market.ladder(key)
        bids, asks = (
            tuple(
                (float(price), float(size))
                for price, size in depth(side, self._state.books[key], ladder)
            )
            for side in (OrderSide.BUY, OrderSide.SELL)
        )
        return bids, asks

    def _snapshot(self, key: InstrumentId, bids: Shown, asks: Shown, turn: Turn) -> Effect:
        snapshot = BookSnapshot(
            ts_event=turn.ts_event,
            ts_init=turn.now,
            causation_id=turn.causation_id,
            sequence=self._next("book", key, turn.now),
            instrument_id=key,
            bids=bids,
            asks=asks,
        )
        return Publish(self._topic(key), snapshot)

    def _next(self, kind: str, key: InstrumentId, now: int) -> int:
        # From one life to the next the counter must rise too, so it starts at the time.
        sequence = self._sequences.get((kind, key), now) + 1
        self._sequences[kind, key] = sequence
        return sequence

    def _topic(self, key: InstrumentId) -> str:
        topic = self._topics.get(key)
        if topic is None:
            topic = self._topics[key] = f"market.{self._venue}.{key}"
        return topic


def _kind(event: BookEvent | TradeTick) -> str:
    """Deltas and snapshots are one sequence; quotes and trades have their own."""
    kind = type(event)
    return "book" if kind is BookDelta or kind is BookSnapshot else kind.__name__
