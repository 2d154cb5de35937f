from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.book.ladder import LadderBook
from trading.book.measures import TradeCost, cost_to_trade, imbalance, microprice, mid, spread
from trading.values import OrderSide

BUY, SELL = OrderSide.BUY, OrderSide.SELL
Levels = list[tuple[float, float]]


def book_of(bids: Levels, asks: Levels) -> LadderBook:
    book = LadderBook(0.01)
    for side, levels in ((BUY, bids), (SELL, asks)):
        for price, size in levels:
            book.update(side, price, size)
    return book


@pytest.fixture
def book() -> LadderBook:
    return book_of([(99.0, 3.0), (98.0, 5.0)], [(101.0, 1.0), (102.0, 2.0), (105.0, 4.0)])


@st.composite
def uncrossed_books(draw: st.DrawFn) -> LadderBook:
    sizes = st.floats(0.001, 1e6)
    bids = draw(st.dictionaries(st.integers(1, 999), sizes, min_size=1, max_size=8))
    asks = draw(st.dictionaries(st.integers(1000, 3000), sizes, min_size=1, max_size=8))
    return book_of(
        [(tick / 100, size) for tick, size in bids.items()],
        [(tick / 100, size) for tick, size in asks.items()],
    )


def test_mid_and_spread_of_the_best_levels(book: LadderBook) -> None:
    assert mid(book) == 100.0
    assert spread(book) == 2.0


def test_microprice_leans_to_the_side_with_less_size(book: LadderBook) -> None:
    assert microprice(book) == (99 * 1 + 101 * 3) / (3 + 1)


@pytest.mark.parametrize(("n", "expected"), [(1, 2 / 4), (2, 5 / 11), (3, 1 / 15), (9, 1 / 15)])
def test_imbalance_sums_n_levels(book: LadderBook, n: int, expected: float) -> None:
    assert imbalance(book, n) == expected


def test_imbalance_of_no_level_is_refused(book: LadderBook) -> None:
    with pytest.raises(ValueError, match="at least one level"):
        imbalance(book, 0)


def test_one_sided_book_has_an_imbalance_and_nothing_else() -> None:
    bids, asks = book_of([(99.0, 1.0)], []), book_of([], [(101.0, 1.0)])
    assert (imbalance(bids), imbalance(asks)) == (1.0, -1.0)
    for measure in (mid, spread, microprice):
        assert measure(bids) is None
        assert measure(asks) is None


def test_empty_book_has_no_measure() -> None:
    empty = book_of([], [])
    assert [measure(empty) for measure in (mid, spread, microprice, imbalance)] == [None] * 4


def test_buying_within_the_best_level_costs_half_the_spread(book: LadderBook) -> None:
    assert cost_to_trade(book, BUY, 0.5) == TradeCost(101.0, 1.0, 0.0)


def test_buying_walks_up_the_asks(book: LadderBook) -> None:
    average = (1 * 101 + 2 * 102 + 1 * 105) / 4
    assert cost_to_trade(book, BUY, 4.0) == TradeCost(average, average - 100, 0.0)


def test_selling_walks_down_the_bids(book: LadderBook) -> None:
    average = (3 * 99 + 1 * 98) / 4
    assert cost_to_trade(book, SELL, 4.0) == TradeCost(average, 100 - average, 0.0)


def test_trade_larger_than_the_book_names_what_is_left(book: LadderBook) -> None:
    assert cost_to_trade(book, SELL, 10.0) == TradeCost((3 * 99 + 5 * 98) / 8, 1.625, 2.0)


def test_price_of_a_sliver_is_exact_however_much_was_asked_for() -> None:
    book = book_of([(9.0, 1.0)], [(10.0, 0.001)])
    assert cost_to_trade(book, BUY, 1e7).average_price == 10.0


def test_trade_against_an_empty_side_fills_nothing() -> None:
    assert cost_to_trade(book_of([(99.0, 1.0)], []), BUY, 2.0) == TradeCost(None, None, 2.0)


def test_trade_in_a_one_sided_book_has_a_price_and_no_slippage() -> None:
    assert cost_to_trade(book_of([(99.0, 1.0)], []), SELL, 1.0) == TradeCost(99.0, None, 0.0)


@pytest.mark.parametrize("quantity", [0.0, -1.0, float("nan")])
def test_quantity_that_is_not_positive_is_refused(book: LadderBook, quantity: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        cost_to_trade(book, BUY, quantity)


@given(uncrossed_books())
@settings(deadline=None, max_examples=150)
def test_mid_and_microprice_lie_between_bid_and_ask(book: LadderBook) -> None:
    bid, ask = book.best_bid(), book.best_ask()
    assert bid is not None
    assert ask is not None
    for price in (mid(book), microprice(book)):
        assert price is not None
        assert bid[0] - 1e-9 <= price <= ask[0] + 1e-9
    lean = imbalance(book, 3)
    assert lean is not None
    assert -1 <= lean <= 1


@given(uncrossed_books(), st.sampled_from(OrderSide), st.lists(st.floats(0.001, 1e7), min_size=2))
@settings(deadline=None, max_examples=150)
def test_larger_trades_never_get_a_better_price(
    book: LadderBook, side: OrderSide, quantities: list[float]
) -> None:
    held = sum(size for _, size in book.levels(side.opposite))
    costs = [cost_to_trade(book, side, quantity) for quantity in sorted(quantities)]
    for quantity, cost in zip(sorted(quantities), costs, strict=True):
        assert cost.slippage is not None
        assert cost.slippage > -1e-9
        assert cost.unfilled_quantity == pytest.approx(max(0.0, quantity - held), abs=1e-6)
    for smaller, larger in pairwise(costs):
        assert smaller.slippage is not None
        assert larger.slippage is not None
        assert larger.slippage >= smaller.slippage - 1e-9
