"""Hand-computed matching. The crowd around 100: bids 99.90, 99.80; asks 100.10, 100.20; 100 each."""

import pytest

from trading.exchange.liquidity import Liquidity
from trading.outcomes import SubmitAcknowledged, SubmitRefused

NO_CROWD = Liquidity(levels=0)


def test_market_buy_walks_the_ladder(desk):
    outcome = desk.submit("o", "BUY", 150)
    assert isinstance(outcome, SubmitAcknowledged)
    assert outcome.venue_order_id == "paper-O1"
    assert desk.fills() == [("o", "100", "100.10"), ("o", "50", "100.20")]
    assert desk.status("o") == "FILLED"


def test_market_sell_walks_the_bids(desk):
    desk.submit("o", "SELL", 150)
    assert desk.fills() == [("o", "100", "99.90"), ("o", "50", "99.80")]


@pytest.mark.parametrize("tif", ["DAY", "GTC", "IOC"])
def test_market_order_above_the_depth_has_its_rest_canceled(desk, tif):
    desk.submit("o", "BUY", 250, tif=tif)
    assert desk.fills() == [("o", "100", "100.10"), ("o", "100", "100.20")]
    assert desk.status("o") == "CANCELED"
    assert desk.order("o").leaves_qty == 50


def test_liquidity_consumed_in_a_slice_comes_back_with_the_next(desk):
    desk.submit("first", "BUY", 200)
    desk.submit("second", "BUY", 10)
    assert desk.fills("second") == []
    desk.market(100.0)
    desk.submit("third", "BUY", 10)
    assert desk.fills("third") == [("third", "10", "100.10")]


def test_limit_takes_up_to_its_price_and_rests_with_the_rest(desk):
    desk.submit("o", "BUY", 150, "100.10")
    assert desk.fills() == [("o", "100", "100.10")]
    assert desk.status("o") == "PARTIALLY_FILLED"


def test_resting_limit_is_filled_at_its_own_price_when_the_market_comes(desk):
    desk.submit("o", "BUY", 150, "99.50")
    assert desk.fills() == []
    desk.market(99.0)  # asks 99.10 and 99.20, 101 each
    assert desk.fills() == [("o", "101", "99.50"), ("o", "49", "99.50")]
    assert {fill.liquidity_side for fill in desk.exchange.fills("A")} == {"MAKER"}


def test_resting_limit_is_filled_as_far_as_the_crowd_goes(desk):
    desk.submit("o", "SELL", 500, "100.50", tif="GTC")
    desk.market(101.0)  # bids 100.90 and 100.80, 99 each
    assert desk.order("o").filled_qty == 198
    desk.market(101.0)
    assert desk.order("o").filled_qty == 396


def test_taker_gets_the_price_of_the_resting_order(desk):
    desk.submit("maker", "SELL", 50, "100.05", account="B")
    desk.submit("taker", "BUY", 60, "100.30")
    assert desk.fills() == [
        ("maker", "50", "100.05"),
        ("taker", "50", "100.05"),
        ("taker", "10", "100.10"),
    ]


@pytest.mark.parametrize(("taker", "price"), [("BUY", "100.10"), ("SELL", "99.90")])
def test_the_crowd_trades_before_us_at_one_price(desk, taker, price):
    desk.submit("maker", "SELL" if taker == "BUY" else "BUY", 50, price, account="B")
    desk.submit("taker", taker, 120)
    assert desk.fills("maker") == [("maker", "20", price)]


def test_better_price_trades_before_earlier_time(open_desk):
    desk = open_desk(liquidity=NO_CROWD)
    desk.market(100.0)
    desk.submit("early", "SELL", 10, "100.02", account="B")
    desk.submit("cheap", "SELL", 10, "100.01", account="B")
    desk.submit("late", "SELL", 10, "100.02", account="B")
    desk.submit("taker", "BUY", 25, "100.05")
    makers = [fill for fill in desk.fills() if fill[0] != "taker"]
    assert makers == [("cheap", "10", "100.01"), ("early", "10", "100.02"), ("late", "5", "100.02")]


def test_ioc_limit_cancels_what_it_cannot_take(desk):
    desk.submit("o", "BUY", 150, "100.10", tif="IOC")
    assert desk.fills() == [("o", "100", "100.10")]
    assert desk.status("o") == "CANCELED"


def test_fok_takes_all(desk):
    desk.submit("o", "BUY", 200, "100.20", tif="FOK")
    assert desk.fills() == [("o", "100", "100.10"), ("o", "100", "100.20")]
    assert desk.status("o") == "FILLED"


