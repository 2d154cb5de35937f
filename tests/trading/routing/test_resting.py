"""Where an order rests."""

from decimal import Decimal

from trading.algorithms.parameters import Listing
from trading.identifiers import AccountId, InstrumentId, Venue
from trading.instruments import Instrument
from trading.routing.quotes import VenueFees, VenueQuote
from trading.routing.resting import best_resting, queue_ahead
from trading.values import OrderSide

D = Decimal
KEY = InstrumentId("A.X")


def venue(name: str, bid: str = "99", size: str = "10", **more: object) -> VenueQuote:
    lot = D(str(more.pop("lot", "1")))
    return VenueQuote(
        listing=Listing(Venue(name), AccountId("A"), KEY),
        instrument=Instrument(instrument_id=KEY, lot_size=lot, min_quantity=lot),
        bids=((D(bid), D(size)), (D(bid) - 1, D(5))),
        asks=((D(bid) + 2, D(size)),),
        **more,
    )


def chosen(*quotes: VenueQuote, price: str = "99", quantity: str = "5") -> str:
    best = best_resting(OrderSide.BUY, D(quantity), D(price), quotes)
    return "" if best is None else best.listing.venue


def test_the_lower_maker_fee_wins_and_a_rebate_most() -> None:
    pays = venue("pays", fees=VenueFees(maker_bps=D(-2)))
    assert chosen(venue("free"), pays, venue("dear", fees=VenueFees(maker_bps=D(5)))) == "pays"


def test_with_equal_fees_the_shorter_queue_wins() -> None:
    assert chosen(venue("long", size="50"), venue("short", size="5")) == "short"
    assert chosen(venue("behind", bid="99.5"), venue("first", bid="98")) == "first"
    assert queue_ahead(OrderSide.BUY, D(98), venue("x")) == D(15)


def test_unusable_venues_are_passed_over() -> None:
    assert chosen(venue("out", unavailable="halted"), venue("in", size="90")) == "in"
    assert chosen(venue("coarse", lot="10"), venue("fine", size="90")) == "fine"
    assert chosen(venue("poor", max_quantity=D(0))) == ""


def test_where_the_price_trades_at_once_it_is_better_there() -> None:
    assert chosen(venue("rests", bid="100"), venue("takes", bid="97"), price="99.5") == "takes"
