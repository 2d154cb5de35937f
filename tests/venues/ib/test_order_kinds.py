"""Units and contracts, auctions, stops: what TWS is told of each kind of order."""

from decimal import Decimal

import pytest

from tests.venues.ib.acts import limit, order, run, trading
from tests.venues.ib.contracts import CALL, ES, EURUSD, KO
from trading.errors import VenueRefused
from trading.reports import FillReport
from trading.values import OrderSide, OrderType, TimeInForce


@pytest.mark.parametrize(
    ("key", "units", "contracts", "price"),
    [(CALL, 300, "3", "2.50"), (ES, 100, "2", "599.25"), (EURUSD, 20_000, "20000", "1.05")],
)
def test_units_become_contracts_and_come_back_as_units(key, units, contracts, price):
    async def story(rig):
        async with trading(rig) as (port, said):
            asked = limit(rig, price, units, instrument_id=key)
            await port.submit(asked)
            (ticket,) = rig.tws.orders.live() or rig.tws.orders.completed()
            assert ticket.values["quantity"] == contracts
            low = rig.desk.instruments[key].price(Decimal(price) * Decimal("0.99"))
            rig.desk.move({key: float(low)})
            await said.until(lambda: sum(each.last_qty for each in said.of(FillReport)) == units)
            fill = said.of(FillReport)[0]
            assert fill.instrument_id == key
            assert fill.is_margined is (key == ES)
            positions = await port.positions(rig.desk.account_id)
            assert {each.instrument_id: each.quantity for each in positions} == {key: units}

    run(story)


def test_a_part_of_a_contract_is_refused():
    async def story(rig):
        async with trading(rig) as (port, _):
            with pytest.raises(VenueRefused) as refusal:
                await port.submit(limit(rig, "2.50", 150, instrument_id=CALL))
            assert refusal.value.venue_code == "BAD_QUANTITY"

    run(story)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"time_in_force": TimeInForce.OPG}, ("MKT", "OPG")),
        ({"time_in_force": TimeInForce.CLS}, ("MOC", "DAY")),
        (
            {"order_type": OrderType.LIMIT, "price": 120, "time_in_force": TimeInForce.OPG},
            ("LMT", "OPG"),
        ),
        (
            {"order_type": OrderType.LIMIT, "price": 120, "time_in_force": TimeInForce.CLS},
            ("LOC", "DAY"),
        ),
    ],
)
def test_orders_for_the_auctions_trade_in_them(details, expected):
    async def story(rig):
        async with trading(rig) as (port, said):
            terms = {key: Decimal(v) if key == "price" else v for key, v in details.items()}
            asked = order(rig, instrument_id=KO, **terms)
            await port.submit(asked)
            (ticket,) = rig.tws.orders.live()
            assert (ticket.values["order_type"], ticket.values["tif"]) == expected
            (report,) = await port.open_orders(rig.desk.account_id)
            assert report.time_in_force is asked.time_in_force
            assert report.order_type is asked.order_type
            rig.tws.call(rig.tws.orders.run_auction)
            await said.until(lambda: said.of(FillReport))

    run(story)


def test_a_trailing_stop_travels_with_its_distance():
    async def story(rig):
        async with trading(rig) as (port, _):
            asked = order(
                rig,
                side=OrderSide.SELL,
                order_type=OrderType.TRAILING_STOP_MARKET,
                trailing_offset=Decimal("2.50"),
                time_in_force=TimeInForce.GTC,
            )
            await port.submit(asked)
            (ticket,) = rig.tws.orders.live()
            assert (ticket.values["order_type"], ticket.values["aux_price"]) == ("TRAIL", "2.50")

    run(story)


def test_a_stop_limit_travels_with_both_prices():
    async def story(rig):
        async with trading(rig) as (port, _):
            asked = order(
                rig,
                order_type=OrderType.STOP_LIMIT,
                trigger_price=Decimal(105),
                price=Decimal(106),
                time_in_force=TimeInForce.GTC,
            )
            await port.submit(asked)
            (report,) = await port.open_orders(rig.desk.account_id)
            assert (report.trigger_price, report.price) == (Decimal(105), Decimal(106))

    run(story)
