"""One suite for both books, and the proof that they agree."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.book.book import Book
from trading.book.ladder import LadderBook
from trading.book.reference import ReferenceBook
from trading.data import BookDelta, BookSnapshot
from trading.identifiers import InstrumentId
from trading.values import BookAction, OrderSide

BUY, SELL = OrderSide.BUY, OrderSide.SELL
UPDATE, DELETE = BookAction.UPDATE, BookAction.DELETE
INSTRUMENT = InstrumentId("ABC.PAPER")
Levels = list[tuple[float, float]]


@pytest.fixture(params=[ReferenceBook, LadderBook])
def book(request: pytest.FixtureRequest) -> Book:
    make: Callable[[float], Book] = request.param
    return make(0.01)


def delta(  # one short name per field keeps the tests on one screen
    side: OrderSide,
    price: float,
    size: float,
    action: BookAction = UPDATE,
    order_id: str = "",
    sequence: int = 0,
) -> BookDelta:
    return BookDelta(
        instrument_id=INSTRUMENT,
        side=side,
        action=action,
        price=price,
        size=size,
        order_id=order_id,
        sequence=sequence,
    )


def snapshot(bids: Levels, asks: Levels, sequence: int = 0) -> BookSnapshot:
    return BookSnapshot(
        instrument_id=INSTRUMENT, bids=tuple(bids), asks=tuple(asks), sequence=sequence
    )


def test_empty_book_has_no_best_and_is_not_crossed(book: Book) -> None:
    assert book.best_bid() is None
    assert book.best_ask() is None
    assert book.depth(BUY, 5) == []
    assert list(book.levels(SELL)) == []
    assert not book.is_crossed


def test_snapshot_sets_both_sides_best_first(book: Book) -> None:
    book.apply_snapshot(snapshot([(9.99, 1.0), (9.98, 2.0)], [(10.01, 3.0), (10.02, 4.0)], 7))
    assert book.best_bid() == (9.99, 1.0)
    assert book.best_ask() == (10.01, 3.0)
    assert book.depth(BUY, 5) == [(9.99, 1.0), (9.98, 2.0)]
    assert book.depth(SELL, 5) == [(10.01, 3.0), (10.02, 4.0)]
    assert book.sequence == 7


def test_snapshot_in_any_order_reads_best_first(book: Book) -> None:
    book.apply_snapshot(
        snapshot([(9.97, 1.0), (9.99, 2.0), (9.98, 3.0)], [(12.0, 1.0), (11.0, 1.0)])
    )
    assert [price for price, _ in book.levels(BUY)] == [9.99, 9.98, 9.97]
    assert [price for price, _ in book.levels(SELL)] == [11.0, 12.0]


def test_snapshot_forgets_what_was_known(book: Book) -> None:
    book.apply(delta(BUY, 9.99, 1.0, order_id="a"))
    book.apply(delta(SELL, 10.5, 1.0))
    book.apply_snapshot(snapshot([(9.0, 5.0)], []))
    assert book.best_bid() == (9.0, 5.0)
    assert book.best_ask() is None
    book.apply(delta(BUY, 0.0, 0.0, DELETE, order_id="a"))
    assert book.depth(BUY, 9) == [(9.0, 5.0)]


def test_update_adds_and_resizes_a_level(book: Book) -> None:
    book.apply(delta(BUY, 9.99, 1.0))
    book.apply(delta(BUY, 10.0, 2.0))
    book.apply(delta(BUY, 9.99, 5.0, sequence=3))
    assert book.depth(BUY, 9) == [(10.0, 2.0), (9.99, 5.0)]
    assert book.sequence == 3


@pytest.mark.parametrize(
    ("size", "action"), [(0.0, UPDATE), (-1.0, UPDATE), (float("nan"), UPDATE), (4.0, DELETE)]
)
def test_delete_or_size_not_positive_removes_the_level(
    book: Book, size: float, action: BookAction
) -> None:
    book.apply(delta(SELL, 10.01, 1.0))
    book.apply(delta(SELL, 10.02, 2.0))
    book.apply(delta(SELL, 10.01, size, action))
    assert book.depth(SELL, 9) == [(10.02, 2.0)]


def test_removing_an_unknown_level_changes_nothing(book: Book) -> None:
    book.apply(delta(BUY, 9.99, 1.0))
    book.apply(delta(BUY, 9.98, 0.0))
    book.apply(delta(SELL, 9.99, 0.0, DELETE))
    assert book.depth(BUY, 9) == [(9.99, 1.0)]


def test_removing_the_last_level_empties_the_side(book: Book) -> None:
    book.apply(delta(SELL, 10.0, 1.0))
    book.apply(delta(SELL, 10.0, 0.0))
    assert book.best_ask() is None


def test_prices_with_float_noise_meet_on_the_grid(book: Book) -> None:
    book.apply(delta(BUY, 0.1 + 0.2, 1.0))
    assert book.depth(BUY, 9) == [(0.3, 1.0)]
    book.apply(delta(BUY, 0.3, 2.0))
    book.apply(delta(BUY, 0.1 + 0.2, 3.0))
    assert book.depth(BUY, 9) == [(0.3, 3.0)]
    book.apply(delta(BUY, 0.1 + 0.2, 0.0))
    assert book.best_bid() is None


def test_negative_and_zero_prices_are_ordered_too(book: Book) -> None:
    book.apply_snapshot(snapshot([(-37.63, 1.0), (-40.0, 1.0)], [(-37.5, 1.0), (0.0, 2.0)]))
    assert book.best_bid() == (-37.63, 1.0)
    assert book.depth(SELL, 9) == [(-37.5, 1.0), (0.0, 2.0)]


@pytest.mark.parametrize(("n", "expected"), [(0, 0), (1, 1), (2, 2), (3, 3), (100, 3)])
def test_depth_gives_at_most_n_levels(book: Book, n: int, expected: int) -> None:
    book.apply_snapshot(snapshot([(3.0, 1.0), (2.0, 1.0), (1.0, 1.0)], []))
    assert book.depth(BUY, n) == [(3.0, 1.0), (2.0, 1.0), (1.0, 1.0)][:expected]


@pytest.mark.parametrize(("ask", "crossed"), [(9.98, True), (9.99, True), (10.0, False)])
def test_book_is_crossed_when_bid_reaches_ask(book: Book, ask: float, crossed: bool) -> None:
    book.apply(delta(BUY, 9.99, 1.0))
    assert not book.is_crossed
    book.apply(delta(SELL, ask, 1.0))
    assert book.is_crossed is crossed


def test_orders_at_one_price_are_summed(book: Book) -> None:
    book.apply(delta(BUY, 9.99, 0.1, order_id="a"))
    book.apply(delta(BUY, 9.99, 0.2, order_id="b"))
    book.apply(delta(BUY, 9.98, 5.0, order_id="c"))
    assert book.best_bid() == (9.99, 0.1 + 0.2)
    book.apply(delta(BUY, 9.99, 0.0, DELETE, order_id="a"))
    assert book.best_bid() == (9.99, 0.2)
    book.apply(delta(BUY, 9.99, 0.0, DELETE, order_id="b"))
    assert book.depth(BUY, 9) == [(9.98, 5.0)]


def test_sum_of_orders_is_the_nearest_float_whatever_their_order(book: Book) -> None:
    for order_id, size in (("a", 0.1), ("b", 0.2), ("c", 0.3)):
        book.apply(delta(BUY, 9.99, size, order_id=order_id))
    assert book.best_bid() == (9.99, 0.6)
    book.apply(delta(BUY, 9.98, 1.0, order_id="d"))
    book.apply(delta(BUY, 9.99, 1.0, order_id="d"))
    book.apply(delta(BUY, 0.0, 0.0, DELETE, order_id="d"))
    assert book.best_bid() == (9.99, 0.6)


def test_order_that_moves_leaves_its_old_level(book: Book) -> None:
    book.apply(delta(SELL, 10.0, 1.0, order_id="a"))
    book.apply(delta(SELL, 10.0, 2.0, order_id="b"))
    book.apply(delta(SELL, 10.1, 4.0, order_id="a"))
    assert book.depth(SELL, 9) == [(10.0, 2.0), (10.1, 4.0)]


def test_delete_of_an_order_needs_no_price(book: Book) -> None:
    book.apply(delta(SELL, 10.0, 1.0, order_id="a"))
    book.apply(delta(SELL, 0.0, 0.0, DELETE, order_id="a"))
    assert book.best_ask() is None


def test_delete_of_an_unknown_order_changes_nothing(book: Book) -> None:
    book.apply(delta(SELL, 10.0, 1.0))
    book.apply(delta(SELL, 10.0, 0.0, DELETE, order_id="never seen"))
    assert book.best_ask() == (10.0, 1.0)


def test_last_word_on_a_level_wins_when_levels_and_orders_mix(book: Book) -> None:
    book.apply(delta(BUY, 9.99, 100.0))
    book.apply(delta(BUY, 9.99, 1.0, order_id="a"))
    assert book.best_bid() == (9.99, 1.0)
    book.apply(delta(BUY, 9.99, 50.0))
    assert book.best_bid() == (9.99, 50.0)


def test_state_hash_depends_on_levels_orders_and_sequence_not_on_the_way(book: Book) -> None:
    empty = book.state_hash()
    book.apply(delta(BUY, 1.0, 1.0))
    book.apply(delta(BUY, 2.0, 1.0))
    there = book.state_hash()
    book.apply(delta(BUY, 1.0, 0.0))
    book.apply(delta(BUY, 1.0, 1.0))
    assert book.state_hash() == there
    book.apply(delta(BUY, 1.0, 1.0, order_id="a"))
    with_order = book.state_hash()
    book.apply(delta(BUY, 1.0, 1.0, sequence=1))
    assert len({empty, there, with_order, book.state_hash()}) == 4


@pytest.mark.parametrize(
    ("price", "error"), [(float("nan"), ValueError), (float("inf"), OverflowError)]
)
def test_price_that_is_no_number_raises_and_changes_nothing(
    book: Book, price: float, error: type[Exception]
) -> None:
    book.apply(delta(BUY, 9.99, 1.0, sequence=1))
    before = book.state_hash()
    with pytest.raises(error):
        book.apply(delta(BUY, price, 1.0, sequence=2))
    with pytest.raises(error):
        book.apply(delta(BUY, price, 1.0, order_id="a", sequence=2))
    assert book.state_hash() == before


def test_update_with_plain_arguments_equals_a_delta() -> None:
    plain, by_delta = LadderBook(0.01), LadderBook(0.01)
    for side, price, size in ((BUY, 9.99, 1.0), (SELL, 10.0, 2.0), (BUY, 9.99, 0.0)):
        plain.update(side, price, size)
        by_delta.apply(delta(side, price, size))
    assert plain.state_hash() == by_delta.state_hash()


def _prices(ticks: st.SearchStrategy[int], tick_size: float) -> st.SearchStrategy[float]:
    noise = st.sampled_from([0.0, 0.0, 0.3, -0.3])
    return st.builds(lambda tick, off: (tick + off) * tick_size, ticks, noise)


DENSE = st.integers(995, 1005)
SPARSE = st.one_of(st.integers(-3, 3), st.integers(1, 10**12), st.sampled_from([5, 10**6, 10**11]))
SIZES = st.one_of(st.sampled_from([0.0, -1.0, 1.0]), st.floats(1e-8, 1e9))


@st.composite
def streams(draw: st.DrawFn) -> tuple[float, list[BookDelta | BookSnapshot]]:
    tick_size = draw(st.sampled_from([0.01, 0.1, 0.25, 1.0, 1e-8]))
    prices = _prices(draw(st.sampled_from([DENSE, SPARSE])), tick_size)
    ids = draw(st.sampled_from([[""], ["a", "b", "c", "d"], ["", "a", "b"]]))
    levels = st.lists(st.tuples(prices, SIZES), max_size=6)
    deltas = st.builds(
        delta,
        st.sampled_from(OrderSide),
        prices,
        SIZES,
        st.sampled_from([UPDATE, UPDATE, UPDATE, DELETE]),
        st.sampled_from(ids),
        st.integers(0, 99),
    )
    snapshots = st.builds(snapshot, levels, levels, st.integers(0, 99))
    step = st.one_of(deltas, deltas, deltas, deltas, deltas, deltas, deltas, snapshots)
    return tick_size, draw(st.lists(step, max_size=60))


@given(streams())
@settings(deadline=None, max_examples=300)
def test_ladder_equals_the_reference_after_every_message(
    stream: tuple[float, list[BookDelta | BookSnapshot]],
) -> None:
    tick_size, messages = stream
    ladder, reference = LadderBook(tick_size), ReferenceBook(tick_size)
    for message in messages:
        for each in (ladder, reference):
            if isinstance(message, BookDelta):
                each.apply(message)
            else:
                each.apply_snapshot(message)
        assert ladder.best_bid() == reference.best_bid()
        assert ladder.best_ask() == reference.best_ask()
        assert ladder.is_crossed == reference.is_crossed
        for side in OrderSide:
            assert ladder.depth(side, 3) == reference.depth(side, 3)
            assert list(ladder.levels(side)) == list(reference.levels(side))
        assert ladder.state_hash() == reference.state_hash()
