"""Order book: one update and one read of the best level on its side.

Method: a seeded stream of changes around the best prices, 200 levels a side, tick 0.01. Two mixes:
`resize` changes the sizes of known levels, `churn` also adds and removes levels. Each operation is
timed alone, the median cost of the timer is subtracted; p50 and p99 are medians over the repeats, on
a fresh book each. The garbage collector is off while the clock runs. Ratios compare p50 with the first
row of the same `what`; absolute times are those of the machine.
"""

import gc
from collections.abc import Callable
from importlib.util import find_spec
from random import Random
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Any

from sortedcontainers import SortedDict

from trading.book.book import Book
from trading.book.ladder import LadderBook
from trading.book.reference import ReferenceBook
from trading.book.shard import BookShard
from trading.data import BookDelta, BookSnapshot
from trading.identifiers import InstrumentId, MachineName, Venue
from trading.instruments import Instrument
from trading.values import BookAction, OrderSide

INSTRUMENT = InstrumentId("ABC.PAPER")
TICK_SIZE = 0.01
MIDDLE_TICKS = 10_000
LEVELS_PER_SIDE = 200
CHANGES = 10_000
REPEATS = 5
SEED = 7

Change = tuple[OrderSide, float, float]
Step = Callable[[], None]
Subject = Callable[[list[Change], list[Change]], list[Step]]


def changes(removed_share: float) -> tuple[list[Change], list[Change]]:
    """Return `(start, stream)`: a full book, and changes of which a share removes a level."""
    source = Random(SEED)
    start = [_change(side, k, 1.0) for k in range(1, LEVELS_PER_SIDE + 1) for side in OrderSide]
    stream = []
    for _ in range(CHANGES):
        distance = min(LEVELS_PER_SIDE, 1 + int(source.expovariate(0.1)))
        size = 0.0 if source.random() < removed_share else round(source.uniform(0.1, 9.0), 3)
        stream.append(_change(source.choice(list(OrderSide)), distance, size))
    return start, stream


def _change(side: OrderSide, distance: int, size: float) -> Change:
    return side, (MIDDLE_TICKS - side.sign * distance) / 100, size


def _delta(change: Change, sequence: int) -> BookDelta:
    side, price, size = change
    action = BookAction.UPDATE if size else BookAction.DELETE
    return BookDelta(
        instrument_id=INSTRUMENT,
        side=side,
        action=action,
        price=price,
        size=size,
        sequence=sequence,
    )


def ladder_update(start: list[Change], stream: list[Change]) -> list[Step]:
    book = LadderBook(TICK_SIZE)
    for change in start:
        book.update(*change)
    update, best_bid, best_ask = book.update, book.best_bid, book.best_ask

    def step(side: OrderSide, price: float, size: float, read: Callable[[], Any]) -> Step:
        def run() -> None:
            update(side, price, size)
            read()

        return run

    return [
        step(*change, best_bid if change[0] is OrderSide.BUY else best_ask) for change in stream
    ]


def _by_delta(book: Book, start: list[Change], stream: list[Change]) -> list[Step]:
    for change in start:
        book.apply(_delta(change, 0))
    apply, best_bid, best_ask = book.apply, book.best_bid, book.best_ask

    def step(delta: BookDelta, read: Callable[[], Any]) -> Step:
        def run() -> None:
            apply(delta)
            read()

        return run

    return [
        step(_delta(change, 0), best_bid if change[0] is OrderSide.BUY else best_ask)
        for change in stream
    ]


def ladder_apply(start: list[Change], stream: list[Change]) -> list[Step]:
    return _by_delta(LadderBook(TICK_SIZE), start, stream)


def reference_apply(start: list[Change], stream: list[Change]) -> list[Step]:
    return _by_delta(ReferenceBook(TICK_SIZE), start, stream)


def sorted_dict(start: list[Change], stream: list[Change]) -> list[Step]:
    sides = {OrderSide.BUY: SortedDict(), OrderSide.SELL: SortedDict()}

    def update(side: OrderSide, price: float, size: float) -> tuple[int, float] | None:
        ticks = round(price / TICK_SIZE)
        levels = sides[side]
        if size > 0:
            levels[ticks] = size
        else:
            levels.pop(ticks, None)
        best: tuple[int, float] | None = None
        if levels:
            best = levels.peekitem(-1 if side is OrderSide.BUY else 0)
        return best

    def step(side: OrderSide, price: float, size: float) -> Step:
        def run() -> None:
            update(side, price, size)

        return run

    for change in start:
        update(*change)
    return [step(*change) for change in stream]


