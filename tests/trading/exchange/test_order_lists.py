"""Lists at the venue: exits wait for their entry, and of two exits only one ever fills."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commands import SubmitOrder, SubmitOrderList
from trading.exchange.buying_power import BuyingPower
from trading.exchange.faults import FaultPlan, RequestFault
from trading.identifiers import derive_leg_id
from trading.outcomes import (
    Started,
    SubmitListAcknowledged,
    SubmitListNotSent,
    SubmitListOutcomeUnknown,
    SubmitListRefused,
)
from trading.values import OrderListKind, OrderSide, OrderType, TimeInForce

BRACKET, OTO, OCO = OrderListKind.BRACKET, OrderListKind.OTO, OrderListKind.OCO
FIRST = "first"
PROFIT, LOSS = derive_leg_id(FIRST, 1), derive_leg_id(FIRST, 2)


def order(side, quantity, price=None, trigger=None, tif="GTC", **fields):
    kinds = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP_MARKET,
        (True, True): OrderType.STOP_LIMIT,
    }
    return {
        "side": OrderSide(side),
        "quantity": Decimal(quantity),
        "order_type": kinds[price is not None, trigger is not None],
        "price": price and Decimal(price),
        "trigger_price": trigger and Decimal(trigger),
        "time_in_force": TimeInForce(tif),
        **fields,
    }


def chain(kind, *orders, first=FIRST, account="A"):
    return SubmitOrderList(
        kind=kind,
        account_id=account,
        orders=tuple(
            SubmitOrder(
                client_order_id=first if index == 0 else derive_leg_id(first, index),
                parent_order_id=None if index == 0 else first,
                account_id=account,
                strategy_id="s",
                instrument_id="AAA.XNAS",
                **each,
            )
            for index, each in enumerate(orders)
        ),
    )


def bracket(entry=None, quantity=10, profit="105", loss="95", **fields):
    entry = order("BUY", quantity) if entry is None else entry
    return chain(
        BRACKET,
        entry,
        order("SELL", quantity, profit),
        order("SELL", quantity, trigger=loss),
        **fields,
    )


def states(desk, *keys):
    return [desk.status(key) for key in keys or (FIRST, PROFIT, LOSS)]


def test_a_market_entry_fills_at_once_and_its_exits_begin_to_work(desk):
    answer = desk.request(bracket())

    assert isinstance(answer, SubmitListAcknowledged)
    assert answer.client_order_ids == (FIRST, PROFIT, LOSS)
    assert len(set(answer.venue_order_ids)) == 3
    assert states(desk) == ["FILLED", "ACCEPTED", "ACCEPTED"]


def test_exits_neither_trade_nor_trigger_before_their_entry(desk):
    desk.request(bracket(order("BUY", 10, "90"), profit="105", loss="98"))
    desk.market(106.0)
    desk.market(97.0)
    assert states(desk) == ["ACCEPTED"] * 3
    assert desk.fills() == []


@pytest.mark.parametrize(
    ("close", "hit", "other"), [(106.0, PROFIT, LOSS), (94.0, LOSS, PROFIT)], ids=["up", "down"]
)
def test_when_one_exit_fills_the_other_is_canceled(desk, close, hit, other):
    desk.request(bracket())
    desk.market(close)

    assert states(desk, hit, other) == ["FILLED", "CANCELED"]
    assert desk.exchange.positions("A") == {}


def test_an_exit_that_its_price_has_passed_trades_as_soon_as_it_may(desk):
    desk.request(bracket(order("BUY", 10, "99"), profit="101", loss="98"))
    desk.market(97.0)

    assert states(desk) == ["FILLED", "CANCELED", "FILLED"]


def test_a_part_of_one_exit_leaves_the_rest_for_both(desk):
    desk.request(bracket(order("BUY", 300, "101"), quantity=300))
    assert states(desk) == ["PARTIALLY_FILLED", "ACCEPTED", "ACCEPTED"]
    desk.market(106.0)
    assert desk.order(PROFIT).filled_qty == 0
    desk.market(100.0)
    assert states(desk) == ["FILLED", "ACCEPTED", "ACCEPTED"]
    desk.market(105.15)

    taken = desk.order(PROFIT).filled_qty
    assert 0 < taken < 300
    assert desk.order(LOSS).quantity == 300 - taken
    desk.market(94.0)
    assert sum(Decimal(quantity) for _, quantity, _ in desk.fills(LOSS)) <= 300 - taken


def test_an_entry_that_ends_without_a_fill_ends_its_exits(desk):
    desk.request(bracket(order("BUY", 10, "90")))
    desk.cancel(FIRST)
    assert states(desk) == ["CANCELED"] * 3


def test_an_entry_for_the_day_takes_its_exits_with_it(desk):
    desk.request(bracket(order("BUY", 10, "90", tif="DAY")))
    desk.market(100.0, day=2)
    assert states(desk) == ["EXPIRED", "CANCELED", "CANCELED"]


def test_the_exits_of_an_entry_that_filled_in_part_close_that_part(desk):
    desk.request(bracket(order("BUY", 250, tif="IOC"), quantity=250))

    assert states(desk) == ["CANCELED", "ACCEPTED", "ACCEPTED"]
    filled = desk.order(FIRST).filled_qty
    assert 0 < filled < 250
    assert desk.order(PROFIT).quantity == desk.order(LOSS).quantity == filled
    desk.market(94.0)
    assert desk.exchange.positions("A") == {}


@pytest.mark.parametrize("ended", [PROFIT, LOSS])
def test_when_one_exit_is_canceled_so_is_the_other(desk, ended):
    desk.request(bracket())
    desk.cancel(ended)
    assert states(desk) == ["FILLED", "CANCELED", "CANCELED"]


def test_cancel_all_ends_a_list_once(desk):
    desk.request(bracket(order("BUY", 10, "90")))
    answer = desk.cancel_all()
    assert set(answer.client_order_ids) == {FIRST, PROFIT, LOSS}
    assert states(desk) == ["CANCELED"] * 3


def test_one_exit_alone_follows_its_entry(desk):
    desk.request(chain(OTO, order("BUY", 10, "99"), order("SELL", 10, "105")))
    assert states(desk, FIRST, PROFIT) == ["ACCEPTED", "ACCEPTED"]
    desk.market(98.0)
    desk.market(106.0)
    assert states(desk, FIRST, PROFIT) == ["FILLED", "FILLED"]


def test_two_exits_of_a_position(desk):
    desk.submit("held", "BUY", 10)
    desk.request(chain(OCO, order("SELL", 10, "105"), order("SELL", 10, trigger="95")))
    desk.market(94.0)
    assert states(desk, FIRST, PROFIT) == ["CANCELED", "FILLED"]
    assert desk.exchange.positions("A") == {}


def test_two_exits_need_the_room_of_one(open_desk):
    desk = open_desk(buying_power=BuyingPower(allow_short=False))
    desk.market(100.0)
    desk.submit("held", "BUY", 10)
    answer = desk.request(chain(OCO, order("SELL", 10, "105"), order("SELL", 10, trigger="95")))
    assert isinstance(answer, SubmitListAcknowledged)
    assert desk.submit("more", "SELL", 1).code == "SHORT_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (chain(OrderListKind.MULTI_LEG, order("BUY", 1), order("SELL", 1)), "LIST_NOT_SUPPORTED"),
        (chain(BRACKET, order("BUY", 10), order("SELL", 10, "105")), "BAD_LIST"),
        (bracket(profit="105.001"), "BAD_PRICE"),
        (bracket(quantity=0), "BAD_QUANTITY"),
        (bracket(order("BUY", 10**7), quantity=10**7), "INSUFFICIENT_CASH"),
    ],
)
def test_a_list_that_cannot_be_taken_is_refused_as_a_whole(desk, broken, code):
    answer = desk.request(broken)
    assert isinstance(answer, SubmitListRefused)
    assert answer.code == code
    assert desk.mass_status().open_orders == ()


def test_a_list_that_is_sent_again_is_refused_and_changes_nothing(desk):
    desk.request(bracket(order("BUY", 10, "90")))
    answer = desk.request(bracket(order("BUY", 10, "90")))
    assert (type(answer), answer.code) == (SubmitListRefused, "DUPLICATE_CLIENT_ORDER_ID")
    assert states(desk) == ["ACCEPTED"] * 3
    kinds = [request.kind for request in desk.exchange.requests_for(LOSS)]
    assert kinds == ["SubmitOrderList", "SubmitOrderList"]


def test_exits_can_be_changed_while_they_are_held(desk):
    desk.request(bracket(order("BUY", 10, "90")))
    desk.replace(PROFIT, price="107")
    desk.replace(LOSS, trigger="88")
    desk.market(89.0)
    desk.market(106.0)
    assert states(desk) == ["FILLED", "ACCEPTED", "ACCEPTED"]
    desk.market(108.0)
    assert states(desk) == ["FILLED", "FILLED", "CANCELED"]


def test_a_restart_keeps_what_is_held_and_what_is_linked(desk):
    desk.request(bracket(order("BUY", 10, "99")))
    desk.restart()
    desk.handle(Started(epoch=2))
    desk.market(98.0)
    desk.restart()
    desk.handle(Started(epoch=3))
    desk.market(106.0)
    assert states(desk) == ["FILLED", "FILLED", "CANCELED"]


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("refuse_429", SubmitListNotSent),
        ("error_5xx", SubmitListOutcomeUnknown),
        ("error_5xx_executed", SubmitListOutcomeUnknown),
    ],
)
def test_a_bad_gateway_answers_for_all_orders(open_desk, fault, outcome):
    desk = open_desk(plan=FaultPlan(schedule={1: RequestFault(fault)}))
    desk.market(100.0)
    answer = desk.request(bracket())
    assert (type(answer), answer.client_order_ids) == (outcome, (FIRST, PROFIT, LOSS))


PRICES = st.integers(9_600, 10_400).map(lambda cents: f"{cents / 100:.2f}")
LISTS = st.fixed_dictionaries(
    {
        "do": st.just("list"),
        "kind": st.sampled_from([BRACKET, OTO, OCO]),
        "side": st.sampled_from(["BUY", "SELL"]),
        "quantity": st.integers(1, 400),
        "entry": st.none() | PRICES,
        "tif": st.sampled_from(["DAY", "GTC", "IOC"]),
        "profit": PRICES,
        "loss": PRICES,
        "limit": st.none() | PRICES,
    }
)
OTHERS = st.one_of(
    st.fixed_dictionaries({"do": st.just("market"), "close": st.integers(9_500, 10_500)}),
    st.fixed_dictionaries({"do": st.just("day")}),
    st.fixed_dictionaries({"do": st.just("cancel"), "target": st.integers(0, 40)}),
    st.fixed_dictionaries(
        {"do": st.just("replace"), "target": st.integers(0, 40), "quantity": st.integers(1, 150)}
    ),
    st.fixed_dictionaries(
        {"do": st.just("submit"), "side": st.sampled_from(["BUY", "SELL"]), "price": PRICES}
    ),
    st.fixed_dictionaries({"do": st.just("restart")}),
)
ACTIONS = st.lists(st.one_of(LISTS, LISTS, OTHERS, OTHERS), min_size=5, max_size=25)


def act(desk, action, keys, day):
    match action["do"]:
        case "list":
            desk.request(random_list(action, f"list{len(keys)}"))
            keys.append(f"list{len(keys)}")
        case "market":
            desk.market(action["close"] / 100, day=day)
        case "day":
            day += 1
            desk.market(100.0, day=day)
        case "restart":
            desk.restart()
            desk.handle(Started(epoch=2))
            desk.market(100.0, day=day)
        case "submit":
            desk.submit(f"single{len(desk.events)}", action["side"], 60, action["price"], tif="GTC")
        case kind:
            known = list(desk.exchange._state.orders)
            if known:
                key = known[action["target"] % len(known)]
                (
                    desk.cancel(key)
                    if kind == "cancel"
                    else desk.replace(key, quantity=action["quantity"])
                )
    return day


def random_list(action, first):
    side, quantity = action["side"], action["quantity"]
    other = "SELL" if side == "BUY" else "BUY"
    profit = order(other, quantity, action["profit"])
    loss = order(other, quantity, action["limit"], trigger=action["loss"])
    entry = order(side, quantity, action["entry"], tif=action["tif"])
    orders = {BRACKET: (entry, profit, loss), OTO: (entry, loss), OCO: (profit, loss)}
    return chain(action["kind"], *orders[action["kind"]], first=first)


def check_lists(desk):
    """Whatever happened: exits close no more than the entry opened, and never twice."""
    for orders in desk.exchange._state._lists.values():
        kind = orders[0].list_kind
        exits = orders if kind is OCO else orders[1:]
        if kind is not OCO:
            entry = orders[0]
            assert sum(each.filled_qty for each in exits) <= entry.filled_qty
            assert all(each.is_held for each in exits if entry.is_open)
            if entry.status.is_terminal:
                assert not any(each.is_held and each.is_open for each in exits)
                assert all(each.quantity <= entry.filled_qty for each in exits if each.is_open)
        open_exits = [each for each in exits if each.is_open]
        assert len(open_exits) in (0, len(exits))
        if len(open_exits) == 2:
            for one, other in (exits, exits[::-1]):
                assert not one.filled_qty or other.leaves_qty <= one.leaves_qty


@settings(deadline=None, max_examples=200)
@given(ACTIONS)
def test_exits_never_close_more_than_was_opened(new_desk, actions):
    desk, keys, day = new_desk(), [], 1
    desk.market(100.0)
    for action in actions:
        day = act(desk, action, keys, day)
        desk.exchange.validate()
        check_lists(desk)
    assert desk.fold(desk.events).state_hash() == desk.exchange.state_hash()
