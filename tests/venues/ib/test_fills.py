"""Executions: told once, with their commission, and what becomes of corrections."""

import logging
from decimal import Decimal

import pytest

from actors.venues.ib.fills import Correction, Fill, Fills
from actors.venues.ib.messages import Commission, Execution, IbContract
from actors.venues.ib.parse import trade_id
from tests.venues.faults import Fault
from tests.venues.ib.acts import limit, order, run, trading, until
from trading.outcomes import VenueConnected
from trading.reports import FillReport


def execution(exec_id, price="100", shares="10"):
    return Execution(
        contract=IbContract(con_id=1),
        exec_id=exec_id,
        time_ns=10**18,
        account="DU1",
        side="BOT",
        shares=Decimal(shares),
        price=Decimal(price),
        perm_id=1,
        client_id=7,
        order_id=1,
        order_ref="a",
    )


def commission(exec_id, amount="1"):
    return Commission(exec_id=exec_id, amount=Decimal(amount), currency="USD")


@pytest.mark.parametrize(
    ("exec_id", "expected"),
    [
        ("0000e0d5.0000001a.01.01", "0000e0d5.0000001a.01"),
        ("0000e0d5.0000001a.01.02", "0000e0d5.0000001a.01"),
        ("0000e0d5.0000001a.02.01", "0000e0d5.0000001a.02"),
        ("F-1234", "F-1234"),
        ("1.5", "1.5"),
    ],
)
def test_the_id_of_a_trade_is_the_execution_without_its_revision(exec_id, expected):
    assert trade_id(exec_id) == expected


def test_a_commission_before_its_execution_is_kept():
    fills = Fills()
    assert fills.commissioned(commission("a.b.c.01")) is None
    found = fills.executed(execution("a.b.c.01"))
    assert isinstance(found, Fill)
    assert found.is_complete


def test_a_repeat_is_nothing_new():
    fills = Fills()
    fills.executed(execution("a.b.c.01"))
    assert fills.executed(execution("a.b.c.01")) is None
    assert isinstance(fills.commissioned(commission("a.b.c.01")), Fill)
    assert fills.commissioned(commission("a.b.c.01")) is None


def test_a_correction_is_named_and_never_a_second_fill():
    fills = Fills()
    fills.executed(execution("a.b.c.01"))
    found = fills.executed(execution("a.b.c.02", price="99"))
    assert isinstance(found, Correction)
    assert "a.b.c.02" in str(found)
    assert fills.executed(execution("a.b.c.02", price="99")) is None
    assert fills.find("a.b.c.02").execution.price == 100


def test_of_two_revisions_that_come_in_the_wrong_order_the_first_counts():
    fills = Fills()
    fills.executed(execution("a.b.c.02", price="99"))
    assert isinstance(fills.executed(execution("a.b.c.01")), Correction)
    assert fills.find("a.b.c.01").execution.price == 100


def test_a_fill_is_told_with_the_commission_of_ib():
    async def story(rig):
        async with trading(rig) as (port, said):
            await port.submit(order(rig, 1000))
            await said.until(lambda: sum(f.last_qty for f in said.of(FillReport)) == 1000)
            told = {fill.trade_id: fill.commission for fill in said.of(FillReport)}
            assert sum(told.values()) == sum(fill.commission for fill in rig.desk.fills) > 0
            assert all(isinstance(value, Decimal) for value in told.values())

    run(story)


def test_a_fill_whose_commission_does_not_come_is_told_without_it_and_says_so(caplog):
    async def story(rig):
        rig.tws.orders.lacks_commissions = True
        async with trading(rig, commission_wait_s=0.1) as (port, said):
            await port.submit(order(rig))
            await said.until(lambda: said.of(FillReport))
            (fill,) = said.of(FillReport)
            assert fill.commission == 0
            (again,) = await port.executions_since(rig.desk.account_id, 0)
            assert again.trade_id == fill.trade_id
            (ticket,) = rig.tws.orders.executions
            rig.tws.say(59, 1, ticket["exec_id"], "1.25", "USD", "", "", "")
            await until(lambda: "came too late" in caplog.text)
            (late,) = await port.executions_since(rig.desk.account_id, 0)
            assert late.commission == Decimal("1.25")  # reconciliation shows what is missing
            assert len(said.of(FillReport)) == 1

    with caplog.at_level(logging.WARNING):
        run(story)
    assert "told without its commission" in caplog.text


def test_a_corrected_execution_is_booked_once_and_asks_for_a_comparison(caplog):
    async def story(rig):
        async with trading(rig) as (port, said):
            await port.submit(order(rig))
            await said.until(lambda: said.of(FillReport))
            before = len(said.of(VenueConnected))
            rig.tws.call(rig.tws.orders.correct, "99.00")
            await said.until(lambda: len(said.of(VenueConnected)) > before)
            fills = await port.executions_since(rig.desk.account_id, 0)
            assert [fill.last_px for fill in fills] == [Decimal("100.01")]
        async with trading(rig) as (port, said):
            again = await port.executions_since(rig.desk.account_id, 0)
            assert [fill.trade_id for fill in again] == [fill.trade_id for fill in fills]

    with caplog.at_level(logging.WARNING):
        run(story)
    assert "IB corrected execution" in caplog.text


def test_fills_that_come_three_times_and_late_are_told_once():
    async def story(rig):
        for fault in (Fault.DUPLICATE_FILLS, Fault.REORDER_FILLS):
            rig.faults.plan(fault)
        async with trading(rig) as (port, said):
            for _ in range(3):
                await port.submit(order(rig))
            assert not said.of(FillReport)
            await rig.release()
            await said.until(lambda: len(said.of(FillReport)) >= 3)
            await port.mass_status(rig.desk.account_id, 0)
            assert len({fill.trade_id for fill in said.of(FillReport)}) == 3
            assert len(said.of(FillReport)) == 3

    run(story)


def test_only_executions_from_the_asked_time_on_are_listed():
    async def story(rig):
        async with trading(rig) as (port, said):
            await port.submit(order(rig))
            await said.until(lambda: said.of(FillReport))
            (fill,) = said.of(FillReport)
            account = rig.desk.account_id
            assert len(await port.executions_since(account, fill.ts_event + 999_999_999)) == 1
            assert not await port.executions_since(account, fill.ts_event + 1_000_000_000)

    run(story)


def test_one_question_for_everything_is_consistent():
    async def story(rig):
        async with trading(rig) as (port, _):
            await port.submit(order(rig))
            await port.submit(limit(rig, 80))
            status = await port.mass_status(rig.desk.account_id, 0)
            assert status.account.cash == rig.desk.cash
            assert status.account.currency == "USD"
            assert {each.instrument_id: each.quantity for each in status.positions} == (
                rig.desk.positions
            )
            assert len(status.open_orders) == 1
            assert sum(fill.last_qty for fill in status.fills) == 10

    run(story)