def test_fok_takes_nothing_when_one_unit_is_missing(desk):
    desk.submit("o", "BUY", 201, "100.20", tif="FOK")
    assert desk.fills() == []
    assert desk.status("o") == "CANCELED"


def test_fok_counts_our_orders_and_the_crowd(desk):
    desk.submit("maker", "SELL", 1, "100.15", account="B")
    desk.submit("o", "BUY", 201, "100.20", tif="FOK")
    assert desk.status("o") == "FILLED"


def test_post_only_that_would_trade_is_refused(desk):
    outcome = desk.submit("o", "BUY", 10, "100.10", post_only=True)
    assert isinstance(outcome, SubmitRefused)
    assert outcome.code == "POST_ONLY_WOULD_TRADE"
    assert desk.status("o") == "REJECTED"
    assert isinstance(desk.submit("p", "BUY", 10, "100.09", post_only=True), SubmitAcknowledged)


def test_stop_market_sells_when_the_price_falls_to_its_trigger(desk):
    desk.submit("o", "SELL", 10, type="STOP_MARKET", trigger="99.00", tif="GTC")
    desk.market(99.01)
    assert desk.fills() == []
    assert not desk.order("o").is_triggered
    desk.market(99.0)
    assert desk.fills() == [("o", "10", "98.90")]
    assert desk.order("o").is_triggered


def test_stop_market_buys_when_the_price_rises_to_its_trigger(desk):
    desk.submit("o", "BUY", 10, type="STOP_MARKET", trigger="101.00", tif="GTC")
    desk.market(100.99)
    assert desk.fills() == []
    desk.market(102.0)
    assert desk.fills() == [("o", "10", "102.10")]


def test_stop_whose_trigger_is_passed_already_triggers_at_once(desk):
    desk.submit("o", "SELL", 10, type="STOP_MARKET", trigger="100.00")
    assert desk.fills() == [("o", "10", "99.90")]


def test_triggered_stop_market_has_its_rest_canceled(desk):
    desk.submit("o", "SELL", 300, type="STOP_MARKET", trigger="100.00")
    assert desk.status("o") == "CANCELED"
    assert desk.order("o").filled_qty == 200


def test_stop_limit_rests_after_its_trigger_when_the_market_ran_away(desk):
    desk.submit("o", "SELL", 10, "98.95", type="STOP_LIMIT", trigger="99.00", tif="GTC")
    desk.market(98.0)
    assert desk.order("o").is_triggered
    assert desk.fills() == []
    desk.market(99.1)  # best bid 99.00
    assert desk.fills() == [("o", "10", "98.95")]


def test_stop_limit_takes_when_its_limit_allows(desk):
    desk.submit("o", "SELL", 10, "98.00", type="STOP_LIMIT", trigger="99.00", tif="GTC")
    desk.market(98.5)
    assert desk.fills() == [("o", "10", "98.40")]


def test_untriggered_stop_limit_is_not_in_the_book(desk):
    desk.submit("stop", "BUY", 10, "99.95", type="STOP_LIMIT", trigger="101.00", account="B")
    desk.submit("o", "SELL", 10, "99.95")
    assert desk.fills() == []
    assert desk.status("o") == "ACCEPTED"


def test_trailing_sell_follows_the_high_and_triggers_on_the_way_down(desk):
    desk.submit("o", "SELL", 10, type="TRAILING_STOP_MARKET", offset="2.00", tif="GTC")
    assert str(desk.order("o").trigger_price) == "98.00"
    desk.market(105.0)
    assert str(desk.order("o").trigger_price) == "103.00"
    desk.market(103.5)
    assert str(desk.order("o").trigger_price) == "103.00"
    assert desk.fills() == []
    desk.market(103.0)
    assert desk.fills() == [("o", "10", "102.90")]


def test_trailing_buy_follows_the_low_and_triggers_on_the_way_up(desk):
    desk.submit("o", "BUY", 10, type="TRAILING_STOP_MARKET", offset="1.50", tif="GTC")
    desk.market(95.0)
    desk.market(96.49)
    assert desk.fills() == []
    desk.market(96.5)
    assert desk.fills() == [("o", "10", "96.60")]


def test_trailing_stop_starts_at_a_given_trigger(desk):
    desk.submit(
        "o", "SELL", 10, type="TRAILING_STOP_MARKET", offset="5.00", trigger="99.00", tif="GTC"
    )
    desk.market(103.0)
    assert str(desk.order("o").trigger_price) == "99.00"
    desk.market(104.5)
    assert str(desk.order("o").trigger_price) == "99.50"


def test_trailing_stop_survives_a_restart_with_its_high(desk):
    desk.submit("o", "SELL", 10, type="TRAILING_STOP_MARKET", offset="2.00", tif="GTC")
    desk.market(105.0)
    desk.restart()
    desk.market(103.0)
    assert desk.fills() == [("o", "10", "102.90")]


