"""Ready only when the venue and we agree; asked again until then."""

from decimal import Decimal

import msgspec
import pytest

from trading.commands import AnnounceRisk, QueryMassStatus, QueryOrder, RiskAcknowledged
from trading.events import AccountReconciled
from trading.outcomes import (
    MassStatusReceived,
    OrderQueried,
    QueryFailed,
    VenueConnected,
    VenueDisconnected,
)
from trading.values import OrderStatus


def answer(kit, *args, **kwargs):
    return MassStatusReceived(mass_status=kit.mass_status(*args, **kwargs))


def test_it_asks_when_the_session_is_up_and_is_ready_with_the_answer(kit):
    desk = kit.Desk()
    desk.start()
    assert desk.called(QueryMassStatus) == []
    desk.give(VenueConnected())
    assert len(desk.called(QueryMassStatus)) == 1
    assert not desk.broker.view()["is_ready"]
    desk.give(answer(kit))
    assert desk.broker.view()["is_ready"]
    assert isinstance(desk.journal[-1], AccountReconciled)


def test_without_news_of_the_session_it_asks_all_the_same(kit):
    desk = kit.Desk()
    desk.start()
    desk.wait(3_000 * kit.MS)
    assert len(desk.called(QueryMassStatus)) == 1
    desk.give(answer(kit))
    assert desk.broker.view()["is_ready"]


def test_a_failed_or_lost_answer_is_asked_for_again(kit):
    desk = kit.Desk()
    desk.start()
    desk.give(VenueConnected())
    desk.give(QueryFailed(query="QueryMassStatus", reason="reset"))
    desk.wait(100 * kit.MS)
    assert len(desk.called(QueryMassStatus)) == 2
    desk.wait(20_000 * kit.MS)
    assert len(desk.called(QueryMassStatus)) >= 5


def test_reconciling_again_changes_nothing(desk, kit):
    order = desk.accept()
    desk.give(kit.fill(order, "t1", Decimal(4)))
    truth = kit.mass_status(
        [kit.status(order, OrderStatus.PARTIALLY_FILLED, filled_qty=Decimal(4))],
        [kit.fill(order, "t1", Decimal(4))],
    )
    desk.reconcile(truth)
    journal, before = list(desk.journal), desk.broker.state_hash()
    desk.reconcile(truth)
    assert (desk.journal, desk.broker.state_hash()) == (journal, before)


def test_fills_that_were_missed_are_applied_and_counted(desk, kit):
    order = desk.accept()
    desk.give(VenueDisconnected(reason="reset"))
    desk.give(VenueConnected())
    desk.give(answer(kit, [], [kit.fill(order)]))
    assert desk.status() == "FILLED"
    assert desk.journal[-1].fill_count == 1
    assert desk.journal[-1].cash == Decimal("99499.99")


def test_a_lost_session_takes_readiness_until_reconciled_again(desk, kit):
    desk.give(VenueDisconnected(reason="reset"))
    assert not desk.broker.view()["is_ready"]
    desk.give(VenueConnected())
    assert not desk.broker.view()["is_ready"]
    desk.give(answer(kit))
    assert desk.broker.view()["is_ready"]


@pytest.mark.parametrize("trouble", ["cash", "position", "order"])
def test_a_difference_that_nothing_explains_takes_readiness_and_is_shown(desk, kit, trouble):
    order = kit.order()
    if trouble == "cash":
        wrong = kit.mass_status(cash=Decimal(1))
    elif trouble == "position":
        desk.give(kit.fill(desk.accept(), "t1"))
        wrong = kit.mass_status()
    else:
        desk.give(order)
        wrong = kit.mass_status([kit.status(order)])
    desk.reconcile(wrong)
    view = desk.broker.view()
    assert not view["is_ready"]
    assert view["mismatches"] or view["contradictions"]
    desk.submit("2")
    assert desk.denial("2") == "BROKER_NOT_READY"


def test_a_difference_heals_when_the_venue_agrees_again(desk, kit):
    desk.reconcile(kit.mass_status(cash=Decimal(1)))
    desk.wait(1_000 * kit.MS)
    assert desk.called(QueryMassStatus)
    desk.give(answer(kit))
    view = desk.broker.view()
    assert (view["is_ready"], view["mismatches"]) == (True, [])


