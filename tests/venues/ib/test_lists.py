"""Brackets, one-triggers-another, one-cancels-other: as TWS is told of them, and all or none."""

from decimal import Decimal

import msgspec
import pytest

from tests.venues.ib.acts import cancel, limit, order, run, trading, until
from trading.commands import SubmitOrderList
from trading.errors import OutcomeUnknown, VenueRefused
from trading.identifiers import derive_leg_id
from trading.refusals import RefusalCode
from trading.reports import FillReport
from trading.values import OrderListKind, OrderSide, OrderType, TimeInForce


def chained(rig, kind, first, *others):
    legs = [
        msgspec.structs.replace(
            each,
            client_order_id=derive_leg_id(first.client_order_id, index),
            parent_order_id=first.client_order_id,
        )
        for index, each in enumerate(others, start=1)
    ]
    return SubmitOrderList(kind=kind, account_id=rig.desk.account_id, orders=(first, *legs))


def profit(rig, price="110"):
    return limit(rig, price, side=OrderSide.SELL)


def loss(rig, price="90"):
    return order(
        rig,
        side=OrderSide.SELL,
        order_type=OrderType.STOP_MARKET,
        trigger_price=Decimal(price),
        time_in_force=TimeInForce.GTC,
    )


def ids(order_list):
    return [each.client_order_id for each in order_list.orders]


@pytest.mark.parametrize(("price", "hit", "other"), [(111.0, 1, 2), (89.0, 2, 1)])
def test_a_bracket_trades_its_entry_and_then_one_of_its_exits(price, hit, other):
    async def story(rig):
        async with trading(rig) as (port, said):
            bracket = chained(rig, OrderListKind.BRACKET, order(rig), profit(rig), loss(rig))
            numbers = await port.submit_list(bracket)
            assert len(set(numbers)) == 3
            await until(lambda: rig.desk.working() == set(ids(bracket)[1:]))
            rig.desk.move({rig.traded: price})
            await until(lambda: not rig.desk.working())
            await said.until(lambda: len(said.of(FillReport)) == 2)
            assert said.of(FillReport)[1].client_order_id == ids(bracket)[hit]
            report = await port.order_status(rig.desk.account_id, ids(bracket)[other])
            assert report.status == "CANCELED"
            assert not rig.desk.positions

    run(story)


def test_the_exits_of_a_bracket_do_not_work_before_its_entry_fills():
    async def story(rig):
        async with trading(rig) as (port, _):
            bracket = chained(rig, OrderListKind.BRACKET, limit(rig, 95), profit(rig), loss(rig))
            await port.submit_list(bracket)
            assert rig.desk.working() == {ids(bracket)[0]}
            assert rig.tws.orders.transmitted == [False, False, True]
            listed = await port.open_orders(rig.desk.account_id)
            assert {each.client_order_id for each in listed} == set(ids(bracket))
            await port.cancel(cancel(rig, ids(bracket)[0]))
            assert await port.open_orders(rig.desk.account_id) == ()

    run(story)


def test_an_entry_that_fills_lets_its_one_exit_work():
    async def story(rig):
        async with trading(rig) as (port, _):
            chain = chained(rig, OrderListKind.OTO, limit(rig, 95), profit(rig))
            await port.submit_list(chain)
            rig.desk.move({rig.traded: 94.0})
            await until(lambda: rig.desk.working() == {ids(chain)[1]})

    run(story)


def test_of_two_exits_one_cancels_the_other():
    async def story(rig):
        async with trading(rig) as (port, said):
            await port.submit(order(rig))
            await said.until(lambda: said.of(FillReport))
            pair = chained(rig, OrderListKind.OCO, profit(rig), loss(rig))
            await port.submit_list(pair)
            assert rig.desk.working() == set(ids(pair))
            rig.desk.move({rig.traded: 111.0})
            await until(lambda: not rig.desk.working())
            assert not rig.desk.positions

    run(story)


def test_a_list_of_which_one_order_is_refused_leaves_nothing_behind():
    async def story(rig):
        async with trading(rig) as (port, _):
            pair = chained(rig, OrderListKind.OCO, profit(rig), loss(rig, "90.005"))
            with pytest.raises(VenueRefused) as refusal:
                await port.submit_list(pair)
            assert refusal.value.venue_code == "110"
            assert not rig.desk.working()

    run(story)


def test_a_list_whose_entry_traded_while_an_exit_was_refused_is_no_refusal():
    async def story(rig):
        async with trading(rig) as (port, _):
            bracket = chained(
                rig, OrderListKind.BRACKET, order(rig), profit(rig), loss(rig, "90.005")
            )
            with pytest.raises(OutcomeUnknown):
                await port.submit_list(bracket)
            assert rig.desk.positions

    run(story)


def test_a_list_is_not_sent_when_ib_knows_one_of_its_orders():
    async def story(rig):
        async with trading(rig) as (port, _):
            bracket = chained(rig, OrderListKind.BRACKET, limit(rig, 95), profit(rig), loss(rig))
            await port.submit_list(bracket)
            before = rig.tws.received[3]
            with pytest.raises(VenueRefused) as refusal:
                await port.submit_list(bracket)
            assert refusal.value.venue_code == RefusalCode.DUPLICATE_CLIENT_ORDER_ID
            assert rig.tws.received[3] == before

    run(story)


def test_combinations_are_refused_by_name():
    async def story(rig):
        async with trading(rig) as (port, _):
            legs = chained(rig, OrderListKind.MULTI_LEG, order(rig), order(rig))
            with pytest.raises(VenueRefused, match="MULTI_LEG"):
                await port.submit_list(legs)

    run(story)
