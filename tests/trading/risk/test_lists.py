"""A list passes as a whole or not at all; what it can do counts once."""

from decimal import Decimal

import msgspec
import pytest

from trading.commands import PermittedOrderList, SetTradingState, SubmitOrder, SubmitOrderList
from trading.effects import Append, Send
from trading.events import OrderDenied, OrderSubmitted
from trading.identifiers import derive_leg_id
from trading.risk.limits import RiskLimits
from trading.risk.permits import verify
from trading.values import OrderListKind, OrderSide, OrderType, TimeInForce, TradingState

KEY = b"a secret of the tests"


def chain(desk, kind, *orders):
    first = orders[0].client_order_id
    legs = (
        msgspec.structs.replace(
            order, client_order_id=derive_leg_id(first, index), parent_order_id=first
        )
        for index, order in enumerate(orders[1:], start=1)
    )
    return SubmitOrderList(kind=kind, account_id="DEMO", orders=(orders[0], *legs))


def exits(desk, quantity=10, profit=110, loss=90, side="SELL", **fields):
    common = {"time_in_force": TimeInForce.GTC, **fields}
    return (
        desk.order(
            "A", side, quantity, order_type=OrderType.LIMIT, price=Decimal(profit), **common
        ),
        desk.order(
            "A",
            side,
            quantity,
            order_type=OrderType.STOP_MARKET,
            trigger_price=Decimal(loss),
            **common,
        ),
    )


def bracket(desk, quantity=10, entry=None, **fields):
    entry = entry or desk.order("A", "BUY", quantity)
    return chain(desk, OrderListKind.BRACKET, entry, *exits(desk, quantity, **fields))


def ask(desk, order_list):
    """Return "approved", or the set of codes of the refusals."""
    codes = []
    for effect in desk.handle(order_list):
        if isinstance(effect, Send) and isinstance(effect.message, PermittedOrderList):
            permit = effect.message.permit
            assert effect.message.order_list == order_list
            assert verify(order_list, permit, KEY, desk.epoch, desk.now) is None
            return "approved"
        if isinstance(effect, Append) and isinstance(effect.event, OrderDenied):
            codes.append((effect.event.client_order_id, effect.event.code))
    keys = [order.client_order_id for order in order_list.orders]
    assert [key for key, _ in codes] in ([], keys), "a list is refused as a whole"
    return {code for _, code in codes} or None


def gross(desk):
    return desk.gate.state.holdings.reservations.account.gross


def record(desk, order_list):
    for order in order_list.orders:
        desk.about(OrderSubmitted, order, order=order, epoch=1, list_kind=order_list.kind)


def test_a_bracket_has_one_permit_and_counts_like_its_entry(desk):
    assert ask(desk, bracket(desk)) == "approved"
    assert gross(desk) == 1000
    assert len(desk.sent_of(PermittedOrderList)) == 1


def test_the_same_list_again_is_ignored(desk):
    one = bracket(desk)
    assert ask(desk, one) == "approved"
    assert ask(desk, one) is None


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_shares": Decimal(5)}, "RISK_MAX_SHARES"),
        ({"max_total_exposure": Decimal(999)}, "RISK_MAX_EXPOSURE"),
        ({"max_loss_per_trade": Decimal(99)}, "RISK_MAX_LOSS_PER_TRADE"),
    ],
)
def test_the_entry_is_checked_like_any_order_and_all_are_refused(new_desk, limits, code):
    desk = new_desk(limits=RiskLimits(**limits))
    desk.prices(A=100)
    assert ask(desk, bracket(desk)) == {code}
    assert gross(desk) == 0


def test_the_loss_at_stop_is_the_way_to_the_stop_of_the_list(new_desk):
    desk = new_desk(limits=RiskLimits(max_loss_per_trade=Decimal(100), stop_loss=Decimal("0.5")))
    desk.prices(A=100)
    assert ask(desk, bracket(desk, loss=89)) == {"RISK_MAX_LOSS_PER_TRADE"}
    assert ask(desk, bracket(desk, loss=90)) == "approved"


def test_the_way_of_a_trailing_stop_is_its_distance(new_desk):
    desk = new_desk(limits=RiskLimits(max_loss_per_trade=Decimal(100)))
    desk.prices(A=100)
    profit, _ = exits(desk)

    def trailing(offset):
        order = desk.order(
            "A",
            "SELL",
            10,
            order_type=OrderType.TRAILING_STOP_MARKET,
            trailing_offset=Decimal(offset),
        )
        return chain(desk, OrderListKind.BRACKET, desk.order("A", "BUY", 10), profit, order)

    assert ask(desk, trailing(11)) == {"RISK_MAX_LOSS_PER_TRADE"}
    assert ask(desk, trailing(10)) == "approved"


