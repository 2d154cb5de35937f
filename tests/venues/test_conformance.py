"""One suite for every venue: the unmodified client library, the real broker, the venue's own wire protocol.

After every story the venue's record and ours must agree: no duplicate order, none lost, the same
positions and the same cash.
"""

import asyncio
from decimal import Decimal

import pytest

from tests.venues.faults import Fault
from tests.venues.trader import IMPATIENT, Death, Trader, problems
from trading.capabilities import unsupported
from trading.commands import CancelAllOrders, SubmitOrder
from trading.errors import VenueRefused
from trading.events import (
    AccountOpened,
    CashAdjusted,
    OrderAmbiguous,
    OrderDenied,
    OrderFilled,
    OrderRejected,
)
from trading.identifiers import ClientOrderId
from trading.refusals import RefusalCode
from trading.values import OrderSide, OrderStatus, OrderType, TimeInForce

AMBIGUOUS = (
    Fault.DROP_RESPONSE,
    Fault.ERROR_5XX_EXECUTED,
    Fault.RESET_EXECUTED,
    Fault.HALF_ANSWER,
)
"""The venue acted on the order, and the answer does not say so."""
NOT_EXECUTED = (Fault.DROP_REQUEST, Fault.ERROR_5XX, Fault.RATE_LIMIT)


def needs(rig, fault):
    if fault not in rig.understands:
        pytest.skip(f"the protocol of {rig.name} has no {fault}")


def needs_replacement(rig):
    kind = rig.desk.instruments[rig.traded].asset_class
    if not rig.profile.capabilities.orders[kind].can_replace:
        pytest.skip(f"{rig.name} offers no replacement of {kind} orders")


# -- the life of an order


def test_when_a_market_order_is_sent_it_fills_once(story):
    async def tell(rig, trader):
        key = trader.submit(trader.order())
        await trader.until(lambda: trader.known(key).status is OrderStatus.FILLED)
        fills = [event for event in trader.events if isinstance(event, OrderFilled)]
        assert sum(fill.last_qty for fill in fills) == rig.lot
        assert {fill.trade_id for fill in fills} == trader.known(key).trade_ids

    story(tell)


def test_when_a_resting_order_is_cancelled_nothing_of_it_works_any_more(story):
    async def tell(rig, trader):
        key = trader.submit(trader.limit(80))
        await trader.until(lambda: trader.is_working(key))
        assert rig.desk.working() == {key}
        trader.cancel(key)
        await trader.until(lambda: trader.known(key).status is OrderStatus.CANCELED)
        assert not rig.desk.working()

    story(tell)


def test_when_the_market_reaches_a_resting_order_its_fill_arrives_by_the_stream(story):
    async def tell(rig, trader):
        key = trader.submit(trader.limit(90))
        await trader.until(lambda: trader.is_working(key))
        trader.move(85.0)
        await trader.until(lambda: trader.known(key).status is OrderStatus.FILLED)

    story(tell)


def test_when_an_order_is_replaced_the_new_price_and_quantity_work(story):
    async def tell(rig, trader):
        needs_replacement(rig)
        key = trader.submit(trader.limit(80))
        await trader.until(lambda: trader.is_working(key))
        trader.replace(key, price=trader.at(82), quantity=2 * rig.lot)
        await trader.until(lambda: trader.known(key).quantity == 2 * rig.lot)
        assert trader.known(key).price == trader.at(82)
        trader.move(81.0)
        await trader.until(lambda: trader.known(key).status is OrderStatus.FILLED)
        assert trader.known(key).filled_qty == 2 * rig.lot

    story(tell)


def test_when_everything_is_cancelled_no_order_works(story):
    async def tell(rig, trader):
        keys = [trader.submit(trader.limit(price)) for price in (80, 81, 82)]
        await trader.until(lambda: all(trader.is_working(key) for key in keys))
        trader.give(CancelAllOrders(account_id=trader.config.account_id))
        await trader.until(
            lambda: all(trader.known(key).status is OrderStatus.CANCELED for key in keys)
        )
        assert not rig.desk.working()

    story(tell)


def test_when_the_venue_refuses_an_order_the_reason_is_kept(story):
    async def tell(rig, trader):
        much = Decimal(10) ** 7 * rig.lot  # beyond any buying power
        key = trader.submit(trader.limit(80, quantity=much))
        await trader.until(lambda: trader.known(key).status is OrderStatus.REJECTED)
        assert trader.known(key).code
        assert trader.known(key).reason

    story(tell)


