from decimal import Decimal

import pytest

from trading.commands import SubmitOrder
from trading.events import (
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderEvent,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
)
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, StrategyId, TradeId
from trading.identifiers import VenueOrderId as VenueId
from trading.strategies.own_orders import FORGET_AFTER_NS, OwnOrders
from trading.values import OrderSide

A = InstrumentId("A.X")
MINE, THEIRS = StrategyId("mine"), StrategyId("theirs")
BUY, SELL = OrderSide.BUY, OrderSide.SELL


def order(key: str, side: OrderSide = BUY, quantity: int = 10, **fields: object) -> SubmitOrder:
    values: dict[str, object] = {"strategy_id": MINE, "expires_at": 1_000, **fields}
    return SubmitOrder(
        client_order_id=ClientOrderId(key),
        account_id=AccountId("X"),
        instrument_id=A,
        side=side,
        quantity=Decimal(quantity),
        **values,  # type: ignore[arg-type]
    )


def about(kind: type[OrderEvent], of: SubmitOrder, **fields: object) -> OrderEvent:
    return kind(
        client_order_id=of.client_order_id,
        strategy_id=of.strategy_id,
        instrument_id=of.instrument_id,
        **fields,
    )


def submitted(of: SubmitOrder) -> OrderEvent:
    return about(OrderSubmitted, of, order=of, epoch=1)


def accepted(of: SubmitOrder) -> OrderEvent:
    return about(OrderAccepted, of, venue_order_id=VenueId("v"))


def filled(of: SubmitOrder, quantity: int, trade: str, purpose: str = "target") -> OrderEvent:
    return about(
        OrderFilled,
        of,
        venue_order_id=VenueId("v"),
        trade_id=TradeId(trade),
        side=of.side,
        last_qty=Decimal(quantity),
        last_px=Decimal(5),
        commission=Decimal(0),
        purpose=purpose,
    )


def folded(*events: OrderEvent) -> OwnOrders:
    orders = OwnOrders(MINE)
    for event in events:
        orders.apply(event)
    return orders


def test_order_counts_from_sending_to_its_last_fill_exactly_once() -> None:
    one = order("1", quantity=10)
    orders = OwnOrders(MINE)
    orders.sent(one)
    assert orders.held() == {A: 10}
    for event in (submitted(one), accepted(one), filled(one, 4, "a"), filled(one, 6, "b")):
        orders.apply(event)
        assert orders.held() == {A: 10}
    assert orders.positions == {A: 10}
    assert not orders.open_orders
    assert orders.in_flight_count == 0


def test_sale_under_way_is_netted() -> None:
    bought, sale = order("1"), order("2", SELL, 4)
    orders = folded(submitted(bought), filled(bought, 10, "a"), submitted(sale))
    assert orders.held() == {A: 6}


@pytest.mark.parametrize(
    "end",
    [
        lambda o: about(OrderCanceled, o),
        lambda o: about(OrderRejected, o, code="x", reason="y"),
        lambda o: about(OrderDenied, o, code="ORDER_NEVER_SENT", reason="y"),
    ],
)
def test_ended_order_is_no_longer_under_way(end: object) -> None:
    one = order("1")
    orders = folded(submitted(one), end(one))  # type: ignore[operator]
    assert orders.held().get(A, 0) == 0


def test_fill_after_the_end_still_moves_the_position() -> None:
    one = order("1")
    orders = folded(submitted(one), about(OrderCanceled, one), filled(one, 3, "a"))
    assert orders.positions == {A: 3}


def test_trade_told_twice_counts_once() -> None:
    one = order("1")
    orders = folded(submitted(one), filled(one, 4, "a"), filled(one, 4, "a"))
    assert orders.positions == {A: 4}


def test_order_refused_by_risk_is_forgotten_and_counted() -> None:
    one = order("1")
    orders = OwnOrders(MINE)
    orders.sent(one)
    orders.apply(about(OrderDenied, one, code="RISK_HALTED", reason="r", order=one))
    assert orders.held() == {}
    assert orders.denials == {"RISK_HALTED": 1}


def test_order_that_nobody_mentions_is_forgotten_after_its_expiry() -> None:
    orders = OwnOrders(MINE)
    orders.sent(order("1", expires_at=1_000))
    orders.forget_expired(1_000 + FORGET_AFTER_NS)
    assert orders.in_flight_count == 1
    orders.forget_expired(1_001 + FORGET_AFTER_NS)
    assert orders.in_flight_count == 0


def test_other_strategies_do_not_count() -> None:
    one = order("1", strategy_id=THEIRS)
    orders = folded(submitted(one), filled(one, 10, "a"))
    assert orders.held() == {}


@pytest.mark.parametrize("purpose", ["stop_loss", "trailing_stop"])
@pytest.mark.parametrize(("side", "sign"), [(SELL, 1), (BUY, -1)])
def test_stop_marks_the_direction_that_it_closed(purpose: str, side: OrderSide, sign: int) -> None:
    stop = order("1", side, purpose=purpose)
    assert folded(submitted(stop), filled(stop, 10, "a", purpose)).stopped == {A: sign}


def test_new_entry_in_the_direction_of_the_stop_ends_its_mark() -> None:
    stop, entry = order("1", SELL, purpose="stop_loss"), order("2", BUY, ts_event=2_000)
    orders = folded(submitted(stop), filled(stop, 10, "a", "stop_loss"))
    orders.apply(submitted(entry))
    orders.apply(filled(entry, 10, "b"))
    assert orders.stopped == {}


def test_entry_that_was_under_way_when_the_stop_struck_does_not_end_its_mark() -> None:
    stop, entry = order("1", SELL, purpose="stop_loss", ts_event=1_000), order("2", BUY)
    orders = folded(submitted(entry), submitted(stop), filled(stop, 10, "a", "stop_loss"))
    orders.apply(filled(entry, 10, "b"))
    assert orders.stopped == {A: 1}


def test_fold_is_the_same_after_a_restart() -> None:
    one, two = order("1"), order("2", SELL, 4)
    events = [submitted(one), accepted(one), filled(one, 10, "a"), submitted(two)]
    assert folded(*events).durable() == folded(*events).durable()
    assert folded(*events).durable() != folded(*events[:3]).durable()
