"""Cancels always pass, and the truth about them is found out."""

import pytest

from trading.commands import CancelAllOrders, CancelOrder, QueryOrder
from trading.effects import Append
from trading.outcomes import (
    CancelAcknowledged,
    CancelAllAcknowledged,
    CancelOutcomeUnknown,
    CancelRefused,
    JournalUnavailable,
    OrderQueried,
    QueryFailed,
    SubmitOutcomeUnknown,
    VenueDisconnected,
)
from trading.values import OrderStatus


def cancel(kit, name="1"):
    return CancelOrder(client_order_id=kit.key(name), account_id="DEMO", reason="test")


def test_a_cancel_goes_out_without_an_append_and_shows_as_pending(desk, kit):
    desk.accept()
    effects = desk.give(cancel(kit))
    assert not any(isinstance(effect, Append) for effect in effects)
    (sent,) = desk.called(CancelOrder)
    assert (sent.client_order_id, sent.venue_order_id) == (kit.key("1"), "v1")
    assert desk.broker.view()["open_orders"][0]["status"] == "PENDING_CANCEL"
    assert desk.status() == "ACCEPTED"


@pytest.mark.parametrize("trouble", ["killed", "journal", "disconnected", "ambiguous"])
def test_a_cancel_passes_whatever_the_trouble(desk, kit, trouble):
    order = desk.submit()
    if trouble == "killed":
        desk.trip()
    elif trouble == "journal":
        desk.give(JournalUnavailable(stream=desk.broker.stream, reason="disk full"))
    elif trouble == "disconnected":
        desk.give(VenueDisconnected(reason="reset"))
    else:
        desk.give(SubmitOutcomeUnknown(client_order_id=order.client_order_id, reason="504"))
    desk.give(cancel(kit))
    assert len(desk.called(CancelOrder)) == 1


def test_a_cancel_of_an_unknown_or_closed_order_is_ignored_and_counted(desk, kit):
    order = desk.accept()
    desk.give(kit.fill(order))
    assert desk.give(cancel(kit)) == []
    assert desk.give(cancel(kit, "nobody")) == []
    assert desk.broker.view()["ignored"]["CancelOrder"] == 2


def test_an_acknowledged_cancel_is_not_a_cancelled_order(desk, kit):
    order = desk.accept()
    desk.give(cancel(kit))
    desk.give(CancelAcknowledged(client_order_id=order.client_order_id))
    assert desk.status() == "ACCEPTED"
    desk.give(kit.status(order, OrderStatus.CANCELED))
    assert desk.status() == "CANCELED"
    desk.wait(5_000 * kit.MS)
    assert desk.called(QueryOrder) == []


def test_an_acknowledged_cancel_without_a_report_is_asked_for_until_the_order_is_closed(desk, kit):
    order = desk.accept()
    desk.give(cancel(kit))
    desk.give(CancelAcknowledged(client_order_id=order.client_order_id))
    desk.wait(100 * kit.MS)
    assert len(desk.called(QueryOrder)) == 1
    desk.give(OrderQueried(client_order_id=order.client_order_id, report=kit.status(order)))
    desk.wait(100 * kit.MS)
    assert len(desk.called(QueryOrder)) == 2
    closed = kit.status(order, OrderStatus.CANCELED)
    desk.give(OrderQueried(client_order_id=order.client_order_id, report=closed))
    assert desk.status() == "CANCELED"


def test_a_refused_cancel_is_a_fact_and_a_question(desk, kit):
    order = desk.accept()
    desk.give(cancel(kit))
    desk.give(
        CancelRefused(client_order_id=order.client_order_id, code="TOO_LATE", reason="filled")
    )
    assert desk.facts()[-1] == "OrderCancelRejected"
    assert len(desk.called(QueryOrder)) == 1
    assert desk.order().pending is None


def test_a_refused_cancel_of_a_closed_order_is_no_news(desk, kit):
    order = desk.accept()
    desk.give(kit.fill(order))
    assert (
        desk.give(CancelRefused(client_order_id=order.client_order_id, code="X", reason="")) == []
    )


def test_a_cancel_whose_outcome_is_unknown_is_asked_for_and_sent_again_while_the_order_works(
    desk, kit
):
    order = desk.accept()
    desk.give(cancel(kit))
    desk.give(CancelOutcomeUnknown(client_order_id=order.client_order_id, reason="time-out"))
    desk.wait(100 * kit.MS)
    assert len(desk.called(QueryOrder)) == 1
    desk.give(OrderQueried(client_order_id=order.client_order_id, report=kit.status(order)))
    assert len(desk.called(CancelOrder)) == 2
    desk.give(CancelOutcomeUnknown(client_order_id=order.client_order_id, reason="time-out"))
    desk.wait(300 * kit.MS)
    closed = kit.status(order, OrderStatus.CANCELED)
    desk.give(OrderQueried(client_order_id=order.client_order_id, report=closed))
    assert (desk.status(), len(desk.called(CancelOrder))) == ("CANCELED", 2)


def test_cancel_all_of_a_strategy_cancels_its_orders_one_by_one(desk, kit):
    desk.accept("1")
    desk.accept("2", strategy_id="pairs")
    desk.give(CancelAllOrders(account_id="DEMO", strategy_id="pairs"))
    assert [sent.client_order_id for sent in desk.called(CancelOrder)] == [kit.key("2")]


def test_cancel_all_is_one_call_and_every_order_is_followed_to_its_end(desk, kit):
    desk.accept("1")
    desk.accept("2")
    desk.give(CancelAllOrders(account_id="DEMO"))
    assert len(desk.called(CancelAllOrders)) == 1
    desk.give(CancelAllAcknowledged(client_order_ids=(kit.key("1"), kit.key("2"))))
    desk.wait(100 * kit.MS)
    assert {query.client_order_id for query in desk.called(QueryOrder)} == {
        kit.key("1"),
        kit.key("2"),
    }


def test_a_cancel_all_that_fails_goes_on_order_by_order_and_leaves_newer_orders_alone(desk, kit):
    desk.accept("1")
    desk.give(CancelAllOrders(account_id="DEMO"))
    desk.accept("2")
    desk.give(QueryFailed(query="CancelAllOrders", reason="reset"))
    desk.wait(5_000 * kit.MS)
    assert [sent.client_order_id for sent in desk.called(CancelOrder)] == [kit.key("1")]
    assert len(desk.called(CancelAllOrders)) == 1
