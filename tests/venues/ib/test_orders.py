"""Orders: identity, refusals by number, what the numbers of TWS must never do."""

import asyncio
import time
from decimal import Decimal

import ib_async.connection
import msgspec
import pytest

from tests.venues.faults import Fault
from tests.venues.ib.acts import cancel, limit, order, replace, run, trading, until
from tests.venues.ib.simulator import MESSAGES_MAX, WINDOW_S
from trading.commands import CancelAllOrders
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.identifiers import InstrumentId
from trading.outcomes import VenueConnected
from trading.refusals import RefusalCode
from trading.reports import FillReport, OrderStatusReport
from trading.values import OrderStatus, OrderType, TimeInForce


def test_an_order_is_known_by_our_id_and_by_the_permanent_number_of_ib():
    async def story(rig):
        async with trading(rig) as (port, _said):
            asked = limit(rig, 80)
            number = await port.submit(asked)
            (ticket,) = rig.tws.orders.live()
            assert number == str(ticket.perm_id)
            assert ticket.values["order_ref"] == asked.client_order_id
            (report,) = await port.open_orders(rig.desk.account_id)
            assert report.client_order_id == asked.client_order_id
            assert report.venue_order_id == number
            assert report.price == Decimal(80)
            assert report.time_in_force is TimeInForce.GTC

    run(story)


@pytest.mark.parametrize("is_known_from", ["this life", "an earlier life"])
def test_an_id_that_ib_has_seen_is_refused_before_anything_is_sent(is_known_from):
    async def story(rig):
        working, done = limit(rig, 80), order(rig)
        async with trading(rig) as (port, said):
            await port.submit(working)
            await port.submit(done)
            await said.until(lambda: said.of(FillReport))
            if is_known_from == "this life":
                await refused_twice(rig, port, working, done)
        if is_known_from == "an earlier life":
            async with trading(rig) as (port, said):
                await refused_twice(rig, port, working, done)

    async def refused_twice(rig, port, *orders):
        for each in orders:
            before = rig.tws.received[3]
            with pytest.raises(VenueRefused) as refusal:
                await port.submit(each)
            assert refusal.value.venue_code == RefusalCode.DUPLICATE_CLIENT_ORDER_ID
            assert rig.tws.received[3] == before
        assert not rig.desk.duplicates

    run(story)


def test_an_order_that_was_refused_before_it_was_sent_may_come_again():
    async def story(rig):
        async with trading(rig) as (port, _):
            wrong = limit(rig, 80, instrument_id=InstrumentId("NOSUCH.XNAS"))
            for _attempt in range(2):
                with pytest.raises(VenueRefused) as refusal:
                    await port.submit(wrong)
                assert refusal.value.venue_code == "200"

    run(story)


def test_when_order_numbers_roll_back_no_working_order_is_touched():
    async def story(rig):
        async with trading(rig) as (port, _):
            keys = [limit(rig, 80 + number) for number in range(3)]
            for each in keys:
                await port.submit(each)
            rig.tws.call(rig.tws.orders.roll_back, 1)
        async with trading(rig) as (port, _):
            fresh = limit(rig, 70)
            await port.submit(fresh)
            prices = {ticket.values["limit_price"] for ticket in rig.tws.orders.live()}
            assert prices == {"80", "81", "82", "70"}
            await port.cancel(cancel(rig, keys[0].client_order_id))
            gone = rig.desk.order(keys[0].client_order_id)
            assert gone.status is OrderStatus.CANCELED
            assert len(rig.desk.working()) == 3

    run(story)


def test_the_numbers_of_another_client_are_not_ours():
    async def story(rig):
        async with trading(rig, client_id=3) as (other, _):
            theirs = limit(rig, 75)
            await other.submit(theirs)
        async with trading(rig, client_id=7) as (port, _):
            ours = limit(rig, 80)
            await port.submit(ours)
            listed = await port.open_orders(rig.desk.account_id)
            assert {each.client_order_id for each in listed} == {
                theirs.client_order_id,
                ours.client_order_id,
            }
            with pytest.raises(VenueRefused) as refusal:
                await port.cancel(cancel(rig, theirs.client_order_id))
            assert refusal.value.venue_code == "10147"
            assert len(rig.desk.working()) == 2

    run(story)


def test_orders_made_in_tws_get_an_id_of_their_own():
    async def story(rig):
        async with trading(rig) as (port, _):
            await asyncio.to_thread(rig.desk.request, limit(rig, 80))
            (report,) = await port.open_orders(rig.desk.account_id)
            assert report.client_order_id == f"ext-{report.venue_order_id}"
            again = await port.order_status(rig.desk.account_id, report.client_order_id)
            assert again.status is OrderStatus.ACCEPTED

    run(story)


