"""Every way in which a request can go wrong, against the wire."""

import asyncio
import time
from decimal import Decimal

import pytest

from actors.venue_calls import call_venue
from actors.venues.alpaca import http
from actors.venues.alpaca.http import LANE_THREADS
from tests.venues.alpaca.orders import LoopClock, connected, limit, order, until
from tests.venues.desk import ACCOUNT
from tests.venues.faults import Fault
from tests.venues.stopped_clock import stopped_clock
from trading.commands import CancelAllOrders, CancelOrder
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.outcomes import SubmitNotSent, VenueClockRead, VenueDisconnected
from trading.refusals import RefusalCode
from trading.values import OrderStatus

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    ("fault", "was_executed"),
    [
        (Fault.DROP_REQUEST, False),
        (Fault.DROP_RESPONSE, True),
        (Fault.ERROR_5XX, False),
        (Fault.ERROR_5XX_EXECUTED, True),
        (Fault.RESET_EXECUTED, True),
        (Fault.HALF_ANSWER, True),
    ],
)
async def test_lost_answer_is_unknown_is_sent_once_and_the_venue_knows_the_truth(
    rig, fault, was_executed
):
    rig.options["request_timeout_s"] = 15.0
    async with connected(rig) as (port, _):
        asked = limit(90)
        rig.faults.plan(fault)
        sending = asyncio.create_task(port.submit(asked))
        await until(lambda: rig.faults.happened[fault])  # now it is decided what the truth is
        await LoopClock().run_until(sending.done)  # some are never answered
        with pytest.raises(OutcomeUnknown):
            await sending
        report = await port.order_status(ACCOUNT, asked.client_order_id)
        assert (report is not None) == was_executed
        posts = [path for method, path, _ in rig.simulator.requests if method == "POST"]
        assert posts == ["/v2/orders"]
        assert rig.desk.duplicates == []


async def test_rate_limit_is_unsent_and_pauses_everything(rig):
    async with connected(rig) as (port, seen):
        await until(lambda: seen.of(VenueClockRead))  # nothing else is under way
        stopped_clock(port._rest._pacing)  # the pause does not end
        rig.simulator.rate_headers = False
        rig.faults.plan(Fault.RATE_LIMIT)
        with pytest.raises(VenueUnreachable, match="too many"):
            await port.submit(order())
        before = len(rig.simulator.requests)
        outcome = await call_venue(port, order(), 0.2, time.time_ns)
        assert not isinstance(outcome, SubmitNotSent)  # it waits for the pause; its caller gave up
        assert len(rig.simulator.requests) == before
        assert rig.desk.asked["SubmitOrder"] == 0


async def test_nobody_listens_means_nothing_was_sent(rig):
    rig.options["api_url"] = "http://127.0.0.1:9"
    port = rig.open_port()
    with pytest.raises(VenueUnreachable, match="nothing was sent"):
        await port.submit(order())
    await port.disconnect()


async def test_duplicate_id_is_named(rig):
    async with connected(rig) as (port, _):
        asked = limit(90)
        await port.submit(asked)
        with pytest.raises(VenueRefused) as caught:
            await port.submit(asked)
        assert caught.value.venue_code == RefusalCode.DUPLICATE_CLIENT_ORDER_ID


async def test_refusals_carry_the_code_of_the_venue(rig):
    async with connected(rig) as (port, _):
        with pytest.raises(VenueRefused) as caught:
            await port.submit(order(quantity=Decimal(10_000_000)))
        assert caught.value.venue_code == "40310000"
        with pytest.raises(VenueRefused) as caught:
            await port.cancel(CancelOrder(client_order_id="ab" * 16, account_id=ACCOUNT))
        assert caught.value.venue_code == RefusalCode.UNKNOWN_ORDER


async def test_unknown_order_is_none_and_a_broken_gateway_is_not(rig):
    async with connected(rig) as (port, _):
        assert await port.order_status(ACCOUNT, "cd" * 16) is None
    rig.options["api_url"] += "/gateway"  # answers 404 without a word of the venue
    port = rig.open_port()
    with pytest.raises(OutcomeUnknown):
        await port.order_status(ACCOUNT, "cd" * 16)
    await port.disconnect()


