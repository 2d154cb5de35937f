"""What is asked after a restart: every page, whose each execution is, and no half answers."""

import asyncio
from decimal import Decimal

import pytest

from actors.venues.ccxt.dialects import Lookup
from tests.venues.ccxt.bybit import Bybit
from tests.venues.ccxt.rig import open_bybit, open_kraken, open_rig
from tests.venues.rig import Observed
from tests.venues.stopped_clock import stopped_clock
from tests.venues.trader import Trader
from trading.commands import CancelAllOrders
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.identifiers import ClientOrderId
from trading.outcomes import VenueConnected
from trading.reports import OrderStatusReport
from trading.values import OrderStatus, OrderType, TimeInForce

OPENERS = [open_rig, open_kraken, open_bybit]


def restarted(opener, before, after, **options):
    """Run `before(rig, port, trader)` with one adapter, `after(rig, port, heard, trader)` with a new one."""

    async def whole():
        rig = await opener(None)
        try:
            trader = Trader(rig)
            for step in (before, after):
                heard, port = Observed(), rig.open_port(**options)
                try:
                    await port.connect(heard)
                    await heard.until(lambda heard=heard: heard.of(VenueConnected))
                    await step(rig, port, heard, trader)
                finally:
                    await port.disconnect()
        finally:
            await rig.close()

    asyncio.run(whole())


@pytest.mark.parametrize("opener", OPENERS)
def test_executions_of_before_are_read_page_by_page_and_belong_to_our_orders(opener, monkeypatch):
    monkeypatch.setattr(Bybit, "page", 25)
    keys = []

    async def before(rig, port, heard, trader):
        for number in range(60):
            order = trader.limit(60 + number / 10)
            await port.submit(order)
            keys.append(order.client_order_id)
        trader.move(50.0)

    async def after(rig, port, heard, trader):
        session = port._session
        session.dialect = session.dialect.__class__(
            **{name: getattr(session.dialect, name) for name in session.dialect.__struct_fields__}
            | {"page_size": 25 if rig.name != "kraken" else 50}
        )
        fills = await port.executions_since(rig.desk.account_id, 0)
        assert len(fills) == 60
        assert {fill.client_order_id for fill in fills} == set(keys)
        assert len({fill.trade_id for fill in fills}) == 60
        truth = sum((f.last_qty * f.last_px + f.commission for f in rig.desk.fills), Decimal(0))
        assert sum((f.last_qty * f.last_px + f.commission for f in fills), Decimal(0)) == truth
        newest = max(fill.ts_event for fill in fills)
        late = await port.executions_since(rig.desk.account_id, newest + 2_000_000_000)
        assert late == ()

    restarted(opener, before, after)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("ending", ["works", "filled", "canceled"])
def test_an_order_of_before_is_found_by_our_id_alone(opener, ending):
    kept = {}

    async def before(rig, port, heard, trader):
        kept["order"] = order = trader.limit(80)
        await port.submit(order)
        if ending == "filled":
            trader.move(70.0)
        if ending == "canceled":
            await port.cancel_all(CancelAllOrders(account_id=rig.desk.account_id))

    async def after(rig, port, heard, trader):
        order = kept["order"]
        found = await port.order_status(rig.desk.account_id, order.client_order_id)
        expected = {
            "works": OrderStatus.ACCEPTED,
            "filled": OrderStatus.FILLED,
            "canceled": OrderStatus.CANCELED,
        }
        assert isinstance(found, OrderStatusReport)
        assert found.status is expected[ending]
        assert (found.quantity, found.price) == (order.quantity, order.price)

    restarted(opener, before, after)


@pytest.mark.parametrize("opener", OPENERS)
def test_stop_orders_of_before_are_listed_found_and_cancelled(opener):
    kept = {}

    async def before(rig, port, heard, trader):
        kept["order"] = order = trader.order(
            order_type=OrderType.STOP_LIMIT,
            time_in_force=TimeInForce.GTC,
            price=trader.at(112),
            trigger_price=trader.at(110),
        )
        await port.submit(order)

    async def after(rig, port, heard, trader):
        order, account = kept["order"], rig.desk.account_id
        (listed,) = await port.open_orders(account)
        assert listed.client_order_id == order.client_order_id
        assert listed.order_type is OrderType.STOP_LIMIT
        assert (listed.price, listed.trigger_price) == (order.price, order.trigger_price)
        done = await port.cancel_all(CancelAllOrders(account_id=account))
        assert done == (order.client_order_id,)
        assert not rig.desk.working()

    restarted(opener, before, after)