def test_stops_trigger_in_order_of_acceptance(desk):
    for key in ("first", "second"):
        desk.submit(key, "SELL", 150, type="STOP_MARKET", trigger="99.00", tif="GTC")
    desk.market(98.0)  # bids 97.90 and 97.80, 102 each
    assert desk.order("first").filled_qty == 150
    assert desk.order("second").filled_qty == 54


def test_resting_orders_are_served_before_triggered_stops(desk):
    desk.submit("rest", "BUY", 150, "99.50")
    desk.submit("stop", "SELL", 100, type="STOP_MARKET", trigger="99.00", tif="GTC", account="B")
    desk.market(99.0)
    assert desk.fills() == [
        ("rest", "101", "99.50"),
        ("rest", "49", "99.50"),
        ("stop", "100", "98.90"),
    ]


@pytest.mark.parametrize(("tif", "status"), [("DAY", "EXPIRED"), ("GTC", "ACCEPTED")])
def test_day_orders_end_with_the_utc_day(desk, tif, status):
    desk.submit("o", "BUY", 10, "90.00", tif=tif)
    desk.submit("stop", "BUY", 10, type="STOP_MARKET", trigger="110.00", tif=tif)
    desk.market(100.0, day=1)
    assert desk.status("o") == "ACCEPTED"
    desk.market(100.0, day=2)
    assert (desk.status("o"), desk.status("stop")) == (status, status)


def test_day_order_expires_before_the_new_prices_can_fill_it(desk):
    desk.submit("o", "BUY", 10, "90.00")
    desk.market(80.0, day=2)
    assert desk.status("o") == "EXPIRED"
    assert desk.fills() == []


@pytest.mark.parametrize(("day", "status"), [(1, "ACCEPTED"), (2, "EXPIRED")])
def test_restart_does_not_forget_the_day_of_an_order(desk, day, status):
    desk.submit("o", "BUY", 10, "90.00")
    desk.restart()
    desk.market(100.0, day=day)
    assert desk.status("o") == status


def test_shrinking_keeps_the_place_in_the_queue(open_desk):
    assert _first_maker_after(open_desk, quantity=5) == "first"


def test_growing_loses_the_place_in_the_queue(open_desk):
    assert _first_maker_after(open_desk, quantity=11) == "second"


def test_new_price_loses_the_place_in_the_queue(open_desk):
    assert _first_maker_after(open_desk, price="100.03", back_to="100.02") == "second"


def test_same_price_again_keeps_the_place_in_the_queue(open_desk):
    assert _first_maker_after(open_desk, price="100.02") == "first"


def _first_maker_after(open_desk, quantity=None, price=None, back_to=None):
    desk = open_desk(liquidity=NO_CROWD)
    desk.market(100.0)
    desk.submit("first", "SELL", 10, "100.02")
    desk.submit("second", "SELL", 10, "100.02")
    desk.replace("first", quantity=quantity, price=price)
    if back_to is not None:
        desk.replace("first", price=back_to)
    desk.restart()
    desk.submit("taker", "BUY", 1, "100.02", account="B")
    return desk.fills()[0][0]


def test_replace_to_a_crossing_price_trades_at_once(desk):
    desk.submit("o", "BUY", 10, "99.00")
    outcome = desk.replace("o", price="100.10")
    assert desk.fills() == [("o", "10", "100.10")]
    assert outcome.report.status == "FILLED"


def test_replace_quantity_counts_what_is_filled(desk):
    desk.submit("o", "BUY", 150, "100.10")
    assert desk.replace("o", quantity=100).code == "BAD_QUANTITY"
    report = desk.replace("o", quantity=101).report
    assert (report.quantity, report.filled_qty, report.leaves_qty) == (101, 100, 1)


def test_replace_moves_the_trigger_of_a_waiting_stop(desk):
    desk.submit("o", "SELL", 10, type="STOP_MARKET", trigger="95.00")
    desk.replace("o", trigger="100.00")
    assert desk.fills() == [("o", "10", "99.90")]


def test_replace_of_a_post_only_order_must_not_take(desk):
    desk.submit("o", "BUY", 10, "99.00", post_only=True)
    assert desk.replace("o", price="100.10").code == "POST_ONLY_WOULD_TRADE"
    assert str(desk.order("o").price) == "99.00"


def test_canceled_order_trades_no_more(desk):
    desk.submit("o", "BUY", 10, "99.00")
    desk.cancel("o")
    desk.market(90.0)
    assert desk.status("o") == "CANCELED"
    assert desk.fills() == []
