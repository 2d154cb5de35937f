"""What the venue refuses, with which code, and that a refusal leaves nothing behind but its record."""

from decimal import Decimal

import pytest

from trading.exchange.buying_power import BuyingPower
from trading.identifiers import InstrumentId
from trading.outcomes import SubmitAcknowledged, SubmitRefused

STOP, STOP_LIMIT, TRAIL = "STOP_MARKET", "STOP_LIMIT", "TRAILING_STOP_MARKET"


@pytest.mark.parametrize(
    ("code", "quantity", "price", "more"),
    [
        ("UNKNOWN_ACCOUNT", 10, None, {"account": "X"}),
        ("UNKNOWN_INSTRUMENT", 10, None, {"instrument": InstrumentId("ZZZ.XNAS")}),
        ("BAD_QUANTITY", 0, None, {}),
        ("BAD_QUANTITY", -5, None, {}),
        ("BAD_QUANTITY", "1.5", None, {}),
        ("BAD_QUANTITY", "NaN", None, {}),
        ("BAD_QUANTITY", "Infinity", None, {}),
        ("BAD_QUANTITY", "1e40", None, {}),
        ("BAD_QUANTITY", "1e-40", None, {}),
        ("BAD_PRICE", 10, "99.999", {}),
        ("BAD_PRICE", 10, "-1", {}),
        ("BAD_PRICE", 10, "NaN", {}),
        ("BAD_PRICE", 10, "1e30", {}),
        ("BAD_PRICE", 10, "99.00", {"type": "MARKET"}),
        ("BAD_PRICE", 10, None, {"type": "LIMIT"}),
        ("BAD_PRICE", 10, None, {"type": STOP_LIMIT, "trigger": "99.00"}),
        ("BAD_TRIGGER_PRICE", 10, None, {"type": STOP}),
        ("BAD_TRIGGER_PRICE", 10, "99.00", {"type": STOP_LIMIT}),
        ("BAD_TRIGGER_PRICE", 10, None, {"type": STOP, "trigger": "99.001"}),
        ("BAD_TRIGGER_PRICE", 10, "99.00", {"trigger": "99.00"}),
        ("BAD_TRAILING_OFFSET", 10, None, {"type": TRAIL}),
        ("BAD_TRAILING_OFFSET", 10, None, {"type": TRAIL, "offset": "0"}),
        ("BAD_TRAILING_OFFSET", 10, None, {"offset": "1.00"}),
        ("POST_ONLY_INVALID", 10, None, {"post_only": True}),
        ("POST_ONLY_INVALID", 10, "99.00", {"post_only": True, "tif": "IOC"}),
        ("NO_MARKET", 10, None, {"instrument": InstrumentId("BBB.XNAS")}),
        ("INSUFFICIENT_CASH", 20_001, "100.00", {}),
    ],
)
def test_bad_order_is_refused_by_name(desk, code, quantity, price, more):
    outcome = desk.submit("o", "BUY", quantity, price, **more)
    assert isinstance(outcome, SubmitRefused)
    assert outcome.code == code
    assert outcome.reason
    assert desk.exchange.view()["open_orders"] == 0
    assert desk.exchange.view()["refused"] == {code: 1}
    assert len(desk.exchange.requests_for("o")) == 1
    desk.exchange.validate()


@pytest.mark.parametrize("key", ["", "x" * 65])
def test_bad_client_order_id_is_refused(desk, key):
    assert desk.submit(key, "BUY", 10).code == "BAD_CLIENT_ORDER_ID"


def test_refused_order_is_told_and_known_as_rejected(desk):
    desk.submit("o", "BUY", "1.5")
    assert [(m.status, m.code) for m in desk.told()] == [("REJECTED", "BAD_QUANTITY")]
    assert desk.query("o").status == "REJECTED"


def test_orders_before_the_first_slice_are_refused(open_desk):
    desk = open_desk()
    assert desk.submit("o", "BUY", 10, "99.00").code == "NO_MARKET"


def test_limit_order_in_an_unpriced_instrument_rests(desk):
    bbb = InstrumentId("BBB.XNAS")
    assert isinstance(desk.submit("o", "BUY", 10, "50.00", instrument=bbb), SubmitAcknowledged)
    desk.market({bbb: 40.0})
    assert desk.status("o") == "FILLED"


def test_repeated_id_is_refused_and_the_first_order_is_untouched(desk):
    desk.submit("o", "BUY", 10, "99.00")
    first, told = desk.order("o"), desk.told()
    outcome = desk.submit("o", "SELL", 500)
    assert isinstance(outcome, SubmitRefused)
    assert outcome.code == "DUPLICATE_CLIENT_ORDER_ID"
    assert desk.order("o").venue_seq == first.venue_seq
    assert desk.status("o") == "ACCEPTED"
    assert desk.told() == told
    assert desk.fills() == []
    assert desk.exchange.view()["duplicates_refused"] == 1
    assert [r.kind for r in desk.exchange.requests_for("o")] == ["SubmitOrder", "SubmitOrder"]


