"""The replay hears of a slice when nothing from before it is in flight."""

import pytest

from trading.commands import Watermark
from trading.outcomes import SubmitAcknowledged, SubmitOutcomeUnknown


def mark(kit, sequence):
    return Watermark(sequence=sequence, sender=kit.RISK)


def passed(desk):
    return [sent.message.sequence for sent in desk.sent]


def test_with_nothing_in_flight_it_passes_at_once_under_our_name(desk, kit):
    desk.give(mark(kit, 4))
    (sent,) = desk.sent
    assert (sent.to, sent.message.sequence) == (kit.REPLAY, 4)
    assert sent.message.sender == "broker:paper:DEMO"


@pytest.mark.parametrize("ambiguous", [False, True])
def test_it_waits_for_submissions_from_before(desk, kit, ambiguous):
    order = desk.submit()
    desk.give(mark(kit, 4))
    if ambiguous:
        desk.give(SubmitOutcomeUnknown(client_order_id=order.client_order_id, reason="504"))
    assert passed(desk) == []
    desk.give(SubmitAcknowledged(client_order_id=order.client_order_id, venue_order_id="v"))
    assert passed(desk) == [4]


def test_it_does_not_wait_for_submissions_from_after(desk, kit):
    first = desk.submit("1")
    desk.give(mark(kit, 4))
    desk.submit("2")
    desk.give(SubmitAcknowledged(client_order_id=first.client_order_id, venue_order_id="v"))
    assert passed(desk) == [4]


def test_only_the_latest_is_kept(desk, kit):
    order = desk.submit()
    desk.give(mark(kit, 4))
    desk.give(mark(kit, 5))
    desk.give(SubmitAcknowledged(client_order_id=order.client_order_id, venue_order_id="v"))
    assert passed(desk) == [5]


def test_without_a_replay_nobody_is_told(kit):
    desk = kit.Desk(watermark_to=None).trade()
    desk.give(mark(kit, 4))
    assert desk.sent == []
