"""The session: who may log in, how it breaks, how it comes back, what the clock says."""

import asyncio
import time

import pytest

from actors.venues.clock import clock_skew
from actors.venues.ib.profile import IB
from actors.venues.profile import VenueSettings
from tests.venues.faults import Fault
from tests.venues.ib.acts import limit, order, run, trading, until
from tests.venues.rig import Observed
from trading.errors import ConfigError, OutcomeUnknown, VenueUnreachable
from trading.identifiers import AccountId, Venue
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.reports import FillReport
from trading.values import NANOS_PER_SECOND

SECOND = NANOS_PER_SECOND


@pytest.mark.parametrize(
    ("account", "is_live", "sentence"),
    [("U7654321", False, "not a paper account"), ("DU1234567", True, "is a paper account")],
)
def test_paper_and_real_money_are_never_mixed_up(account, is_live, sentence):
    settings = VenueSettings(venue=Venue("ib"), account_id=AccountId(account), is_live=is_live)
    with pytest.raises(ConfigError, match=sentence):
        IB.open_execution(settings)


def test_an_account_of_another_login_ends_the_attempts():
    async def story(rig):
        port, said = rig.open_port(account="DU0000001"), Observed()
        await port.connect(said)
        await said.until(lambda: said.of(VenueDisconnected))
        (lost,) = said.of(VenueDisconnected)
        assert lost.is_final
        assert "DU0000001" in lost.reason
        assert len(rig.tws.logins) == 1
        with pytest.raises(VenueUnreachable):
            await port.submit(limit(rig, 80))
        await port.disconnect()

    run(story)


def test_a_client_id_that_stays_in_use_ends_the_attempts():
    async def story(rig):
        async with trading(rig) as (port, _):
            other, said = rig.open_port(client_id_wait_s=0.0), Observed()
            await other.connect(said)
            await said.until(lambda: said.of(VenueDisconnected))
            (lost,) = said.of(VenueDisconnected)
            assert lost.is_final
            assert "client id 7" in lost.reason
            await other.disconnect()
            await port.mass_status(rig.desk.account_id, 0)  # the first session does not suffer

    run(story)


def test_a_client_id_that_an_old_session_still_holds_is_waited_for():
    async def story(rig):
        async with trading(rig) as (port, _said):
            other, heard = rig.open_port(client_id_wait_s=60.0), Observed()
            await other.connect(heard)
            await heard.until(lambda: heard.of(VenueDisconnected))
            assert not heard.of(VenueDisconnected)[0].is_final
            await port.disconnect()
            await heard.until(lambda: heard.of(VenueConnected))
            await other.disconnect()

    run(story)


def test_when_tws_is_not_there_it_is_tried_again_and_again():
    async def story(rig):
        port, said = rig.open_port(port=1), Observed()
        await port.connect(said)
        await said.until(lambda: said.of(VenueDisconnected))
        assert not said.of(VenueDisconnected)[0].is_final
        await port.disconnect()

    run(story)


def test_after_a_break_everything_is_as_before_and_attempts_are_not_hasty():
    async def story(rig):
        async with trading(rig) as (port, said):
            asked = limit(rig, 80)
            await port.submit(asked)
            for number in range(2, 4):
                rig.tws.cut()
                await said.until(lambda number=number: len(said.of(VenueConnected)) == number)
            assert len(said.of(VenueDisconnected)) == 2
            assert await port.order_status(rig.desk.account_id, asked.client_order_id)
            gaps = [b - a for a, b in zip(rig.tws.logins, rig.tws.logins[1:], strict=False)]
            assert min(gaps) > 0.4

    run(story)


def test_an_order_under_way_when_the_socket_breaks_is_unknown():
    async def story(rig):
        async with trading(rig) as (port, said):
            rig.faults.plan(Fault.RESET_EXECUTED)
            asked = limit(rig, 80)
            with pytest.raises(OutcomeUnknown):
                await port.submit(asked)
            await said.until(lambda: len(said.of(VenueConnected)) == 2)
            assert await port.order_status(rig.desk.account_id, asked.client_order_id)

    run(story)


def test_a_session_that_is_open_and_mute_is_cut():
    async def story(rig):
        async with trading(rig, heartbeat_s=0.2) as (_, said):
            rig.tws.is_frozen = True
            await said.until(lambda: said.of(VenueDisconnected))
            assert "mute" in said.of(VenueDisconnected)[0].reason
            rig.tws.is_frozen = False
            await said.until(lambda: len(said.of(VenueConnected)) == 2)

    run(story)


@pytest.mark.parametrize("restored", [1101, 1102])
def test_when_tws_loses_ib_nothing_is_sent_until_it_is_back(restored):
    async def story(rig):
        async with trading(rig) as (port, said):
            rig.tws.error(1100, "Connectivity between IB and Trader Workstation has been lost.")
            await said.until(lambda: said.of(VenueDisconnected))
            assert not said.of(VenueDisconnected)[0].is_final
            with pytest.raises(VenueUnreachable, match="1100"):
                await port.submit(limit(rig, 80))
            assert rig.tws.received[3] == 0
            rig.tws.error(restored, "Connectivity between IB and TWS has been restored.")
            await said.until(lambda: len(said.of(VenueConnected)) == 2)
            await port.submit(limit(rig, 80))
            assert len(rig.tws.logins) == 1

    run(story)


