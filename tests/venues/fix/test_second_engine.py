"""The main stories once more, before a venue on QuickFIX's own acceptor."""

from decimal import Decimal

import pytest

from tests.venues.faults import Fault
from tests.venues.fix.probe import cancel, connected, in_loop, market, order, replace, rig_at, until
from tests.venues.fix.quickfix_venue import QuickfixVenue
from trading.commands import CancelAllOrders
from trading.errors import VenueRefused
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.reports import FillReport

ALL = CancelAllOrders(account_id="ACC")


@in_loop
async def test_orders_live_as_before_the_other_engine(folder):
    async with rig_at(folder, venue=QuickfixVenue) as rig, connected(rig) as (port, seen):
        first, second, third = order("a"), order("b"), market("c")
        for each in (first, second, third):
            assert await port.submit(each)
        await until(lambda: seen.of(FillReport))
        report = await port.replace(replace(first, price=Decimal("81.00"), quantity=Decimal(20)))
        assert (report.price, report.quantity) == (81, 20)
        await port.cancel(cancel(first))
        with pytest.raises(VenueRefused):
            await port.cancel(cancel(third))
        assert await port.order_status("ACC", order("never").client_order_id) is None
        status = await port.mass_status("ACC", 0)
        assert [each.client_order_id for each in status.open_orders] == [second.client_order_id]
        assert status.account.cash == rig.desk.cash
        assert await port.cancel_all(ALL) == (second.client_order_id,)
        assert rig.desk.working() == set()


@in_loop
async def test_what_was_missed_is_replayed_by_the_other_engine_too(folder):
    async with rig_at(folder, venue=QuickfixVenue) as rig:
        async with connected(rig) as (port, _):
            for name in "abc":
                await port.submit(order(name, price=Decimal("90.00")))
        rig.desk.move({rig.traded: 85.0})
        async with connected(rig) as (port, seen):
            kinds = [type(message) for message in seen.messages]
            assert len(seen.of(FillReport)) == 3
            assert kinds.index(VenueConnected) > max(
                i for i, kind in enumerate(kinds) if kind is FillReport
            )
        assert rig.desk.duplicates == []


@in_loop
async def test_when_the_other_engine_cuts_us_we_come_back(folder):
    async with rig_at(folder, venue=QuickfixVenue) as rig, connected(rig) as (port, seen):
        await port.submit(order("a"))
        await rig.cut()
        await until(lambda: len(seen.of(VenueConnected)) == 2)
        await port.submit(order("b"))
        assert len(rig.desk.working()) == 2


@in_loop
async def test_when_the_other_engine_refuses_the_logon_it_is_final(folder):
    async with rig_at(folder, venue=QuickfixVenue) as rig:
        rig.faults.plan(Fault.BAD_CREDENTIALS)
        async with connected(rig, is_up=False) as (_, seen):
            await until(lambda: seen.of(VenueDisconnected))
            assert seen.of(VenueDisconnected)[0].is_final
