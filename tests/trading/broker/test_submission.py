"""New orders: verified, journalled, sent once; refused in so many words."""

from decimal import Decimal

import msgspec
import pytest

from trading.commands import AnnounceRisk, SubmitOrder
from trading.effects import Append, CallVenue
from trading.events import OrderDenied, OrderSubmitted
from trading.outcomes import (
    OrderQueried,
    SubmitAcknowledged,
    SubmitNotSent,
    SubmitOutcomeUnknown,
    SubmitRefused,
    VenueConnected,
    VenueDisconnected,
)


def test_a_permitted_order_is_journalled_before_it_is_sent(desk, kit):
    order = kit.order()
    effects = desk.give(desk.permit(order))
    match effects:
        case [Append(OrderSubmitted(order=journalled, epoch=1)), CallVenue(sent, timeout)]:
            assert (journalled, sent, timeout) == (order, order, 2_000 * kit.MS)
        case _:
            pytest.fail(f"unexpected {effects}")
    assert desk.status() == "SUBMITTED"


def test_the_journal_names_the_permit_and_the_market_data_behind_the_order(desk):
    desk.submit(correlation_id="feed:paper/42")
    assert desk.journal[-1].correlation_id == "feed:paper/42"
    assert desk.journal[-1].causation_id.startswith("permit:7/")


@pytest.mark.parametrize("state", ["open", "denied"])
def test_an_id_that_exists_is_ignored_and_counted(desk, kit, state):
    order = kit.order()
    desk.give(desk.permit(order, epoch=7 if state == "open" else 6))
    before = len(desk.journal)
    assert desk.give(desk.permit(order)) == []
    assert len(desk.journal) == before
    assert desk.broker.view()["duplicates"] == 1


def test_a_refused_order_is_never_sent_later_with_the_same_id(desk, kit):
    order = kit.order()
    desk.give(order)
    desk.give(desk.permit(order))
    assert (desk.called(SubmitOrder), desk.denial()) == ([], "RISK_PERMIT_MISSING")


def test_a_forged_permit_is_refused(desk, kit):
    desk.give(desk.permit(kit.order("1"), key=b"guess"))
    permitted = desk.permit(kit.order("2"))
    altered = msgspec.structs.replace(permitted.order, quantity=Decimal(1000))
    desk.give(msgspec.structs.replace(permitted, order=altered))
    assert [desk.denial("1"), desk.denial("2")] == ["RISK_PERMIT_INVALID"] * 2
    assert desk.calls == []


def test_an_expired_permit_is_refused(desk, kit):
    permitted = desk.permit(kit.order())
    desk.now += 2_001 * kit.MS
    desk.give(permitted)
    assert (desk.denial(), desk.calls) == ("RISK_PERMIT_EXPIRED", [])


@pytest.mark.parametrize("epoch", [6, 8])
def test_a_permit_of_another_epoch_is_refused(desk, kit, epoch):
    desk.give(desk.permit(kit.order(), epoch=epoch))
    assert (desk.denial(), desk.calls) == ("RISK_PERMIT_STALE_EPOCH", [])


def test_before_risk_has_announced_itself_no_permit_counts(kit, play):
    desk = kit.Desk()
    desk.start()
    desk.give(VenueConnected())
    play(desk, kit.PaperVenue())
    assert desk.broker.view()["is_ready"]
    desk.submit("1")
    desk.give(AnnounceRisk(risk_epoch=7, reply_to=kit.RISK))
    desk.submit("2")
    assert (desk.denial("1"), desk.status("2")) == ("RISK_PERMIT_STALE_EPOCH", "SUBMITTED")


def test_a_permit_for_another_account_is_refused(desk):
    desk.submit(account_id="OTHER")
    assert (desk.denial(), desk.calls) == ("RISK_PERMIT_INVALID", [])


def test_before_it_has_reconciled_orders_are_refused(kit):
    desk = kit.Desk()
    desk.start()
    desk.give(AnnounceRisk(risk_epoch=7, reply_to=kit.RISK))
    desk.submit()
    assert (desk.denial(), desk.called(SubmitOrder)) == ("BROKER_NOT_READY", [])


