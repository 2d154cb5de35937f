"""The session: logon, sequence numbers over restarts and kills, gaps, resends, refusals, hours, the clock."""

import asyncio
import logging
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import fixcore.specs
import pytest

from actors.venues.fix.messages import MsgType
from tests.venues.faults import Fault
from tests.venues.fix.floor import How
from tests.venues.fix.probe import connected, in_loop, market, order, rig_at, until
from tests.venues.fix.rig import PASSWORD
from trading.errors import OutcomeUnknown, VenueUnreachable
from trading.outcomes import VenueClockRead, VenueConnected, VenueDisconnected
from trading.reports import FillReport

ROOT = Path(__file__).parents[3]


def logons(rig) -> list[int]:
    """Return MsgSeqNum of the logons that the venue got."""
    texts = rig.venue.transcript.of("in", "|35=A|")
    return [int(text.partition("|34=")[2].partition("|")[0]) for text in texts]


def order_number(rig) -> int:
    """Return MsgSeqNum of the order that the venue got."""
    [text] = rig.venue.transcript.of("in", "|35=D|")
    return int(text.partition("|34=")[2].partition("|")[0])


def hours_from_now(begin: int, end: int) -> dict[str, str]:
    """Return the options of a daily session that begins and ends so many hours from now."""
    times = [datetime.now(UTC) + timedelta(hours=each) for each in (begin, end)]
    start, stop = (f"{each:%H:%M:%S}" for each in times)
    return {"start_time": start, "end_time": stop, "time_zone": "UTC"}


async def nobody_tries_again(port) -> None:
    """Return when what keeps the session up has ended: from then on nothing can log on."""
    await until(port._session._keeper.done)


@in_loop
async def test_when_the_adapter_is_opened_again_sequence_numbers_go_on(folder):
    async with rig_at(folder) as rig:
        async with connected(rig) as (port, _):
            await port.submit(order("a"))
        async with connected(rig) as (port, _):
            await port.submit(order("b"))
        assert len(rig.desk.working()) == 2
        first, second = logons(rig)
        assert first == 1
        assert second > 3


@in_loop
async def test_what_was_missed_is_told_before_the_session_counts_as_up(folder):
    async with rig_at(folder) as rig:
        async with connected(rig) as (port, _):
            await port.submit(order("a", price=Decimal("90.00")))
        rig.desk.move({rig.traded: 85.0})
        async with connected(rig) as (port, seen):
            kinds = [type(message) for message in seen.messages]
            assert kinds.index(FillReport) < kinds.index(VenueConnected)
            assert len(seen.of(FillReport)) == len(await port.executions_since("ACC", 0)) == 1
        async with connected(rig) as (port, seen):
            assert seen.of(FillReport) == []
            assert len(await port.executions_since("ACC", 0)) == 1


@pytest.mark.parametrize(("orders", "fills"), [(1, 0), (40, 0), (5, 5)])
def test_when_the_process_is_killed_nothing_is_lost_and_nothing_sent_twice(tmp_path, orders, fills):
    """With fills: they had arrived, so the venue does not send them again."""

    async def whole():
        async with rig_at(tmp_path) as rig:
            lines = await _killed(rig, orders, fills)
            await until(lambda: rig.venue.ended)  # it has read all that the process sent
            await asyncio.to_thread(rig.venue.run, lambda: None)  # and been told what came of it
            await until(lambda: not rig.venue.queued)
            async with connected(rig) as (port, seen):
                told = {fill.trade_id for fill in await port.executions_since("ACC", 0)}
                assert told == {fill.trade_id for fill in rig.desk.fills}
                assert len(told) - len(seen.of(FillReport)) >= fills
                for key in {line.split()[1] for line in lines}:
                    report = await port.order_status("ACC", key)
                    assert (report is None) == (rig.desk.order(key) is None)
                assert await port.order_status("ACC", "f" * 32) is None
            assert rig.desk.duplicates == []
            first, second = logons(rig)
            assert second > first + orders

    asyncio.run(whole())


