from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venues.alpaca.feed_parse import messages
from actors.venues.alpaca.identity import (
    OrderNames,
    foreign_id,
    is_unnamed_leg,
    own_id,
    successor_id,
)
from actors.venues.alpaca.messages import Activity, Frame, Order, Position, TradeUpdate
from actors.venues.alpaca.parse import (
    Subject,
    activity_fill,
    coin_fee,
    order_report,
    position_report,
    update_fill,
)
from actors.venues.alpaca.ticks import TickMaker
from actors.venues.alpaca.wire import decoded, moment, moment_text, number, quotient, shaped
from tests.venues.alpaca.rig import AAPL, CALL
from trading.errors import OutcomeUnknown
from trading.identifiers import AccountId, ClientOrderId, derive_leg_id
from trading.reports import FillReport, OrderStatusReport
from trading.values import OrderSide, OrderStatus, OrderType, TimeInForce

KEY = ClientOrderId("ab" * 16)
SUBJECT = Subject(AccountId("A"), KEY, AAPL, 5)
RAW = {
    "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
    "client_order_id": KEY,
    "submitted_at": "2026-03-16T18:38:01.942282Z",
    "symbol": "AAPL",
    "asset_class": "us_equity",
    "qty": "10",
    "filled_qty": "3",
    "order_class": "",
    "type": "stop_limit",
    "side": "sell",
    "time_in_force": "gtc",
    "limit_price": "99.5",
    "stop_price": "100",
    "status": "partially_filled",
    "legs": None,
}


def test_order_of_the_venue_becomes_a_report():
    report = order_report(shaped(RAW, Order), SUBJECT)
    assert report.status is OrderStatus.PARTIALLY_FILLED
    assert (report.quantity, report.filled_qty) == (Decimal(10), Decimal(3))
    assert (report.price, report.trigger_price) == (Decimal("99.5"), Decimal(100))
    assert (report.side, report.order_type) == (OrderSide.SELL, OrderType.STOP_LIMIT)
    assert report.time_in_force is TimeInForce.GTC
    assert report.ts_event == 1773686281_942282000


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("new", OrderStatus.ACCEPTED),
        ("held", OrderStatus.ACCEPTED),
        ("pending_replace", OrderStatus.ACCEPTED),
        ("done_for_day", OrderStatus.ACCEPTED),
        ("canceled", OrderStatus.CANCELED),
        ("expired", OrderStatus.EXPIRED),
        ("rejected", OrderStatus.REJECTED),
        ("filled", OrderStatus.FILLED),
    ],
)
def test_every_status_has_one_meaning(status, expected):
    raw = {**RAW, "status": status, "filled_qty": "0"}
    assert order_report(shaped(raw, Order), SUBJECT).status is expected


def test_unknown_status_is_no_guess():
    with pytest.raises(OutcomeUnknown, match="levitating"):
        order_report(shaped({**RAW, "status": "levitating"}, Order), SUBJECT)


def test_contracts_of_an_option_become_shares():
    subject = Subject(AccountId("A"), KEY, CALL, 5)
    raw = {**RAW, "symbol": "AAPL270115C00100000", "qty": "2", "filled_qty": "1"}
    report = order_report(shaped(raw, Order), subject)
    assert (report.quantity, report.filled_qty) == (Decimal(200), Decimal(100))
    position = Position(symbol="X", qty="-3", avg_entry_price="5.5", side="short")
    assert position_report(position, AccountId("A"), CALL).quantity == Decimal(-300)


def test_fill_has_one_trade_id_from_the_stream_and_from_the_activities():
    execution = "8efc7b9a-8b2b-4000-9955-d36e7db0df74"
    update = TradeUpdate(
        event="fill", order=shaped(RAW, Order), execution_id=execution, price="1.5", qty="2",
        timestamp="2026-03-16T18:38:02Z",
    )  # fmt: skip
    activity = Activity(
        id=f"20260316183802000::{execution}", activity_type="FILL", side="sell", price="1.5", qty="2",
        order_id=RAW["id"], symbol="AAPL", transaction_time="2026-03-16T18:38:02Z",
    )  # fmt: skip
    assert update_fill(update, SUBJECT) == activity_fill(activity, SUBJECT)


