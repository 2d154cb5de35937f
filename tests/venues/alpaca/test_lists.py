"""Brackets, OCO, OTO and multi-leg options: legs that the venue names itself are ours by their place."""

from decimal import Decimal

import pytest

from actors.venues.alpaca.entry import UNSUPPORTED
from tests.venues.alpaca.orders import connected, limit, order, until
from tests.venues.alpaca.rig import AAPL, CALL, PUT
from tests.venues.desk import ACCOUNT
from trading.commands import CancelAllOrders, CancelOrder, ReplaceOrder, SubmitOrderList
from trading.errors import OutcomeUnknown, VenueRefused
from trading.identifiers import derive_leg_id
from trading.reports import FillReport
from trading.values import OrderListKind, OrderSide, OrderStatus, OrderType, TimeInForce

pytestmark = pytest.mark.asyncio


def listed(kind, first, *others, net_price=None):
    legs = [
        order(
            **{
                "client_order_id": derive_leg_id(first.client_order_id, index),
                "parent_order_id": first.client_order_id,
                "quantity": first.quantity,
                "time_in_force": first.time_in_force,
                **changes,
            }
        )
        for index, changes in enumerate(others, 1)
    ]
    return SubmitOrderList(
        kind=kind, account_id=ACCOUNT, orders=(first, *legs), net_price=net_price
    )


def bracket(entry=None):
    return listed(
        OrderListKind.BRACKET,
        entry or limit(95, time_in_force=TimeInForce.GTC),
        {"side": OrderSide.SELL, "order_type": OrderType.LIMIT, "price": Decimal(110)},
        {"side": OrderSide.SELL, "order_type": OrderType.STOP_MARKET, "trigger_price": Decimal(90)},
    )


async def test_bracket_is_one_request_and_every_leg_has_our_id(rig):
    async with connected(rig) as (port, _):
        asked = bracket()
        ids = await port.submit_list(asked)
        assert len(set(ids)) == 3
        assert len(rig.simulator.bodies) == 1
        reports = await port.open_orders(ACCOUNT)
        assert {r.client_order_id: r.venue_order_id for r in reports} == {
            each.client_order_id: venue_id for each, venue_id in zip(asked.orders, ids, strict=True)
        }


async def test_bracket_trades_and_the_other_exit_is_canceled(rig):
    async with connected(rig) as (port, seen):
        asked = bracket(limit(101, time_in_force=TimeInForce.GTC))
        entry, take, stop = (each.client_order_id for each in asked.orders)
        await port.submit_list(asked)
        await until(lambda: [f for f in seen.of(FillReport) if f.client_order_id == entry])
        rig.desk.move({AAPL.instrument_id: 111.0})
        await until(lambda: [f for f in seen.of(FillReport) if f.client_order_id == take])
        await until(
            lambda: [
                m
                for m in seen.messages
                if getattr(m, "status", None) is OrderStatus.CANCELED and m.client_order_id == stop
            ]
        )
        assert rig.desk.positions == {}
        fills = await port.executions_since(ACCOUNT, 0)
        assert [f.client_order_id for f in fills] == [entry, take]


async def test_legs_are_recognised_by_a_process_that_knows_nothing(rig):
    async with connected(rig) as (port, _):
        asked = bracket(limit(101, time_in_force=TimeInForce.GTC))
        await port.submit_list(asked)
        await until(lambda: rig.desk.fills)
    entry, take, stop = (each.client_order_id for each in asked.orders)
    async with connected(rig) as (restarted, seen):
        status = await restarted.order_status(ACCOUNT, stop)
        assert (status.client_order_id, status.order_type) == (stop, OrderType.STOP_MARKET)
    async with connected(rig) as (restarted, seen):
        status = await restarted.mass_status(ACCOUNT, 0)
        assert {r.client_order_id for r in status.open_orders} == {take, stop}
        assert [f.client_order_id for f in status.fills] == [entry]
        await restarted.cancel(CancelOrder(client_order_id=take, account_id=ACCOUNT))
    async with connected(rig) as (restarted, seen):
        rig.desk.move({AAPL.instrument_id: 89.0})
        fill = (await until(lambda: seen.of(FillReport)))[0]
        assert fill.client_order_id == stop


async def test_leg_that_is_replaced_stays_ours(rig):
    async with connected(rig) as (port, _):
        asked = bracket(limit(101, time_in_force=TimeInForce.GTC))
        await port.submit_list(asked)
        await until(lambda: len(rig.desk.orders) == 3)
        take = asked.orders[1].client_order_id
        replace = ReplaceOrder(client_order_id=take, account_id=ACCOUNT, price=Decimal(120))
        await until(lambda: rig.simulator.ledger.by_client and rig.desk.order(take))
        assert (await port.replace(replace)).client_order_id == take
    async with connected(rig) as (restarted, _):
        report = await restarted.order_status(ACCOUNT, take)
        assert (report.price, report.status) == (120, OrderStatus.ACCEPTED)