def test_a_bad_exit_refuses_the_list(desk):
    assert ask(desk, bracket(desk, profit=Decimal("110.001"))) == {"RISK_BAD_PRICE"}


def test_orders_that_do_not_belong_together_are_no_list(desk):
    wrong = chain(desk, OrderListKind.BRACKET, desk.order("A", "SELL", 10), *exits(desk))
    assert ask(desk, wrong) == {"RISK_BAD_LIST"}


def test_exits_count_once_before_and_behind_their_entry(desk):
    one = bracket(desk)
    ask(desk, one)
    record(desk, one)
    entry, profit, loss = one.orders
    line = desk.gate.state.holdings.reservations.account.line("A.X")
    assert (line.buys, line.sells) == (10, 10)
    desk.filled(entry, 100)
    assert gross(desk) == 1000
    desk.filled(loss, 90)
    assert (line.quantity, line.sells) == (0, 10)  # until the venue says that it is canceled
    desk.canceled(profit)
    assert gross(desk) == 0


def test_an_exit_that_is_left_alone_counts_for_itself(desk):
    one = bracket(desk)
    ask(desk, one)
    record(desk, one)
    entry, profit, _ = one.orders
    desk.filled(entry, 100)
    desk.canceled(profit)
    line = desk.gate.state.holdings.reservations.account.line("A.X")
    assert (line.quantity, line.sells) == (10, 10)


def test_a_restart_counts_the_same(desk):
    one = bracket(desk)
    ask(desk, one)
    record(desk, one)
    before = gross(desk)
    desk.start()
    desk.prices(A=100)
    assert gross(desk) == before


def test_two_exits_close_what_is_held(desk):
    desk.trade("A", "BUY", 10, 100)
    pair = chain(desk, OrderListKind.OCO, *exits(desk))
    assert ask(desk, pair) == "approved"
    assert gross(desk) == 1000
    more = desk.order("A", "SELL", 1, reduce_only=True)
    assert desk.verdict(more) == "RISK_REDUCE_ONLY"


@pytest.mark.parametrize(("held", "quantity"), [(0, 10), (9, 10)])
def test_exits_of_more_than_is_held_are_refused(desk, held, quantity):
    if held:
        desk.trade("A", "BUY", held, 100)
    pair = chain(desk, OrderListKind.OCO, *exits(desk, quantity))
    assert ask(desk, pair) == {"RISK_REDUCE_ONLY"}


def test_legs_are_checked_behind_each_other(new_desk):
    desk = new_desk(limits=RiskLimits(max_total_exposure=Decimal(1500)))
    desk.prices(A=100, B=50)
    legs = (desk.order("A", "BUY", 10), desk.order("B", "SELL", 11))
    assert ask(desk, chain(desk, OrderListKind.MULTI_LEG, *legs)) == {"RISK_MAX_EXPOSURE"}
    assert gross(desk) == 0
    legs = (desk.order("A", "BUY", 10), desk.order("B", "SELL", 10))
    assert ask(desk, chain(desk, OrderListKind.MULTI_LEG, *legs)) == "approved"
    assert gross(desk) == 1500


def test_while_reducing_a_bracket_is_refused_and_two_exits_pass(desk):
    desk.trade("A", "BUY", 10, 100)
    desk.handle(SetTradingState(state=TradingState.REDUCING, actor="ann", reason="why"))
    assert ask(desk, bracket(desk)) == {"RISK_REDUCING"}
    assert ask(desk, chain(desk, OrderListKind.OCO, *exits(desk))) == "approved"


def test_a_list_waits_until_risk_is_ready(new_desk):
    desk = new_desk()
    desk.prices(A=100)
    desk.start(acknowledged=False)
    one = bracket(desk)
    assert ask(desk, one) is None
    desk.prices(A=100)
    desk.acknowledge()
    assert [message.order_list for message in desk.sent_of(PermittedOrderList)] == [one]


def test_a_permit_that_ended_unheard_frees_every_order(desk):
    one = bracket(desk)
    ask(desk, one)
    desk.now += 3_000_000_000
    desk.price("A", 100)
    desk.start()
    assert gross(desk) == 0


def test_buys_and_sells_are_mirrored(desk):
    short = chain(
        desk,
        OrderListKind.BRACKET,
        desk.order("A", "SELL", 10),
        *exits(desk, profit=90, loss=110, side="BUY"),
    )
    assert {order.side for order in short.orders[1:]} == {OrderSide.BUY}
    assert isinstance(short.orders[0], SubmitOrder)
    assert ask(desk, short) == "approved"
    assert gross(desk) == 1000
