from decimal import Decimal

import pytest

from trading.commands import CancelOrder, PermittedOrder, RiskAcknowledged, SetTradingState
from trading.events import KillSwitchTripped, OrderRejected
from trading.risk.limits import RiskLimits
from trading.values import OrderType, TradingState

SECOND = 1_000_000_000


@pytest.fixture
def long(desk):
    """Fifty of A bought at 100 by `one`: stop at 98, trailing armed at 102."""
    desk.slice()
    desk.trade("A", "BUY", 50, 100)
    desk.sent.clear()
    return desk


def exits(desk):
    return [message.order for message in desk.sent_of(PermittedOrder)]


def move(desk, *prices, symbol="A"):
    for price in prices:
        desk.market += 10 * SECOND
        desk.price(symbol, price)


def test_stop_loss_of_a_long_is_due_at_two_percent_below_entry(long):
    move(long, 98.01)
    assert exits(long) == []
    move(long, 98)
    (order,) = exits(long)
    assert (order.side, order.quantity, order.order_type) == ("SELL", 50, OrderType.MARKET)
    assert (order.purpose, order.reduce_only, order.strategy_id) == ("stop_loss", True, "one")
    assert order.ts_event == long.market


def test_stop_loss_of_a_short_is_due_at_two_percent_above_entry(desk):
    desk.trade("A", "SELL", 50, 100)
    desk.sent.clear()
    move(desk, 101.99, 102)
    (order,) = exits(desk)
    assert (order.side, order.quantity, order.purpose) == ("BUY", 50, "stop_loss")


def test_long_is_judged_by_the_bid_and_short_by_the_ask(long):
    long.price("A", 98.01, 98.05)
    assert exits(long) == []
    long.price("A", 97.99, 98.50)
    assert len(exits(long)) == 1


def test_trailing_stop_is_due_only_after_the_activation(long):
    move(long, 101.9, 100.3)  # never reached 102: 1.6 % back is nothing
    assert exits(long) == []
    move(long, 104, 102.45)  # 104 * 0.985 = 102.44
    assert exits(long) == []
    move(long, 102.44)
    (order,) = exits(long)
    assert order.purpose == "trailing_stop"


def test_trailing_stop_of_a_short_follows_the_lowest_price(desk):
    desk.trade("A", "SELL", 50, 100)
    desk.sent.clear()
    move(desk, 96, 97.43)
    assert exits(desk) == []
    move(desk, 97.44)  # 96 * 1.015
    assert [order.purpose for order in exits(desk)] == ["trailing_stop"]


def test_exit_is_not_repeated_while_it_works(long):
    move(long, 97)
    (order,) = exits(long)
    long.submitted(order)
    move(long, 96, 95)
    assert exits(long) == [order]
    assert long.sent_of(CancelOrder) == []
    assert [stop["strategy"] for stop in long.gate.view()["stops"]] == ["one"]


def test_exit_that_the_venue_refused_is_asked_for_again_a_second_later(long):
    move(long, 97)
    (order,) = exits(long)
    long.submitted(order)
    long.about(OrderRejected, order, code="X", reason="x")
    long.market += SECOND - 1
    long.price("A", 97)
    assert len(exits(long)) == 1
    long.market += 1
    long.price("A", 97)
    assert len(exits(long)) == 2


def test_partly_filled_exit_is_followed_by_one_for_the_rest(long):
    move(long, 97)
    (order,) = exits(long)
    long.submitted(order)
    long.filled(order, 97, quantity=20)
    long.canceled(order)
    move(long, 97)
    assert [order.quantity for order in exits(long)] == [50, 30]


def test_working_orders_are_canceled_first_and_the_exit_follows_when_they_ended(long):
    profit = long.order("A", "SELL", 50, order_type=OrderType.LIMIT, price=Decimal(110))
    assert long.verdict(profit) == "approved"
    long.submitted(profit)
    long.sent.clear()
    move(long, 97)
    (cancel,) = long.sent
    assert isinstance(cancel, CancelOrder)
    assert (cancel.client_order_id, cancel.reason) == (profit.client_order_id, "stop_loss")
    long.canceled(profit)
    (order,) = exits(long)
    assert (order.quantity, order.purpose) == (50, "stop_loss")


def test_exit_that_waited_is_dropped_when_the_canceled_order_filled_instead(long):
    profit = long.order("A", "SELL", 50, order_type=OrderType.LIMIT, price=Decimal(110))
    long.handle(profit)
    long.submitted(profit)
    long.sent.clear()
    move(long, 97)
    long.filled(profit, 110)
    assert exits(long) == []


def test_new_position_begins_with_a_new_best_price(long):
    move(long, 112)
    out = long.order("A", "SELL", 50)
    long.handle(out)
    long.submitted(out)
    long.filled(out, 112)
    long.trade("A", "BUY", 50, 108)
    long.sent.clear()
    move(long, 109)  # under 112 * 0.985 = 110.32
    assert exits(long) == []


def test_position_that_ended_while_the_gate_was_not_ready_is_forgotten(long):
    move(long, 112)
    out, again = long.order("A", "SELL", 50), long.order("A", "BUY", 50)
    for order in (out, again):
        long.handle(order)
        long.submitted(order)
    long.handle(RiskAcknowledged(risk_epoch=0, account_seq=0))
    long.filled(out, 112)
    long.filled(again, 108)
    long.acknowledge()
    long.sent.clear()
    move(long, 109)
    assert exits(long) == []


def test_each_strategy_has_its_own_stop(desk):
    desk.trade("A", "BUY", 10, 100, strategy="one")
    desk.trade("A", "BUY", 10, 98, strategy="two")
    desk.sent.clear()
    move(desk, 97)
    assert [(order.strategy_id, order.quantity) for order in exits(desk)] == [("one", 10)]


def test_stop_is_armed_again_after_a_restart_from_the_entry(long):
    move(long, 110)
    long.start()
    long.sent.clear()
    move(long, 108)  # the best price is forgotten: no trailing exit yet
    assert [order.purpose for order in exits(long)] == []
    move(long, 106.38)  # 108 * 0.985
    assert [order.purpose for order in exits(long)] == ["trailing_stop"]
    long.start()
    long.sent.clear()
    move(long, 98)
    assert [order.purpose for order in exits(long)] == ["stop_loss"]


def test_bad_price_triggers_no_exit(long):
    move(long, float("nan"), 0, -1, float("-inf"))
    assert exits(long) == []


def test_no_exit_while_the_kill_switch_is_latched_or_the_gate_is_not_ready(long):
    long.fact(KillSwitchTripped(actor="ann", reason="x"))
    move(long, 90)
    assert exits(long) == []


def test_exit_passes_a_halted_state_and_an_empty_throttle(new_desk):
    desk = new_desk(RiskLimits(max_orders_per_second=1))
    desk.prices(A=100, B=50)
    desk.trade("A", "BUY", 50, 100)
    assert desk.ask("B", quantity=1) == "RISK_ORDER_RATE"
    desk.handle(SetTradingState(state=TradingState.HALTED, actor="ann", reason="x"))
    desk.sent.clear()
    move(desk, 97)
    assert [order.purpose for order in exits(desk)] == ["stop_loss"]


def test_stops_switched_off_ask_for_nothing(new_desk):
    desk = new_desk(RiskLimits(stop_loss=None, trailing_stop=None))
    desk.price("A", 100)
    desk.trade("A", "BUY", 50, 100)
    desk.sent.clear()
    move(desk, 120, 50)
    assert exits(desk) == []
