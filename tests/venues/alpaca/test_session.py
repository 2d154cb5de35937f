"""The stream of order updates: up, down, mute, malformed, refused."""

import asyncio
import json
import logging
import time
from itertools import pairwise

import pytest

from tests.venues.alpaca.orders import LoopClock, connected, limit, order, until
from tests.venues.alpaca.simulator import KEY, SECRET
from tests.venues.desk import ACCOUNT
from tests.venues.faults import Fault
from tests.venues.rig import Observed
from trading.commands import CancelOrder
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.reports import FillReport, OrderStatusReport
from trading.values import OrderStatus

pytestmark = pytest.mark.asyncio


async def test_stream_tells_acceptance_and_fill(rig):
    async with connected(rig) as (port, seen):
        asked = order()
        venue_id = await port.submit(asked)
        fill = (await until(lambda: seen.of(FillReport)))[0]
        assert fill.client_order_id == asked.client_order_id
        assert fill.venue_order_id == venue_id
        assert fill.last_qty == asked.quantity
        accepted = seen.of(OrderStatusReport)[0]
        assert accepted.status is OrderStatus.ACCEPTED


async def test_connected_is_said_only_once_the_stream_is_confirmed(rig):
    rig.options["request_timeout_s"] = 1.0  # so long a stream may take to be confirmed
    rig.faults.plan(Fault.MUTE_STREAM)
    port, seen = rig.open_port(), Observed()
    await port.connect(seen)
    await until(lambda: seen.of(VenueDisconnected))
    assert not seen.of(VenueConnected)
    rig.faults.clear()
    await until(lambda: seen.of(VenueConnected))
    await port.disconnect()


async def test_mute_stream_is_cut_and_opened_again(rig):
    rig.options["stream_timeout_s"] = 6.0
    async with connected(rig) as (_, seen):
        rig.faults.plan(Fault.MUTE_STREAM)
        lost = (await LoopClock().run_until(lambda: seen.of(VenueDisconnected)))[0]
        assert "mute" in lost.reason
        rig.faults.clear()
        await until(lambda: len(seen.of(VenueConnected)) == 2)


async def test_quiet_stream_is_left_alone(rig):
    async with connected(rig) as (port, seen):
        await LoopClock().run_through(port._session, timeouts=2)
        assert not seen.of(VenueDisconnected)
        assert len(rig.simulator.stream.connects) == 1


async def test_lost_session_is_told_once_and_comes_back_no_faster_than_allowed(rig):
    async with connected(rig) as (_, seen):
        for count in (1, 2, 3):
            await until(lambda: len(seen.of(VenueConnected)) == count)  # noqa: B023
            await rig.cut()
            await until(lambda: len(seen.of(VenueDisconnected)) == count)  # noqa: B023
        times = rig.simulator.stream.connects
        gaps = [after - before for before, after in pairwise(times)]
        assert min(gaps) >= 0.45


async def test_refused_credentials_are_final_and_never_tried_again(rig):
    rig.credentials = {"ALPACA_API_KEY": KEY, "ALPACA_SECRET_KEY": "wrong-" + SECRET}
    port, seen = rig.open_port(), Observed()
    await port.connect(seen)
    lost = (await until(lambda: seen.of(VenueDisconnected)))[0]
    assert lost.is_final
    assert "ALPACA_API_KEY" in lost.reason
    await until(port._session._task.done)  # from then on nobody can try again
    assert len(rig.simulator.stream.connects) == 1
    assert seen.messages == [lost]
    await port.disconnect()


async def test_credentials_that_expire_are_final(rig):
    async with connected(rig) as (_, seen):
        rig.faults.plan(Fault.BAD_CREDENTIALS)
        await until(lambda: [m for m in seen.of(VenueDisconnected) if m.is_final])


async def test_unreadable_message_makes_the_account_be_compared_and_loses_nothing(rig):
    async with connected(rig) as (port, seen):
        rig.faults.plan(Fault.MALFORMED)
        await port.submit(order())
        await until(lambda: seen.of(FillReport))
        assert len(seen.of(VenueConnected)) == 2
        assert not seen.of(VenueDisconnected)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"stream":5}',
        b'{"stream":"trade_updates"}',
        b'{"stream":"trade_updates","data":{"event":"fill","order":{"id":"x","status":"new"}}}',
        b'{"stream":"trade_updates","data":{"event":"trade_bust","order":{"id":"x","status":"new"}}}',
        b'{"stream":"listening","data":[]}',
    ],
)
async def test_nonsense_on_the_stream_is_survived(rig, frame):
    async with connected(rig) as (port, seen):
        await asyncio.to_thread(rig.simulator.say, frame)
        await until(lambda: len(seen.of(VenueConnected)) == 2)
        await port.submit(order())
        await until(lambda: seen.of(FillReport))