async def _killed(rig, orders: int, fills: int) -> list[str]:
    """Run an adapter in a process, and kill it while it sends orders; return what it said."""
    store = rig.options["store_dir"]
    command = [sys.executable, "-m", "tests.venues.fix.victim", str(rig.venue.port), store]
    victim = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    lines: list[str] = []

    async def says(what: str, count: int) -> None:
        while sum(line.startswith(what) for line in lines) < count:
            line = await asyncio.to_thread(victim.stdout.readline)
            assert line, "the process ended by itself"
            lines.append(line)

    try:
        await says("sent", orders)
        rig.desk.move({rig.traded: 75.0})  # everything fills
        await says("filled", fills)
    finally:
        victim.send_signal(signal.SIGKILL)
        lines += await asyncio.to_thread(victim.stdout.readlines)
        victim.wait()
    return [line for line in lines if line.endswith("\n")]


@in_loop
async def test_when_the_venue_asks_again_for_an_old_order_the_gap_is_filled(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, _):
        await port.submit(order("a"))
        mark = len(rig.venue.transcript.lines)
        await asyncio.to_thread(rig.venue.run, rig.venue.forget, order_number(rig))
        await until(lambda: len(logons(rig)) == 2)
        assert await _status_when_up(port, "a") is not None
        after = [text for way, text in rig.venue.transcript.lines[mark:] if way == "in"]
        assert any("|35=4|" in text and "|123=Y|" in text for text in after)
        assert not any("|35=D|" in text for text in after)
        assert rig.desk.duplicates == []


async def _status_when_up(port, name):
    async with asyncio.timeout(60):
        while True:
            try:
                return await port.order_status("ACC", order(name).client_order_id)
            except (VenueUnreachable, OutcomeUnknown):
                await asyncio.sleep(0.02)


@in_loop
async def test_when_nobody_is_logged_on_an_order_is_not_kept_for_later(folder):
    async with rig_at(folder) as rig:
        async with connected(rig) as (port, seen):
            await rig.cut()
            await until(lambda: seen.of(VenueDisconnected))
            with pytest.raises(VenueUnreachable):
                await port.submit(order("a"))
            await until(lambda: len(seen.of(VenueConnected)) == 2)
            assert await port.order_status("ACC", order("a").client_order_id) is None
        assert rig.floor.asked["D"] == 0


@in_loop
async def test_while_the_logon_is_not_answered_an_order_is_not_kept_for_later(folder):
    async with rig_at(folder) as rig:
        logon = rig.venue.session._on_logon

        async def silent(message) -> None:
            """No logon is answered until the test says so, however many are given up meanwhile."""

        rig.venue.session._on_logon = silent
        async with connected(rig, is_up=False, logon_timeout_s=1.0) as (port, seen):
            await until(lambda: rig.venue.transcript.of("in", "|35=A|") and port._session._engine)
            with pytest.raises(VenueUnreachable, match="not up"):
                await port.submit(order("a"))
            with pytest.raises(VenueUnreachable, match="not logged on"):
                port._session._engine.send(
                    MsgType.NEW_ORDER, {11: order("a").client_order_id, 55: "AAPL"}
                )
            rig.venue.session._on_logon = logon
            await until(lambda: seen.of(VenueConnected))
            assert await port.order_status("ACC", order("a").client_order_id) is None
        assert rig.floor.asked["D"] == 0


@in_loop
async def test_before_it_is_connected_and_after_it_is_closed_nothing_is_sent(folder):
    async with rig_at(folder) as rig:
        port = rig.open_port()
        with pytest.raises(VenueUnreachable):
            await port.submit(order("a"))
        with pytest.raises(VenueUnreachable):
            await port.mass_status("ACC", 0)
        async with connected(rig) as (other, _):
            pass
        with pytest.raises(VenueUnreachable):
            await other.submit(order("b"))
        assert rig.floor.asked["D"] == 0


@in_loop
async def test_when_the_session_breaks_a_request_under_way_is_unknown(folder):
    async with rig_at(folder) as rig:
        rig.faults.plan(Fault.DROP_RESPONSE)
        async with connected(rig) as (port, _):
            sending = asyncio.ensure_future(port.submit(order("a")))
            await until(lambda: rig.faults.happened[Fault.DROP_RESPONSE])
            await rig.cut()
            with pytest.raises(OutcomeUnknown):
                await sending


