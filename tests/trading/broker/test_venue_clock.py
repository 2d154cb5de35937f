"""Clocks too far apart keep new orders in; a reading that is old says nothing."""

import pytest

from trading.commands import CancelOrder, QueryMassStatus, SubmitOrder
from trading.outcomes import SubmitOutcomeUnknown, VenueClockRead, VenueConnected, VenueDisconnected

SECOND = 1_000_000_000


@pytest.mark.parametrize("skew", [SECOND + 1, -SECOND - 1])
def test_a_second_apart_refuses_new_orders_and_lets_cancels_pass(desk, skew):
    order = desk.accept("1")
    desk.give(VenueClockRead(skew_ns=skew))

    desk.submit("2")
    desk.give(CancelOrder(client_order_id=order.client_order_id, account_id="DEMO"))

    assert desk.denial("2") == "CLOCK_SKEW"
    assert desk.called(SubmitOrder) == [order]
    assert len(desk.called(CancelOrder)) == 1
    assert desk.broker.view()["clock"]["is_off"]


def test_the_newest_reading_decides(desk):
    desk.give(VenueClockRead(skew_ns=2 * SECOND))
    desk.give(VenueClockRead(skew_ns=SECOND))

    order = desk.submit()

    assert desk.called(SubmitOrder) == [order]


def test_a_quarter_of_a_second_apart_is_shown(desk):
    desk.give(VenueClockRead(skew_ns=-250_000_000))
    assert not desk.broker.view()["clock"]["is_degraded"]
    desk.give(VenueClockRead(skew_ns=-250_000_001))
    clock = desk.broker.view()["clock"]
    assert (clock["is_degraded"], clock["is_off"]) == (True, False)
    assert clock["skew_ms"] == pytest.approx(-250.000001)


def test_a_reading_that_nothing_replaced_for_five_minutes_is_forgotten(desk):
    desk.give(VenueClockRead(skew_ns=5 * SECOND))
    desk.now += 300 * SECOND
    desk.submit("1")
    desk.now += 1
    order = desk.submit("2")

    assert desk.denial("1") == "CLOCK_SKEW"
    assert desk.called(SubmitOrder) == [order]
    assert desk.broker.view()["clock"]["skew_ms"] is None


def test_the_view_says_why_the_session_is_down_and_whether_that_is_final(desk):
    assert desk.broker.view()["disconnection"] is None
    desk.give(VenueDisconnected(reason="the key was refused", is_final=True))
    assert desk.broker.view()["disconnection"] == {
        "reason": "the key was refused",
        "is_final": True,
    }
    desk.give(VenueConnected())
    assert desk.broker.view()["disconnection"] is None


def test_a_session_that_is_given_up_is_not_asked_again_until_it_is_back(desk, kit):
    order = desk.submit()
    desk.give(SubmitOutcomeUnknown(client_order_id=order.client_order_id, reason="reset"))
    desk.give(VenueDisconnected(reason="the key was refused", is_final=True))
    desk.calls.clear()

    desk.wait(60 * SECOND)
    assert desk.calls == []

    desk.give(VenueConnected())
    assert len(desk.called(QueryMassStatus)) == 1
