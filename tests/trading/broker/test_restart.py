"""Killed at any point of an order's life, the broker ends where it would have ended."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commands import CancelOrder, QueryMassStatus, QueryOrder, SubmitOrder
from trading.outcomes import (
    SubmitAcknowledged,
    SubmitOutcomeUnknown,
    VenueConnected,
)
from trading.values import OrderStatus, OrderType


def live(desk, venue, kit, play, rounds=60):
    """Connect and let everything that is under way come to its end."""
    desk.calls.clear()
    desk.give(VenueConnected())
    for _ in range(rounds):
        play(desk, venue)
        desk.wait(50 * kit.MS)


@pytest.mark.parametrize("reached_venue", [True, False])
@pytest.mark.parametrize("keep", [0, 1, 2])
def test_cut_between_journal_and_venue_the_order_is_sent_once_or_never(
    desk, kit, play, keep, reached_venue
):
    venue = kit.PaperVenue()
    order = kit.order()
    desk.give(desk.permit(order), keep=keep)
    if keep == 2 and reached_venue:
        venue.submit(order)
    desk.start()
    live(desk, venue, kit, play)
    assert venue.submissions.count(order.client_order_id) == (keep == 2 and reached_venue)
    expected = {0: ""}.get(keep, "ACCEPTED" if keep == 2 and reached_venue else "DENIED")
    assert desk.status() == expected
    assert desk.called(SubmitOrder) == []
    assert desk.broker.view()["is_ready"]


def test_a_restart_doubts_what_was_submitted_and_says_so(desk):
    desk.submit()
    desk.start()
    assert desk.facts() == ["OrderSubmitted", "OrderAmbiguous"]
    desk.start()
    assert desk.facts() == ["OrderSubmitted", "OrderAmbiguous"]


def test_an_order_that_is_delivered_again_after_the_restart_is_not_sent_again(desk, kit):
    permitted = desk.permit(kit.order())
    desk.give(permitted, keep=1)
    desk.start()
    desk.give(permitted)
    assert desk.called(SubmitOrder) == []
    assert desk.broker.view()["duplicates"] == 1


def words(kit, order, fills):
    """The messages of one order's life, with an unknown outcome on the way."""
    part = OrderStatus.PARTIALLY_FILLED
    return [
        SubmitOutcomeUnknown(client_order_id=order.client_order_id, reason="time-out"),
        SubmitAcknowledged(client_order_id=order.client_order_id, venue_order_id="v"),
        fills[0],
        kit.status(order, part, filled_qty=Decimal(4)),
        CancelOrder(client_order_id=order.client_order_id, account_id="DEMO"),
        fills[1],
        kit.status(order, OrderStatus.FILLED, filled_qty=Decimal(10)),
    ]


@pytest.mark.parametrize("point", range(8))
@pytest.mark.parametrize("keep", [0, 1, 2])
def test_cut_after_any_effect_of_any_message_the_account_ends_the_same(kit, play, point, keep):
    """The venue has the order and fills it; the cut loses the rest of one effect list."""
    order = kit.order()
    venue = kit.PaperVenue()
    venue.submit(order)
    venue.fill(order.client_order_id, Decimal(4), Decimal(50))
    venue.fill(order.client_order_id, Decimal(6), Decimal(50))
    desk = kit.Desk().trade()
    life = [desk.permit(order), *words(kit, order, venue.fills)]
    for message in life[:point]:
        desk.give(message)
    sent_before = len(desk.called(SubmitOrder))
    desk.give(life[point], keep=keep)
    desk.start()
    live(desk, venue, kit, play)
    assert sent_before <= 1
    assert desk.called(SubmitOrder) == []
    account = desk.broker._state.record.account
    assert account.position("AAPL.XNAS").quantity == 10
    assert account.cash == venue.mass_status().account.cash
    assert (desk.status(), desk.broker.view()["is_ready"]) == ("FILLED", True)


