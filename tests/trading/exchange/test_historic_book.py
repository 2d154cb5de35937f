"""Orders in a replayed book: taking, standing in the queue, and being reached. All numbers by hand."""

from decimal import Decimal

import pytest

from trading.commands import RequestBook
from trading.data import (
    Bar,
    BookDelta,
    BookSnapshot,
    MarketEvents,
    MarketSlice,
    QuoteTick,
    TradeTick,
)
from trading.effects import Publish
from trading.identifiers import InstrumentId, MachineName
from trading.values import BookAction, OrderSide

AAA = InstrumentId("AAA.XNAS")
BUY, SELL = OrderSide.BUY, OrderSide.SELL
DAY_NS = 86_400_000_000_000


def snapshot(bids, asks) -> BookSnapshot:
    return BookSnapshot(instrument_id=AAA, bids=tuple(bids), asks=tuple(asks))


def delta(side: OrderSide, price: float, size: float) -> BookDelta:
    action = BookAction.UPDATE if size else BookAction.DELETE
    return BookDelta(instrument_id=AAA, side=side, action=action, price=price, size=size)


def trade(price: float, size: float, aggressor: OrderSide | None = None) -> TradeTick:
    return TradeTick(instrument_id=AAA, price=price, size=size, aggressor_side=aggressor)


def quote(bid: float, ask: float, size: float = 100.0) -> QuoteTick:
    return QuoteTick(instrument_id=AAA, bid_px=bid, ask_px=ask, bid_size=size, ask_size=size)


BOOK = snapshot([(10.0, 100.0), (9.99, 50.0)], [(10.02, 30.0), (10.03, 40.0), (10.05, 500.0)])


class Tape:
    """Hands moments to a desk, numbered."""

    def __init__(self, desk) -> None:
        self.desk = desk
        self.count = 0

    def __call__(self, *events):
        self.count += 1
        ts = DAY_NS + self.count
        return self.desk.handle(MarketEvents(ts_event=ts, sequence=self.count, events=events))


@pytest.fixture
def tape(open_desk) -> Tape:
    tape = Tape(open_desk())
    tape(BOOK)
    return tape


def published(effects) -> list:
    return [e.message for e in effects if isinstance(e, Publish) and e.topic.startswith("market.")]


def shown(desk, side: OrderSide):
    desk.handle(RequestBook(instrument_id=AAA, reply_to=MachineName("feed:paper")))
    book = published(desk.effects)[0]
    return book.bids if side is BUY else book.asks


# -- taking


def test_market_order_walks_the_recorded_levels(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 75)
    assert tape.desk.fills() == [
        ("o", "30", "10.02"),
        ("o", "40", "10.03"),
        ("o", "5", "10.05"),
    ]


def test_what_was_taken_stays_taken_while_the_record_repeats_itself(tape: Tape) -> None:
    tape.desk.submit("a", "BUY", 20)
    tape(delta(SELL, 10.02, 30.0), delta(BUY, 9.98, 7.0), BOOK)
    tape.desk.submit("b", "BUY", 20)
    assert tape.desk.fills("b") == [("b", "10", "10.02"), ("b", "10", "10.03")]


@pytest.mark.parametrize(
    "update",
    [
        delta(SELL, 10.02, 25.0),
        snapshot([(10.0, 100.0)], [(10.02, 25.0), (10.03, 40.0)]),
    ],
    ids=["delta", "snapshot"],
)
def test_level_is_whole_again_when_the_record_shows_another_size(tape: Tape, update) -> None:
    tape.desk.submit("a", "BUY", 20)
    tape(update)
    tape.desk.submit("b", "BUY", 26)
    assert tape.desk.fills("b") == [("b", "25", "10.02"), ("b", "1", "10.03")]


def test_level_that_went_and_came_back_is_whole_again(tape: Tape) -> None:
    tape.desk.submit("a", "BUY", 20)
    tape(delta(SELL, 10.02, 0.0), delta(SELL, 10.02, 30.0))
    tape.desk.submit("b", "BUY", 30)
    assert tape.desk.fills("b") == [("b", "30", "10.02")]


def test_sizes_are_whole_lots_and_nothing_is_taken_twice(tape: Tape) -> None:
    tape(snapshot([(10.0, 1.0)], [(10.02, 2.9), (10.03, 0.9)]))
    tape.desk.submit("o", "BUY", 5)
    assert tape.desk.fills() == [("o", "2", "10.02")]
    assert tape.desk.status("o") == "CANCELED"


def test_published_is_the_record_without_us(tape: Tape) -> None:
    tape.desk.submit("taker", "BUY", 20)
    tape.desk.submit("maker", "BUY", 5, "10.01")
    assert shown(tape.desk, SELL) == ((10.02, 30.0), (10.03, 40.0), (10.05, 500.0))
    assert shown(tape.desk, BUY) == ((10.0, 100.0), (9.99, 50.0))