def test_when_the_account_is_asked_for_it_is_the_venues(story):
    async def tell(rig, trader):
        key = trader.submit(trader.order())
        await trader.until(lambda: trader.known(key).status is OrderStatus.FILLED)
        account = trader.config.account_id
        try:
            cash = (await trader.port.account(account)).cash
            positions = await trader.port.positions(account)
        except VenueRefused as error:
            pytest.skip(f"{rig.name} does not tell: {error}")
        assert cash == rig.desk.cash
        assert {each.instrument_id: each.quantity for each in positions} == rig.desk.positions
        fills = await trader.port.executions_since(account, 0)
        assert {fill.trade_id for fill in fills} == trader.known(key).trade_ids
        assert await trader.port.open_orders(account) == ()

    story(tell)


# -- the matrix of order types


PAIRS = [(kind, time) for kind in OrderType for time in TimeInForce]


@pytest.mark.parametrize(("kind", "time"), PAIRS, ids=str)
def test_each_claimed_order_is_taken_and_every_other_is_refused_by_name(story, kind, time):
    async def tell(rig, trader):
        instrument = rig.desk.instruments[rig.traded]
        order = _order_of(trader, kind, time)
        sentence = unsupported(order, instrument, rig.profile.capabilities)
        if sentence is not None:
            assert str(kind) in sentence or str(time) in sentence
            story.record(f"{kind} {time}", "refused by name")
            return
        key = trader.submit(order)
        await trader.until(lambda: _is_answered(trader, key))
        found = trader.known(key)
        assert found.status is not OrderStatus.REJECTED, (found.code, found.reason)
        if found.is_open:
            trader.cancel(key)
            await trader.until(lambda: not trader.known(key).is_open)
        story.record(f"{kind} {time}", "pass")

    story(tell)


def _order_of(trader: Trader, kind: OrderType, time: TimeInForce) -> SubmitOrder:
    details = {"order_type": kind, "time_in_force": time}
    if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        details["price"] = trader.at(112 if kind is OrderType.STOP_LIMIT else 80)
    if kind in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT):
        details["trigger_price"] = trader.at(110)
    if kind is OrderType.TRAILING_STOP_MARKET:
        details["trailing_offset"] = trader.at(5)
    return trader.order(**details)


def _is_answered(trader: Trader, key: ClientOrderId) -> bool:
    order = trader.record.orders.get(key)
    return order is not None and not order.is_in_flight


# -- reconciliation


def test_when_the_process_dies_with_working_orders_all_of_them_work_afterwards(story):
    async def tell(rig, trader):
        held = trader.submit(trader.order())
        await trader.until(lambda: trader.known(held).status is OrderStatus.FILLED)
        keys = [trader.submit(trader.limit(70 + number)) for number in range(14)]
        await trader.until(lambda: all(trader.is_working(key) for key in keys))
        await trader.settled()
        before = trader.broker.state_hash()
        await trader.restart()
        await trader.settled()
        assert trader.broker.state_hash() == before
        assert rig.desk.working() == set(keys)
        # A journal that knows nothing: the venue alone tells.
        cold = Trader(rig, cash=trader.config.initial_cash)
        trader_journal, cold.journal = trader.journal, []
        await trader.kill()
        await cold.start()
        assert len(cold.record.open_orders) == len(keys)
        await cold.kill()
        trader.journal = trader_journal
        await trader.start()

    story(tell)


def test_when_fills_are_missed_while_we_are_down_they_are_found_at_the_start(story):
    async def tell(rig, trader):
        keys = [trader.submit(trader.limit(price)) for price in (90, 91)]
        await trader.until(lambda: all(trader.is_working(key) for key in keys))
        await trader.kill()
        trader.move(85.0)
        await trader.start()
        await trader.until(
            lambda: all(trader.known(key).status is OrderStatus.FILLED for key in keys)
        )

    story(tell)


def test_when_the_connection_breaks_during_a_partial_fill_the_rest_is_found(story):
    async def tell(rig, trader):
        lots = Decimal(250_000) / trader.at(90) // rig.lot  # more than a level of the book holds
        key = trader.submit(trader.limit(90, quantity=lots * rig.lot))
        await trader.until(lambda: trader.is_working(key))
        trader.move(89.99)
        await rig.cut()
        trader.move(85.0)
        await trader.until(lambda: trader.view["is_ready"])
        await trader.settled()
        assert trader.known(key).filled_qty == rig.desk.order(key).filled_qty > 0

    story(tell, cash=None)


def test_when_somebody_else_trades_in_the_account_it_is_seen_and_adopted(story):
    async def tell(rig, trader):
        foreign = trader.order()
        trader.external.add(foreign.client_order_id)
        rig.desk.request(foreign)
        await trader.settled()
        assert trader.record.account.positions()[rig.traded].quantity == rig.lot

    story(tell)


