"""From ccxt's orders and executions to reports: exact, and without surprises."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venues.ccxt.dialects import dialect_of
from actors.venues.ccxt.instruments import Terms
from actors.venues.ccxt.parse import (
    exact,
    fill_report,
    foreign_fees,
    order_report,
    trade_client_id,
)
from trading.errors import OutcomeUnknown
from trading.identifiers import InstrumentId
from trading.reports import FillReport, OrderStatusReport
from trading.values import LiquiditySide, OrderSide, OrderStatus, OrderType, TimeInForce

OURS = "0123456789abcdef0123456789abcdef"
SPOT = Terms("BTC/USDT", InstrumentId("BTC/USDT.BINANCE"), "BTC", "USDT")
PERPETUAL = Terms(
    "BTC/USDT:USDT",
    InstrumentId("BTC/USDT-PERP.OKX"),
    "BTC",
    "USDT",
    contract_size=Decimal("0.01"),
    is_margined=True,
)
ORDER = {
    "id": "77",
    "clientOrderId": OURS,
    "symbol": "BTC/USDT",
    "side": "buy",
    "type": "limit",
    "status": "open",
    "amount": "0.50000000",
    "filled": "0.0",
    "price": "100.10",
    "timeInForce": "GTC",
    "lastUpdateTimestamp": 1_700_000_000_123,
    "info": {},
}
TRADE = {
    "id": "501",
    "order": "77",
    "symbol": "BTC/USDT",
    "side": "sell",
    "amount": "0.1",
    "price": "27000.12345678",
    "timestamp": 1_700_000_000_123,
    "takerOrMaker": "maker",
    "fee": {"cost": "0.0027", "currency": "USDT"},
    "fees": [],
    "info": {},
}


def order(dialect="binance", known=None, terms=SPOT, **changes):
    return order_report({**ORDER, **changes}, terms, "ACC", dialect_of(dialect), known)


def fill(terms=SPOT, **changes):
    return fill_report({**TRADE, **changes}, terms, "ACC", OURS)


# -- numbers


def test_a_number_keeps_every_digit():
    assert exact("0.123456789012345678901") == Decimal("0.123456789012345678901")
    assert exact(0.1) == Decimal("0.1")
    assert exact("") is None


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "x", True, [], {}, 0.1234567890123456789])
def test_what_is_no_exact_number_is_not_guessed(wrong):
    with pytest.raises(OutcomeUnknown):
        exact(wrong)


# -- orders


@pytest.mark.parametrize(
    ("status", "filled", "expected"),
    [
        ("open", "0", OrderStatus.ACCEPTED),
        ("open", "0.2", OrderStatus.PARTIALLY_FILLED),
        ("closed", "0.5", OrderStatus.FILLED),
        ("closed", "0.2", OrderStatus.CANCELED),
        ("canceled", "0.2", OrderStatus.CANCELED),
        ("expired", "0", OrderStatus.EXPIRED),
        ("rejected", "0", OrderStatus.REJECTED),
        ("triggered", "0", OrderStatus.ACCEPTED),
    ],
)
def test_a_status_is_that_of_the_exchange(status, filled, expected):
    assert order(status=status, filled=filled).status is expected


def test_an_order_of_ours_is_read_whole():
    report = order(timeInForce="IOC")
    assert report == OrderStatusReport(
        ts_event=1_700_000_000_123_000_000,
        account_id="ACC",
        client_order_id=OURS,
        venue_order_id="77",
        instrument_id=SPOT.instrument_id,
        side=OrderSide.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.IOC,
        status=OrderStatus.ACCEPTED,
        quantity=Decimal("0.5"),
        filled_qty=Decimal(0),
        price=Decimal("100.1"),
    )


def test_an_order_of_somebody_else_gets_an_id_of_its_own():
    assert order(clientOrderId="web_8f2c").client_order_id == "ext-77"


def test_the_average_price_of_a_market_order_is_no_limit():
    assert order(type="market", price="99.5").price is None


def test_a_stop_order_is_known_by_its_trigger():
    assert order(type="market", triggerPrice="110").order_type is OrderType.STOP_MARKET
    assert order(type="limit", stopLossPrice="110").order_type is OrderType.STOP_LIMIT


def test_contracts_become_units():
    assert order(terms=PERPETUAL, amount="7", filled="3").quantity == Decimal("0.07")
    assert order(terms=PERPETUAL, amount="7", filled="3").filled_qty == Decimal("0.03")


def test_a_message_that_tells_the_change_alone_is_completed_from_what_was_known():
    known = order()
    raw = {"id": "77", "status": "canceled", "info": {"cum_qty": "0.2"}}
    report = order_report(raw, SPOT, "ACC", dialect_of("kraken"), known)
    assert report.status is OrderStatus.CANCELED
    assert report.client_order_id == OURS
    assert report.quantity == Decimal("0.5")
    assert report.filled_qty == Decimal("0.2")
    assert report.price == Decimal("100.1")


def test_a_change_of_an_order_that_nobody_knows_says_too_little():
    raw = {"id": "77", "status": "canceled", "amount": "0", "info": {"cum_qty": "0"}}
    assert order_report(raw, SPOT, "ACC", dialect_of("kraken"), None) is None


def test_an_unknown_status_is_not_guessed():
    with pytest.raises(OutcomeUnknown, match="half-open"):
        order(status="half-open")


# -- executions


def test_a_fill_keeps_the_price_that_was_traded():
    report = fill()
    assert report.last_px == Decimal("27000.12345678")
    assert report.trade_id == "BTC/USDT/501"
    assert report.liquidity_side is LiquiditySide.MAKER
    assert report.commission == Decimal("0.0027")
    assert report.currency == "USDT"


def test_a_fee_in_the_coin_that_was_bought_is_kept_of_it():
    report = fill(side="buy", fee={"cost": "0.0001", "currency": "BTC"})
    assert (report.commission, report.commission_qty) == (0, Decimal("0.0001"))


def test_a_fee_in_a_third_coin_is_no_figure_of_ours_and_is_told():
    raw = {**TRADE, "fee": {"cost": "0.0005", "currency": "BNB"}}
    report = fill_report(raw, SPOT, "ACC", OURS)
    assert (report.commission, report.commission_qty) == (0, 0)
    assert foreign_fees(raw, SPOT) == ("BNB",)


def test_several_fees_add_up_and_are_not_counted_twice():
    fees = [{"cost": "0.1", "currency": "USDT"}, {"cost": "0.2", "currency": "USDT"}]
    assert fill(fees=fees, fee={"cost": "0.3", "currency": "USDT"}).commission == Decimal("0.3")


def test_a_rebate_stays_one():
    assert fill(fee={"cost": "-0.01", "currency": "USDT"}).commission == Decimal("-0.01")


def test_a_fill_of_a_perpetual_counts_units_and_pays_no_price():
    report = fill(terms=PERPETUAL, amount="12")
    assert report.last_qty == Decimal("0.12")
    assert report.is_margined


@pytest.mark.parametrize("missing", ["id", "side", "amount", "price"])
def test_what_says_too_little_is_no_fill(missing):
    assert fill(**{missing: None}) is None


def test_an_execution_names_the_order_where_the_exchange_says_so():
    raw = {**TRADE, "info": {"c": OURS}}
    assert trade_client_id(raw, dialect_of("binance")) == OURS
    assert trade_client_id({**TRADE, "info": {}}, dialect_of("binance")) is None


# -- fuzz

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([*ORDER, *TRADE, "triggerPrice", "lastTradeTimestamp"])
MESS = st.dictionaries(KEYS, JUNK, max_size=6)


@settings(deadline=None, max_examples=300)
@given(MESS, st.sampled_from(["binance", "kraken", "bybit", "gate"]))
def test_whatever_comes_in_an_order_is_a_report_or_none_or_unknown(mess, dialect):
    try:
        report = order_report({**ORDER, **mess}, SPOT, "ACC", dialect_of(dialect), order())
    except OutcomeUnknown:
        return
    assert report is None or isinstance(report, OrderStatusReport)


@settings(deadline=None, max_examples=300)
@given(MESS)
def test_whatever_comes_in_a_trade_is_a_fill_or_none_or_unknown(mess):
    raw = {**TRADE, **mess}
    try:
        foreign_fees(raw, SPOT)
        trade_client_id(raw, dialect_of("kraken"))
        report = fill_report(raw, SPOT, "ACC", OURS)
    except OutcomeUnknown:
        return
    assert report is None or isinstance(report, FillReport)
    if report is not None:
        assert report.last_qty > 0
        assert all(n.is_finite() for n in (report.last_px, report.commission))
