"""What happened while nobody listened, from the venue's own lists."""

from decimal import Decimal

import pytest

from actors.venues.alpaca import executions as executions_module
from actors.venues.alpaca import orders as orders_module
from tests.venues.alpaca.orders import connected, limit, order, until
from tests.venues.alpaca.rig import AAPL, BTC
from tests.venues.desk import ACCOUNT
from tests.venues.faults import Fault
from trading.account import Account
from trading.position import exact_sum
from trading.reconciliation import reconcile
from trading.reports import FillReport
from trading.values import TimeInForce

pytestmark = pytest.mark.asyncio


def applied(status, cash=Decimal(1_000_000)):
    """Return the account that follows from a mass status, as a broker with an empty journal builds it."""
    account = Account(cash)
    result = reconcile({}, set(), status, 1)
    for fact in result.facts:
        if hasattr(fact, "trade_id"):
            account.apply_fill(fact)
    return account, result


def positions_agree(account, status):
    ours = {key: p.quantity for key, p in account.positions().items() if p.quantity}
    return ours == {report.instrument_id: report.quantity for report in status.positions}


async def test_everything_that_was_missed_is_listed_and_adds_up(rig):
    async with connected(rig) as (port, _):
        resting = [limit(90 + i) for i in range(3)]
        for each in resting:
            await port.submit(each)
    rig.desk.move({AAPL.instrument_id: 91.5})
    async with connected(rig) as (restarted, seen):
        status = await restarted.mass_status(ACCOUNT, 0)
        assert {r.client_order_id for r in status.open_orders} == {
            each.client_order_id for each in resting[:2]
        }
        assert [f.client_order_id for f in status.fills] == [resting[2].client_order_id]
        account, result = applied(status)
        assert positions_agree(account, status)
        assert account.cash == status.account.cash
        assert result.contradictions == ()
        assert not seen.of(FillReport)


async def test_stream_and_activities_name_a_fill_alike(rig):
    async with connected(rig) as (port, seen):
        rig.faults.plan(Fault.DUPLICATE_FILLS)
        await port.submit(order())
        await until(lambda: len(seen.of(FillReport)) == 3)
        listed = await port.executions_since(ACCOUNT, 0)
        assert {f.trade_id for f in seen.of(FillReport)} == {f.trade_id for f in listed}
        assert len(listed) == 1


async def test_fill_that_the_venue_names_in_two_ways_counts_once_all_the_same(rig):
    async with connected(rig) as (port, seen):
        await port.submit(order())
        fill = (await until(lambda: seen.of(FillReport)))[0]
        rig.simulator.ledger.activities.rows[0]["id"] = "20261121170026000::another-name"
        listed = await port.executions_since(ACCOUNT, 0)
        assert [f.trade_id for f in listed] == [fill.trade_id]


async def test_reordered_fills_all_arrive(rig):
    async with connected(rig) as (port, seen):
        rig.faults.plan(Fault.REORDER_FILLS)
        asked = [order() for _ in range(3)]
        for each in asked:
            await port.submit(each)
        await until(lambda: len(rig.simulator.stream.held) == 3)
        await rig.release()
        fills = await until(lambda: len(seen.of(FillReport)) == 3 and seen.of(FillReport))
        assert [f.client_order_id for f in fills] == [
            each.client_order_id for each in reversed(asked)
        ]


async def test_pages_of_orders_and_executions_are_read_to_the_end(rig, monkeypatch):
    monkeypatch.setattr(orders_module, "_PAGE", 4)
    monkeypatch.setattr(executions_module, "_PAGE", 3)
    async with connected(rig) as (port, _):
        resting = [limit(90) for _ in range(11)]
        traded = [order() for _ in range(8)]
        for each in (*resting, *traded):
            await port.submit(each)
    async with connected(rig) as (restarted, _):
        status = await restarted.mass_status(ACCOUNT, 0)
        assert {r.client_order_id for r in status.open_orders} == {
            r.client_order_id for r in resting
        }
        assert [f.client_order_id for f in status.fills] == [o.client_order_id for o in traded]


async def test_since_leaves_out_what_is_old(rig):
    async with connected(rig) as (port, seen):
        await port.submit(order())
        await until(lambda: seen.of(FillReport))
        for activity in rig.simulator.ledger.activities.rows:
            activity["_ts"] -= 3_600 * 10**9
        await port.submit(order())
        fills = await until(lambda: len(seen.of(FillReport)) == 2 and seen.of(FillReport))
        listed = await port.executions_since(ACCOUNT, fills[1].ts_event)
        assert [f.trade_id for f in listed] == [fills[1].trade_id]


async def test_answer_is_read_again_when_the_stream_spoke_in_between(rig):
    async with connected(rig) as (port, _):
        counts = iter((0, 1, 1, 1))
        status = await port._enquiries.mass_status(0, lambda: next(counts))
        assert status.positions == ()
        asked = [path for _, path, _ in rig.simulator.requests if path == "/v2/account"]
        assert len(asked) == 2


async def test_coins_taken_as_a_fee_leave_the_position_when_the_venue_posts_them(rig):
    rig.instruments = (AAPL, BTC)
    rig.simulator.ledger.activities.coin_fee = Decimal("0.0025")
    async with connected(rig) as (port, seen):
        buy = order(
            instrument_id=BTC.instrument_id, quantity=Decimal(2), time_in_force=TimeInForce.GTC
        )
        await port.submit(buy)
        fill = (await until(lambda: seen.of(FillReport)))[0]
        assert (fill.commission, fill.commission_qty) == (0, 0)  # not known yet
        status = await port.mass_status(ACCOUNT, 0)
        assert positions_agree(applied(status)[0], status)
        await rig.in_simulator(rig.simulator.ledger.activities.post_fees)
        status = await port.mass_status(ACCOUNT, 0)
        assert [p.quantity for p in status.positions] == [Decimal("1.995")]
        account, result = applied(status)
        account.validate()
        assert positions_agree(account, status)
        assert account.cash == status.account.cash
        assert result.contradictions == ()
        assert exact_sum(f.last_qty for f in status.fills if f.last_px == 0) == Decimal("0.005")
        again = await port.mass_status(ACCOUNT, 0)
        assert {f.trade_id for f in again.fills} == {f.trade_id for f in status.fills}


async def test_partial_fill_while_the_stream_is_down_is_found(rig):
    async with connected(rig) as (port, seen):
        asked = limit(100.02, quantity=Decimal(10))
        rig.faults.plan(Fault.MUTE_STREAM)  # it is not confirmed again before the end
        await rig.cut()
        await port.submit(asked)
        await until(lambda: rig.desk.fills)
        fills = await port.executions_since(ACCOUNT, 0)
        assert {f.client_order_id for f in fills} == {asked.client_order_id}
        assert not seen.of(FillReport)