def test_orders_of_another_account_of_the_login_are_not_seen():
    async def story(rig):
        rig.tws.accounts.append("DU7654321")
        async with trading(rig, client_id=3) as (port, _):
            await port.submit(limit(rig, 80))
            for ticket in rig.tws.orders.live():
                ticket.values["account"] = "DU7654321"
        async with trading(rig) as (port, _):
            assert await port.open_orders(rig.desk.account_id) == ()

    run(story)


@pytest.mark.parametrize(
    ("price", "quantity", "code"), [("80.005", 10, "110"), ("80", 10_000_000, "201")]
)
def test_a_refusal_carries_the_number_and_the_text_of_ib(price, quantity, code):
    async def story(rig):
        async with trading(rig) as (port, _said):
            with pytest.raises(VenueRefused) as refusal:
                await port.submit(limit(rig, price, quantity))
            assert refusal.value.venue_code == code
            assert refusal.value.reason
            assert not rig.desk.working()

    run(story)


def test_an_error_is_not_believed_while_tws_lists_the_order():
    async def story(rig):
        async with trading(rig) as (port, _):
            rig.faults.plan(Fault.DROP_RESPONSE)
            asked = limit(rig, 80)
            sending = asyncio.ensure_future(port.submit(asked))
            await until(rig.tws.orders.live)
            (ticket,) = rig.tws.orders.live()
            rig.tws.error(201, "Order rejected - reason: not really", ticket.order_id)
            assert await sending == str(ticket.perm_id)

    run(story)


@pytest.mark.parametrize("code", [399, 2109, 10349, 404])
def test_a_warning_about_an_order_changes_nothing(code):
    async def story(rig):
        async with trading(rig) as (port, said):
            asked = limit(rig, 80)
            await port.submit(asked)
            (ticket,) = rig.tws.orders.live()
            rig.tws.error(code, "Warning: your order is as it was", ticket.order_id)
            report = await port.order_status(rig.desk.account_id, asked.client_order_id)
            assert report.status is OrderStatus.ACCEPTED
            assert not [
                each
                for each in said.of(OrderStatusReport)
                if each.status is not OrderStatus.ACCEPTED
            ]

    run(story)


def test_an_unknown_number_is_no_refusal():
    async def story(rig):
        async with trading(rig) as (port, _):
            rig.faults.plan(Fault.DROP_REQUEST)
            sending = asyncio.ensure_future(port.submit(limit(rig, 80)))
            await until(lambda: rig.faults.happened[Fault.DROP_REQUEST])
            rig.tws.error(99_999, "Something new", rig.tws.orders.last_asked)
            with pytest.raises(OutcomeUnknown, match="99999"):
                await sending

    run(story)


def test_an_order_that_tws_does_not_acknowledge_is_unknown_and_never_sent_again():
    async def story(rig):
        async with trading(rig) as (port, _):
            # Only the order is waited for so briefly: the questions after it are answered.
            options = port._entry._options
            port._entry._options = msgspec.structs.replace(options, request_timeout_s=0.3)
            rig.faults.plan(Fault.DROP_RESPONSE)
            asked = limit(rig, 80)
            with pytest.raises(OutcomeUnknown):
                await port.submit(asked)
            with pytest.raises(VenueRefused) as refusal:
                await port.submit(asked)
            assert refusal.value.venue_code == RefusalCode.DUPLICATE_CLIENT_ORDER_ID
            report = await port.order_status(rig.desk.account_id, asked.client_order_id)
            assert report.status is OrderStatus.ACCEPTED
            assert rig.tws.received[3] == 1

    run(story)


def test_an_order_turned_away_by_pacing_was_not_sent():
    async def story(rig):
        async with trading(rig) as (port, _):
            rig.faults.plan(Fault.RATE_LIMIT)
            with pytest.raises(VenueUnreachable, match="100"):
                await port.submit(limit(rig, 80))
            assert not rig.desk.submitted

    run(story)


def test_an_order_rejected_after_its_acknowledgement_is_told_with_the_reason():
    async def story(rig):
        async with trading(rig) as (port, said):
            rig.faults.plan(Fault.REJECT_AFTER_ACK)
            await port.submit(limit(rig, 80))
            await said.until(lambda: _rejections(said))
            rejection = _rejections(said)[0]
            assert rejection.code == "201"
            assert "margin" in rejection.reason

    run(story)


def _rejections(said):
    reports = said.of(OrderStatusReport)
    return [report for report in reports if report.status is OrderStatus.REJECTED]