@pytest.mark.parametrize("opener", OPENERS)
def test_orders_and_executions_of_somebody_else_are_told_apart(opener):
    async def before(rig, port, heard, trader):
        rig.desk.request(trader.order())
        rig.desk.request(trader.limit(70))

    async def after(rig, port, heard, trader):
        (order,) = await port.open_orders(rig.desk.account_id)
        (fill,) = await port.executions_since(rig.desk.account_id, 0)
        assert order.client_order_id == f"ext-{order.venue_order_id}"
        assert fill.client_order_id == f"ext-{fill.venue_order_id}"

    restarted(opener, before, after)


@pytest.mark.parametrize("opener", OPENERS)
def test_an_order_can_also_be_found_by_searching_the_lists(opener):
    """Exchanges that nobody has looked at are asked like this."""
    kept = {}

    async def before(rig, port, heard, trader):
        kept["order"] = trader.limit(80)
        await port.submit(kept["order"])

    async def after(rig, port, heard, trader):
        session = port._session
        fields = {n: getattr(session.dialect, n) for n in session.dialect.__struct_fields__}
        session.dialect = type(session.dialect)(**fields | {"lookup": Lookup.SEARCH})
        account = rig.desk.account_id
        found = await port.order_status(account, kept["order"].client_order_id)
        assert found.status is OrderStatus.ACCEPTED
        session.exchange.has.update(
            dict.fromkeys(
                [
                    "fetchOrders",
                    "fetchClosedOrders",
                    "fetchCanceledOrders",
                    "fetchCanceledAndClosedOrders",
                ],
                False,
            )
        )
        with pytest.raises(OutcomeUnknown, match="does not list closed orders"):
            await port.order_status(account, ClientOrderId("0" * 32))

    restarted(opener, before, after)


def test_a_comparison_that_the_rate_limit_has_no_room_for_spends_nothing():
    async def before(rig, port, heard, trader):
        account = rig.desk.account_id
        stopped_clock(port._session.hooks.pacing)
        while port._session.hooks.pacing.room_in(12) == 0:
            await port.mass_status(account, 0)
        asked = len(rig.simulator.asked)
        with pytest.raises(VenueUnreachable, match="rate limit"):
            await port.mass_status(account, 0)
        assert len(rig.simulator.asked) == asked
        order = trader.limit(80)
        async with asyncio.timeout(60):  # orders have their own limit at Kraken
            await port.submit(order)

    async def after(rig, port, heard, trader):
        pass

    restarted(open_kraken, before, after, rate_limit_ms=1000.0)


def test_a_list_of_two_orders_is_not_offered():
    async def before(rig, port, heard, trader):
        class AnyList:
            kind = "OCO"

        with pytest.raises(VenueRefused, match="OCO"):
            await port.submit_list(AnyList())

    async def after(rig, port, heard, trader):
        pass

    restarted(open_rig, before, after)


def test_before_the_exchange_was_reached_nothing_is_sent():
    async def tell():
        rig = await open_rig(None)
        port = rig.open_port()
        try:
            with pytest.raises(VenueUnreachable, match="nothing was sent"):
                await port.submit(Trader(rig).limit(80))
            assert not rig.simulator.asked
        finally:
            await port.disconnect()
            await rig.close()

    asyncio.run(tell())


def test_fees_in_the_coin_and_in_a_third_one_come_through_the_whole_client(caplog):
    async def before(rig, port, heard, trader):
        account = rig.desk.account_id
        await port.submit(trader.order())
        rig.simulator.fee_coin = "BTC"
        (fill,) = await port.executions_since(account, 0)
        assert fill.commission == 0
        assert fill.commission_qty == rig.desk.fills[0].commission
        rig.simulator.fee_coin = "BNB"
        (fill,) = await port.executions_since(account, 0)
        assert (fill.commission, fill.commission_qty) == (0, 0)

    async def after(rig, port, heard, trader):
        pass

    restarted(open_rig, before, after)
    assert "taken in BNB" in caplog.text
