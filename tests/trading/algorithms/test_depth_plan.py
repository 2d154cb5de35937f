"""The decision with the levels behind the tops, against brute force."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.algorithms.world import KEY, PARENT, SECOND, START, listing, parent
from trading.algorithms.decide import decide
from trading.algorithms.facts import ExecutionStarted
from trading.algorithms.parameters import Twap
from trading.algorithms.parent import ParentOrder
from trading.algorithms.plan import Plan
from trading.instruments import Instrument
from trading.routing.quotes import VenueFees, VenueQuote
from trading.values import ZERO, OrderSide

D = Decimal
ONE = Twap(window_ns=20 * SECOND, slices=1)
steps = st.lists(
    st.tuples(st.integers(1, 12), st.integers(1, 4)),
    min_size=1,
    max_size=3,
    unique_by=lambda step: step[0],
)
fees = st.builds(
    VenueFees,
    taker_bps=st.sampled_from([D(-2), D(0), D(5), D(20)]),
    minimum=st.sampled_from([D(0), D("0.5")]),
)


@st.composite
def books(draw: st.DrawFn) -> list[VenueQuote]:
    def quote(name: str) -> VenueQuote:
        levels = [(tick, D(size)) for tick, size in sorted(draw(steps))]
        return VenueQuote(
            listing=listing(name),
            instrument=Instrument(instrument_id=KEY),
            asks=tuple((100 + D(tick) / 10, size) for tick, size in levels),
            bids=tuple((100 - D(tick) / 10, size) for tick, size in levels),
            fees=draw(fees),
            max_quantity=draw(st.sampled_from([None, None, D(3)])),
        )

    return [quote(name) for name in "abc"[: draw(st.integers(2, 3))]]


def plan(side: OrderSide, quantity: int, quotes: list[VenueQuote]) -> Plan:
    order = parent(ONE, str(quantity), *(quote.listing.venue for quote in quotes), side=side)
    started = ExecutionStarted(parent_order_id=PARENT, order=order, ts_init=START, ts_event=START)
    return decide(ParentOrder(started), quotes, START, 0)


def cost_of(side: OrderSide, quote: VenueQuote, units: int) -> Decimal | None:
    """Walk the book unit by unit; None when it does not hold so many, or the position does not."""
    prices = [price for price, size in quote.side(side.opposite) for _ in range(int(size))]
    if units > len(prices) or units > quote.within(D(units)):
        return None
    fee = sum((quote.fees.taking(price) for price in prices[:units]), ZERO)
    fee = max(fee, quote.fees.minimum) if quote.fees.minimum > 0 else fee
    return side.sign * sum(prices[:units], ZERO) + fee


def costs(side: OrderSide, quantity: int, quotes: list[VenueQuote]) -> Iterator[Decimal]:
    for split in product(range(quantity + 1), repeat=len(quotes)):
        if sum(split) != quantity:
            continue
        parts = [cost_of(side, quote, n) for quote, n in zip(quotes, split, strict=True) if n]
        if None not in parts:
            yield sum((part for part in parts if part is not None), ZERO)


@settings(deadline=None, max_examples=200)
@given(quotes=books(), quantity=st.integers(1, 9), side=st.sampled_from(OrderSide))
def test_with_depth_no_split_costs_less_than_the_plan(
    quotes: list[VenueQuote], quantity: int, side: OrderSide
) -> None:
    best = min(costs(side, quantity, quotes), default=None)
    decided = plan(side, quantity, quotes)
    assert decided.books == ()
    for child in decided.children:
        assert child.quantity <= child.quote.within(child.quantity)
    if best is None:
        return
    found = [cost_of(side, child.quote, int(child.quantity)) for child in decided.children]
    assert sum(child.quantity for child in decided.children) == quantity
    assert sum((cost for cost in found if cost is not None), ZERO) == best


@settings(deadline=None, max_examples=200)
@given(quotes=books(), quantity=st.integers(1, 9), side=st.sampled_from(OrderSide))
def test_what_is_planned_without_asking_depth_would_not_better(
    quotes: list[VenueQuote], quantity: int, side: OrderSide
) -> None:
    tops = [
        msgspec.structs.replace(q, asks=q.asks[:1], bids=q.bids[:1], may_be_deeper=True)
        for q in quotes
    ]
    decided = plan(side, quantity, tops)
    assert not (decided.books and decided.children), "it waits, or it sends"
    if decided.books or not decided.children:
        return
    deep = {quote.listing: quote for quote in quotes}
    found = [
        cost_of(side, deep[child.quote.listing], int(child.quantity)) for child in decided.children
    ]
    best = min(costs(side, quantity, quotes), default=None)
    if best is not None and sum(child.quantity for child in decided.children) == quantity:
        assert None not in found
        assert sum((cost for cost in found if cost is not None), ZERO) == best


@pytest.mark.parametrize("side", OrderSide)
def test_the_plan_asks_for_the_books_that_it_needs_and_sends_nothing(side: OrderSide) -> None:
    def quote(name: str, size: str, *, may_be_deeper: bool) -> VenueQuote:
        return VenueQuote(
            listing=listing(name),
            instrument=Instrument(instrument_id=KEY),
            asks=((D(101), D(size)),),
            bids=((D(99), D(size)),),
            may_be_deeper=may_be_deeper,
        )

    short, enough = quote("a", "3", may_be_deeper=True), quote("b", "9", may_be_deeper=True)
    decided = plan(side, 9, [short, enough])
    assert decided.books == (listing("a"),)
    assert decided.children == ()
    answered = plan(side, 9, [quote("a", "3", may_be_deeper=False), enough])
    assert answered.books == ()
    assert sum(child.quantity for child in answered.children) == D(9)