# -- standing in the queue


def test_trades_at_the_price_work_off_the_queue_first(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 20, "10.00")
    tape(trade(10.0, 90.0, SELL))
    assert tape.desk.fills() == []
    tape(trade(10.0, 15.0, SELL))
    assert tape.desk.fills() == [("o", "5", "10.00")]
    tape(trade(10.0, 15.0, SELL))
    assert tape.desk.fills() == [("o", "5", "10.00"), ("o", "15", "10.00")]
    assert tape.desk.status("o") == "FILLED"


def test_trade_beyond_the_price_finds_the_order_first_and_fills_no_more_than_its_size(
    tape: Tape,
) -> None:
    tape.desk.submit("o", "BUY", 20, "10.00")
    tape(trade(9.99, 12.0, SELL))
    assert tape.desk.fills() == [("o", "12", "10.00")]


def test_trades_of_the_other_side_say_nothing(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 20, "10.00")
    tape(trade(10.0, 500.0, BUY), trade(10.02, 500.0, BUY), trade(10.01, 500.0, SELL))
    assert tape.desk.fills() == []


def test_trade_of_an_unknown_aggressor_counts_for_both_sides(tape: Tape) -> None:
    tape.desk.submit("b", "BUY", 1, "10.00")
    tape.desk.submit("s", "SELL", 1, "10.02")
    tape(trade(10.0, 101.0), trade(10.02, 31.0))
    assert tape.desk.fills() == [("b", "1", "10.00"), ("s", "1", "10.02")]


def test_cancellations_are_behind_us_unless_less_is_shown_than_was_ahead(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 20, "10.00")
    tape(delta(BUY, 10.0, 150.0), delta(BUY, 10.0, 100.0))
    tape(trade(10.0, 100.0, SELL))
    assert tape.desk.fills() == []  # all 100 were ahead


def test_shrunken_level_moves_the_order_forward(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 20, "10.00")
    tape(delta(BUY, 10.0, 8.0))
    tape(trade(10.0, 10.0, SELL))
    assert tape.desk.fills() == [("o", "2", "10.00")]


def test_snapshot_without_the_level_leaves_nobody_ahead(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 20, "10.00")
    tape(snapshot([(9.99, 50.0)], [(10.02, 30.0)]))
    tape(trade(10.0, 3.0, SELL))
    assert tape.desk.fills() == [("o", "3", "10.00")]


def test_order_inside_the_spread_has_nobody_ahead(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 20, "10.01")
    tape(trade(10.01, 3.0, SELL))
    assert tape.desk.fills() == [("o", "3", "10.01")]


def test_replaced_price_stands_at_the_end_of_the_new_queue(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 20, "10.01")
    tape(delta(BUY, 9.98, 1.0))
    tape.desk.replace("o", price="10.00")
    tape(trade(10.0, 100.0, SELL))
    assert tape.desk.fills() == []
    tape(trade(10.0, 1.0, SELL))
    assert tape.desk.fills() == [("o", "1", "10.00")]


def test_two_orders_share_one_trade_in_their_order(tape: Tape) -> None:
    tape.desk.submit("better", "BUY", 4, "10.01")
    tape.desk.submit("first", "BUY", 3, "10.00")
    tape.desk.submit("second", "BUY", 10, "10.00")
    tape(trade(10.0, 110.0, SELL))
    # 4 for the better price; 106 are left for the 100 ahead, then 3 and 3
    assert tape.desk.fills() == [
        ("better", "4", "10.01"),
        ("first", "3", "10.00"),
        ("second", "3", "10.00"),
    ]


def test_restarted_venue_puts_orders_at_the_end_of_the_queue(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 20, "10.00")
    tape(trade(10.0, 100.0, SELL))
    tape.desk.restart()
    tape(BOOK)
    tape(trade(10.0, 100.0, SELL))
    assert tape.desk.fills() == []
    tape(trade(10.0, 1.0, SELL))
    assert tape.desk.fills() == [("o", "1", "10.00")]


def test_without_a_book_only_trades_beyond_the_price_fill(open_desk) -> None:
    tape = Tape(open_desk())
    tape(trade(10.0, 1.0))
    tape.desk.submit("o", "BUY", 20, "10.00")
    tape(trade(10.0, 500.0, SELL))
    assert tape.desk.fills() == []
    tape(trade(9.99, 7.0, SELL))
    assert tape.desk.fills() == [("o", "7", "10.00")]


# -- being reached


def test_resting_order_takes_what_reaches_it_at_its_own_price(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 20, "10.01")
    tape(delta(SELL, 10.0, 15.0), delta(BUY, 10.0, 0.0))
    assert tape.desk.fills() == [("o", "15", "10.01")]
    tape(delta(SELL, 10.0, 15.0))
    assert len(tape.desk.fills()) == 1  # the same units again


