"""Order types, times in force, units: what goes over the wire, and what is refused before it does."""

from decimal import Decimal

import pytest

from actors.venues.alpaca.capabilities import CAPABILITIES
from actors.venues.alpaca.entry import UNSUPPORTED
from tests.venues.alpaca.orders import connected, limit, order, until
from tests.venues.alpaca.rig import BTC, CALL, KO
from tests.venues.desk import ACCOUNT
from trading.commands import CancelOrder
from trading.errors import VenueRefused
from trading.reports import FillReport
from trading.values import AssetClass, OrderSide, OrderStatus, OrderType, TimeInForce

pytestmark = pytest.mark.asyncio

_PRICES = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"price": Decimal("90.5")},
    OrderType.STOP_MARKET: {"trigger_price": Decimal(110)},
    OrderType.STOP_LIMIT: {"trigger_price": Decimal(110), "price": Decimal("110.5")},
    OrderType.TRAILING_STOP_MARKET: {"trailing_offset": Decimal("2.5")},
}
_EQUITY = CAPABILITIES.orders[AssetClass.EQUITY]


@pytest.mark.parametrize(
    ("kind", "time"),
    [(kind, time) for kind, times in _EQUITY.pairs.items() for time in sorted(times)],
)
async def test_every_pair_that_is_claimed_is_taken(rig, kind, time):
    async with connected(rig) as (port, _):
        asked = order(order_type=kind, time_in_force=time, **_PRICES[kind])
        await port.submit(asked)
        report = await port.order_status(ACCOUNT, asked.client_order_id)
        assert (report.order_type, report.time_in_force) == (kind, time)
        assert report.quantity == asked.quantity
        assert report.price == asked.price
        body = rig.simulator.bodies[0]
        numbers = [body[name] for name in body if name.endswith("price") or name == "qty"]
        assert all(isinstance(number, str) for number in numbers)


@pytest.mark.parametrize(
    "changes",
    [
        {"order_type": OrderType.STOP_MARKET, "trigger_price": Decimal(1), "time_in_force": TimeInForce.IOC},
        {"order_type": OrderType.LIMIT, "price": Decimal(90), "post_only": True},
        {"extended_hours": True},
        {"instrument_id": BTC.instrument_id, "time_in_force": TimeInForce.DAY},
        {"instrument_id": CALL.instrument_id, "quantity": Decimal(150)},
    ],
)  # fmt: skip
async def test_what_is_not_offered_is_refused_by_name_and_never_sent(rig, changes):
    rig.instruments = (*rig.instruments, BTC, CALL)
    async with connected(rig) as (port, _):
        with pytest.raises(VenueRefused) as caught:
            await port.submit(order(**changes))
        assert caught.value.venue_code == UNSUPPORTED
        assert rig.simulator.bodies == []


async def test_fraction_of_a_share_trades(rig):
    async with connected(rig) as (port, seen):
        await port.submit(order(instrument_id=KO.instrument_id, quantity=Decimal("0.125")))
        fill = (await until(lambda: seen.of(FillReport)))[0]
        assert fill.last_qty == Decimal("0.125")


async def test_fraction_that_the_venue_refuses_is_refused_with_its_reason(rig):
    async with connected(rig) as (port, _):
        with pytest.raises(VenueRefused, match="DAY"):
            await port.submit(
                order(
                    instrument_id=KO.instrument_id,
                    quantity=Decimal("0.125"),
                    time_in_force=TimeInForce.GTC,
                )
            )


async def test_extended_hours_are_asked_for(rig):
    async with connected(rig) as (port, _):
        await port.submit(limit(90, extended_hours=True))
        assert rig.simulator.bodies[0]["extended_hours"] is True


async def test_options_are_sent_as_contracts_and_reported_as_shares(rig):
    async with connected(rig) as (port, seen):  # not configured: the contract is looked up
        await port.submit(order(instrument_id=CALL.instrument_id, quantity=Decimal(300)))
        assert rig.simulator.bodies[0]["qty"] == "3"
        fill = (await until(lambda: seen.of(FillReport)))[0]
        assert fill.instrument_id == CALL.instrument_id
        assert fill.last_qty == 300
        positions = await port.positions(ACCOUNT)
        assert [(p.instrument_id, p.quantity) for p in positions] == [(CALL.instrument_id, 300)]
        assert positions[0].avg_px == fill.last_px
        assert (await port.account(ACCOUNT)).cash == rig.desk.cash


async def test_stock_that_is_not_configured_is_known_by_its_listing(rig):
    async with connected(rig) as (port, seen):
        await port.submit(order(instrument_id=KO.instrument_id))
        fill = (await until(lambda: seen.of(FillReport)))[0]
        assert fill.instrument_id == "KO.XNYS"
        assert [p.instrument_id for p in await port.positions(ACCOUNT)] == ["KO.XNYS"]


async def test_instrument_under_a_wrong_listing_is_refused(rig):
    async with connected(rig) as (port, _):
        with pytest.raises(VenueRefused, match="XNYS"):
            await port.submit(order(instrument_id="KO.XNAS"))


async def test_short_sale_is_a_negative_position(rig):
    async with connected(rig) as (port, seen):
        await port.submit(order(side=OrderSide.SELL))
        await until(lambda: seen.of(FillReport))
        assert [p.quantity for p in await port.positions(ACCOUNT)] == [-10]


async def test_coin_has_one_id_whether_the_venue_writes_it_with_a_slash_or_without(rig):
    async with connected(rig) as (port, seen):
        asked = order(
            instrument_id=BTC.instrument_id, quantity=Decimal("0.5"), time_in_force=TimeInForce.GTC
        )
        await port.submit(asked)
        fill = (await until(lambda: seen.of(FillReport)))[0]
        assert fill.instrument_id == "BTC/USD.ALPACA"
        assert [p.instrument_id for p in await port.positions(ACCOUNT)] == ["BTC/USD.ALPACA"]


async def test_cancel_is_told_by_the_stream(rig):
    async with connected(rig) as (port, _):
        asked = limit(90)
        await port.submit(asked)
        await port.cancel(CancelOrder(client_order_id=asked.client_order_id, account_id=ACCOUNT))
        report = await port.order_status(ACCOUNT, asked.client_order_id)
        assert report.status is OrderStatus.CANCELED