@in_loop
async def test_when_our_numbers_are_behind_nobody_tries_again(folder):
    async with rig_at(folder) as rig:
        await asyncio.to_thread(
            rig.venue.run, lambda: rig.venue.session._store.set_next_target_msg_seq_num(50)
        )
        async with connected(rig, is_up=False) as (port, seen):
            await until(lambda: seen.of(VenueDisconnected))
            await nobody_tries_again(port)
            [down] = seen.of(VenueDisconnected)
            assert down.is_final
            assert "reset_on_logon" in down.reason
            assert "expected 50 got 1" in down.reason
            assert len(rig.venue.transcript.of("in", "|35=A|")) == 1


@in_loop
async def test_when_the_venues_numbers_fell_back_nobody_tries_again(folder):
    async with rig_at(folder) as rig:
        async with connected(rig) as (port, _):
            await port.submit(order("a"))
        await asyncio.to_thread(
            rig.venue.run, lambda: rig.venue.session._store.set_next_sender_msg_seq_num(2)
        )
        async with connected(rig, is_up=False) as (port, seen):
            await until(lambda: seen.of(VenueDisconnected))
            await nobody_tries_again(port)
            [down] = seen.of(VenueDisconnected)
            assert down.is_final
            assert "too low" in down.reason


@in_loop
async def test_when_both_agreed_on_a_reset_the_session_begins_at_one(folder):
    async with rig_at(folder) as rig:
        await asyncio.to_thread(
            rig.venue.run, lambda: rig.venue.session._store.set_next_target_msg_seq_num(50)
        )
        async with connected(rig, reset_on_logon=True) as (port, _):
            assert not port.capabilities.replays_missed
            await port.submit(order("a"))
        assert "|141=Y|" in rig.venue.transcript.of("in", "|35=A|")[0]


@in_loop
async def test_when_credentials_are_refused_it_is_final_and_the_password_is_nowhere(folder):
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger().addHandler(handler)
    try:
        async with rig_at(folder) as rig:
            async with connected(rig) as (port, _):
                await port.submit(order("a"))
                shown = repr(vars(port)) + repr(vars(port._session)) + repr(port._session._settings)
            rig.faults.plan(Fault.BAD_CREDENTIALS)
            async with connected(rig, is_up=False) as (port, seen):
                await until(lambda: seen.of(VenueDisconnected))
                await nobody_tries_again(port)
                [down] = seen.of(VenueDisconnected)
                assert down.is_final
                assert "Invalid username or password" in down.reason
                assert rig.faults.happened[Fault.BAD_CREDENTIALS] == 1
            assert PASSWORD in rig.venue.transcript.of("in", "|35=A|")[0]
            written = [path.read_bytes() for path in (folder / "store").iterdir()]
    finally:
        logging.getLogger().removeHandler(handler)
    everything = [
        *(record.getMessage() for record in records),
        shown,
        str(seen.messages),
        *map(str, written),
    ]
    assert not [text for text in everything if PASSWORD in text]


@in_loop
async def test_when_logons_are_refused_for_an_unknown_reason_it_ends_after_three(folder):
    async with rig_at(folder) as rig:

        async def refuse(message) -> None:
            await rig.venue.session._send_logout("the desk is not in the mood")
            await rig.venue.session._disconnect()

        rig.venue.session._on_logon = refuse
        async with connected(rig, is_up=False) as (port, seen):
            await until(lambda: any(each.is_final for each in seen.of(VenueDisconnected)))
            await nobody_tries_again(port)
            assert "3 times" in seen.of(VenueDisconnected)[-1].reason
            assert len(rig.venue.transcript.of("in", "|35=A|")) == 3


@in_loop
async def test_when_the_venue_logs_us_out_its_reason_is_told_and_we_come_back(folder):
    async with rig_at(folder) as rig, connected(rig) as (_, seen):
        await asyncio.to_thread(
            rig.venue.run, rig.venue.session.send_logout, "closing for maintenance"
        )
        await until(lambda: len(seen.of(VenueConnected)) == 2)
        assert seen.of(VenueDisconnected)[0].reason == "closing for maintenance"
        assert not any(each.is_final for each in seen.of(VenueDisconnected))


@in_loop
async def test_when_the_venue_cannot_be_reached_we_go_on_trying(folder):
    async with rig_at(folder) as rig, connected(rig, is_up=False, port=1) as (port, seen):
        await until(lambda: seen.of(VenueDisconnected))
        assert not seen.of(VenueDisconnected)[0].is_final
        with pytest.raises(VenueUnreachable):
            await port.submit(order("a"))