def test_when_the_account_holds_something_at_the_first_start_every_count_begins_there(story):
    async def tell(rig, trader):
        foreign = trader.order()
        trader.external.add(foreign.client_order_id)
        rig.desk.request(foreign)
        await trader.start()
        opened = [event for event in trader.events if isinstance(event, AccountOpened)]
        if not opened and trader.view["uncompared"]:
            pytest.skip(f"{rig.name} does not tell what the account holds")
        assert [event.cash for event in opened] == [rig.desk.cash]
        key = trader.submit(trader.order())
        await trader.until(lambda: trader.known(key).status is OrderStatus.FILLED)
        await trader.settled()
        await trader.restart()
        await trader.settled()
        assert trader.record.account.positions()[rig.traded].quantity == 2 * rig.lot

    story(tell, ready=False, opens_account=True, check=False)


def test_when_the_venue_moves_cash_without_a_fill_it_is_written_down_and_trading_goes_on(story):
    async def tell(rig, trader):
        rig.desk.pay(Decimal("12.34"))
        if trader.view["uncompared"]:
            pytest.skip(f"{rig.name} does not tell the cash")
        await trader.until(
            lambda: (
                [e.amount for e in trader.events if isinstance(e, CashAdjusted)]
                == [Decimal("12.34")]
            )
        )

    story(tell, cash_tolerance=Decimal(20))


def test_when_more_cash_moved_than_may_be_nothing_is_traded_until_a_person_has_looked(story):
    async def tell(rig, trader):
        rig.desk.pay(Decimal("-50.00"))
        if trader.view["uncompared"]:
            pytest.skip(f"{rig.name} does not tell the cash")
        await trader.until(lambda: trader.view["mismatches"] and not trader.view["is_ready"])
        assert [each["subject"] for each in trader.view["mismatches"]] == ["cash"]

    story(tell, cash_tolerance=Decimal(20), check=False)


def test_when_another_process_sends_an_id_that_the_venue_has_nothing_is_doubled(story):
    async def tell(rig, trader):
        order = trader.limit(80)
        trader.submit(order)
        await trader.until(lambda: trader.is_working(order.client_order_id))
        await trader.kill()
        trader.journal.clear()  # another process: it knows nothing of the order
        await trader.start()
        trader.submit(order)
        await trader.until(lambda: trader.is_working(order.client_order_id))
        await trader.settled()
        assert rig.desk.submitted[order.client_order_id] == 1

    story(tell)


def test_when_the_session_drops_again_and_again_orders_go_on(story):
    async def tell(rig, trader):
        for price in (80, 81, 82):
            await rig.cut()
            await trader.until(lambda: trader.view["is_ready"])
            key = trader.submit(trader.limit(price))
            await trader.until(lambda key=key: _is_answered(trader, key))
        await trader.settled()
        assert trader.disconnections

    story(tell)


# -- what goes wrong with one order


@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_when_the_answer_to_an_executed_order_is_lost_it_is_asked_for_and_never_sent_again(
    story, fault
):
    async def tell(rig, trader):
        needs(rig, fault)
        rig.faults.plan(fault)
        key = trader.submit(trader.limit(80))
        await trader.until(lambda: trader.is_working(key))
        assert rig.faults.happened[fault]
        assert rig.desk.submitted[key] == 1
        assert not [e for e in trader.events if isinstance(e, OrderRejected | OrderDenied)]

    story(tell, **IMPATIENT)


@pytest.mark.parametrize("fault", NOT_EXECUTED)
def test_when_an_order_never_reached_the_venue_it_is_denied_as_never_sent(story, fault):
    async def tell(rig, trader):
        needs(rig, fault)
        rig.faults.plan(fault)
        key = trader.submit(trader.limit(80))
        await trader.until(lambda: trader.known(key).status is OrderStatus.DENIED)
        assert trader.known(key).code == RefusalCode.ORDER_NEVER_SENT
        assert rig.desk.submitted[key] == 0
        assert not [e for e in trader.events if isinstance(e, OrderRejected)]

    story(tell, **IMPATIENT)


def test_when_fills_come_many_times_out_of_order_and_before_the_answer_the_book_is_the_same(story):
    async def tell(rig, trader):
        wanted = {Fault.DUPLICATE_FILLS, Fault.REORDER_FILLS, Fault.FILL_BEFORE_ACK}
        for fault in wanted & rig.understands:
            rig.faults.plan(fault)
        keys = [trader.submit(trader.order()) for _ in range(3)]
        await trader.until(lambda: all(_is_answered(trader, key) for key in keys))
        await rig.release()
        await trader.until(
            lambda: all(trader.known(key).status is OrderStatus.FILLED for key in keys)
        )
        rig.faults.clear()

    story(tell)