def test_without_a_connection_nothing_is_sent():
    async def story(rig):
        port = rig.open_port()
        with pytest.raises(VenueUnreachable):
            await port.submit(limit(rig, 80))
        with pytest.raises(VenueUnreachable):
            await port.mass_status(rig.desk.account_id, 0)

    run(story)


def test_ib_is_asked_only_for_what_the_table_names():
    async def story(rig):
        async with trading(rig) as (port, _):
            wrong = order(rig, order_type=OrderType.MARKET, time_in_force=TimeInForce.FOK)
            with pytest.raises(VenueRefused, match="FOK"):
                await port.submit(wrong)
            assert rig.tws.received[3] == 0

    run(story)


# -- cancel and change


def test_a_filled_order_cannot_be_cancelled_or_changed():
    async def story(rig):
        async with trading(rig) as (port, said):
            done = order(rig)
            await port.submit(done)
            await said.until(lambda: said.of(FillReport))
            with pytest.raises(VenueRefused):
                await port.cancel(cancel(rig, done.client_order_id))
            with pytest.raises(VenueRefused):
                await port.replace(replace(rig, done.client_order_id, quantity=Decimal(20)))

    run(story)


def test_an_order_that_nobody_knows_cannot_be_cancelled():
    async def story(rig):
        async with trading(rig) as (port, _):
            with pytest.raises(VenueRefused) as refusal:
                await port.cancel(cancel(rig, "f" * 32))
            assert refusal.value.venue_code == "135"

    run(story)


def test_a_change_names_the_whole_order_and_keeps_its_id():
    async def story(rig):
        async with trading(rig) as (port, _):
            asked = limit(rig, 80, extended_hours=True)
            number = await port.submit(asked)
            changes = {"price": Decimal("81.50"), "quantity": Decimal(30)}
            report = await port.replace(replace(rig, asked.client_order_id, **changes))
            assert (report.price, report.quantity) == (Decimal("81.50"), Decimal(30))
            assert report.venue_order_id == number
            (ticket,) = rig.tws.orders.live()
            assert ticket.values["outside_rth"] == "1"
            assert ticket.values["tif"] == "GTC"
            assert rig.desk.submitted[asked.client_order_id] == 1

    run(story)


def test_a_change_that_ib_refuses_leaves_the_order_as_it_was():
    async def story(rig):
        async with trading(rig) as (port, _):
            asked = limit(rig, 80)
            await port.submit(asked)
            change = replace(rig, asked.client_order_id, price=Decimal("80.005"))
            with pytest.raises(VenueRefused):
                await port.replace(change)
            report = await port.order_status(rig.desk.account_id, asked.client_order_id)
            assert (report.status, report.price) == (OrderStatus.ACCEPTED, Decimal(80))

    run(story)


def test_all_orders_of_the_only_account_are_cancelled_at_once():
    async def story(rig):
        async with trading(rig) as (port, _):
            keys = [limit(rig, 80 + number) for number in range(3)]
            for each in keys:
                await port.submit(each)
            await asyncio.to_thread(rig.desk.request, limit(rig, 70))
            command = CancelAllOrders(account_id=rig.desk.account_id)
            gone = await port.cancel_all(command)
            assert {each.client_order_id for each in keys} < set(gone)
            assert not rig.desk.working()
            assert rig.tws.received[58] == 1
            assert await port.cancel_all(command) == ()

    run(story)


def test_with_several_accounts_orders_are_cancelled_one_by_one():
    async def story(rig):
        rig.tws.accounts.append("DU7654321")
        async with trading(rig) as (port, _):
            for number in range(3):
                await port.submit(limit(rig, 80 + number))
            gone = await port.cancel_all(CancelAllOrders(account_id=rig.desk.account_id))
            assert len(gone) == 3
            assert not rig.desk.working()
            assert rig.tws.received[58] == 0

    run(story)


def test_orders_wait_their_turn_and_never_exceed_the_limit_of_tws(monkeypatch):
    sent, send = [], ib_async.connection.Connection.sendMsg

    def timed(connection, message):
        sent.append(time.monotonic())
        send(connection, message)

    monkeypatch.setattr("ib_async.connection.Connection.sendMsg", timed)

    async def story(rig):
        # Counted where they leave: what a busy machine holds up arrives all at once.
        rig.tws.messages_max = 10_000
        async with trading(rig) as (port, said):
            await asyncio.gather(*(port.submit(limit(rig, 80)) for _ in range(70)))
            assert len(sent) > 70
            fastest = max(sum(at <= other <= at + WINDOW_S for other in sent) for at in sent)
            assert fastest <= MESSAGES_MAX
            assert len(rig.desk.working()) == 70
            assert len(said.of(VenueConnected)) == 1

    run(story)