@in_loop
async def test_outside_of_its_hours_the_session_waits(folder):
    async with rig_at(folder) as rig:
        hours = hours_from_now(6, 7)
        async with connected(rig, is_up=False, **hours) as (_, seen):
            await until(lambda: seen.of(VenueDisconnected))
            assert "opens in" in seen.of(VenueDisconnected)[0].reason
            await asyncio.sleep(0.5)  # a logon would have come by then
        assert rig.venue.transcript.of("in") == []


@in_loop
async def test_within_its_hours_a_daily_session_works(folder):
    async with rig_at(folder) as rig, connected(rig, **hours_from_now(-6, 6)) as (port, _):
        await port.submit(order("a"))


@in_loop
async def test_the_venues_clock_is_read_at_once_and_again(folder):
    async with rig_at(folder) as rig, connected(rig, clock_interval_s=0.2) as (_, seen):
        await until(lambda: len(seen.of(VenueClockRead)) > 2)
        assert all(abs(each.skew_ns) < 1e9 for each in seen.of(VenueClockRead))
        rig.faults.plan(Fault.CLOCK_SKEW)
        await until(lambda: seen.of(VenueClockRead)[-1].skew_ns > 2.5e9)


@in_loop
async def test_two_adapters_never_share_a_session(folder):
    async with rig_at(folder) as rig:
        async with connected(rig) as (_, _):
            second = rig.open_port()
            seen: list[object] = []
            await second.connect(seen.append)
            await until(lambda: seen)
            assert "another process" in seen[0].reason
            assert not seen[0].is_final
            assert rig.venue.logons == 1
        await until(lambda: any(isinstance(each, VenueConnected) for each in seen))
        await second.disconnect()


@in_loop
async def test_a_gap_in_the_venues_numbers_is_asked_for_and_filled(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, seen):

        async def lose_one() -> None:
            session = rig.venue.session
            write, session._send_fn = session._send_fn, _into_the_void
            rig.desk.request(market("foreign"))
            await asyncio.sleep(0)  # the reports are handed over behind us
            while rig.venue.queued:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            session._send_fn = write

        await asyncio.to_thread(rig.venue.run, lose_one)
        assert await port.order_status("ACC", "f" * 32) is None  # comes behind the lost ones
        await until(lambda: len(seen.of(FillReport)) == 1)
        assert rig.venue.transcript.of("in", "|35=2|")


async def _into_the_void(raw: bytes) -> None:
    pass


@in_loop
async def test_a_reset_of_the_venues_numbers_is_followed(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, _):

        async def jump() -> None:
            session = rig.venue.session
            number = session._store.next_sender_msg_seq_num()
            from fixcore.message.message import Message

            message = Message()
            message.header.set(35, "4")
            message.set_field(123, "N")
            message.set_field(36, str(number + 20))
            await session._send_message(message, is_admin=True)
            session._store.set_next_sender_msg_seq_num(number + 20)

        await asyncio.to_thread(rig.venue.run, jump)
        await port.submit(order("a"))


@in_loop
async def test_a_test_request_of_the_venue_is_answered(folder):
    async with rig_at(folder) as rig, connected(rig):
        await asyncio.to_thread(
            rig.venue.run, rig.venue.session._send_test_request, "are you there"
        )
        await until(lambda: rig.venue.transcript.of("in", "|112=are you there|"))


@in_loop
async def test_with_a_data_dictionary_the_engine_checks_and_orders_go_through(folder):
    path = str(Path(fixcore.specs.__path__[0]) / "FIX44.xml")
    async with rig_at(folder) as rig, connected(rig, data_dictionary=path) as (port, _):
        assert await port.submit(order("a"))


@in_loop
async def test_a_message_that_says_nothing_readable_makes_us_compare(folder):
    async with rig_at(folder) as rig, connected(rig) as (_, seen):
        bad = [(35, "8"), (37, "?"), (150, "F"), (31, "abc"), (55, "AAPL"), (54, "1")]
        await asyncio.to_thread(rig.venue.run, rig.floor.say, bad, How.PLAIN)
        await until(lambda: len(seen.of(VenueConnected)) == 2)
        assert seen.of(FillReport) == []
