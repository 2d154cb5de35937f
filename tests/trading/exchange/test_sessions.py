"""Auctions, orders between sessions, extended hours, and the smallest value of an order."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commands import SubmitOrder
from trading.data import Bar, MarketSlice
from trading.instruments import Instrument
from trading.market_hours import MarketHours
from trading.outcomes import Started
from trading.values import OrderSide, OrderType, TimeInForce

HOUR = 3_600 * 10**9
DAY = 24 * HOUR
HOURS = MarketHours(
    opens=tuple(day * DAY + 10 * HOUR for day in range(1, 9)),
    closes=tuple(day * DAY + 16 * HOUR for day in range(1, 9)),
)


@pytest.fixture
def hall(open_desk):
    """A desk whose market is open from 10 to 16 h of days 1 to 8."""
    return open_desk(hours=HOURS)


def at(desk, day, hour, close):
    desk.sequence += 1
    ts = int(day * DAY + hour * HOUR)
    bar = Bar(ts_event=ts, instrument_id="AAA.XNAS", open=close, high=close, low=close, close=close)
    desk.handle(MarketSlice(ts_event=ts, sequence=desk.sequence, bars=(bar,)))


def submit(desk, key, side="BUY", quantity=10, price=None, tif="DAY", extended=False, **fields):
    return desk.request(
        SubmitOrder(
            client_order_id=key,
            account_id="A",
            strategy_id="s",
            instrument_id="AAA.XNAS",
            side=OrderSide(side),
            quantity=Decimal(quantity),
            order_type=fields.pop("order_type", OrderType.LIMIT if price else OrderType.MARKET),
            time_in_force=TimeInForce(tif),
            price=price and Decimal(price),
            extended_hours=extended,
            **fields,
        )
    )


def test_an_order_for_the_opening_trades_at_the_first_prices_of_the_next_session(hall):
    at(hall, 1, 12, 100.0)
    submit(hall, "m", tif="OPG")
    submit(hall, "l", price="101", tif="OPG")
    submit(hall, "low", price="90", tif="OPG")
    at(hall, 1, 13, 50.0)
    at(hall, 1, 18, 60.0)
    assert hall.fills() == []
    at(hall, 2, 10.5, 100.5)

    assert [hall.status(key) for key in ("m", "l", "low")] == ["FILLED", "FILLED", "CANCELED"]
    assert hall.fills("m")[0][2].startswith("100.")


def test_an_order_for_the_close_trades_at_the_slice_that_closes_the_session(hall):
    at(hall, 1, 12, 100.0)
    submit(hall, "m", tif="CLS")
    at(hall, 1, 15, 110.0)
    assert hall.fills() == []
    at(hall, 1, 16, 120.0)
    assert hall.status("m") == "FILLED"
    assert hall.fills("m")[0][2].startswith("120.")


def test_a_close_that_no_slice_marks_has_the_last_prices_before_it(hall):
    at(hall, 1, 12, 100.0)
    submit(hall, "m", tif="CLS")
    at(hall, 1, 15.9, 110.0)
    at(hall, 2, 11, 500.0)
    assert hall.fills("m")[0][2].startswith("110.")


def test_what_comes_at_the_close_waits_for_the_next(hall):
    at(hall, 1, 16, 100.0)
    submit(hall, "m", tif="CLS")
    at(hall, 2, 12, 105.0)
    assert hall.fills() == []
    at(hall, 2, 16, 110.0)
    assert hall.fills("m")[0][2].startswith("110.")


def test_without_sessions_each_day_has_its_auctions(desk):
    desk.submit("o", "BUY", 10, tif="OPG")
    desk.submit("c", "BUY", 10, tif="CLS")
    desk.market(104.0)
    assert desk.fills() == []
    desk.market(108.0, day=2)
    assert desk.fills("c")[0][2].startswith("104.")
    assert desk.fills("o")[0][2].startswith("108.")


def test_orders_between_sessions_wait_for_the_next(hall):
    at(hall, 1, 18, 100.0)
    submit(hall, "market")
    submit(hall, "limit", price="101")
    submit(
        hall,
        "stop",
        "SELL",
        tif="GTC",
        order_type=OrderType.STOP_MARKET,
        trigger_price=Decimal(99),
    )
    at(hall, 1, 19, 90.0)
    assert hall.fills() == []
    assert {hall.status(key) for key in ("market", "limit", "stop")} == {"ACCEPTED"}
    at(hall, 2, 10.5, 98.0)

    assert {hall.status(key) for key in ("market", "limit", "stop")} == {"FILLED"}


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
def test_what_cannot_wait_is_refused_between_sessions(hall, tif):
    at(hall, 1, 18, 100.0)
    assert submit(hall, "x", price="101", tif=tif).code == "MARKET_CLOSED"


def test_an_order_in_extended_hours_trades_between_sessions_and_a_resting_one_does_not(hall):
    at(hall, 1, 12, 100.0)
    submit(hall, "resting", price="95", tif="GTC")
    submit(hall, "awake", price="94", tif="GTC", extended=True)
    at(hall, 1, 18, 93.0)
    assert [hall.status("resting"), hall.status("awake")] == ["ACCEPTED", "FILLED"]
    submit(hall, "now", price="101", tif="GTC", extended=True)
    assert hall.status("now") == "FILLED"


def test_two_orders_that_crossed_between_sessions_trade_at_the_open(hall):
    at(hall, 1, 12, 100.0)
    submit(hall, "sell", "SELL", price="103", tif="GTC")
    submit(hall, "late", price="104", tif="GTC", extended=True, quantity=5)
    assert hall.status("late") == "FILLED"
    at(hall, 1, 18, 102.9)
    submit(hall, "night", price="103", tif="GTC", extended=True, quantity=500)
    assert hall.status("night") == "PARTIALLY_FILLED"
    assert hall.status("sell") == "ACCEPTED"
    at(hall, 2, 11, 102.0)
    assert hall.status("sell") == "FILLED"


def test_a_day_order_ends_with_its_session_and_one_from_the_night_with_the_next(hall):
    at(hall, 1, 12, 100.0)
    submit(hall, "day", price="90")
    at(hall, 1, 18, 100.0)
    assert hall.status("day") == "EXPIRED"
    submit(hall, "night", price="90")
    at(hall, 2, 12, 100.0)
    assert hall.status("night") == "ACCEPTED"
    at(hall, 2, 17, 100.0)
    assert hall.status("night") == "EXPIRED"


@pytest.mark.parametrize(
    "terms",
    [
        {"tif": "OPG", "order_type": OrderType.STOP_MARKET, "trigger_price": Decimal(110)},
        {"extended": True},
        {"extended": True, "price": "100", "tif": "IOC"},
    ],
)
def test_what_no_auction_and_no_night_takes_is_refused_by_name(hall, terms):
    at(hall, 1, 12, 100.0)
    assert submit(hall, "x", **terms).code == "BAD_TIME_IN_FORCE"


def test_an_order_for_an_auction_can_be_canceled_and_changed(hall):
    at(hall, 1, 12, 100.0)
    submit(hall, "a", price="90", tif="OPG")
    submit(hall, "b", tif="CLS")
    hall.replace("a", price="101")
    hall.cancel("b")
    at(hall, 1, 15, 100.0)
    assert hall.fills() == []
    at(hall, 2, 11, 100.0)
    assert [hall.status("a"), hall.status("b")] == ["FILLED", "CANCELED"]


def test_a_restart_keeps_what_waits_for_its_time(hall):
    at(hall, 1, 12, 100.0)
    submit(hall, "m", tif="CLS")
    hall.restart()
    hall.handle(Started(epoch=2))
    at(hall, 1, 13, 100.0)
    assert hall.fills() == []
    at(hall, 1, 16, 100.0)
    assert hall.status("m") == "FILLED"


def test_an_order_below_the_smallest_value_is_refused(open_desk):
    coin = Instrument(
        instrument_id="AAA.XNAS",
        lot_size=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        min_notional=Decimal(10),
    )
    desk = open_desk(instruments=(coin,))
    desk.market(100.0)
    assert desk.submit("1", "BUY", "0.099").code == "BAD_NOTIONAL"
    assert desk.submit("2", "BUY", "0.1", "99").code == "BAD_NOTIONAL"
    assert desk.submit("3", "BUY", "0.101").venue_order_id
    assert desk.submit("4", "BUY", "0.2", "90").venue_order_id
    assert desk.replace("4", quantity="0.1").code == "BAD_NOTIONAL"
    assert desk.replace("4", price="40").code == "BAD_NOTIONAL"
    assert desk.replace("4", quantity="0.15").report.quantity == Decimal("0.15")


def test_orders_that_cross_between_sessions_trade_when_the_next_one_begins(hall):
    at(hall, 0, 41.0, 100.0)  # day 1, 17 h
    for key, side, price in (("bid", "BUY", "101"), ("ask", "SELL", "99")):
        assert submit(hall, key, side, 5, price, "GTC").venue_order_id
        hall.exchange.validate()
    assert not hall.exchange.fills("A")
    at(hall, 0, 58.0, 100.0)  # day 2, 10 h
    hall.exchange.validate()
    assert {fill.client_order_id for fill in hall.exchange.fills("A")} == {"bid", "ask"}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("slice"), st.integers(1, 7), st.integers(96, 104)),
        st.tuples(
            st.just("order"),
            st.sampled_from(["DAY", "GTC", "IOC", "OPG", "CLS"]),
            st.tuples(
                st.sampled_from(["BUY", "SELL"]),
                st.none() | st.integers(97, 103),
                st.booleans(),
                st.integers(1, 150),
            ),
        ),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    min_size=5,
    max_size=30,
)


@settings(deadline=None, max_examples=120)
@given(STEPS)
def test_books_balance_over_sessions_and_nothing_trades_when_it_must_not(new_desk, steps):
    desk = new_desk(hours=HOURS)
    hours = 34.0  # day 1, 10 h
    at(desk, 0, hours, 100.0)
    for number, (act, what, more) in enumerate(steps):
        before = len(desk.exchange.fills("A"))
        if act == "slice":
            hours += what
            at(desk, 0, hours, float(more))
        elif act == "restart":
            desk.restart()
            desk.handle(Started(epoch=2))
            at(desk, 0, hours, 100.0)
        else:
            side, price, extended, quantity = more
            submit(
                desk,
                str(number),
                side,
                quantity,
                price and str(price),
                what,
                extended=bool(price) and extended and what in {"DAY", "GTC"},
            )
        desk.exchange.validate()
        if not HOURS.is_open(int(hours * HOUR)):
            orders = desk.exchange._state.orders
            for fill in desk.exchange.fills("A")[before:]:
                request = orders[fill.client_order_id].request
                assert request.extended_hours or request.time_in_force is TimeInForce.CLS
    assert desk.fold(desk.events).state_hash() == desk.exchange.state_hash()