def test_a_fill_that_overtakes_the_answer_is_no_difference(desk, kit):
    order = desk.accept()
    desk.give(VenueConnected())
    desk.now += 1
    desk.give(kit.fill(order))
    desk.give(answer(kit, [kit.status(order)]))
    view = desk.broker.view()
    assert (view["is_ready"], view["mismatches"], desk.status()) == (True, [], "FILLED")


def test_it_compares_again_and_again_asking_only_for_what_is_new(kit):
    desk = kit.Desk(reconcile_interval_ns=5_000 * kit.MS).trade()
    fill = kit.fill(desk.accept(), ts_event=700)
    desk.give(fill)
    for _ in range(3):
        desk.wait(5_000 * kit.MS)
        desk.give(answer(kit, [], [fill], since=desk.calls[-1].since))
    assert [query.since for query in desk.called(QueryMassStatus)] == [0, 700, 700]
    assert desk.broker.view()["is_ready"]


def test_a_difference_in_a_routine_comparison_asks_for_everything_before_it_judges(kit):
    desk = kit.Desk(reconcile_interval_ns=5_000 * kit.MS).trade()
    order = desk.accept()
    newer, older = (
        kit.fill(order, "t2", Decimal(4), ts_event=900),
        kit.fill(order, "t1", Decimal(6)),
    )
    desk.give(newer)
    for _ in range(2):
        desk.wait(5_000 * kit.MS)
        desk.give(answer(kit, [kit.status(order)], [newer], since=desk.calls[-1].since))
    desk.wait(5_000 * kit.MS)
    desk.give(answer(kit, [], [older, newer], since=900))
    assert desk.broker.view()["is_ready"], "not judged yet"
    assert desk.calls[-1].since == 0
    desk.give(answer(kit, [], [older, newer]))
    assert (desk.status(), desk.broker.view()["is_ready"]) == ("FILLED", True)


def test_an_open_order_that_the_venue_does_not_list_is_asked_for(desk, kit):
    order = desk.accept()
    desk.reconcile(kit.mass_status())
    assert [q.client_order_id for q in desk.called(QueryOrder)] == [order.client_order_id]
    assert desk.status() == "ACCEPTED"
    report = kit.status(order, OrderStatus.EXPIRED)
    desk.give(OrderQueried(client_order_id=order.client_order_id, report=report))
    assert desk.status() == "EXPIRED"


def test_each_start_asks_risk_to_announce_itself(kit):
    desk = kit.Desk().trade()
    desk.accept()
    desk.sent.clear()
    desk.start()
    (sent,) = desk.sent
    assert (sent.to, sent.message.risk_epoch) == (kit.RISK, 0)
    assert isinstance(sent.message, RiskAcknowledged)


def test_risk_is_told_how_long_the_account_stream_is(desk, kit):
    desk.accept()
    desk.trip()
    desk.sent.clear()
    desk.give(AnnounceRisk(risk_epoch=8, reply_to=kit.RISK))
    (sent,) = desk.sent
    assert (sent.message.risk_epoch, sent.message.account_seq) == (8, len(desk.journal))
    desk.submit("2")
    assert desk.denial("2") in {"RISK_PERMIT_STALE_EPOCH", "KILL_SWITCH"}


def test_an_older_risk_manager_gets_no_answer(desk, kit):
    desk.sent.clear()
    desk.give(AnnounceRisk(risk_epoch=6, reply_to=kit.RISK))
    assert desk.sent == []
    assert desk.broker.view()["risk_epoch"] == 7


def test_an_answer_about_another_account_is_ignored(desk, kit):
    foreign = msgspec.structs.replace(kit.mass_status(cash=Decimal(1)), account_id="OTHER")
    assert desk.reconcile(foreign) == []
    assert desk.broker.view()["is_ready"]


def test_an_answer_that_nobody_waits_for_is_ignored(desk, kit):
    assert desk.give(answer(kit, cash=Decimal(1))) == []
    assert desk.broker.view()["is_ready"]
