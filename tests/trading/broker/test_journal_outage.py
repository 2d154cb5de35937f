"""Without a journal new orders are refused, cancels pass, and nothing is lost afterwards."""

import pytest

from trading.broker.broker import Broker
from trading.commands import CancelAllOrders, CancelOrder, QueryMassStatus, QueryOrder, SubmitOrder
from trading.effects import Append
from trading.outcomes import (
    CancelAllAcknowledged,
    JournalRecovered,
    JournalUnavailable,
    MassStatusReceived,
    Started,
    SubmitAcknowledged,
    VenueConnected,
)


@pytest.fixture
def outage(desk, kit):
    """A desk with one working order whose host has just restored it, and no journal."""
    desk.accept("1")
    desk.calls.clear()
    fail(desk)
    return desk


def fail(desk):
    """What a host does when an append fails: restore, tell, hand nothing over from before."""
    desk.broker = Broker(desk.config)
    desk.timers.clear()
    for event in (*desk.journal, *desk.kill_stream):
        desk.broker.apply(event)
    desk.give(JournalUnavailable(stream=desk.broker.stream, reason="no space left"))


def recover(desk):
    desk.give(Started(epoch=9))
    desk.give(JournalRecovered(stream=desk.broker.stream))


def test_new_orders_are_refused_without_an_append_and_shown(outage):
    outage.submit("2")
    outage.submit("2")
    assert outage.calls == []
    view = outage.broker.view()
    assert [row["code"] for row in view["unwritten_refusals"]] == ["JOURNAL_UNAVAILABLE"]
    assert view["duplicates"] == 1


def test_the_refusals_are_journalled_when_it_is_back_and_the_orders_are_never_sent(outage, kit):
    permitted = outage.permit(kit.order("2"))
    outage.give(permitted)
    recover(outage)
    assert outage.facts("2") == ["OrderDenied"]
    assert outage.denial("2") == "JOURNAL_UNAVAILABLE"
    outage.give(permitted)
    assert outage.called(SubmitOrder) == []


def test_cancels_pass_and_are_repeated_afterwards_because_their_answer_was_not_kept(outage, kit):
    outage.give(CancelOrder(client_order_id=kit.key("1"), account_id="DEMO"))
    assert len(outage.called(CancelOrder)) == 1
    recover(outage)
    assert len(outage.called(CancelOrder)) == 2


def test_nothing_that_arrives_is_appended(outage, kit):
    order = kit.order("1")
    for message in (
        kit.fill(order),
        kit.status(order),
        SubmitAcknowledged(client_order_id=order.client_order_id, venue_order_id="v"),
        MassStatusReceived(mass_status=kit.mass_status([], [kit.fill(order)])),
        VenueConnected(),
        Started(epoch=5),
    ):
        assert not any(isinstance(effect, Append) for effect in outage.give(message))
    outage.wait(20_000 * kit.MS)
    assert len(outage.journal) == 3


def test_missed_fills_are_fetched_again(outage, kit):
    fill = kit.fill(kit.order("1"))
    outage.give(fill)
    recover(outage)
    assert outage.called(QueryMassStatus)
    outage.give(MassStatusReceived(mass_status=kit.mass_status([], [fill])))
    assert outage.status("1") == "FILLED"
    assert outage.broker.view()["is_ready"]


def test_a_question_that_fell_silent_in_the_outage_is_asked_again(outage, kit):
    outage.give(CancelAllOrders(account_id="DEMO"))
    outage.give(CancelAllAcknowledged(client_order_ids=(kit.key("1"),)))
    outage.wait(2_000 * kit.MS)
    assert outage.called(QueryOrder) == []
    recover(outage)
    outage.give(MassStatusReceived(mass_status=kit.mass_status()))
    assert len(outage.called(QueryOrder)) == 1


def test_a_submission_of_before_is_doubted_when_the_journal_is_back(desk):
    desk.submit("1")
    fail(desk)
    recover(desk)
    assert desk.facts("1") == ["OrderSubmitted", "OrderAmbiguous"]


def test_the_epoch_is_taken_from_the_new_start(outage):
    recover(outage)
    assert outage.broker.view()["epoch"] == 9
