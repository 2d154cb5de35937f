"""The paper venue over real sockets, against an exchange that answers, loses, repeats and dies."""

import asyncio
from decimal import Decimal

import pytest

from actors.venue_calls import call_venue
from actors.venues.opening import venue_profile
from actors.venues.paper.adapter import PaperVenue
from actors.venues.profile import VenueSettings
from trading.commands import CancelOrder, SubmitOrder
from trading.errors import OutcomeUnknown, VenueUnreachable
from trading.outcomes import (
    CancelAcknowledged,
    SubmitAcknowledged,
    SubmitOutcomeUnknown,
    VenueConnected,
    VenueDisconnected,
)
from trading.reports import FillReport
from trading.values import OrderSide, OrderType

SECRET = bytes(range(32))
KEY, ACCOUNT, APPLE = "c" * 32, "DEMO", "AAPL.XNAS"
SUBMIT = SubmitOrder(
    correlation_id="feed:paper/1",
    client_order_id=KEY,
    account_id=ACCOUNT,
    strategy_id="momentum",
    instrument_id=APPLE,
    side=OrderSide.BUY,
    quantity=Decimal(10),
)
CANCEL = CancelOrder(client_order_id=KEY, account_id=ACCOUNT)


def fill(venue_seq, account_id=ACCOUNT):
    return FillReport(
        account_id=account_id,
        client_order_id=KEY,
        venue_order_id="V1",
        trade_id=f"T{venue_seq}",
        instrument_id=APPLE,
        side=OrderSide.BUY,
        last_qty=Decimal(1),
        last_px=Decimal("10.50"),
        commission=Decimal(0),
        venue_seq=venue_seq,
    )


def saying(*messages):
    return lambda request: list(messages)


def test_request_names_the_order_the_chain_and_an_id_of_its_own(start_exchange, session):
    exchange = start_exchange(saying(SubmitAcknowledged(client_order_id=KEY, venue_order_id="V1")))

    async def twice(venue, _):
        await venue.submit(SUBMIT)
        await venue.submit(SUBMIT)

    session(exchange, twice)
    session(exchange, twice)

    assert [request.body for request in exchange.requests] == [SUBMIT] * 4
    assert {request.correlation_id for request in exchange.requests} == {"feed:paper/1"}
    assert len({request.request_id for request in exchange.requests}) == 4


def test_lost_answer_leaves_the_call_open_until_its_caller_gives_up(start_exchange, session):
    exchange = start_exchange(saying())

    async def work(venue, _):
        outcome = await call_venue(venue, SUBMIT, 0.05, lambda: 9)
        # What was sent arrives, however late: only then is the session over.
        assert await asyncio.to_thread(exchange.asked.wait, 60)
        return outcome

    outcome = session(exchange, work)

    assert isinstance(outcome, SubmitOutcomeUnknown)
    assert len(exchange.requests) == 1


def test_answer_that_comes_twice_or_too_late_disturbs_no_other_call(start_exchange, session):
    first = CancelAcknowledged(client_order_id="first")
    exchange = start_exchange(saying(first, first, first))

    async def work(venue, _):
        await venue.cancel(CANCEL)
        exchange.answer = saying(SubmitAcknowledged(client_order_id=KEY, venue_order_id="V2"))
        return await venue.submit(SUBMIT)

    assert session(exchange, work) == "V2"


def test_calls_at_the_same_time_get_each_its_own_answer(start_exchange, session):
    def answer(request):
        key = request.body.client_order_id
        return [SubmitAcknowledged(client_order_id=key, venue_order_id=f"V-{key}")]

    async def work(venue, _):
        orders = [
            SubmitOrder(
                client_order_id=str(number),
                account_id=ACCOUNT,
                strategy_id="s",
                instrument_id=APPLE,
                side=OrderSide.BUY,
                quantity=Decimal(1),
            )
            for number in range(200)
        ]
        return await asyncio.gather(*(venue.submit(order) for order in orders))

    assert session(start_exchange(answer), work) == [f"V-{number}" for number in range(200)]


def test_call_before_the_exchange_is_there_sends_nothing(run_dir, heard):
    async def work():
        venue = PaperVenue(ACCOUNT)
        with pytest.raises(VenueUnreachable):
            await venue.submit(SUBMIT)
        await venue.connect(heard())
        with pytest.raises(VenueUnreachable):
            await venue.submit(SUBMIT)
        venue.set_endpoint(f"ipc://{run_dir}/nobody.cmd", f"ipc://{run_dir}/nobody.pub")
        with pytest.raises(VenueUnreachable):
            await venue.submit(SUBMIT)
        await venue.disconnect()

    asyncio.run(work())


def test_reports_arrive_in_order_and_a_gap_asks_for_reconciliation(start_exchange, session):
    exchange = start_exchange()

    async def work(_, heard):
        exchange.publish(fill(4), fill(5), fill(5), fill(8), fill(7), fill(0), fill(9))
        await heard.until(lambda: heard.count(FillReport) == 7)
        return heard.messages[1:]

    said = session(exchange, work)

    assert [message.venue_seq for message in said if isinstance(message, FillReport)] == [
        *(4, 5, 5, 8, 7, 0, 9)
    ]
    assert [type(message).__name__ for message in said].index("VenueConnected") == 4
    assert sum(isinstance(message, VenueConnected) for message in said) == 1


def test_report_that_cannot_be_read_asks_for_reconciliation(start_exchange, session):
    exchange = start_exchange()

    async def work(_, heard):
        exchange.publish(b"\xc1 no message")
        await heard.until(lambda: heard.count(VenueConnected) == 2)

    session(exchange, work)


