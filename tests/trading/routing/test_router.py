"""The router against brute force, and the rules that every allocation obeys."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.algorithms.parameters import Listing
from trading.identifiers import AccountId, InstrumentId, Venue
from trading.instruments import Instrument
from trading.routing.lots import smallest_order
from trading.routing.quotes import VenueFees, VenueQuote, middle_of
from trading.routing.router import Routing, route, route_all, unseen
from trading.values import ZERO, OrderSide

D = Decimal
KEY = InstrumentId("BTC/USD.X")


def quote(name: str, asks: list[tuple[str, str]], **more: object) -> VenueQuote:
    """A venue that shows `asks`, and bids one below each."""
    lot, least = more.pop("lot", "1"), more.pop("least", "1")
    notional = more.pop("notional", "0")
    instrument = Instrument(
        instrument_id=KEY,
        lot_size=D(str(lot)),
        min_quantity=D(str(least)),
        min_notional=D(str(notional)),
    )
    levels = tuple((D(price), D(size)) for price, size in asks)
    bids = tuple((2 * D(100) - price, size) for price, size in levels)
    return VenueQuote(
        listing=Listing(Venue(name), AccountId("A"), KEY),
        instrument=instrument,
        asks=levels,
        bids=bids,
        **more,
    )


def shares(routing: Routing) -> dict[str, Decimal]:
    return {part.listing.venue: part.quantity for part in routing.parts}


def test_levels_of_all_venues_are_taken_by_price() -> None:
    a = quote("a", [("100.1", "5"), ("100.3", "5")])
    b = quote("b", [("100.2", "5"), ("100.4", "5")])
    routing = route(OrderSide.BUY, D(12), [a, b])
    assert shares(routing) == {"a": D(7), "b": D(5)}
    assert routing.unrouted == 0
    assert routing.cost == D("100.1") * 5 + D("100.2") * 5 + D("100.3") * 2


def test_a_better_price_behind_a_higher_fee_is_left_alone() -> None:
    cheap = quote("cheap", [("100.2", "9")])
    dear = quote("dear", [("100.1", "9")], fees=VenueFees(taker_bps=D(30)))
    assert shares(route(OrderSide.BUY, D(9), [dear, cheap])) == {"cheap": D(9)}
    assert shares(route(OrderSide.SELL, D(9), [dear, cheap])) == {"cheap": D(9)}


def test_a_rebate_counts() -> None:
    plain = quote("plain", [("100.1", "9")])
    pays = quote("pays", [("100.12", "9")], fees=VenueFees(taker_bps=D(-3)))
    assert shares(route(OrderSide.BUY, D(9), [plain, pays])) == {"pays": D(9)}


def test_a_minimum_fee_makes_one_venue_cheaper_than_two() -> None:
    fees = VenueFees(minimum=D(1))
    a = quote("a", [("100.1", "5"), ("100.2", "5")], fees=fees)
    b = quote("b", [("100.1", "5"), ("100.2", "5")], fees=fees)
    routing = route(OrderSide.BUY, D(8), [a, b])
    assert len(routing.parts) == 1
    assert routing.cost == D("100.1") * 5 + D("100.2") * 3 + 1


def test_what_the_minimum_fee_has_paid_for_is_used_up_level_by_level() -> None:
    fees = VenueFees(taker_bps=D(20), minimum=D("0.5"))
    a = quote("a", [("100.0", "2"), ("100.1", "4")], fees=fees)
    b = quote("b", [("100.15", "2")])
    assert shares(route(OrderSide.BUY, D(4), [a, b])) == {"a": D(2), "b": D(2)}


def test_stale_and_halted_venues_are_left_out_by_name() -> None:
    stale = quote("stale", [("99", "9")], unavailable="no book for 6 s")
    good = quote("good", [("100.1", "9")])
    routing = route(OrderSide.BUY, D(5), [stale, good])
    assert shares(routing) == {"good": D(5)}
    assert [(each.venue, why) for each, why in routing.left_out] == [("stale", "no book for 6 s")]


def test_limit_smallest_order_and_balance_are_obeyed() -> None:
    far = quote("far", [("101", "9")])
    small = quote("small", [("100.1", "3")], least="4")
    poor = quote("poor", [("100.1", "9")], max_quantity=D(2))
    worth = quote("worth", [("100.1", "9")], notional="1000")
    routing = route(OrderSide.BUY, D(8), [far, small, poor, worth], D("100.5"))
    assert shares(routing) == {"poor": D(2)}
    assert routing.unrouted == D(6)
    assert {each.venue for each, _ in routing.left_out} == {"far", "small", "worth"}


def test_a_finer_lot_takes_the_rest() -> None:
    coarse = quote("coarse", [("100.1", "50")], lot="1")
    fine = quote("fine", [("100.2", "50")], lot="0.1", least="0.1")
    assert shares(route(OrderSide.BUY, D("7.3"), [coarse, fine])) == {
        "coarse": D(7),
        "fine": D("0.3"),
    }


def test_what_the_top_does_not_show_goes_to_the_best_price() -> None:
    a, b = quote("a", [("100.1", "5")]), quote("b", [("100.2", "5")])
    assert shares(route_all(OrderSide.BUY, D(20), [a, b])) == {"a": D(15), "b": D(5)}
    assert shares(route_all(OrderSide.BUY, D(20), [a, b], D("100.1"))) == {"a": D(20)}
    tiny = quote("tiny", [("100.1", "5")], least="10")
    assert shares(route_all(OrderSide.BUY, D(20), [tiny])) == {"tiny": D(20)}
    assert route_all(OrderSide.BUY, D(5), [tiny]).parts == ()


def test_what_no_book_shows_goes_on_to_the_next_venue_when_a_position_is_used_up() -> None:
    a = quote("a", [("100.1", "5")], max_quantity=D(8))
    b, none = quote("b", [("100.2", "5")]), quote("none", [("100.0", "5")], max_quantity=D(0))
    routing = route_all(OrderSide.SELL, D(20), [a, b, none])
    assert shares(routing) == {"a": D(8), "b": D(12)}
    assert routing.unrouted == 0
    assert [why for _, why in routing.left_out] == ["nothing is left to trade there"]


def names(quantity: str, *quotes: VenueQuote, limit: str | None = None) -> list[str]:
    found = unseen(OrderSide.BUY, D(quantity), quotes, None if limit is None else D(limit))
    return [listing.venue for listing in found]


def test_books_are_looked_into_where_the_top_does_not_say_all() -> None:
    small = quote("small", [("100.1", "5")], may_be_deeper=True)
    large = quote("large", [("100.2", "50")], may_be_deeper=True)
    known = quote("known", [("100.1", "5"), ("100.2", "1")])
    stale = quote("stale", [], unavailable="there is no book", may_be_deeper=True)
    gone = quote("gone", [("100.1", "5")], unavailable="risk is down")
    assert names("20", small, large, known, gone) == ["small"]
    assert names("20", small, stale) == ["small", "stale"]
    assert names("5", small, large) == []
    assert names("20", small) == names("20", small, gone) == [], "nothing to choose from"
    assert names("20", small, large, limit="100.15") == [], "the other one is beyond the limit"
    poor = quote("poor", [("100.1", "5")], may_be_deeper=True, max_quantity=D(4))
    assert names("20", poor, large) == []


def test_middle_is_that_of_the_merged_book_of_usable_venues() -> None:
    a, b = quote("a", [("100.2", "1")]), quote("b", [("100.4", "1")])
    out = quote("c", [("100.1", "1")], unavailable="halted")
    assert middle_of((a, b, out)) == D(100)
    assert middle_of((out,)) is None


# -- brute force

levels = st.lists(
    st.tuples(st.integers(1, 12), st.integers(1, 4)),
    min_size=1,
    max_size=3,
    unique_by=lambda x: x[0],
)
fees = st.builds(
    VenueFees,
    taker_bps=st.sampled_from([D(-2), D(0), D(5), D(20)]),
    per_unit=st.sampled_from([D(0), D("0.01")]),
    minimum=st.sampled_from([D(0), D("0.5"), D(1)]),
)


@st.composite
def venues(draw: st.DrawFn) -> list[VenueQuote]:
    return [
        quote(
            name,
            [(str(100 + D(tick) / 10), str(size)) for tick, size in sorted(draw(levels))],
            least=draw(st.sampled_from(["1", "2", "3"])),
            notional=draw(st.sampled_from(["0", "0", "250"])),
            fees=draw(fees),
        )
        for name in "abc"[: draw(st.integers(1, 3))]
    ]


def cost_of(side: OrderSide, where: VenueQuote, quantity: int) -> Decimal | None:
    """Walk the book unit by unit; None when the venue would not take the order."""
    prices = [price for price, size in where.side(side.opposite) for _ in range(int(size))]
    if quantity > len(prices):
        return None
    value = sum(prices[:quantity], ZERO)
    if quantity < where.instrument.min_quantity or value < where.instrument.min_notional:
        return None
    fee = sum((where.fees.taking(price) for price in prices[:quantity]), ZERO)
    fee = max(fee, where.fees.minimum) if where.fees.minimum > 0 else fee
    return side.sign * value + fee


def every_split(
    side: OrderSide, quantity: int, book: list[VenueQuote]
) -> Iterator[tuple[int, Decimal]]:
    for split in product(range(quantity + 1), repeat=len(book)):
        if sum(split) > quantity:
            continue
        costs = [
            cost_of(side, where, units) for where, units in zip(book, split, strict=True) if units
        ]
        if None not in costs:
            yield -sum(split), sum((cost for cost in costs if cost is not None), ZERO)


@settings(deadline=None, max_examples=250)
@given(book=venues(), quantity=st.integers(1, 9), side=st.sampled_from(OrderSide))
def test_no_split_fills_more_or_costs_less(
    book: list[VenueQuote], quantity: int, side: OrderSide
) -> None:
    routing = route(side, D(quantity), book)
    filled = sum((part.quantity for part in routing.parts), ZERO)
    assert filled + routing.unrouted == quantity
    assert (-filled, routing.cost) == min(every_split(side, quantity, book))
    for part in routing.parts:
        where = next(each for each in book if each.listing == part.listing)
        assert part.cost == cost_of(side, where, int(part.quantity))


@settings(deadline=None, max_examples=150)
@given(book=venues(), data=st.data(), side=st.sampled_from(OrderSide))
def test_with_different_lots_it_is_legal_and_no_worse_than_the_best_single_venue(
    book: list[VenueQuote], data: st.DataObject, side: OrderSide
) -> None:
    lots = st.sampled_from(["0.1", "0.5", "1", "2"])
    mixed = [
        quote(
            each.listing.venue,
            [(str(price), str(size)) for price, size in each.asks],
            lot=data.draw(lots),
            fees=each.fees,
        )
        for each in book
    ]
    quantity = data.draw(st.integers(1, 90)) * D("0.1")
    routing = route(side, quantity, mixed)
    by_venue = {each.listing: each for each in mixed}
    for part in routing.parts:
        instrument = by_venue[part.listing].instrument
        assert part.quantity % instrument.lot_size == 0
        assert part.quantity >= smallest_order(instrument, None)
    assert routing.unrouted >= 0
    for each in mixed:
        alone = route(side, quantity, [each])
        assert (routing.unrouted, routing.cost) <= (alone.unrouted, alone.cost)
