"""A list leaves once, as one request; what became of it is found out order by order."""

from decimal import Decimal

import pytest

from trading.capabilities import OrderCapabilities, VenueCapabilities
from trading.commands import PermittedOrderList, QueryOrder, SubmitOrder, SubmitOrderList
from trading.effects import Append, CallVenue
from trading.events import OrderSubmitted
from trading.identifiers import derive_leg_id
from trading.instruments import Instrument
from trading.outcomes import (
    JournalRecovered,
    JournalUnavailable,
    OrderQueried,
    SubmitListAcknowledged,
    SubmitListNotSent,
    SubmitListOutcomeUnknown,
    SubmitListRefused,
    VenueConnected,
)
from trading.risk.permits import sign
from trading.values import AssetClass, OrderListKind, OrderSide, OrderType, TimeInForce

KEY = b"shared secret"


@pytest.fixture
def bracket(kit):
    first = kit.key("1")
    common = {"side": OrderSide.SELL, "parent_order_id": first}
    return SubmitOrderList(
        ts_event=500,
        kind=OrderListKind.BRACKET,
        account_id="DEMO",
        orders=(
            kit.order("1"),
            kit.order(client_order_id=derive_leg_id(first, 1), price=Decimal(60), **common),
            kit.order(
                client_order_id=derive_leg_id(first, 2),
                order_type=OrderType.STOP_MARKET,
                price=None,
                trigger_price=Decimal(40),
                **common,
            ),
        ),
    )


def keys(order_list):
    return tuple(order.client_order_id for order in order_list.orders)


def give(desk, order_list, key=KEY):
    return desk.give(
        PermittedOrderList(order_list=order_list, permit=sign(order_list, key, 7, desk.now))
    )


def statuses(desk, order_list):
    return [str(desk.broker._state.order(key).status) for key in keys(order_list)]


def test_all_intents_are_durable_before_the_one_call(desk, bracket):
    effects = give(desk, bracket)

    assert [type(effect) for effect in effects] == [Append, Append, Append, CallVenue]
    intents = [effect.event for effect in effects[:3]]
    assert [intent.order for intent in intents] == list(bracket.orders)
    assert {intent.list_kind for intent in intents} == {OrderListKind.BRACKET}
    assert desk.called(SubmitOrderList) == [bracket]
    assert desk.called(SubmitOrder) == []


def test_acknowledgement_is_one_for_each_order(desk, bracket):
    give(desk, bracket)
    desk.give(
        SubmitListAcknowledged(client_order_ids=keys(bracket), venue_order_ids=("a", "b", "c"))
    )

    assert statuses(desk, bracket) == ["ACCEPTED"] * 3
    found = [desk.broker._state.order(key).venue_order_id for key in keys(bracket)]
    assert found == ["a", "b", "c"]


def test_refusal_rejects_all(desk, bracket):
    give(desk, bracket)
    desk.give(SubmitListRefused(client_order_ids=keys(bracket), code="NO", reason="why"))
    assert statuses(desk, bracket) == ["REJECTED"] * 3


def test_a_list_that_never_left_is_denied(desk, bracket):
    give(desk, bracket)
    desk.give(SubmitListNotSent(client_order_ids=keys(bracket), reason="down"))
    assert statuses(desk, bracket) == ["DENIED"] * 3


@pytest.mark.parametrize("code", [None, "DUPLICATE_CLIENT_ORDER_ID"])
def test_doubt_asks_for_each_order_and_sends_nothing_again(desk, bracket, kit, code):
    give(desk, bracket)
    unknown = (
        SubmitListOutcomeUnknown(client_order_ids=keys(bracket), reason="reset")
        if code is None
        else SubmitListRefused(client_order_ids=keys(bracket), code=code, reason="seen")
    )
    desk.give(unknown)

    assert [query.client_order_id for query in desk.called(QueryOrder)] == list(keys(bracket))
    for order in bracket.orders:
        report = kit.status(order)
        desk.give(OrderQueried(client_order_id=order.client_order_id, report=report))
    assert statuses(desk, bracket) == ["ACCEPTED"] * 3
    assert len(desk.called(SubmitOrderList)) == 1