def test_when_an_order_is_rejected_after_its_acknowledgement_it_is_closed(story):
    async def tell(rig, trader):
        needs(rig, Fault.REJECT_AFTER_ACK)
        rig.faults.plan(Fault.REJECT_AFTER_ACK)
        key = trader.submit(trader.limit(80))
        await trader.until(lambda: not trader.known(key).is_open)
        assert trader.known(key).status in {OrderStatus.REJECTED, OrderStatus.CANCELED}

    story(tell)


def test_when_a_filled_order_is_cancelled_the_fill_stands(story):
    async def tell(rig, trader):
        key = trader.submit(trader.limit(90))
        await trader.until(lambda: trader.is_working(key))
        trader.move(85.0)
        trader.cancel(key)
        await trader.until(lambda: trader.known(key).status is OrderStatus.FILLED)

    story(tell)


def test_when_a_replacement_meets_a_fill_the_quantities_agree(story):
    async def tell(rig, trader):
        needs_replacement(rig)
        key = trader.submit(trader.limit(90))
        await trader.until(lambda: trader.is_working(key))
        trader.move(85.0)
        trader.replace(key, quantity=2 * rig.lot)
        await trader.until(lambda: not problems(trader))

    story(tell)


@pytest.mark.parametrize("death", Death)
def test_when_the_process_is_killed_around_an_order_it_exists_once_or_not_at_all(story, death):
    async def tell(rig, trader):
        for number in range(3):
            trader.death = death
            order = trader.order() if death is Death.BEFORE_FILL else trader.limit(80 + number)
            key = trader.submit(order)
            async with asyncio.timeout(60):
                await trader.died.wait()
            await trader.restart()
            await trader.until(lambda key=key: _is_answered(trader, key))
            await trader.settled()
            assert rig.desk.submitted[key] <= 1
            expected = OrderStatus.DENIED if death is Death.BEFORE_SEND else None
            assert expected is None or trader.known(key).status is expected

    story(tell)


def test_when_the_outcome_is_lost_it_is_ambiguous_in_the_journal(story):
    async def tell(rig, trader):
        needs(rig, Fault.DROP_RESPONSE)
        rig.faults.plan(Fault.DROP_RESPONSE)
        rig.faults.plan(Fault.DROP_STREAM)
        key = trader.submit(trader.limit(80))
        await trader.until(lambda: trader.is_working(key))
        kinds = [type(e) for e in trader.events if getattr(e, "client_order_id", "") == key]
        assert OrderRejected not in kinds
        assert kinds.count(OrderAmbiguous) <= 1

    story(tell, **IMPATIENT)


# -- what goes wrong with the session


def test_when_a_message_cannot_be_read_nothing_breaks_and_nothing_is_lost(story):
    async def tell(rig, trader):
        needs(rig, Fault.MALFORMED)
        rig.faults.plan(Fault.MALFORMED)
        key = trader.submit(trader.order())
        await trader.until(lambda: trader.known(key).status is OrderStatus.FILLED)
        await trader.until(lambda: trader.view["is_ready"])
        other = trader.submit(trader.order(side=OrderSide.SELL))
        await trader.until(lambda: trader.known(other).status is OrderStatus.FILLED)

    story(tell)


def test_when_credentials_are_refused_nobody_tries_again(story):
    async def tell(rig, trader):
        needs(rig, Fault.BAD_CREDENTIALS)
        rig.faults.plan(Fault.BAD_CREDENTIALS)
        await trader.start(until_ready=False)
        await trader.until(lambda: any(each.is_final for each in trader.disconnections))
        tries = rig.faults.happened[Fault.BAD_CREDENTIALS]
        await asyncio.sleep(2.5)  # longer than the first pauses of a reconnect
        assert rig.faults.happened[Fault.BAD_CREDENTIALS] <= tries + 1
        assert not trader.view["is_ready"]
        rig.faults.clear()

    story(tell, ready=False, check=False)


def test_when_the_clocks_differ_by_seconds_no_new_order_leaves(story):
    async def tell(rig, trader):
        needs(rig, Fault.CLOCK_SKEW)
        rig.faults.plan(Fault.CLOCK_SKEW)
        await trader.start()
        await trader.until(lambda: trader.view["clock"]["is_off"])
        key = trader.submit(trader.limit(80))
        assert trader.known(key).code == RefusalCode.CLOCK_SKEW
        assert rig.desk.submitted[key] == 0
        rig.faults.clear()

    story(tell, ready=False, check=False)


def test_when_the_stream_is_mute_fills_are_found_all_the_same(story):
    async def tell(rig, trader):
        needs(rig, Fault.MUTE_STREAM)
        rig.faults.plan(Fault.MUTE_STREAM)
        key = trader.submit(trader.order())
        await trader.until(lambda: trader.known(key).status is OrderStatus.FILLED)
        rig.faults.clear()

    story(tell, **IMPATIENT)