async def test_fill_without_execution_id_is_asked_for(rig):
    async with connected(rig) as (port, seen):
        rig.faults.plan(Fault.MUTE_STREAM)
        asked = order()
        venue_id = await port.submit(asked)
        await rig.in_simulator(rig.simulator.stream.flush)  # told to nobody
        assert rig.simulator.ledger.activities.rows
        assert not seen.of(FillReport)
        rig.faults.clear()
        said = {"id": venue_id, "status": "filled", "client_order_id": asked.client_order_id}
        update = {"event": "fill", "order": {**said, "symbol": "AAPL", "side": "buy"}}
        frame = json.dumps({"stream": "trade_updates", "data": update})
        await asyncio.to_thread(rig.simulator.say, frame.encode())
        fill = (await until(lambda: seen.of(FillReport)))[0]
        assert fill.trade_id
        assert fill.client_order_id == asked.client_order_id


async def test_fill_before_the_acknowledgement_is_told(rig):
    async with connected(rig) as (port, seen):
        rig.faults.plan(Fault.FILL_BEFORE_ACK)
        rig.simulator.held_answers.add("POST /v2/orders")
        submitting = asyncio.create_task(port.submit(order()))
        await until(lambda: seen.of(FillReport))
        assert not submitting.done()
        rig.simulator.held_answers.clear()
        await submitting


async def test_reject_after_the_acknowledgement_is_told(rig):
    async with connected(rig) as (port, seen):
        rig.faults.plan(Fault.REJECT_AFTER_ACK)
        await port.submit(order())
        rejected = await until(
            lambda: [m for m in seen.of(OrderStatusReport) if m.status is OrderStatus.REJECTED]
        )
        assert rejected[0].code


async def test_clock_of_the_venue_is_read(rig):
    rig.options["clock_interval_s"] = 0.2
    now = time.time_ns()
    rig.simulator.now = lambda: now  # both clocks stand still: how long an answer takes is no skew
    port, seen = rig.open_port(), Observed()
    port._enquiries._now = lambda: now
    await port.connect(seen)
    first = (await until(lambda: seen.of(VenueClockRead)))[0]
    assert first.skew_ns == 0
    rig.faults.plan(Fault.CLOCK_SKEW)
    await until(lambda: seen.of(VenueClockRead)[-1].skew_ns == 3_000_000_000)
    await port.disconnect()


async def test_orders_of_others_are_reported_under_an_id_of_their_own(rig):
    async with connected(rig) as (port, seen):
        body = {
            "symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "limit_price": "90",
            "time_in_force": "day", "client_order_id": "from the web page",
        }  # fmt: skip
        record = await rig.in_simulator(lambda: rig.simulator.ledger.submit(body))
        report = (await until(lambda: seen.of(OrderStatusReport)))[0]
        assert report.client_order_id == f"ext-{record.id}"
        await port.cancel(CancelOrder(client_order_id=report.client_order_id, account_id=ACCOUNT))
        await until(lambda: record.status == "canceled")


async def test_keys_are_nowhere_to_be_seen(rig, caplog):
    caplog.set_level(logging.DEBUG)
    async with connected(rig) as (port, seen):
        await port.submit(limit(90))
        await rig.cut()
        await until(lambda: len(seen.of(VenueConnected)) == 2)
        rig.faults.plan(Fault.BAD_CREDENTIALS)
        await until(lambda: [m for m in seen.of(VenueDisconnected) if m.is_final])
        text = caplog.text + repr(seen.messages) + repr(vars(port)) + repr(rig.settings)
        assert SECRET[-12:] not in text  # libraries show the end of what they shorten
        assert KEY not in text


async def test_closing_is_quick_even_when_the_venue_is_mute(rig):
    async with connected(rig) as (port, _):
        rig.faults.plan(Fault.MUTE_STREAM)
        began = time.monotonic()
        await port.disconnect()
        assert time.monotonic() - began < 10.0  # no time-out of 30 s was waited for