def test_a_list_that_the_venue_never_saw_ends_as_never_sent(desk, bracket):
    give(desk, bracket)
    desk.give(SubmitListOutcomeUnknown(client_order_ids=keys(bracket), reason="reset"))
    for _ in range(4):
        for key in keys(bracket):
            desk.give(OrderQueried(client_order_id=key, report=None))
        desk.now += 500 * 1_000_000
    assert statuses(desk, bracket) == ["DENIED"] * 3
    assert {desk.broker._state.order(key).code for key in keys(bracket)} == {"ORDER_NEVER_SENT"}


@pytest.mark.parametrize("kept", [3, 4], ids=["journalled", "called"])
def test_restart_in_the_middle_doubts_every_order(desk, bracket, kit, kept):
    permit = sign(bracket, KEY, 7, desk.now)
    desk.give(PermittedOrderList(order_list=bracket, permit=permit), keep=kept)
    desk.calls.clear()
    desk.start()

    assert statuses(desk, bracket) == ["AMBIGUOUS"] * 3
    desk.give(VenueConnected())
    desk.reconcile(kit.mass_status())
    assert {query.client_order_id for query in desk.called(QueryOrder)} == set(keys(bracket))
    assert desk.called(SubmitOrderList) == []


def test_the_same_list_again_is_a_repeat(desk, bracket):
    give(desk, bracket)
    give(desk, bracket)
    assert len(desk.called(SubmitOrderList)) == 1
    assert desk.broker.view()["duplicates"] == 3


def test_a_list_with_an_order_that_is_known_is_not_sent(desk, bracket):
    desk.submit("1")
    give(desk, bracket)
    assert desk.called(SubmitOrderList) == []


def test_a_forged_permit_denies_all(desk, bracket):
    give(desk, bracket, key=b"not ours")
    assert statuses(desk, bracket) == ["DENIED"] * 3
    assert desk.calls == []


def test_a_list_without_a_permit_is_denied(desk, bracket):
    desk.give(bracket)
    assert statuses(desk, bracket) == ["DENIED"] * 3


def test_the_permit_of_one_list_does_not_fit_another(desk, bracket):
    other = SubmitOrderList(
        kind=OrderListKind.OTO, account_id="DEMO", orders=bracket.orders[:2], ts_event=500
    )
    desk.give(PermittedOrderList(order_list=other, permit=sign(bracket, KEY, 7, desk.now)))
    assert desk.calls == []


def test_orders_that_are_no_list_are_denied(desk, bracket):
    broken = SubmitOrderList(
        kind=OrderListKind.OTO, account_id="DEMO", orders=bracket.orders, ts_event=500
    )
    give(desk, broken)
    assert {desk.broker._state.order(key).code for key in keys(bracket)} == {"RISK_BAD_LIST"}
    empty = SubmitOrderList(kind=OrderListKind.OTO, account_id="DEMO", orders=())
    desk.give(PermittedOrderList(order_list=empty, permit=sign(bracket, KEY, 7, desk.now)))
    assert desk.calls == []


def test_a_venue_without_lists_is_not_asked(kit, bracket):
    orders = OrderCapabilities(pairs=dict.fromkeys(OrderType, frozenset(TimeInForce)))
    desk = kit.Desk(
        capabilities=VenueCapabilities(orders={AssetClass.EQUITY: orders}),
        instruments={"AAPL.XNAS": Instrument(instrument_id="AAPL.XNAS")},
    ).trade()
    give(desk, bracket)
    assert statuses(desk, bracket) == ["DENIED"] * 3
    assert desk.broker.view()["refusals"] == {"VENUE_UNSUPPORTED": 3}
    assert desk.calls == []


def test_while_the_journal_is_down_all_refusals_wait(desk, bracket):
    desk.give(JournalUnavailable(stream=desk.broker.stream, reason="disk full"))
    give(desk, bracket)
    assert desk.calls == []
    desk.give(JournalRecovered(stream=desk.broker.stream))
    assert statuses(desk, bracket) == ["DENIED"] * 3


def test_the_kind_of_the_list_survives_the_journal(desk, bracket):
    give(desk, bracket)
    kinds = [e.list_kind for e in desk.journal if isinstance(e, OrderSubmitted)]
    assert kinds == [OrderListKind.BRACKET] * 3