def test_fee_in_coins_is_a_sale_at_price_zero():
    fee = Activity(
        id="20260812000000000::53be51ba-46f9-43de-b81f-576f241dc680",
        activity_type="CFEE",
        date="2026-08-12",
        symbol="ETHUSD",
        qty="-0.000195",
    )
    report = coin_fee(fee, SUBJECT)
    assert (report.side, report.last_qty, report.last_px) == (
        OrderSide.SELL,
        Decimal("0.000195"),
        0,
    )
    assert (
        coin_fee(Activity(id="x::y", activity_type="CFEE", date="2026-08-12", qty="0"), SUBJECT)
        is None
    )


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05", "yesterday", "2026-13-02T03:04:05Z", "9" * 400]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(OutcomeUnknown):
        moment(text)


@given(st.integers(min_value=0, max_value=2**62))
def test_times_are_exact_to_the_nanosecond(ts):
    assert moment(moment_text(ts)) == ts


def test_offset_of_a_time_counts():
    assert moment("2026-03-16T14:38:01.000000001-04:00") == moment("2026-03-16T18:38:01.000000001Z")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999999", "-1e999999", "1e-31", "x", "0x1"])
def test_what_no_account_can_hold_is_no_number(text):
    with pytest.raises(OutcomeUnknown):
        number(text)


def test_average_of_many_digits_is_an_average():
    position = Position(symbol="AAPL", qty="3", avg_entry_price="100.29" + "6" * 60)
    assert position_report(position, AccountId("A"), AAPL).avg_px == Decimal("100.296666666667")
    for text in ("NaN", "1e999999", "-1e99"):
        with pytest.raises(OutcomeUnknown):
            quotient(text)
    assert quotient("1e-999999") == 0


def test_id_of_a_successor_means_the_same_order():
    assert own_id(successor_id(KEY, 1773686281_942282000)) == KEY
    assert own_id("61e69015-8549-4bfd-b9c3-01e75843f47d") is None
    assert len(successor_id(KEY, 2**62)) <= 48


def test_legs_of_a_bracket_are_known_by_what_they_are():
    stop = {**RAW, "id": "s", "client_order_id": "x", "type": "stop", "order_class": "bracket"}
    take = {**RAW, "id": "t", "client_order_id": "y", "type": "limit", "order_class": "bracket"}
    names = OrderNames()
    assert is_unnamed_leg(shaped(stop, Order), names)
    names.learn(shaped({**RAW, "order_class": "bracket", "legs": [stop, take]}, Order))
    assert names.name("t") == derive_leg_id(KEY, 1)
    assert names.name("s") == derive_leg_id(KEY, 2)


def test_order_of_somebody_else_gets_an_id_of_its_own():
    names = OrderNames()
    assert names.learn(
        shaped({**RAW, "client_order_id": "from the web page"}, Order)
    ) == foreign_id(RAW["id"])
    assert names.venue_id(foreign_id(RAW["id"])) == RAW["id"]


# -- whatever comes in

_leaves = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20)
_json = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
_orders = st.fixed_dictionaries(
    {
        "id": st.text(max_size=10),
        "status": st.sampled_from(["new", "filled", "replaced", "rejected", "", "odd"]) | st.text(),
    },
    optional={name: _leaves | st.sampled_from(["1", "-1", "NaN", "1e99", "buy", "limit", "day"])
              for name in RAW if name not in {"id", "status"}},
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(_orders | _json)
def test_any_order_is_a_report_or_unknown(raw):
    try:
        parsed = shaped(raw, Order)
        OrderNames().learn(parsed)
        report = order_report(parsed, SUBJECT)
    except OutcomeUnknown:
        return
    assert isinstance(report, OrderStatusReport)


@settings(deadline=None, max_examples=300)
@given(
    st.fixed_dictionaries(
        {"event": st.sampled_from(["fill", "partial_fill", "new"]), "order": _orders},
        optional={
            name: _leaves | st.sampled_from(["1", "2026-01-01T00:00:00Z"])
            for name in ("price", "qty", "timestamp", "execution_id")
        },
    )
)
def test_any_update_is_a_fill_or_none_or_unknown(raw):
    try:
        fill = update_fill(shaped(raw, TradeUpdate), SUBJECT)
    except OutcomeUnknown:
        return
    assert fill is None or isinstance(fill, FillReport)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200) | _json.map(lambda value: str(value).encode(errors="replace")))
def test_any_frame_of_the_trading_stream_is_read_or_unknown(frame):
    try:
        decoded(frame, Frame)
    except OutcomeUnknown:
        return


def test_deep_nesting_is_unknown():
    with pytest.raises(OutcomeUnknown):
        decoded(b'{"stream":"x","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Frame)


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=200))
def test_any_frame_of_market_data_escapes_nothing(frame):
    maker = TickMaker(lambda: 1)
    maker.add("AAPL", AAPL)
    for message in messages(frame):
        list(maker.ticks(message))