def test_without_a_session_orders_are_refused_and_those_under_way_keep_their_own_outcome(desk):
    desk.submit("1")
    desk.give(VenueDisconnected(reason="reset"))
    desk.submit("2")
    assert (desk.status("1"), desk.denial("2")) == ("SUBMITTED", "BROKER_NOT_READY")


def test_a_refusal_carries_the_order_and_a_sentence(desk, kit):
    desk.give(kit.order())
    fact = desk.journal[-1]
    assert isinstance(fact, OrderDenied)
    assert fact.order == kit.order()
    assert "permit" in fact.reason
    assert desk.broker.view()["refusals"] == {"RISK_PERMIT_MISSING": 1}


def test_an_acknowledged_order_is_accepted_once(desk, kit):
    desk.accept()
    again = SubmitAcknowledged(client_order_id=kit.key("1"), venue_order_id="v1")
    assert desk.give(again) == []
    assert desk.facts() == ["OrderSubmitted", "OrderAccepted"]


def test_a_report_that_overtakes_the_acknowledgement_counts_once(desk, kit):
    order = desk.submit()
    desk.give(kit.status(order))
    desk.give(SubmitAcknowledged(client_order_id=order.client_order_id, venue_order_id="v1"))
    assert desk.facts() == ["OrderSubmitted", "OrderAccepted"]


def test_a_refusal_of_the_venue_is_a_rejection(desk, kit):
    desk.submit()
    desk.give(SubmitRefused(client_order_id=kit.key("1"), code="FUNDS", reason="too poor"))
    assert (desk.status(), desk.denial()) == ("REJECTED", "FUNDS")


def test_a_duplicate_id_at_the_venue_means_that_it_has_the_order(desk, kit):
    order = desk.submit()
    desk.give(
        SubmitRefused(
            client_order_id=order.client_order_id,
            code="DUPLICATE_CLIENT_ORDER_ID",
            reason="exists",
        )
    )
    assert desk.status() == "AMBIGUOUS"
    answer = OrderQueried(client_order_id=order.client_order_id, report=kit.status(order))
    desk.give(answer)
    assert desk.status() == "ACCEPTED"
    assert len(desk.called(SubmitOrder)) == 1


def test_a_refusal_of_an_order_that_works_is_doubted(desk, kit):
    order = desk.accept()
    desk.give(SubmitRefused(client_order_id=order.client_order_id, code="X", reason="?"))
    assert desk.status() == "ACCEPTED"
    assert desk.calls[-1].client_order_id == order.client_order_id


def test_an_order_that_did_not_leave_ends_as_never_sent(desk, kit):
    desk.submit()
    desk.give(SubmitNotSent(client_order_id=kit.key("1"), reason="no session"))
    assert (desk.status(), desk.denial()) == ("DENIED", "ORDER_NEVER_SENT")


def test_an_unknown_outcome_is_no_rejection(desk, kit):
    desk.submit()
    desk.give(SubmitOutcomeUnknown(client_order_id=kit.key("1"), reason="504"))
    assert desk.status() == "AMBIGUOUS"
    assert desk.broker.view()["ambiguous"] == 1


@pytest.mark.parametrize(
    "late",
    [
        SubmitOutcomeUnknown(client_order_id="1".rjust(32, "0"), reason="504"),
        SubmitNotSent(client_order_id="1".rjust(32, "0"), reason="no session"),
        SubmitRefused(client_order_id="unknown", code="X", reason="?"),
        SubmitAcknowledged(client_order_id="unknown", venue_order_id="v"),
    ],
)
def test_an_outcome_that_comes_too_late_changes_nothing(desk, kit, late):
    order = desk.accept()
    desk.give(kit.fill(order))
    before = desk.broker.state_hash()
    assert desk.give(late) == []
    assert desk.broker.state_hash() == before