async def test_oco_and_oto(rig):
    async with connected(rig) as (port, seen):
        await port.submit(order())
        await until(lambda: seen.of(FillReport))
        oco = listed(
            OrderListKind.OCO,
            limit(110, side=OrderSide.SELL, time_in_force=TimeInForce.GTC),
            {
                "side": OrderSide.SELL,
                "order_type": OrderType.STOP_LIMIT,
                "trigger_price": Decimal(90),
                "price": Decimal(89),
            },
        )
        ids = await port.submit_list(oco)
        assert len(ids) == 2
        assert {r.client_order_id for r in await port.open_orders(ACCOUNT)} == {
            each.client_order_id for each in oco.orders
        }
        oto = listed(
            OrderListKind.OTO,
            limit(95, time_in_force=TimeInForce.GTC),
            {
                "side": OrderSide.SELL,
                "order_type": OrderType.STOP_MARKET,
                "trigger_price": Decimal(80),
            },
        )
        await port.submit_list(oto)
        assert len(await port.open_orders(ACCOUNT)) == 4
        canceled = await port.cancel_all(CancelAllOrders(account_id=ACCOUNT))
        assert set(canceled) == {each.client_order_id for each in (*oco.orders, *oto.orders)}


async def test_legs_that_the_answer_does_not_show_are_asked_for(rig):
    async with connected(rig) as (port, _):
        rig.simulator.hidden_legs = True
        assert len(await port.submit_list(bracket())) == 3


async def test_list_whose_legs_cannot_be_seen_is_unknown_and_never_unsent(rig):
    async with connected(rig) as (port, _):
        rig.simulator.hidden_legs = True

        async def gone(*_):
            raise VenueRefused("40410000", "order not found")

        port._lookup._one = lambda *_: gone()
        with pytest.raises(OutcomeUnknown):
            await port.submit_list(bracket())


@pytest.mark.parametrize(
    "asked",
    [
        listed(
            OrderListKind.BRACKET, limit(95), {"order_type": OrderType.LIMIT, "price": Decimal(1)}
        ),
        listed(
            OrderListKind.OTO,
            limit(95),
            {"order_type": OrderType.LIMIT, "price": Decimal(1), "quantity": Decimal(5)},
        ),
        listed(OrderListKind.MULTI_LEG, limit(95), {}),
    ],
)
async def test_list_that_cannot_be_said_to_the_venue_is_refused_by_name(rig, asked):
    async with connected(rig) as (port, _):
        with pytest.raises(VenueRefused) as caught:
            await port.submit_list(asked)
        assert caught.value.venue_code == UNSUPPORTED
        assert rig.simulator.bodies == []


def straddle(net_price=None, kind=OrderType.MARKET):
    first = order(instrument_id=CALL.instrument_id, quantity=Decimal(400), order_type=kind)
    second = {"instrument_id": PUT.instrument_id, "quantity": Decimal(200), "order_type": kind}
    return listed(OrderListKind.MULTI_LEG, first, second, net_price=net_price)


async def test_multi_leg_options_trade_together(rig):
    async with connected(rig) as (port, seen):
        asked = straddle()
        ids = await port.submit_list(asked)
        body = rig.simulator.bodies[0]
        assert (body["qty"], [leg["ratio_qty"] for leg in body["legs"]]) == ("2", ["2", "1"])
        await until(lambda: len({f.trade_id for f in seen.of(FillReport)}) == 2)
        by_order = {
            f.client_order_id: (f.instrument_id, f.last_qty, f.venue_order_id)
            for f in seen.of(FillReport)
        }
        assert by_order == {
            each.client_order_id: (each.instrument_id, each.quantity, venue_id)
            for each, venue_id in zip(asked.orders, ids, strict=True)
        }


async def test_multi_leg_order_that_rests_is_canceled_by_any_of_its_legs(rig):
    async with connected(rig) as (port, _):
        asked = straddle(net_price=Decimal(1), kind=OrderType.LIMIT)
        await port.submit_list(asked)
        assert rig.simulator.bodies[0]["limit_price"] == "1"
    async with connected(rig) as (restarted, _):
        second = asked.orders[1].client_order_id
        report = await restarted.order_status(ACCOUNT, second)
        assert (report.instrument_id, report.quantity) == (PUT.instrument_id, 200)
        first = await restarted.order_status(ACCOUNT, asked.orders[0].client_order_id)
        assert first.instrument_id == CALL.instrument_id
        await restarted.cancel(CancelOrder(client_order_id=second, account_id=ACCOUNT))
        for each in asked.orders:
            report = await restarted.order_status(ACCOUNT, each.client_order_id)
            assert report.status is OrderStatus.CANCELED
