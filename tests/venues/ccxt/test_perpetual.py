"""Linear perpetuals: units, directions of triggers, positions with a sign, cash without the price."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from tests.venues.ccxt.rig import open_bybit_linear
from tests.venues.rig import Observed
from tests.venues.trader import Trader
from trading.errors import VenueRefused
from trading.identifiers import InstrumentId
from trading.outcomes import VenueConnected
from trading.reports import FillReport
from trading.values import AssetClass, OrderSide, OrderType, TimeInForce


def perpetual(tell):
    async def whole():
        rig = await open_bybit_linear(None)
        heard, port = Observed(), rig.open_port()
        try:
            await port.connect(heard)
            await heard.until(lambda: heard.of(VenueConnected))
            await tell(rig, port, heard, Trader(rig))
        finally:
            await port.disconnect()
            await rig.close()

    asyncio.run(whole())


def last_request(rig):
    return rig.simulator.placed()[-1].request


def test_a_fill_is_margined_and_the_position_has_a_sign():
    async def tell(rig, port, heard, trader):
        await port.submit(trader.order(side=OrderSide.SELL))
        await heard.until(lambda: heard.of(FillReport))
        (fill,) = heard.of(FillReport)
        assert fill.is_margined
        assert fill.instrument_id == rig.traded == "BTC/USDT-PERP.BYBIT"
        assert fill.currency == "USDT"
        (position,) = await port.positions(rig.desk.account_id)
        assert position.quantity == -rig.lot
        assert position.avg_px == Decimal("100.5")
        account = await port.account(rig.desk.account_id)
        assert account.cash == rig.desk.cash
        (listed,) = await port.executions_since(rig.desk.account_id, 0)
        assert listed.trade_id == fill.trade_id

    perpetual(tell)


def test_a_stop_order_says_from_which_side_its_trigger_is_reached():
    async def tell(rig, port, heard, trader):
        stop = {
            "order_type": OrderType.STOP_MARKET,
            "time_in_force": TimeInForce.GTC,
        }
        await port.submit(trader.order(trigger_price=trader.at(110), **stop))
        assert last_request(rig)["triggerDirection"] == 1
        down = trader.order(trigger_price=trader.at(90), side=OrderSide.SELL, **stop)
        await port.submit(down)
        assert last_request(rig)["triggerDirection"] == 2
        orders = await port.open_orders(rig.desk.account_id)
        assert {order.order_type for order in orders} == {OrderType.STOP_MARKET}
        assert {order.trigger_price for order in orders} == {trader.at(110), trader.at(90)}
        found = await port.order_status(rig.desk.account_id, down.client_order_id)
        assert found.trigger_price == trader.at(90)

    perpetual(tell)


def test_a_reducing_order_says_so():
    async def tell(rig, port, heard, trader):
        await port.submit(msgspec.structs.replace(trader.limit(80), reduce_only=True))
        assert last_request(rig)["reduceOnly"] is True
        await port.submit(trader.limit(81))
        assert not last_request(rig).get("reduceOnly")

    perpetual(tell)


def test_the_pair_of_the_same_name_is_another_thing():
    async def tell(rig, port, heard, trader):
        assert set(port.capabilities.orders) == {AssetClass.PERPETUAL}
        pair = msgspec.structs.replace(trader.order(), instrument_id=InstrumentId("BTC/USDT.BYBIT"))
        with pytest.raises(VenueRefused, match="not traded"):
            await port.submit(pair)

    perpetual(tell)


def test_the_feed_knows_the_perpetual_by_our_name_and_by_theirs():
    async def tell(rig, port, heard, trader):
        feed = rig.open_feed()
        try:
            for name in ("BTC/USDT-PERP", "BTC/USDT:USDT", "BTCUSDT"):
                (found,) = await feed.instruments((name,))
                assert found.instrument_id == rig.traded
                assert found.venue_symbol == "BTC/USDT:USDT"
                assert found.is_margined
                assert found.asset_class is AssetClass.PERPETUAL
        finally:
            await feed.disconnect()

    perpetual(tell)
