"""Which orders make a list, and which do not."""

from decimal import Decimal

import msgspec
import pytest

from trading.commands import SubmitOrder, SubmitOrderList
from trading.identifiers import derive_leg_id
from trading.order_lists import alternative_to, first_of, is_exit, leg_index, list_defect
from trading.values import OrderListKind, OrderSide, OrderType, TimeInForce

BUY, SELL = OrderSide.BUY, OrderSide.SELL
FIRST = "c" * 32


def order(side=BUY, **fields):
    values = {
        "client_order_id": FIRST,
        "account_id": "A",
        "strategy_id": "s",
        "instrument_id": "AAPL.XNAS",
        "side": side,
        "quantity": Decimal(10),
    }
    return SubmitOrder(**{**values, **fields})


def profit(**fields):
    values = {"side": SELL, "order_type": OrderType.LIMIT, "price": Decimal(110)}
    return order(**{**values, **fields})


def loss(**fields):
    values = {"side": SELL, "order_type": OrderType.STOP_MARKET, "trigger_price": Decimal(90)}
    return order(**{**values, **fields})


def leg(**fields):
    return order(**fields)


def chain(kind, first, *others, **fields):
    legs = (
        msgspec.structs.replace(
            each, client_order_id=derive_leg_id(FIRST, i), parent_order_id=FIRST
        )
        for i, each in enumerate(others, start=1)
    )
    return SubmitOrderList(kind=kind, account_id="A", orders=(first, *legs), **fields)


BRACKET = chain(OrderListKind.BRACKET, order(), profit(), loss())
OTO = chain(OrderListKind.OTO, order(), loss())
OCO = chain(OrderListKind.OCO, profit(), loss())
SPREAD = chain(OrderListKind.MULTI_LEG, leg(), leg(side=SELL, instrument_id="AAPL2.XNAS"))


@pytest.mark.parametrize("good", [BRACKET, OTO, OCO, SPREAD], ids=lambda each: str(each.kind))
def test_a_list_as_it_must_be_has_no_defect(good):
    assert list_defect(good) is None


@pytest.mark.parametrize(
    "bad",
    [
        chain(OrderListKind.BRACKET, order(), profit()),
        chain(OrderListKind.BRACKET, order(), loss(), profit()),
        chain(OrderListKind.BRACKET, order(), profit(side=BUY), loss()),
        chain(OrderListKind.BRACKET, order(), profit(quantity=Decimal(11)), loss()),
        chain(OrderListKind.BRACKET, order(), profit(quantity=Decimal(9)), loss()),
        chain(OrderListKind.BRACKET, order(), profit(), loss(instrument_id="KO.XNYS")),
        chain(OrderListKind.BRACKET, order(), profit(strategy_id="t"), loss()),
        chain(OrderListKind.BRACKET, order(), profit(account_id="B"), loss()),
        chain(OrderListKind.BRACKET, order(), profit(time_in_force=TimeInForce.IOC), loss()),
        chain(OrderListKind.OTO, order(), order(SELL)),
        chain(OrderListKind.OCO, profit(), loss(side=BUY)),
        chain(OrderListKind.OCO, loss(), profit()),
        chain(OrderListKind.MULTI_LEG, leg()),
        chain(OrderListKind.MULTI_LEG, leg(), leg()),
        chain(OrderListKind.MULTI_LEG, leg(), loss(instrument_id="X.Y")),
        chain(OrderListKind.MULTI_LEG, leg(), profit(instrument_id="X.Y")),
        SubmitOrderList(kind=OrderListKind.OTO, account_id="A", orders=()),
        SubmitOrderList(kind=OrderListKind.OTO, account_id="A", orders=(order(), loss())),
        chain(OrderListKind.BRACKET, order(), profit(quantity=Decimal("NaN")), loss()),
    ],
)
def test_anything_else_has_one(bad):
    assert list_defect(bad)


def test_the_place_of_an_order_follows_from_its_id():
    assert [leg_index(each) for each in BRACKET.orders] == [0, 1, 2]
    assert {first_of(each) for each in BRACKET.orders} == {FIRST}
    child = order(client_order_id="d" * 32, parent_order_id=FIRST)
    assert (leg_index(child), first_of(child)) == (0, "d" * 32)


def test_exits_and_the_one_that_stands_by():
    entry, one, two = BRACKET.orders
    assert [is_exit(each, BRACKET.kind) for each in BRACKET.orders] == [False, True, True]
    assert [is_exit(each, OCO.kind) for each in OCO.orders] == [True, True]
    assert [is_exit(each, None) for each in BRACKET.orders] == [False] * 3
    assert alternative_to(two, BRACKET.kind) == one.client_order_id
    assert alternative_to(OCO.orders[1], OCO.kind) == FIRST
    assert alternative_to(one, BRACKET.kind) is alternative_to(entry, BRACKET.kind) is None
    assert alternative_to(OTO.orders[1], OTO.kind) is None