async def test_refused_credentials_end_everything_at_once(rig):
    async with connected(rig) as (port, seen):
        await until(lambda: seen.of(VenueClockRead))  # nothing else is under way
        session = port._session._task
        rig.faults.plan(Fault.BAD_CREDENTIALS)
        with pytest.raises(VenueRefused, match="ALPACA_API_KEY"):
            await port.account(ACCOUNT)
        await until(lambda: [m for m in seen.of(VenueDisconnected) if m.is_final])
        await until(session.done)  # from then on nobody can connect again
        asked, connects = len(rig.simulator.requests), len(rig.simulator.stream.connects)
        for _ in range(3):
            with pytest.raises(VenueUnreachable, match="nothing was sent"):
                await port.account(ACCOUNT)
        assert len(rig.simulator.requests) == asked
        assert len(rig.simulator.stream.connects) == connects
        assert sum(m.is_final for m in seen.of(VenueDisconnected)) == 1


async def test_hung_queries_do_not_hold_up_a_cancel(rig):
    rig.options["request_timeout_s"] = 30.0
    async with connected(rig) as (port, _):
        asked = limit(90)
        await port.submit(asked)
        query = "GET /v2/account"
        rig.simulator.held.add(query)
        before = rig.simulator.count(query)
        queries = [asyncio.create_task(port.account(ACCOUNT)) for _ in range(12)]
        await until(lambda: rig.simulator.count(query) >= before + LANE_THREADS)
        await port.cancel(CancelOrder(client_order_id=asked.client_order_id, account_id=ACCOUNT))
        assert not any(query.done() for query in queries)
        assert rig.simulator.count(query) == before + LANE_THREADS  # the others wait for a thread
        report = await until(lambda: rig.desk.order(asked.client_order_id))
        assert report.status is OrderStatus.CANCELED
        rig.simulator.held.clear()
        await asyncio.gather(*queries)


async def test_cancel_goes_before_what_waits_for_the_budget(rig, monkeypatch):
    monkeypatch.setattr(http, "_WINDOW_S", 0.5)
    rig.options["requests_per_min"] = 6
    query = "GET /v2/account"
    async with connected(rig) as (port, seen):
        await until(lambda: seen.of(VenueClockRead))  # the first of six
        now = stopped_clock(port._rest._pacing)
        now[0] = port._rest._pacing._spent[0][0] + 0.2
        asked = limit(90)
        await port.submit(asked)
        queries = [asyncio.create_task(port.account(ACCOUNT)) for _ in range(6)]
        await until(lambda: rig.simulator.count(query) == 4)
        cancel = CancelOrder(client_order_id=asked.client_order_id, account_id=ACCOUNT)
        canceling = asyncio.create_task(port.cancel(cancel))
        await until(lambda: len(port._rest._pacing._waiting) == 3)  # it came behind two queries
        now[0] += 0.35  # room for one
        await canceling
        assert rig.simulator.count(query) == 4
        assert rig.desk.order(asked.client_order_id).status is OrderStatus.CANCELED
        now[0] += 0.5
        await asyncio.gather(*queries)


async def test_what_finds_no_room_in_the_budget_was_not_sent(rig):
    rig.options["requests_per_min"] = 6
    async with connected(rig) as (port, _):
        asked = limit(90)
        await port.submit(asked)
        port._rest._timeout_s = 0.5
        cancel = CancelOrder(client_order_id=asked.client_order_id, account_id=ACCOUNT)
        results = await asyncio.gather(
            *(port.account(ACCOUNT) for _ in range(6)), port.cancel(cancel), return_exceptions=True
        )
        used_up = [each for each in results if isinstance(each, VenueUnreachable)]
        assert used_up
        assert all("nothing was sent" in str(each) for each in used_up)
        assert len(rig.simulator.requests) <= 6


async def test_request_whose_caller_gave_up_is_never_sent_later(rig):
    rig.options["request_timeout_s"] = 30.0
    async with connected(rig) as (port, _):
        placing = "POST /v2/orders"
        rig.simulator.held.add(placing)
        busy = [asyncio.create_task(port.submit(limit(90))) for _ in range(LANE_THREADS)]
        await until(lambda: rig.simulator.count(placing) == LANE_THREADS)
        late = limit(91)
        await call_venue(port, late, 0.05, time.time_ns)  # waits for a thread, then gives up
        rig.simulator.held.clear()
        await asyncio.gather(*busy)
        await port.submit(limit(92))  # behind it in the same queue
        assert rig.simulator.count(placing) == LANE_THREADS + 1
        assert rig.desk.order(late.client_order_id) is None


async def test_cancel_all_names_what_it_canceled(rig):
    async with connected(rig) as (port, _):
        asked = [limit(90 + i) for i in range(3)]
        for each in asked:
            await port.submit(each)
        await port.submit(order())
        canceled = await port.cancel_all(CancelAllOrders(account_id=ACCOUNT))
        assert set(canceled) == {each.client_order_id for each in asked}
        assert await port.open_orders(ACCOUNT) == ()