def test_an_order_under_way_when_tws_loses_ib_is_unknown():
    async def story(rig):
        async with trading(rig) as (port, _):
            rig.faults.plan(Fault.DROP_RESPONSE)
            sending = asyncio.ensure_future(port.submit(limit(rig, 80)))
            await until(rig.tws.orders.live)
            rig.tws.error(1100, "Connectivity between IB and Trader Workstation has been lost.")
            with pytest.raises(OutcomeUnknown):
                await sending

    run(story)


def test_what_happened_during_a_break_is_in_the_next_answer():
    async def story(rig):
        async with trading(rig) as (port, said):
            await port.submit(limit(rig, 90))
            rig.tws.cut()
            rig.desk.move({rig.traded: 89.0})
            await said.until(lambda: len(said.of(VenueConnected)) == 2)
            status = await port.mass_status(rig.desk.account_id, 0)
            assert sum(fill.last_qty for fill in status.fills) == 10
            assert status.open_orders == ()

    run(story)


def test_a_message_that_cannot_be_read_asks_for_a_comparison():
    async def story(rig):
        async with trading(rig) as (port, said):
            rig.faults.plan(Fault.MALFORMED)
            await port.submit(order(rig))
            await said.until(lambda: len(said.of(VenueConnected)) >= 2 and said.of(FillReport))
            assert not said.of(VenueDisconnected)

    run(story)


def test_a_list_of_which_a_part_cannot_be_read_says_nothing_about_what_is_missing(monkeypatch):
    monkeypatch.setattr("actors.venues.ib.reporting.RECONCILE_PAUSE_S", 600.0)

    async def story(rig):
        async with trading(rig) as (port, said):
            rig.tws.lists_garbage = True
            account = rig.desk.account_id
            for _ in range(5):
                with pytest.raises(OutcomeUnknown):
                    await port.order_status(account, "f" * 32)
            with pytest.raises(OutcomeUnknown):
                await port.mass_status(account, 0)
            assert (
                len(said.of(VenueConnected)) == 2
            )  # it asks for a comparison, not again and again
            assert not said.of(VenueDisconnected)
            rig.tws.lists_garbage = False
            assert await port.order_status(account, "f" * 32) is None

    run(story)


def test_farm_messages_do_not_touch_orders():
    async def story(rig):
        async with trading(rig) as (port, said):
            rig.tws.error(2103, "Market data farm connection is broken:usfarm")
            rig.tws.error(2105, "HMDS data farm connection is broken:ushmds")
            await port.submit(limit(rig, 80))
            assert not said.of(VenueDisconnected)

    run(story)


def test_a_question_that_tws_does_not_answer_is_unknown_and_ends_the_session():
    async def story(rig):
        async with trading(rig, request_timeout_s=0.3, heartbeat_s=30.0) as (port, said):
            rig.tws.is_frozen = True
            with pytest.raises(OutcomeUnknown):
                await port.open_orders(rig.desk.account_id)
            rig.tws.is_frozen = False
            await said.until(lambda: len(said.of(VenueConnected)) == 2)

    run(story)


# -- the clock


@pytest.mark.parametrize(
    ("seconds", "asked_at", "answered_at", "expected"),
    [
        (100, 100_500_000_000, 100_600_000_000, 0),
        (100, 100_999_000_000, 101_001_000_000, 0),
        (103, 100_500_000_000, 100_600_000_000, 2_400_000_000),
        (97, 100_500_000_000, 100_600_000_000, -2_500_000_000),
    ],
)
def test_a_clock_of_whole_seconds_proves_only_what_no_other_reading_explains(
    seconds, asked_at, answered_at, expected
):
    reading = (seconds * SECOND, SECOND)
    assert clock_skew(reading, asked_at, answered_at) == expected


def test_the_clock_is_read_before_the_session_is_up():
    async def story(rig):
        rig.faults.plan(Fault.CLOCK_SKEW)
        began = time.time_ns()
        async with trading(rig) as (_, said):
            assert isinstance(said.messages[0], VenueClockRead)
            took = said.messages[0].ts_event - began
            ahead = rig.tws.clock_ahead_s * SECOND
            # TWS tells whole seconds, and what the answer took on its way is no skew.
            assert ahead - SECOND - took <= said.messages[0].skew_ns <= ahead

    run(story)


def test_an_honest_clock_shows_no_difference():
    async def story(rig):
        async with trading(rig) as (_, said):
            (reading,) = said.of(VenueClockRead)
            assert abs(reading.skew_ns) < SECOND // 4
            assert abs(reading.ts_init - time.time_ns()) < 60 * SECOND

    run(story)


def test_a_session_that_loses_ib_while_it_is_prepared_is_not_up():
    async def story(rig):
        port, said = rig.open_port(), Observed()
        prepared, prepare = asyncio.Event(), port._link._prepare

        async def watched(connection, *, is_new):
            await prepare(connection, is_new=is_new)
            prepared.set()

        port._link._prepare = watched
        rig.tws.says_on_login = [(1100, "Connectivity between IB and TWS has been lost.")]
        await port.connect(said)
        await said.until(lambda: said.of(VenueDisconnected))
        async with asyncio.timeout(60):
            await prepared.wait()
        assert rig.tws.received[7]  # it was prepared to the end
        assert not said.of(VenueConnected)
        rig.tws.error(1102, "Connectivity between IB and TWS has been restored.")
        await said.until(lambda: said.of(VenueConnected))
        await port.disconnect()

    run(story)
