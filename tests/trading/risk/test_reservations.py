"""Reservations through the gate: racing orders, fills, ends, replacements."""

from decimal import Decimal

import pytest

from trading.commands import PermittedReplace, ReplaceOrder, SetTradingState
from trading.events import OrderDenied, OrderRejected, OrderUpdated, OrderUpdateRejected
from trading.identifiers import StrategyId
from trading.refusals import RefusalCode
from trading.risk.limits import RiskLimits
from trading.risk.permits import verify
from trading.values import TradingState

KEY = b"a secret of the tests"


def replace_of(order, **changes):
    return ReplaceOrder(
        client_order_id=order.client_order_id, account_id=order.account_id, **changes
    )


def reserved(desk, symbol="A"):
    line = desk.gate.state.holdings.reservations.account.line(f"{symbol}.X")
    return line.buys, line.sells


# -- reservations


def test_racing_orders_never_exceed_a_limit_together(desk):
    # 40 * 100 twice is 8,000 of 10,000; the third would make 12,000
    verdicts = [desk.ask(quantity=40) for _ in range(3)]
    assert verdicts == ["approved", "approved", RefusalCode.RISK_MAX_NOTIONAL]


def test_total_exposure_counts_working_orders_of_all_instruments(new_desk):
    desk = new_desk(RiskLimits(max_total_exposure=Decimal(15_000)))
    desk.prices(A=100, B=50)
    assert desk.ask("A", quantity=100) == "approved"
    assert desk.ask("B", quantity=101) == RefusalCode.RISK_MAX_EXPOSURE
    assert desk.ask("B", quantity=100) == "approved"


def test_price_rise_counts_at_once(desk):
    assert desk.ask(quantity=50) == "approved"
    desk.price("A", 200)
    assert desk.ask(quantity=1) == RefusalCode.RISK_MAX_NOTIONAL


def test_reservation_turns_into_position_and_ends_with_the_order(desk):
    order = desk.order(quantity=40)
    desk.handle(order)
    desk.submitted(order)
    assert reserved(desk) == (40, 0)
    desk.filled(order, 100, quantity=15)
    line = desk.gate.state.holdings.reservations.account.line("A.X")
    assert (line.quantity, line.buys, line.value) == (15, 25, 4000)
    desk.canceled(order)
    assert (line.quantity, line.buys, line.value) == (15, 0, 1500)


def test_refusal_by_broker_or_venue_releases(desk):
    for kind in (OrderDenied, OrderRejected):
        order = desk.order(quantity=40)
        assert desk.verdict(order) == "approved"
        desk.about(kind, order, code="X", reason="x")
        assert reserved(desk) == (0, 0)


def test_order_presumed_never_sent_reserves_again_when_the_venue_reports_it(desk):
    order = desk.order(quantity=40)
    desk.handle(order)
    desk.submitted(order)
    desk.about(OrderDenied, order, code=RefusalCode.ORDER_NEVER_SENT, reason="x")
    assert reserved(desk) == (0, 0)
    desk.accepted(order)
    assert reserved(desk) == (40, 0)


def test_open_positions_count_working_orders_and_instruments_once(desk):
    for symbol in "ABCD":
        assert desk.ask(symbol, quantity=1) == "approved"
    assert desk.ask("E", quantity=1) == "approved"
    assert desk.ask("F", quantity=1) == RefusalCode.RISK_MAX_POSITIONS
    assert desk.ask("A", quantity=1) == "approved"


def test_strategy_limit_binds_only_its_strategy(new_desk):
    desk = new_desk(RiskLimits(max_strategy_exposure={StrategyId("one"): Decimal(1000)}))
    desk.price("A", 100)
    assert desk.ask(quantity=10) == "approved"
    assert desk.ask(quantity=1) == RefusalCode.RISK_MAX_STRATEGY_EXPOSURE
    assert desk.ask(quantity=1, strategy="two") == "approved"


@pytest.mark.parametrize(("entry", "leave"), [("BUY", "SELL"), ("SELL", "BUY")])
def test_reducing_orders_together_cannot_flip_the_position(desk, entry, leave):
    desk.trade("A", entry, 50, 100)
    desk.handle(SetTradingState(state=TradingState.REDUCING, actor="ann", reason="test"))
    assert desk.ask("A", leave, 30) == "approved"
    assert desk.ask("A", leave, 30) == "RISK_REDUCING"
    assert desk.ask("A", leave, 20) == "approved"
    assert desk.ask("A", entry, 1) == "RISK_REDUCING"