def test_reports_of_another_account_are_not_ours(start_exchange, session):
    exchange = start_exchange()

    async def work(_, heard):
        exchange.publish(fill(1, account_id="DEMO2"), topic="exec.paper.DEMO2")
        exchange.publish(fill(2))
        await heard.until(lambda: heard.count(FillReport) == 1)
        return heard.messages[1:]

    assert session(exchange, work) == [fill(2)]


def test_every_report_after_connecting_arrives(start_exchange, heard):
    """The subscription counts before `VenueConnected` is said: the first fill is not lost."""

    def fill_then_acknowledge(request):
        exchange.publish(fill(len(exchange.requests)))
        return [CancelAcknowledged(client_order_id=KEY)]

    exchange = start_exchange(fill_then_acknowledge)

    async def once():
        venue, listener = PaperVenue(ACCOUNT), heard()
        await venue.connect(listener)
        venue.set_endpoint(exchange.address.router, exchange.address.pub)
        await listener.until(lambda: listener.count(VenueConnected))
        await venue.cancel(CANCEL)
        await listener.until(lambda: listener.count(FillReport))
        await venue.disconnect()

    for _ in range(25):
        asyncio.run(once())


def test_exchange_that_dies_makes_open_calls_unknown_and_its_successor_is_found(
    start_exchange, session
):
    first = start_exchange(saying())

    async def work(venue, heard):
        first.publish(fill(1))
        await heard.until(lambda: heard.count(FillReport) == 1)
        call = asyncio.create_task(venue.submit(SUBMIT))
        assert await asyncio.to_thread(first.asked.wait, 60)
        first.stop()
        with pytest.raises(OutcomeUnknown, match="lost"):
            await call
        await heard.until(lambda: heard.count(VenueDisconnected))
        with pytest.raises(VenueUnreachable):
            await venue.cancel(CANCEL)
        second = start_exchange(incarnation="2")
        venue.set_routes({"exchange:paper": second.address})
        await heard.until(lambda: heard.count(VenueConnected) == 2)
        await venue.cancel(CANCEL)
        second.publish(fill(100), fill(101))
        await heard.until(lambda: heard.count(FillReport) == 3)
        return heard.messages, second.requests

    messages, requests = session(first, work)

    kinds = [type(message) for message in messages if not isinstance(message, FillReport)]
    assert kinds == [VenueConnected, VenueDisconnected, VenueConnected]
    assert [request.body for request in requests] == [CANCEL]


def test_exchange_that_comes_back_at_the_same_address_is_found(
    start_exchange, start_exchange_at_a_port, session
):
    first, bind = start_exchange_at_a_port()

    async def work(venue, heard):
        first.stop()
        await heard.until(lambda: heard.count(VenueDisconnected))
        start_exchange(incarnation="2", bind=bind)
        await heard.until(lambda: heard.count(VenueConnected) == 2)
        await venue.cancel(CANCEL)

    session(first, work)


def test_move_to_another_address_while_connected_is_a_new_session(start_exchange, session):
    first = start_exchange(saying(), bind="127.0.0.1")
    second = start_exchange(incarnation="2", bind="127.0.0.1")

    async def work(venue, heard):
        call = asyncio.create_task(venue.submit(SUBMIT))
        await asyncio.sleep(0)
        venue.set_endpoint(second.address.router, second.address.pub)
        with pytest.raises(OutcomeUnknown, match="moved"):
            await call
        await heard.until(lambda: heard.count(VenueConnected) == 2)
        venue.set_endpoint(second.address.router, second.address.pub)
        await venue.cancel(CANCEL)
        return [type(message) for message in heard.messages]

    assert session(first, work) == [VenueConnected, VenueDisconnected, VenueConnected]


def test_disconnecting_ends_open_calls_as_unknown(start_exchange, session):
    async def work(venue, _):
        call = asyncio.create_task(venue.submit(SUBMIT))
        await asyncio.sleep(0)
        await venue.disconnect()
        with pytest.raises(OutcomeUnknown, match="closed"):
            await call

    session(start_exchange(saying()), work)


def test_member_of_the_cluster_gets_in_over_tcp(start_exchange, session):
    exchange = start_exchange(bind="127.0.0.1", secret=SECRET)

    session(exchange, lambda venue, _: venue.cancel(CANCEL), secret=SECRET)

    assert len(exchange.requests) == 1


@pytest.mark.parametrize("secret", [None, bytes(range(1, 33))], ids=["none", "other"])
def test_stranger_finds_no_exchange(start_exchange, session, heard, secret):
    exchange = start_exchange(bind="127.0.0.1", secret=SECRET)

    async def work(member, _):
        stranger, listener = PaperVenue(ACCOUNT, secret), heard()
        stranger.set_endpoint(exchange.address.router, exchange.address.pub)
        await stranger.connect(listener)
        for _ in range(200):
            await member.cancel(CANCEL)
            with pytest.raises(VenueUnreachable):
                await stranger.submit(SUBMIT)
        exchange.publish(fill(1))
        await member.cancel(CANCEL)
        await stranger.disconnect()
        return listener.messages

    assert session(exchange, work, secret=SECRET) == []
    assert {type(request.body) for request in exchange.requests} == {CancelOrder}


def test_profile_opens_a_venue_whose_table_names_every_order_type():
    profile = venue_profile("paper")
    settings = VenueSettings(venue="paper", account_id=ACCOUNT, secret=SECRET)

    venue = profile.open_execution(settings)

    assert isinstance(venue, PaperVenue)
    assert venue.capabilities is profile.capabilities
    assert profile.capabilities.can_cancel_all
    for orders in profile.capabilities.orders.values():
        assert orders.pairs.keys() == set(OrderType)
        assert orders.can_replace
