"""Replacements are permitted like orders and adopted from what the venue says."""

from decimal import Decimal

import pytest

from trading.commands import PermittedReplace, QueryOrder, ReplaceOrder
from trading.outcomes import (
    JournalUnavailable,
    OrderQueried,
    ReplaceAcknowledged,
    ReplaceOutcomeUnknown,
    ReplaceRefused,
)
from trading.risk.permits import sign


def replacement(desk, kit, name="1", epoch=7, quantity=20):
    replace = ReplaceOrder(
        client_order_id=kit.key(name), account_id="DEMO", quantity=Decimal(quantity)
    )
    permit = sign(replace, b"shared secret", epoch, desk.now)
    return PermittedReplace(replace=replace, permit=permit)


def test_a_permitted_replacement_is_sent_and_nothing_changes_until_the_venue_says_so(desk, kit):
    order = desk.accept()
    desk.give(replacement(desk, kit))
    assert len(desk.called(ReplaceOrder)) == 1
    assert desk.broker.view()["open_orders"][0]["status"] == "PENDING_UPDATE"
    assert desk.order().quantity == 10
    desk.give(ReplaceAcknowledged(report=kit.status(order, quantity=Decimal(20))))
    assert (desk.order().quantity, desk.facts()[-1]) == (20, "OrderUpdated")
    assert desk.broker.view()["open_orders"][0]["status"] == "ACCEPTED"


def test_the_same_replacement_twice_is_sent_once(desk, kit):
    desk.accept()
    desk.give(replacement(desk, kit))
    desk.give(replacement(desk, kit))
    assert len(desk.called(ReplaceOrder)) == 1


def test_a_replacement_without_a_valid_permit_is_refused(desk, kit):
    desk.accept()
    desk.give(replacement(desk, kit, epoch=6))
    assert desk.journal[-1].code == "RISK_PERMIT_STALE_EPOCH"
    assert (desk.facts()[-1], desk.called(ReplaceOrder)) == ("OrderUpdateRejected", [])


def test_a_replacement_is_refused_while_the_kill_switch_is_latched(desk, kit):
    desk.accept()
    desk.trip()
    desk.give(replacement(desk, kit))
    assert desk.journal[-1].code == "KILL_SWITCH"
    assert desk.called(ReplaceOrder) == []


def test_a_replacement_without_a_journal_is_not_sent(desk, kit):
    desk.accept()
    desk.give(JournalUnavailable(stream=desk.broker.stream, reason="disk full"))
    assert desk.give(replacement(desk, kit)) == []


@pytest.mark.parametrize("name", ["1", "nobody"])
def test_a_replacement_of_a_closed_or_unknown_order_is_ignored(desk, kit, name):
    desk.give(kit.fill(desk.accept()))
    assert desk.give(replacement(desk, kit, name)) == []


def test_a_refused_replacement_is_a_fact_and_a_question(desk, kit):
    desk.accept()
    desk.give(replacement(desk, kit))
    desk.give(ReplaceRefused(client_order_id=kit.key("1"), code="TOO_LATE", reason="filled"))
    assert desk.facts()[-1] == "OrderUpdateRejected"
    assert desk.order().pending is None
    assert len(desk.called(QueryOrder)) == 1


def test_a_replacement_of_unknown_outcome_is_found_out_by_asking(desk, kit):
    order = desk.accept()
    desk.give(replacement(desk, kit))
    desk.give(ReplaceOutcomeUnknown(client_order_id=kit.key("1"), reason="time-out"))
    report = kit.status(order, quantity=Decimal(20))
    desk.give(OrderQueried(client_order_id=kit.key("1"), report=report))
    assert desk.order().quantity == 20
    assert len(desk.called(ReplaceOrder)) == 1