def test_warm_and_cold_restart_keep_fourteen_working_orders_and_end_alike(kit, play):
    desk, venue = kit.Desk().trade(), kit.PaperVenue()
    for number in range(14):
        desk.submit(str(number), quantity=Decimal(10 + number))
        play(desk, venue)
    for number in range(0, 14, 3):
        for message in venue.fill(kit.key(str(number)), Decimal(3), Decimal(49)):
            desk.give(message)
    before = desk.broker.state_hash()
    live(desk, venue, kit, play)
    warm = desk.broker.state_hash()
    desk.start()
    live(desk, venue, kit, play)
    cold = desk.broker.state_hash()
    assert before == warm == cold
    assert len(desk.broker.view()["open_orders"]) == 14
    assert len(venue.submissions) == 14
    working = [order for order in venue.orders.values() if not order.status.is_terminal]
    assert len(working) == 14


def test_working_orders_that_we_forgot_are_adopted_on_a_start_without_a_journal(kit, play):
    venue = kit.PaperVenue()
    for number in range(14):
        venue.submit(kit.order(str(number)))
    desk = kit.Desk()
    desk.start()
    live(desk, venue, kit, play)
    view = desk.broker.view()
    assert (len(view["open_orders"]), view["is_ready"]) == (14, True)
    assert {order["strategy_id"] for order in view["open_orders"]} == {"EXTERNAL"}


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["submit", "market", "answer", "lose", "drop", "fill", "cancel", "restart", "wait"]
        ),
        st.integers(0, 5),
        st.integers(0, 3),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=80)
@given(steps)
def test_under_crashes_and_lost_answers_nothing_is_sent_twice_or_lost(kit, steps):
    desk, venue = kit.Desk().trade(), kit.PaperVenue()
    for kind, number, cut in steps:
        perform(desk, venue, kit, kind, number, cut)
    for _ in range(120):
        while desk.calls:
            answer_one(desk, venue, kit)
        if not desk.broker.view()["is_connected"]:
            desk.give(VenueConnected())
        desk.wait(50 * kit.MS)
    assert len(venue.submissions) == len(set(venue.submissions))
    record = desk.broker._state.record
    assert desk.broker.view()["is_ready"]
    assert record.account.trade_ids == {fill.trade_id for fill in venue.fills}
    assert record.account.cash == venue.mass_status().account.cash
    working = {key for key, order in venue.orders.items() if not order.status.is_terminal}
    assert set(record.open_orders) == working
    before = desk.broker.state_hash()
    desk.start()
    assert desk.broker.state_hash() == before


def perform(desk, venue, kit, kind, number, cut):
    key = kit.key(str(number))
    if kind in ("submit", "market"):
        order_type = OrderType.LIMIT if kind == "submit" else OrderType.MARKET
        permitted = desk.permit(kit.order(str(number), order_type=order_type))
        calls_before = len(desk.calls)
        desk.give(permitted, keep=None if cut == 0 else cut)
        if cut and len(desk.calls) == calls_before:
            desk.start()  # it died before the call left
    elif kind == "answer" and desk.calls:
        answer_one(desk, venue, kit)
    elif kind == "lose" and desk.calls:
        lose_answer(desk, venue)
    elif kind == "drop" and desk.calls:
        lose_request(desk)
    elif kind == "fill" and key in venue.orders and not venue.orders[key].status.is_terminal:
        for message in reversed(venue.fill(key, Decimal(2), Decimal(50 + number))):
            desk.give(message, keep=None if cut < 2 else cut - 2)
            if cut >= 2:
                desk.start()
    elif kind == "cancel":
        desk.give(CancelOrder(client_order_id=key, account_id="DEMO"))
    elif kind == "restart":
        desk.calls.clear()
        desk.start()
        desk.give(VenueConnected())
    elif kind == "wait":
        desk.wait(number * 300 * kit.MS)


def answer_one(desk, venue, kit):
    for message in venue.answer(desk.calls.pop(0)):
        desk.give(message)


def lose_answer(desk, venue):
    """The venue does it and the answer is lost; reports may come all the same."""
    body = desk.calls.pop(0)
    venue.answer(body)
    if isinstance(body, SubmitOrder):
        desk.give(SubmitOutcomeUnknown(client_order_id=body.client_order_id, reason="reset"))


def lose_request(desk):
    """The request never arrives, and nobody says so."""
    body = desk.calls.pop(0)
    if isinstance(body, SubmitOrder):
        desk.give(SubmitOutcomeUnknown(client_order_id=body.client_order_id, reason="time-out"))
    else:
        assert isinstance(body, CancelOrder | QueryOrder | QueryMassStatus)