def test_quotes_alone_fill_what_they_reach(open_desk) -> None:
    tape = Tape(open_desk())
    tape(quote(10.0, 10.02))
    tape.desk.submit("o", "BUY", 150, "10.01")
    tape(quote(10.0, 10.02))
    assert tape.desk.fills() == []
    tape(quote(9.99, 10.01))
    tape(quote(9.98, 10.01))
    assert tape.desk.fills() == [("o", "100", "10.01")]
    tape(quote(9.98, 10.0))
    assert tape.desk.fills() == [("o", "100", "10.01"), ("o", "50", "10.01")]


def test_stop_is_triggered_by_the_last_trade(tape: Tape) -> None:
    tape.desk.submit("o", "BUY", 5, trigger="10.10", type="STOP_MARKET")
    tape(trade(10.09, 1.0))
    assert tape.desk.fills() == []
    tape(trade(10.10, 1.0))
    assert tape.desk.fills() == [("o", "5", "10.02")]


# -- what is published


def test_events_are_published_in_order_and_numbered_by_kind(open_desk) -> None:
    tape = Tape(open_desk())
    told = published(tape(BOOK, trade(10.0, 1.0), delta(BUY, 9.98, 1.0), quote(10.0, 10.02)))
    told += published(tape(delta(BUY, 9.98, 2.0), trade(10.0, 2.0)))
    assert [type(message).__name__ for message in told] == [
        "BookSnapshot",
        "TradeTick",
        "BookDelta",
        "QuoteTick",
        "BookDelta",
        "TradeTick",
    ]
    books = [m.sequence for m in told if isinstance(m, BookSnapshot | BookDelta)]
    assert books == list(range(books[0], books[0] + 3))
    trades = [m.sequence for m in told if isinstance(m, TradeTick)]
    assert trades[1] == trades[0] + 1


def test_depth_silences_quotes(tape: Tape) -> None:
    tape(quote(10.01, 10.015))
    tape.desk.submit("o", "BUY", 1)
    assert tape.desk.fills() == [("o", "1", "10.02")]


def test_requested_book_of_quotes_is_a_quote(open_desk) -> None:
    tape = Tape(open_desk())
    tape(quote(10.0, 10.02))
    tape.desk.handle(RequestBook(instrument_id=AAA, reply_to=MachineName("feed:paper")))
    (answer,) = published(tape.desk.effects)
    assert (answer.bid_px, answer.ask_px, answer.bid_size) == (10.0, 10.02, 100.0)
    assert isinstance(answer, QuoteTick)


@pytest.mark.parametrize(
    "bad",
    [
        delta(BUY, float("nan"), 1.0),
        delta(BUY, -1.0, 1.0),
        trade(10.0, float("inf")),
        quote(0.0, 10.0),
        snapshot([(float("inf"), 1.0)], []),
        TradeTick(instrument_id=InstrumentId("ZZZ.XNAS"), price=1.0, size=1.0),
    ],
)
def test_bad_event_is_counted_and_changes_nothing(tape: Tape, bad) -> None:
    assert published(tape(bad)) == []
    assert tape.desk.exchange.view()["ignored_events"] == 1
    assert shown(tape.desk, BUY) == ((10.0, 100.0), (9.99, 50.0))


def test_repeated_moment_is_ignored(tape: Tape) -> None:
    tape.count = 0
    assert tape(delta(BUY, 10.01, 5.0)) == []


def test_bars_say_nothing_about_a_recorded_book(tape: Tape) -> None:
    tape.desk.submit("stop", "BUY", 1, trigger="20.00", type="STOP_MARKET")
    bar = Bar(instrument_id=AAA, open=50.0, high=50.0, low=50.0, close=50.0)
    effects = tape.desk.handle(MarketSlice(sequence=1, ts_event=DAY_NS + 9, bars=(bar,)))
    assert [e.topic for e in effects] == ["market.paper.slice"]
    tape.desk.submit("o", "BUY", 1)
    assert tape.desk.fills() == [("o", "1", "10.02")]


def test_order_without_a_price_of_its_instrument_is_refused(open_desk) -> None:
    tape = Tape(open_desk())
    tape(delta(BUY, 10.0, 5.0))
    assert tape.desk.submit("o", "SELL", 1).code == "NO_MARKET"
    tape(delta(SELL, 10.02, 5.0))
    tape.desk.submit("p", "SELL", 1)
    assert tape.desk.fills() == [("p", "1", "10.00")]


def test_own_orders_may_trade_with_each_other_before_the_crowd(tape: Tape) -> None:
    tape.desk.submit("maker", "SELL", 5, "10.01", account="B")
    tape.desk.submit("taker", "BUY", 8)
    assert tape.desk.fills("taker") == [("taker", "5", "10.01"), ("taker", "3", "10.02")]
    assert tape.desk.exchange.cash("B") == Decimal("1000050.05")
