"""Doubt is ended by asking; an order is never sent twice."""

import pytest

from trading.commands import QueryOrder, SubmitOrder
from trading.outcomes import (
    CancelRefused,
    OrderQueried,
    QueryFailed,
    SubmitAcknowledged,
    SubmitOutcomeUnknown,
)
from trading.values import OrderStatus


@pytest.fixture
def doubtful(desk, kit):
    """A desk with one order whose outcome is unknown."""
    desk.submit()
    desk.give(SubmitOutcomeUnknown(client_order_id=kit.key("1"), reason="time-out"))
    return desk


def unknown_to_the_venue(kit):
    """A refused cancel, which makes the broker ask for the order."""
    return CancelRefused(client_order_id=kit.key("1"), code="UNKNOWN_ORDER", reason="?")


def not_found(kit):
    return OrderQueried(client_order_id=kit.key("1"), report=None)


def test_the_venue_is_asked_at_once(doubtful, kit):
    assert [query.client_order_id for query in doubtful.called(QueryOrder)] == [kit.key("1")]


def test_what_the_venue_knows_is_adopted(doubtful, kit):
    doubtful.give(OrderQueried(client_order_id=kit.key("1"), report=kit.status(kit.order())))
    assert doubtful.status() == "ACCEPTED"
    doubtful.wait(5_000 * kit.MS)
    assert len(doubtful.called(QueryOrder)) == 1
    assert len(doubtful.called(SubmitOrder)) == 1


def test_a_rejection_found_out_later_is_a_rejection(doubtful, kit):
    report = kit.status(kit.order(), OrderStatus.REJECTED, code="FUNDS", reason="too poor")
    doubtful.give(OrderQueried(client_order_id=kit.key("1"), report=report))
    assert doubtful.facts()[-1] == "OrderRejected"


def test_an_unknown_order_ends_only_after_several_answers_over_the_settle_time(doubtful, kit):
    for _ in range(3):
        doubtful.give(not_found(kit))
        doubtful.wait(100 * kit.MS)
    assert doubtful.status() == "AMBIGUOUS", "three answers, but within the settle time"
    doubtful.wait(1_000 * kit.MS)
    doubtful.give(not_found(kit))
    assert (doubtful.status(), doubtful.denial()) == ("DENIED", "ORDER_NEVER_SENT")
    assert len(doubtful.called(SubmitOrder)) == 1


def test_a_long_silence_is_no_answer(doubtful, kit):
    doubtful.wait(10_000 * kit.MS)
    assert len(doubtful.called(QueryOrder)) > 3
    doubtful.give(not_found(kit))
    assert doubtful.status() == "AMBIGUOUS"


def test_a_query_that_fails_is_repeated_at_a_capped_pace(doubtful, kit):
    doubtful.give(QueryFailed(query="QueryOrder", reason="reset"))
    doubtful.wait(60_000 * kit.MS)
    asked = len(doubtful.called(QueryOrder))
    assert 20 <= asked <= 60
    assert doubtful.status() == "AMBIGUOUS"


def test_doubt_is_resolved_within_three_seconds_when_the_venue_answers(doubtful, kit, play):
    venue = kit.PaperVenue()
    doubtful.calls = doubtful.called(QueryOrder)
    for _ in range(60):
        play(doubtful, venue)
        doubtful.wait(50 * kit.MS)
    assert doubtful.denial() == "ORDER_NEVER_SENT"
    assert venue.submissions == []


def test_a_submission_under_way_is_not_given_up(desk, kit):
    desk.submit()
    desk.give(unknown_to_the_venue(kit))
    for _ in range(5):
        desk.now += 1_000 * kit.MS
        desk.give(not_found(kit))
    assert desk.status() == "SUBMITTED"
    assert desk.broker.view()["questions"][0]["not_found"] == 5


def test_a_late_acknowledgement_ends_the_doubt(doubtful, kit):
    doubtful.give(SubmitAcknowledged(client_order_id=kit.key("1"), venue_order_id="v1"))
    assert doubtful.status() == "ACCEPTED"
    doubtful.calls.clear()
    doubtful.wait(5_000 * kit.MS)
    assert doubtful.calls == []


@pytest.mark.parametrize("how", ["report", "fill", "acknowledgement"])
def test_an_order_given_up_comes_back_when_the_venue_has_it(doubtful, kit, how):
    order = kit.order()
    for _ in range(4):
        doubtful.wait(1_100 * kit.MS)
        doubtful.give(not_found(kit))
    assert doubtful.denial() == "ORDER_NEVER_SENT"
    word = {
        "report": kit.status(order),
        "fill": kit.fill(order),
        "acknowledgement": SubmitAcknowledged(
            client_order_id=order.client_order_id, venue_order_id="v1"
        ),
    }
    doubtful.give(word[how])
    assert doubtful.status() == ("FILLED" if how == "fill" else "ACCEPTED")


def test_an_accepted_order_that_the_venue_forgets_stays_open_and_in_sight(desk, kit):
    desk.accept()
    desk.give(unknown_to_the_venue(kit))
    for _ in range(6):
        desk.give(not_found(kit))
        desk.wait(1_100 * kit.MS)
    assert desk.status() == "ACCEPTED"
    (question,) = desk.broker.view()["questions"]
    assert question["not_found"] == 6
