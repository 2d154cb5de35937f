"""A replacement is a new order at the venue, and the same order to us."""

from decimal import Decimal

import pytest

from tests.venues.alpaca.orders import connected, limit, order, until
from tests.venues.desk import ACCOUNT
from tests.venues.faults import Fault
from trading.commands import CancelOrder, ReplaceOrder
from trading.errors import OutcomeUnknown, VenueRefused
from trading.refusals import RefusalCode
from trading.reports import FillReport, OrderStatusReport
from trading.values import OrderStatus

pytestmark = pytest.mark.asyncio


def replacing(asked, **changes):
    return ReplaceOrder(client_order_id=asked.client_order_id, account_id=ACCOUNT, **changes)


async def test_replaced_order_keeps_our_id(rig):
    async with connected(rig) as (port, seen):
        asked = limit(90)
        first = await port.submit(asked)
        report = await port.replace(replacing(asked, price=Decimal(91), quantity=Decimal(20)))
        assert report.client_order_id == asked.client_order_id
        assert report.venue_order_id != first
        assert (report.price, report.quantity) == (91, 20)
        status = await port.order_status(ACCOUNT, asked.client_order_id)
        assert (status.status, status.venue_order_id) == (
            OrderStatus.ACCEPTED,
            report.venue_order_id,
        )
        assert [o.client_order_id for o in await port.open_orders(ACCOUNT)] == [
            asked.client_order_id
        ]
        assert all(m.client_order_id == asked.client_order_id for m in seen.of(OrderStatusReport))


async def test_chain_of_replacements_is_followed_without_memory(rig):
    async with connected(rig) as (port, _):
        asked = limit(90)
        await port.submit(asked)
        for price in (91, 92, 93):
            await port.replace(replacing(asked, price=Decimal(price)))
    async with connected(rig) as (restarted, _):
        report = await restarted.order_status(ACCOUNT, asked.client_order_id)
        assert (report.price, report.status) == (93, OrderStatus.ACCEPTED)
        await restarted.replace(replacing(asked, price=Decimal(94)))
        cancel = CancelOrder(client_order_id=asked.client_order_id, account_id=ACCOUNT)
        await restarted.cancel(cancel)
        report = await restarted.order_status(ACCOUNT, asked.client_order_id)
        assert (report.price, report.status) == (94, OrderStatus.CANCELED)


async def test_cancel_by_the_id_of_a_replaced_order_cancels_what_works(rig):
    async with connected(rig) as (port, _):
        asked = limit(90)
        first = await port.submit(asked)
        await port.replace(replacing(asked, price=Decimal(91)))
    restarted = rig.open_port()  # knows nothing, and is told the first id
    await restarted.cancel(
        CancelOrder(client_order_id=asked.client_order_id, account_id=ACCOUNT, venue_order_id=first)
    )
    await restarted.disconnect()
    assert rig.desk.order(asked.client_order_id).status is OrderStatus.CANCELED


async def test_fills_before_and_after_a_replacement_belong_to_one_order(rig):
    async with connected(rig) as (port, seen):
        asked = limit(100.02, quantity=Decimal(2_000_000))
        small = limit(90)
        await port.submit(small)
        await port.replace(replacing(small, price=Decimal("100.5")))
        fill = (await until(lambda: seen.of(FillReport)))[0]
        assert fill.client_order_id == small.client_order_id
        fills = await port.executions_since(ACCOUNT, 0)
        assert [(f.client_order_id, f.trade_id) for f in fills] == [
            (small.client_order_id, fill.trade_id)
        ]
        assert asked.client_order_id != small.client_order_id
    restarted = rig.open_port()
    fills = await restarted.executions_since(ACCOUNT, 0)
    assert [(f.client_order_id, f.trade_id) for f in fills] == [
        (small.client_order_id, fill.trade_id)
    ]
    await restarted.disconnect()


async def test_lost_answer_to_a_replacement_is_unknown_and_the_truth_is_found(rig):
    async with connected(rig) as (port, _):
        asked = limit(90)
        await port.submit(asked)
        rig.faults.plan(Fault.RESET_EXECUTED)
        with pytest.raises(OutcomeUnknown):
            await port.replace(replacing(asked, price=Decimal(91)))
        report = await port.order_status(ACCOUNT, asked.client_order_id)
        assert (report.price, report.status) == (91, OrderStatus.ACCEPTED)


async def test_replacing_a_filled_order_is_refused(rig):
    async with connected(rig) as (port, seen):
        asked = order()
        await port.submit(asked)
        await until(lambda: seen.of(FillReport))
        with pytest.raises(VenueRefused, match="42210000"):
            await port.replace(replacing(asked, quantity=Decimal(20)))
        with pytest.raises(VenueRefused) as caught:
            await port.replace(replacing(limit(1), quantity=Decimal(20)))
        assert caught.value.venue_code == RefusalCode.UNKNOWN_ORDER


async def test_replacement_that_fails_at_the_exchange_leaves_the_order_as_it_was(rig):
    async with connected(rig) as (port, seen):
        asked = limit(90)
        await port.submit(asked)

        def fail():
            ledger = rig.simulator.ledger
            old = ledger.by_client[asked.client_order_id]
            new = ledger._record(
                {**old.body, "limit_price": "95"}, f"{asked.client_order_id}-1", "x" * 32, "simple"
            )
            new.replaces, new.status = old.id, "rejected"
            ledger.tell("rejected", new)

        await until(lambda: seen.of(OrderStatusReport))
        before = len(seen.of(OrderStatusReport))
        await rig.in_simulator(fail)
        await until(lambda: len(seen.of(OrderStatusReport)) > before)
        last = seen.of(OrderStatusReport)[-1]
        assert (last.status, last.price) == (OrderStatus.ACCEPTED, 90)
        report = await port.order_status(ACCOUNT, asked.client_order_id)
        assert (report.status, report.price) == (OrderStatus.ACCEPTED, 90)
