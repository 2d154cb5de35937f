"""The shard behind a channel that loses, repeats and overtakes."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.book.ladder import LadderBook
from trading.book.shard import BookShard
from trading.data import BookDelta, BookSnapshot, BookTop
from trading.effects import Effect, Publish
from trading.identifiers import InstrumentId, MachineName, Venue
from trading.instruments import Instrument
from trading.messages import Message
from trading.values import BookAction, OrderSide

BUY, SELL = OrderSide.BUY, OrderSide.SELL
ABC = InstrumentId("ABC.PAPER")


def make_shard() -> BookShard:
    return BookShard(Venue("paper"), [Instrument(instrument_id=ABC)], MachineName("feed:paper"))


def stamps(sequence: int) -> dict[str, Any]:
    return {"instrument_id": ABC, "sequence": sequence, "ts_init": sequence * 100}


def delta(sequence: int, side: OrderSide, price: float, size: float) -> BookDelta:
    return BookDelta(
        **stamps(sequence), side=side, action=BookAction.UPDATE, price=price, size=size
    )


def feed_all(shard: BookShard, *messages: Message) -> list[Effect]:
    return [effect for message in messages for effect in shard.handle(message, now=0)]


def tops(effects: list[Effect]) -> list[BookTop]:
    messages = [e.message for e in effects if isinstance(e, Publish)]
    return [message for message in messages if isinstance(message, BookTop)]


def _source(
    changes: list[tuple[OrderSide, int, float]],
) -> tuple[list[BookDelta], list[LadderBook]]:
    """Return the deltas of a venue and its true book after each; bids stay below 10, asks above."""
    deltas, books = [], [LadderBook(0.01)]
    for sequence, (side, distance, size) in enumerate(changes, start=1):
        deltas.append(delta(sequence, side, 10 - side.sign * distance / 100, size))
        book = LadderBook(0.01)
        for each in deltas:
            book.apply(each)
        books.append(book)
    return deltas, books


def _true_snapshot(book: LadderBook, sequence: int) -> BookSnapshot:
    bids, asks = (tuple(book.levels(side)) for side in (BUY, SELL))
    return BookSnapshot(**stamps(sequence), bids=bids, asks=asks)


CHANGES = st.tuples(
    st.sampled_from(OrderSide), st.integers(1, 6), st.sampled_from([0.0, 1.0, 2.0, 5.5])
)


@given(
    st.lists(CHANGES, min_size=1, max_size=30),
    st.lists(st.sampled_from(["pass", "pass", "pass", "drop", "twice", "answer"]), max_size=60),
)
@settings(deadline=None, max_examples=200)
def test_valid_book_equals_the_venue_whatever_is_lost_or_repeated(
    changes: list[tuple[OrderSide, int, float]], fates: list[str]
) -> None:
    deltas, books = _source(changes)
    shard = make_shard()
    effects = feed_all(shard, _true_snapshot(books[0], 0))
    for each, fate in zip(deltas, fates + ["pass"] * len(deltas), strict=False):
        if fate == "answer":
            effects += feed_all(
                shard, each, _true_snapshot(books[each.sequence - 1], each.sequence - 1)
            )
        elif fate != "drop":
            effects += feed_all(shard, *[each] * (2 if fate == "twice" else 1))
    effects += feed_all(shard, _true_snapshot(books[-1], len(deltas)))
    shard.validate()
    for top in tops(effects):
        true = books[top.sequence]
        assert (top.bid_px, top.bid_size) == true.best_bid()
        assert (top.ask_px, top.ask_size) == true.best_ask()
    untouched = make_shard()
    feed_all(untouched, _true_snapshot(books[-1], len(deltas)))
    assert shard.state_hash() == untouched.state_hash()
