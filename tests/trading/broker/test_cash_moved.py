"""Cash that the venue moves by itself becomes a fact; anything else stays a mismatch."""

from decimal import Decimal

import msgspec
import pytest

from trading.events import CashAdjusted
from trading.outcomes import SubmitOutcomeUnknown
from trading.reports import AccountReport

CASH = Decimal(100_000)


@pytest.fixture
def tolerant(kit):
    return kit.Desk(cash_tolerance=Decimal(10)).trade()


def moved(desk):
    return [event.amount for event in desk.journal if isinstance(event, CashAdjusted)]


def test_a_small_difference_seen_twice_becomes_a_fact_and_we_agree(tolerant, kit):
    status = kit.mass_status(cash=CASH + Decimal("1.23"))
    tolerant.reconcile(status)
    assert moved(tolerant) == []
    assert not tolerant.broker.view()["is_ready"]

    tolerant.reconcile(status)

    assert moved(tolerant) == [Decimal("1.23")]
    assert tolerant.broker.view()["is_ready"]
    assert tolerant.broker.view()["mismatches"] == []
    assert tolerant.broker._state.record.account.capital == CASH + Decimal("1.23")


def test_it_happens_once_and_is_kept_over_a_restart(tolerant, kit):
    status = kit.mass_status(cash=CASH - 5)
    for _ in range(4):
        tolerant.reconcile(status)
    assert moved(tolerant) == [Decimal(-5)]

    tolerant.start()

    assert tolerant.broker._state.record.account.cash == CASH - 5


def test_two_differences_that_differ_are_none_yet(tolerant, kit):
    for cents in (1, 2, 3):
        tolerant.reconcile(kit.mass_status(cash=CASH + Decimal(cents) / 100))
    assert moved(tolerant) == []


def test_more_than_the_tolerance_stays_a_mismatch(tolerant, kit):
    for _ in range(3):
        tolerant.reconcile(kit.mass_status(cash=CASH + Decimal("10.01")))

    assert moved(tolerant) == []
    (mismatch,) = tolerant.broker.view()["mismatches"]
    assert mismatch["subject"] == "cash"


def test_without_a_tolerance_every_difference_is_a_mismatch(desk, kit):
    for _ in range(3):
        desk.reconcile(kit.mass_status(cash=CASH + Decimal("0.01")))
    assert moved(desk) == []
    assert not desk.broker.view()["is_ready"]


def test_while_a_position_differs_too_nothing_is_moved(tolerant, kit):
    order = tolerant.accept()
    status = kit.mass_status([kit.status(order)], [], cash=CASH + 1)
    other = kit.mass_status([], [kit.fill(kit.order("5"), quantity=Decimal(1))])
    both = msgspec.structs.replace(status, positions=other.positions)
    for _ in range(3):
        tolerant.reconcile(both)
    assert moved(tolerant) == []


def test_while_an_order_is_in_doubt_nothing_is_moved(tolerant, kit):
    order = tolerant.submit()
    tolerant.give(SubmitOutcomeUnknown(client_order_id=order.client_order_id, reason="reset"))
    for _ in range(3):
        tolerant.reconcile(kit.mass_status(cash=CASH + 1))
    assert moved(tolerant) == []


def test_while_a_fill_is_missing_nothing_is_moved(tolerant, kit):
    order = tolerant.accept()
    part = kit.status(order, filled_qty=Decimal(1))
    tolerant.give(part)
    for _ in range(3):
        tolerant.reconcile(kit.mass_status([part], [], cash=CASH - 5))
    assert moved(tolerant) == []


def test_cash_that_is_no_number_is_a_mismatch(tolerant, kit):
    status = kit.mass_status()
    status = msgspec.structs.replace(
        status, account=AccountReport(account_id="DEMO", cash=Decimal("NaN"))
    )
    for _ in range(3):
        tolerant.reconcile(status)
    assert moved(tolerant) == []
    assert not tolerant.broker.view()["is_ready"]


def test_the_second_look_waits_until_the_venue_has_settled(tolerant, kit):
    tolerant.reconcile(kit.mass_status(cash=CASH + 1))
    assert tolerant.timers["reconcile"] >= tolerant.now + tolerant.config.settle_ns