def test_reduce_only_looks_at_the_strategy_not_the_account(desk):
    desk.trade("A", "BUY", 50, 100, strategy="one")
    exit_order = {"reduce_only": True}
    assert desk.ask("A", "SELL", 10, "two", **exit_order) == RefusalCode.RISK_REDUCE_ONLY
    assert desk.ask("A", "SELL", 60, "one", **exit_order) == RefusalCode.RISK_REDUCE_ONLY
    assert desk.ask("A", "SELL", 50, "one", **exit_order) == "approved"


def test_position_without_a_price_after_a_restart_counts_at_its_last_fill(desk):
    desk.trade("A", "BUY", 90, 100)
    desk.start()
    desk.price("B", 50)
    assert desk.gate.state.holdings.reservations.account.gross == 9000


def test_working_order_without_any_price_after_a_restart_stops_new_exposure(desk):
    order = desk.order()
    desk.handle(order)
    desk.submitted(order)
    desk.start()
    desk.price("B", 50)
    assert desk.ask("B") == RefusalCode.DATA_STALE
    desk.price("A", 100)
    assert desk.ask("B") == "approved"


# -- replacements


def test_replacement_reserves_the_larger_quantity_until_it_is_settled(desk):
    order = desk.order(quantity=40)
    desk.handle(order)
    desk.submitted(order)
    desk.filled(order, 100, quantity=10)
    desk.handle(replace_of(order, quantity=Decimal(60)))
    (sent,) = desk.sent_of(PermittedReplace)
    assert verify(sent.replace, sent.permit, KEY, desk.epoch, desk.now) is None
    assert reserved(desk) == (50, 0)
    desk.about(OrderUpdated, order, quantity=Decimal(60))
    assert reserved(desk) == (50, 0)
    desk.handle(replace_of(order, quantity=Decimal(30)))
    assert reserved(desk) == (50, 0)
    desk.about(OrderUpdated, order, quantity=Decimal(30))
    assert reserved(desk) == (20, 0)


def test_replacement_refused_by_the_venue_releases_what_it_reserved(desk):
    order = desk.order(quantity=40)
    desk.handle(order)
    desk.submitted(order)
    desk.handle(replace_of(order, quantity=Decimal(60)))
    desk.about(OrderUpdateRejected, order, code="TOO_LATE", reason="x")
    assert reserved(desk) == (40, 0)


def test_replacement_above_a_limit_is_denied_and_leaves_the_order_working(desk):
    order = desk.order(quantity=40)
    desk.handle(order)
    desk.submitted(order)
    desk.handle(replace_of(order, quantity=Decimal(101)))
    denied = desk.own[-1]
    assert isinstance(denied, OrderUpdateRejected)
    assert denied.code == RefusalCode.RISK_MAX_NOTIONAL
    assert reserved(desk) == (40, 0)
    before = desk.gate.state_hash()
    desk.restore()
    assert desk.gate.state_hash() == before
    assert desk.gate.state.holdings.sequence == len(desk.account)


def test_replacement_takes_the_place_of_the_order_in_every_limit(desk):
    order = desk.order(quantity=60)
    desk.handle(order)
    desk.submitted(order)
    desk.handle(replace_of(order, quantity=Decimal(100)))  # 100 * 100, not 160 * 100
    assert len(desk.sent_of(PermittedReplace)) == 1


def test_fill_that_comes_twice_counts_once(desk):
    order = desk.order(quantity=40)
    desk.handle(order)
    desk.submitted(order)
    desk.filled(order, 100, quantity=15)
    desk.fact(desk.account[-1])
    line = desk.gate.state.holdings.reservations.account.line("A.X")
    assert (line.quantity, line.buys) == (15, 25)


def test_replacement_below_what_is_filled_is_denied(desk):
    order = desk.order(quantity=40)
    desk.handle(order)
    desk.submitted(order)
    desk.filled(order, 100, quantity=30)
    for quantity in ("30", "NaN", "35.5"):
        desk.handle(replace_of(order, quantity=Decimal(quantity)))
        assert desk.own[-1].code == RefusalCode.RISK_BAD_QUANTITY


def test_repeated_or_pointless_replacement_is_ignored(desk):
    order = desk.order(quantity=40)
    replace = replace_of(order, quantity=Decimal(50))
    assert desk.handle(replace) == []
    desk.handle(order)
    assert len(desk.handle(replace)) == 1
    assert desk.handle(replace) == []