@pytest.mark.parametrize("first", ["99.00", None, "99.999"])
def test_id_of_a_working_filled_or_refused_order_is_used_up(desk, first):
    desk.submit("o", "BUY", 10, first)
    desk.restart()
    desk.market(100.0)
    assert desk.submit("o", "BUY", 10).code == "DUPLICATE_CLIENT_ORDER_ID"


def test_id_of_another_account_is_used_up_but_not_shown(desk):
    desk.submit("o", "BUY", 10, "99.00", account="A")
    assert desk.submit("o", "BUY", 10, "99.00", account="B").code == "DUPLICATE_CLIENT_ORDER_ID"
    assert desk.query("o", account="B") is None
    assert desk.cancel("o", account="B").code == "UNKNOWN_ORDER"
    assert desk.replace("o", quantity=5, account="B").code == "UNKNOWN_ORDER"
    assert desk.status("o") == "ACCEPTED"


def test_cancel_and_replace_of_unknown_or_closed_orders_are_refused(desk):
    desk.submit("o", "BUY", 10)
    assert desk.cancel("x").code == "UNKNOWN_ORDER"
    assert desk.cancel("o").code == "ORDER_CLOSED"
    assert desk.replace("x", quantity=1).code == "UNKNOWN_ORDER"
    assert desk.replace("o", quantity=20).code == "ORDER_CLOSED"


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("BAD_QUANTITY", {"quantity": 0}),
        ("BAD_QUANTITY", {"quantity": 1.5}),
        ("BAD_PRICE", {"price": "99.001"}),
        ("BAD_TRIGGER_PRICE", {"trigger": "99.00"}),
        ("INSUFFICIENT_CASH", {"quantity": 30_000}),
    ],
)
def test_bad_replace_is_refused_and_changes_nothing(desk, code, change):
    desk.submit("o", "BUY", 10, "99.00")
    before = desk.order("o")
    assert desk.replace("o", **change).code == code
    assert desk.order("o") == before


def test_replace_price_of_a_market_stop_is_refused(desk):
    desk.submit("o", "SELL", 10, type=STOP, trigger="90.00")
    assert desk.replace("o", price="91.00").code == "BAD_PRICE"


def test_leverage_counts_positions_and_open_orders(desk):
    # equity 1,000,000 at leverage 2; the crowd shows 200 units a slice
    desk.submit("hold", "BUY", 200)
    assert isinstance(desk.submit("big", "BUY", 19_700, "100.00"), SubmitAcknowledged)
    assert desk.submit("over", "BUY", 200, "100.00").code == "INSUFFICIENT_CASH"
    desk.cancel("big")
    assert isinstance(desk.submit("again", "BUY", 200, "100.00"), SubmitAcknowledged)


def test_reducing_orders_pass_without_buying_power(open_desk):
    desk = open_desk(buying_power=BuyingPower(max_leverage=Decimal("0.03")))
    desk.market(100.0)
    assert isinstance(desk.submit("in", "BUY", 200), SubmitAcknowledged)
    desk.market(300.0)  # the position alone is far above the limit now
    assert desk.submit("more", "BUY", 1, "300.00").code == "INSUFFICIENT_CASH"
    assert isinstance(desk.submit("out", "SELL", 200, "400.00"), SubmitAcknowledged)


def test_stop_and_target_on_one_position_both_pass(open_desk):
    desk = open_desk(buying_power=BuyingPower(max_leverage=Decimal("0.021")))
    desk.market(100.0)
    desk.submit("in", "BUY", 200)
    assert isinstance(desk.submit("target", "SELL", 200, "110.00"), SubmitAcknowledged)
    stop = desk.submit("stop", "SELL", 200, type=STOP, trigger="90.00")
    assert isinstance(stop, SubmitAcknowledged)


def test_cash_account_may_not_sell_what_it_does_not_hold(open_desk):
    desk = open_desk(buying_power=BuyingPower(allow_short=False, max_leverage=Decimal(1)))
    desk.market(100.0)
    assert desk.submit("short", "SELL", 1).code == "SHORT_NOT_ALLOWED"
    desk.submit("in", "BUY", 10)
    assert isinstance(desk.submit("half", "SELL", 6, "101.00"), SubmitAcknowledged)
    assert desk.submit("too many", "SELL", 5, "101.00").code == "SHORT_NOT_ALLOWED"
    assert desk.replace("half", quantity=11).code == "SHORT_NOT_ALLOWED"


def test_losses_shrink_the_buying_power(desk):
    for day in range(1, 60):
        desk.market(100.0, day=day)
        desk.submit(f"in{day}", "BUY", 200)
    desk.market(50.0, day=60)  # 11,800 units lost about 50 each: equity is about 409,000
    assert desk.submit("over", "BUY", 5_000, "50.00").code == "INSUFFICIENT_CASH"
    assert isinstance(desk.submit("fits", "BUY", 4_000, "50.00"), SubmitAcknowledged)


def test_buying_power_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        BuyingPower(max_leverage=Decimal(0))
