"""The private stream: it comes back, it is not deaf, it loses nothing that it was told."""

import asyncio
import time

import pytest

from actors.venues.ccxt.hooks import Tap
from actors.venues.ccxt.parse import clock_reading
from actors.venues.clock import clock_skew
from tests.venues.ccxt.rig import open_bybit, open_kraken, open_rig
from tests.venues.ccxt.simulator import SKEW_MS
from tests.venues.faults import Fault
from tests.venues.rig import Observed
from tests.venues.trader import Trader
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.reports import FillReport, OrderStatusReport
from trading.values import OrderStatus

OPENERS = [open_rig, open_kraken, open_bybit]
MS = 1_000_000
SECOND = 1_000 * MS


def connected(opener, tell, **options):
    """Run `tell(rig, port, heard, trader)` with a port whose streams are up; the trader only makes orders."""

    async def whole():
        rig = await opener(None)
        heard, port = Observed(), rig.open_port(**options)
        try:
            await port.connect(heard)
            await heard.until(lambda: heard.of(VenueConnected))
            await tell(rig, port, heard, Trader(rig))
        finally:
            await port.disconnect()
            await rig.close()

    asyncio.run(whole())


@pytest.mark.parametrize("opener", OPENERS)
def test_what_happens_to_an_order_is_told_without_being_asked(opener):
    async def tell(rig, port, heard, trader):
        order = trader.limit(90)
        await port.submit(order)
        trader.move(85.0)
        await heard.until(lambda: heard.of(FillReport))
        (fill,) = heard.of(FillReport)
        (truth,) = rig.desk.fills
        assert (fill.last_qty, fill.last_px) == (truth.last_qty, truth.last_px)
        assert fill.commission == truth.commission
        assert fill.client_order_id == order.client_order_id

    connected(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_fill_is_the_same_by_the_stream_and_by_the_list(opener):
    async def tell(rig, port, heard, trader):
        await port.submit(trader.order())
        await heard.until(lambda: heard.of(FillReport))
        (told,) = heard.of(FillReport)
        (listed,) = await port.executions_since(rig.desk.account_id, 0)
        assert told.trade_id == listed.trade_id
        assert told.client_order_id == listed.client_order_id
        assert (told.last_qty, told.last_px) == (listed.last_qty, listed.last_px)
        assert (told.commission, told.currency) == (listed.commission, listed.currency)
        assert abs(told.ts_event - listed.ts_event) <= MS

    connected(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_many_fills_at_once_all_arrive(opener):
    """The futures of ccxt wake a caller once for whatever comes between two of its calls."""

    async def tell(rig, port, heard, trader):
        keys = {(await port.submit(trader.limit(70 + n))) for n in range(20)}
        trader.move(60.0)
        await heard.until(lambda: len(heard.of(FillReport)) >= 20)
        assert {fill.venue_order_id for fill in heard.of(FillReport)} == keys

    connected(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_after_a_break_it_says_so_and_comes_back_and_hears_again(opener):
    async def tell(rig, port, heard, trader):
        await rig.cut()
        await heard.until(lambda: len(heard.of(VenueConnected)) > 1)
        (gone,) = heard.of(VenueDisconnected)
        assert not gone.is_final
        kinds = [type(m) for m in heard.messages if not isinstance(m, VenueClockRead)]
        assert kinds[-3:] == [VenueConnected, VenueDisconnected, VenueConnected]
        await port.submit(trader.order())
        await heard.until(lambda: heard.of(FillReport))

    connected(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_stream_that_is_open_and_mute_is_cut(opener):
    async def tell(rig, port, heard, trader):
        rig.faults.plan(Fault.MUTE_STREAM)
        downs = len(heard.of(VenueDisconnected))
        await heard.until(lambda: len(heard.of(VenueDisconnected)) > downs)
        assert "nothing" in heard.of(VenueDisconnected)[downs].reason
        rig.faults.clear()
        ups = len(heard.of(VenueConnected))
        await heard.until(lambda: len(heard.of(VenueConnected)) > ups)

    connected(opener, tell, stream_timeout_s=0.8)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_quiet_stream_that_answers_pings_is_left_alone(opener):
    async def tell(rig, port, heard, trader):
        await asyncio.sleep(11.0)  # more than twice the time that it may be silent
        assert not heard.of(VenueDisconnected)

    connected(opener, tell, stream_timeout_s=5.0)


@pytest.mark.parametrize("opener", OPENERS)
def test_after_a_message_that_cannot_be_read_everything_is_asked_for_and_the_stream_goes_on(opener):
    async def tell(rig, port, heard, trader):
        rig.faults.plan(Fault.MALFORMED)
        await port.submit(trader.order())
        await heard.until(lambda: heard.of(FillReport) and len(heard.of(VenueConnected)) > 1)
        assert not heard.of(VenueDisconnected)

    connected(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_refused_credentials_end_it_for_good(opener):
    async def tell(rig, port, heard, trader):
        rig.faults.plan(Fault.BAD_CREDENTIALS)
        await rig.cut()
        await heard.until(lambda: any(each.is_final for each in heard.of(VenueDisconnected)))
        asked = len(rig.simulator.asked)
        with pytest.raises(Exception, match="nothing was sent"):
            await port.submit(trader.order())
        assert len(rig.simulator.asked) == asked

    connected(opener, tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_cancelled_order_is_told_whole_even_where_the_exchange_tells_half(opener):
    async def tell(rig, port, heard, trader):
        order = trader.limit(80)
        await port.submit(order)
        orders = await port.open_orders(rig.desk.account_id)
        assert [each.client_order_id for each in orders] == [order.client_order_id]
        for each in orders:
            await port._orders._cancel(each)
        await heard.until(
            lambda: any(r.status is OrderStatus.CANCELED for r in heard.of(OrderStatusReport))
        )
        last = heard.of(OrderStatusReport)[-1]
        assert last.client_order_id == order.client_order_id
        assert (last.quantity, last.price, last.side) == (order.quantity, order.price, order.side)

    connected(opener, tell)


def test_a_change_of_an_order_from_before_this_connection_makes_everything_be_asked_for():
    """Kraken names no pair when an order ends, and this adapter has never seen the order."""

    async def tell(rig, port, heard, trader):
        order = trader.limit(80)
        await port.submit(order)
        await heard.until(lambda: heard.of(OrderStatusReport))
        port._reader._memory._reports.clear()
        rig.simulator.cancel(rig.simulator.find(client_id=order.client_order_id))
        await heard.until(lambda: len(heard.of(VenueConnected)) > 1)

    connected(open_kraken, tell)


def test_an_order_on_the_derivative_of_the_same_name_is_not_taken_for_one_on_the_pair():
    async def tell(rig, port, heard, trader):
        order_id = await port.submit(trader.limit(80))
        await heard.until(lambda: heard.of(OrderStatusReport))
        raw = rig.simulator._describe(rig.simulator.find(order_id=order_id))
        raw |= {"category": "linear", "tpslMode": "Full", "orderId": "other"}
        rig.simulator.run(_tell_all(rig.simulator, raw))
        last = await port.submit(trader.limit(81))
        await heard.until(
            lambda: any(r.venue_order_id == last for r in heard.of(OrderStatusReport))
        )  # behind it in the same stream
        assert all(r.venue_order_id != "other" for r in heard.of(OrderStatusReport))

    connected(open_bybit, tell)


async def _tell_all(simulator, raw):
    simulator._tell_all([simulator._topic("order", raw)])


# -- the clock


@pytest.mark.parametrize("opener", OPENERS)
def test_the_clock_of_the_exchange_is_read_and_its_skew_told(opener):
    async def tell(rig, port, heard, trader):
        (read,) = heard.of(VenueClockRead)
        assert abs(read.skew_ns) < SECOND
        rig.faults.plan(Fault.CLOCK_SKEW)
        began = time.time_ns()
        await port._read_clock()
        took = heard.of(VenueClockRead)[-1].ts_event - began
        ahead = heard.of(VenueClockRead)[-1].skew_ns
        # Some tell whole seconds, and what the answer took on its way is no skew.
        assert SKEW_MS * MS - SECOND - took <= ahead <= SKEW_MS * MS
        rig.faults.clear()

    connected(opener, tell)


def test_the_skew_is_the_smallest_that_explains_the_reading():
    sent, received = 1_000_400 * MS, 1_000_500 * MS

    def skew(venue_ms):
        return clock_skew(clock_reading(venue_ms), sent, received)

    assert skew(1_000_450) == 0
    assert skew(1_003_450) == 2_950 * MS
    assert skew(1_000_000) == 0, "whole seconds may be up to one later"
    assert skew(998_000) == -1_400 * MS


def test_a_tap_hands_on_and_keeps_nothing():
    heard = []
    tap = Tap(heard.append)
    tap.append({"id": "1"})
    tap.append({"id": "1"})
    assert heard == [{"id": "1"}, {"id": "1"}]
    assert len(tap) == 0
    assert tap.hashmap == {}