def nautilus(start: list[Change], stream: list[Change]) -> list[Step]:
    from nautilus_trader.model import enums, identifiers, objects
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.data import BookOrder, OrderBookDelta

    instrument_id = identifiers.InstrumentId.from_str(INSTRUMENT)
    book = OrderBook(instrument_id, enums.BookType.L2_MBP)

    def delta_of(change: Change) -> Any:
        side, price, size = change
        order = BookOrder(
            enums.OrderSide.BUY if side is OrderSide.BUY else enums.OrderSide.SELL,
            objects.Price(price, 2),
            objects.Quantity(size, 3),
            0,
        )
        action = enums.BookAction.UPDATE if size else enums.BookAction.DELETE
        return OrderBookDelta(instrument_id, action, order, 0, 0, 0, 0)

    def step(delta: Any, read: Callable[[], Any]) -> Step:
        def run() -> None:
            book.apply_delta(delta)
            read()

        return run

    for change in start:
        book.apply_delta(delta_of(change))
    reads = {OrderSide.BUY: book.best_bid_price, OrderSide.SELL: book.best_ask_price}
    return [step(delta_of(change), reads[change[0]]) for change in stream]


def shard_handle(start: list[Change], stream: list[Change]) -> list[Step]:
    shard = BookShard(
        Venue("paper"), [Instrument(instrument_id=INSTRUMENT)], MachineName("feed:paper")
    )
    bids, asks = (
        tuple((price, size) for at, price, size in start if at is side)
        for side in (OrderSide.BUY, OrderSide.SELL)
    )
    shard.handle(BookSnapshot(instrument_id=INSTRUMENT, bids=bids, asks=asks), 0)

    def step(delta: BookDelta) -> Step:
        def run() -> None:
            shard.handle(delta, 0)

        return run

    return [step(_delta(change, sequence)) for sequence, change in enumerate(stream, start=1)]


def _times_ns(steps: list[Step]) -> list[int]:
    times = []
    gc.collect()
    gc.disable()
    try:
        for step in steps:
            begin = perf_counter_ns()
            step()
            times.append(perf_counter_ns() - begin)
    finally:
        gc.enable()
    return times


def _nothing() -> None:
    return


def _measure(subject: Subject, start: list[Change], stream: list[Change]) -> tuple[float, float]:
    timer_ns = median(_times_ns([_nothing] * CHANGES))
    p50, p99 = [], []
    for _ in range(REPEATS):
        cuts = quantiles(_times_ns(subject(start, stream)), n=100)
        p50.append(cuts[49] - timer_ns)
        p99.append(cuts[98] - timer_ns)
    return median(p50) / 1000, median(p99) / 1000


def rows() -> list[dict[str, object]]:
    """Return one row per subject and mix; see the top of this file for the method."""
    books: list[tuple[str, Subject, str]] = [
        ("LadderBook.update", ladder_update, "plain arguments"),
        ("LadderBook.apply", ladder_apply, "ready BookDelta"),
        ("SortedDict", sorted_dict, "sortedcontainers, inlined"),
        ("ReferenceBook.apply", reference_apply, "sorts at every read"),
    ]
    if find_spec("nautilus_trader") is not None:
        books.append(("nautilus_trader", nautilus, "ready delta, best price without size"))
    shard: list[tuple[str, Subject, str]] = [
        ("BookShard.handle", shard_handle, "BookDelta in, BookTop out")
    ]
    groups = [
        ("book update + best, resize", 0.0, books),
        ("book update + best, churn", 0.25, books),
        ("book delta to top, churn", 0.25, shard),
    ]
    return [row for what, share, subjects in groups for row in _group(what, share, subjects)]


def _group(
    what: str, removed_share: float, subjects: list[tuple[str, Subject, str]]
) -> list[dict[str, object]]:
    start, stream = changes(removed_share)
    found: list[dict[str, object]] = []
    first: float | None = None
    for name, subject, note in subjects:
        p50, p99 = _measure(subject, start, stream)
        first = p50 if first is None else first
        found.append(
            {
                "what": what,
                "subject": name,
                "p50_us": round(p50, 3),
                "p99_us": round(p99, 3),
                "ratio": round(p50 / first, 2),
                "note": f"{note}; GC off",
            }
        )
    return found


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(rows()))
