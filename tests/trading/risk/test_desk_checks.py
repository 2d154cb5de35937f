"""The limits of a desk by hand: one order, one situation, just below, at and above each limit."""

from decimal import Decimal

import msgspec
import pytest

from trading.commands import SubmitOrder
from trading.instruments import Instrument
from trading.refusals import RefusalCode
from trading.risk.checks import check
from trading.risk.limits import RiskLimits, SymbolLimits
from trading.risk.situation import Situation
from trading.risk.verdicts import Denied
from trading.values import OrderSide, OrderType

NOW = 1_700_000_000_000_000_000
D = Decimal
ORDER = SubmitOrder(
    client_order_id="1" * 32,
    account_id="DEMO",
    strategy_id="one",
    instrument_id="A.X",
    side=OrderSide.BUY,
    quantity=D(50),
)
CALM = Situation(
    instrument=Instrument(instrument_id="A.X", sector="energy"),
    quote_at=NOW,
    price=D(100),
    position_after=D(50),
    strategy_position_after=D(50),
    equity=D(100_000),
    opposite_px=D(100),
    net_after=D(5_000),
    correlated_after=5_000.0,
    deviation_after=100.0,
)


def code(limits, order=ORDER, situation=CALM, **changes):
    verdict = check(
        order,
        msgspec.structs.replace(situation, **changes),
        msgspec.structs.replace(RiskLimits(), **limits),
        NOW,
    )
    return verdict.code if isinstance(verdict, Denied) else None


def but(order=ORDER, **changes):
    return msgspec.structs.replace(order, **changes)


@pytest.mark.parametrize(
    ("name", "least", "expected"),
    [
        ("max_order_value", D(5_000), RefusalCode.RISK_MAX_ORDER_VALUE),
        ("max_concentration", D("0.05"), RefusalCode.RISK_MAX_CONCENTRATION),
        ("max_gross_leverage", D("0.05"), RefusalCode.RISK_MAX_GROSS_LEVERAGE),
        ("max_net_leverage", D("0.05"), RefusalCode.RISK_MAX_NET_LEVERAGE),
        ("max_correlated_exposure", D(5_000), RefusalCode.RISK_MAX_CORRELATED_EXPOSURE),
    ],
)
def test_limit_passes_what_reaches_it_and_refuses_what_exceeds_it(name, least, expected):
    assert code({name: least}) is None
    assert code({name: least * D("0.9999")}) is expected
    assert code({name: least * D("0.9999")}, reduces_account=True) is None


def test_value_at_risk_is_the_normal_quantile_of_the_deviation():
    # 2.3263478740408408 standard deviations of 100 at 99 %
    limits = {"max_value_at_risk": D("232.64")}
    assert code(limits) is None
    assert code({"max_value_at_risk": D("232.63")}) is RefusalCode.RISK_MAX_VALUE_AT_RISK
    assert code({**limits, "value_at_risk_confidence": D("0.995")}) is not None
    assert code(limits, deviation_after=None) is RefusalCode.RISK_UNMEASURED
    assert code(limits, deviation_after=float("nan")) is RefusalCode.RISK_MAX_VALUE_AT_RISK
    assert code(limits, deviation_after=None, reduces_account=True) is None


def test_correlated_exposure_that_is_not_known_is_refused():
    limits = {"max_correlated_exposure": D(10**9)}
    assert code(limits, correlated_after=None) is RefusalCode.RISK_UNMEASURED
    assert code(limits, correlated_after=float("nan")) is RefusalCode.RISK_MAX_CORRELATED_EXPOSURE


@pytest.mark.parametrize("equity", [None, D(0), D(-5)])
@pytest.mark.parametrize("name", ["max_concentration", "max_gross_leverage", "max_net_leverage"])
def test_ratio_of_equity_without_equity_is_refused(name, equity):
    assert code({name: D(100)}, equity=equity) is RefusalCode.RISK_UNMEASURED
    assert code({name: D(100)}, unpriced_count=1) is RefusalCode.DATA_STALE


def test_each_group_has_its_own_limit():
    groups = (("sector:energy", D(5_000)), ("currency:USD", D(5_000)))
    enough = {"max_group_exposure": {"sector:energy": D(5_000), "currency:USD": D(5_000)}}
    assert code(enough, groups_after=groups) is None
    low = {"max_group_exposure": {"sector:energy": D(9_000), "currency:USD": D(4_999)}}
    assert code(low, groups_after=groups) is RefusalCode.RISK_MAX_GROUP_EXPOSURE


@pytest.mark.parametrize(
    ("side", "price", "expected"),
    [
        ("BUY", "105", None),
        ("BUY", "105.01", RefusalCode.RISK_PRICE_COLLAR),
        ("BUY", "1", None),  # far away from the market: it merely waits
        ("SELL", "95", None),
        ("SELL", "94.99", RefusalCode.RISK_PRICE_COLLAR),
        ("SELL", "500", None),
    ],
)
def test_collar_refuses_a_price_far_through_the_book(side, price, expected):
    order = but(side=OrderSide(side), order_type=OrderType.LIMIT, price=D(price))
    assert code({"price_collar": D("0.05")}, order) is expected
    assert code({"price_collar": D("0.05")}) is None  # a market order has no price


def test_collar_without_a_book_is_refused():
    order = but(order_type=OrderType.LIMIT, price=D(100))
    assert code({"price_collar": D("0.05")}, order, opposite_px=None) is RefusalCode.DATA_STALE


def test_restricted_instrument_may_only_be_reduced():
    limits = {"restricted": ("A.X",)}
    assert code(limits) is RefusalCode.RISK_RESTRICTED
    assert code(limits, reduces_account=True) is None
    assert code({"restricted": ("B.X",)}) is None


def test_short_position_needs_what_was_located():
    short = but(side=OrderSide.SELL)
    limits = {"require_locate": True, "symbols": {"A.X": SymbolLimits(located=D(50))}}
    assert code(limits, short, short_after=D(50)) is None
    assert code(limits, short, short_after=D(51)) is RefusalCode.RISK_NO_LOCATE
    assert code({"require_locate": True}, short, short_after=D(1)) is RefusalCode.RISK_NO_LOCATE
    assert code({"require_locate": True}, short, short_after=D(0)) is None  # sells what is held
    assert code({"require_locate": True}, ORDER, short_after=D(9)) is None
    assert code({}, short, short_after=D(10**6)) is None


def test_open_orders_count_without_the_new_one():
    assert code({"max_open_orders": 3}, working_count=2) is None
    assert code({"max_open_orders": 3}, working_count=3) is RefusalCode.RISK_MAX_OPEN_ORDERS


def test_closed_market_refuses_new_orders_if_that_is_asked_for():
    assert code({"must_be_open": True}, is_market_open=False) is RefusalCode.RISK_MARKET_CLOSED
    assert code({"must_be_open": True}, is_market_open=False, reduces_account=True) is None
    assert code({}, is_market_open=False) is None


def test_halted_strategy_may_only_reduce():
    assert code({}, strategy_halt="lost enough") is RefusalCode.RISK_STRATEGY_HALTED
    assert code({}, strategy_halt="lost enough", reduces_strategy=True) is None
