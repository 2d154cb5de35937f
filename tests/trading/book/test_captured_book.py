"""Both books on depth captured at Binance, checked against the venue's own best bid and offer."""

import gzip
import json
import os
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import structs

from trading.book.ladder import LadderBook
from trading.book.reference import ReferenceBook
from trading.book.shard import BookShard
from trading.data import BookDelta, BookSnapshot, BookTop
from trading.effects import Publish
from trading.identifiers import InstrumentId, MachineName, Venue
from trading.instruments import Instrument
from trading.values import BookAction, OrderSide

BESIDE_THE_REPOSITORY = Path(__file__).parents[3] / ".." / "shared" / "data"
DATA = Path(os.environ.get("TRADER_DATA", BESIDE_THE_REPOSITORY))
INSTRUMENT = InstrumentId("CAPTURED.BINANCE")
CAPTURES = [("spot/ethusdt", 0.01), ("spot/btcusdt", 0.01), ("usdm/btcusdt", 0.1)]


class Capture(NamedTuple):
    """`events` are the depth updates behind the snapshot; `quotes` are `(update id, bid, ask)`."""

    snapshot: BookSnapshot
    events: list[tuple[int, list[BookDelta]]]
    quotes: list[tuple[int, tuple[float, float], tuple[float, float]]]


def _messages(name: str, line_count: int) -> Iterator[dict[str, Any]]:
    path = DATA / "hftbacktest" / f"{name}_20240808.gz"
    if not path.exists():
        pytest.skip(f"no captured depth at {path}; set TRADER_DATA to the folder that holds it")
    with gzip.open(path, "rt") as lines:
        for line in islice(lines, line_count):
            message: dict[str, Any] = json.loads(line.partition(" ")[2])
            yield message.get("data", message)


def _levels(rows: list[list[str]]) -> list[tuple[float, float]]:
    return [(float(price), float(size)) for price, size in rows]


def _deltas(event: dict[str, Any]) -> list[BookDelta]:
    """Return the changes of one event, removals first: then no step crosses the book."""
    changes = [
        BookDelta(
            instrument_id=INSTRUMENT,
            side=side,
            action=BookAction.UPDATE if size else BookAction.DELETE,
            price=price,
            size=size,
        )
        for side, key in ((OrderSide.BUY, "b"), (OrderSide.SELL, "a"))
        for price, size in _levels(event[key])
    ]
    return sorted(changes, key=lambda change: change.size > 0)


def _load(name: str, line_count: int) -> Capture:
    updates, quotes, snapshot = [], [], None
    for message in _messages(name, line_count):
        if "lastUpdateId" in message:
            snapshot = message
        elif message.get("e") == "depthUpdate":
            updates.append(message)
        elif "A" in message and "B" in message:
            bid, ask = _levels([[message["b"], message["B"]], [message["a"], message["A"]]])
            quotes.append((message["u"], bid, ask))
    assert snapshot is not None
    start = snapshot["lastUpdateId"]
    return Capture(
        BookSnapshot(
            instrument_id=INSTRUMENT,
            bids=tuple(_levels(snapshot["bids"])),
            asks=tuple(_levels(snapshot["asks"])),
        ),
        [(event["u"], _deltas(event)) for event in updates if event["u"] > start],
        quotes,
    )


@pytest.fixture(params=CAPTURES, ids=lambda param: param[0], scope="module")
def captured(request: pytest.FixtureRequest) -> tuple[Capture, float]:
    name, tick_size = request.param
    return _load(name, line_count=5_000), tick_size


def test_ladder_equals_the_reference_on_captured_depth(captured: tuple[Capture, float]) -> None:
    capture, tick_size = captured
    ladder, reference = LadderBook(tick_size), ReferenceBook(tick_size)
    for book in (ladder, reference):
        book.apply_snapshot(capture.snapshot)
    for index, (_, deltas) in enumerate(capture.events):
        for delta in deltas:
            ladder.apply(delta)
            reference.apply(delta)
        if index % 20 == 0:
            assert ladder.state_hash() == reference.state_hash()
    assert ladder.state_hash() == reference.state_hash()


def test_best_levels_equal_the_quotes_of_the_venue(captured: tuple[Capture, float]) -> None:
    capture, tick_size = captured
    book = LadderBook(tick_size)
    book.apply_snapshot(capture.snapshot)
    update_ids = [update_id for update_id, _, _ in capture.quotes]
    compared = 0
    for update_id, deltas in capture.events:
        for delta in deltas:
            book.apply(delta)
        after = bisect_right(update_ids, update_id)
        if 0 < after < len(update_ids):
            assert (book.best_bid(), book.best_ask()) == capture.quotes[after - 1][1:]
            compared += 1
    assert compared > 100


def test_shard_stays_valid_over_captured_depth(captured: tuple[Capture, float]) -> None:
    capture, tick_size = captured
    instrument = Instrument(instrument_id=INSTRUMENT, tick_size=Decimal(repr(tick_size)))
    shard = BookShard(Venue("binance"), [instrument], MachineName("feed:binance"))
    shard.handle(capture.snapshot, now=0)
    deltas = chain.from_iterable(deltas for _, deltas in capture.events)
    for sequence, delta in enumerate(deltas, start=1):
        effects = shard.handle(structs.replace(delta, sequence=sequence), now=0)
        assert [type(e.message) for e in effects if isinstance(e, Publish)] == [BookTop]
    shard.validate()
