"""Orders over FIX: chains of ids, cancels, mass cancels, questions, refusals, busts, other dialects."""

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.venues.faults import Fault
from tests.venues.fix.floor import How
from tests.venues.fix.probe import cancel, connected, in_loop, market, order, replace, rig_at, until
from tests.venues.fix.reports import dialect_file
from tests.venues.fix.rig import DIALECT
from tests.venues.stopped_clock import stopped_clock
from trading.commands import CancelAllOrders, SubmitOrderList
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.identifiers import InstrumentId, StrategyId
from trading.outcomes import VenueConnected
from trading.refusals import RefusalCode
from trading.reports import FillReport, OrderStatusReport
from trading.values import OrderListKind, OrderStatus, OrderType, TimeInForce

ALL = CancelAllOrders(account_id="ACC")


def sent(rig, kind: str) -> list[dict[int, str]]:
    return [fields for fields in rig.floor.received if fields[35] == kind]


def changed(folder: Path, *changes: tuple[str, str]) -> str:
    """Return the path of the rig's dialect with some changes."""
    text = DIALECT.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "other.toml"
    path.write_text(text)
    return str(path)


@in_loop
async def test_each_change_carries_a_new_id_and_names_the_one_before(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, seen):
        first = order("a")
        await port.submit(first)
        for price in ("81.00", "82.00"):
            report = await port.replace(replace(first, price=Decimal(price)))
            assert (report.client_order_id, str(report.price)) == (first.client_order_id, price)
        await port.cancel(cancel(first))
        one, two = sent(rig, "G")
        [last] = sent(rig, "F")
        assert [one[41], two[41], last[41]] == [first.client_order_id, one[11], two[11]]
        assert len({first.client_order_id, one[11], two[11], last[11]}) == 4
        assert {each.client_order_id for each in seen.of(OrderStatusReport)} == {
            first.client_order_id
        }
        assert seen.of(OrderStatusReport)[-1].status is OrderStatus.CANCELED


@in_loop
async def test_after_a_restart_a_changed_order_is_still_ours(folder):
    async with rig_at(folder) as rig:
        first = order("a")
        async with connected(rig) as (port, _):
            await port.submit(first)
            await port.replace(replace(first, quantity=Decimal(20)))
        async with connected(rig) as (port, _):
            report = await port.order_status("ACC", first.client_order_id)
            assert report.quantity == 20
            await port.replace(replace(first, price=Decimal("79.00")))
            await port.cancel(cancel(first))
        assert rig.desk.working() == set()


@in_loop
async def test_when_the_whole_store_is_lost_the_venue_tells_the_chain(folder):
    async with rig_at(folder) as rig:
        first = order("a")
        async with connected(rig) as (port, _):
            await port.submit(first)
            await port.replace(replace(first, quantity=Decimal(20)))
        async with connected(rig, store_dir=str(folder / "new"), reset_on_logon=True) as (port, _):
            with pytest.raises(VenueRefused, match="UNKNOWN_ORDER"):
                await port.cancel(cancel(first))
            [report] = await port.open_orders("ACC")
            assert (report.client_order_id, report.quantity) == (first.client_order_id, 20)
            await port.cancel(cancel(first))
        assert rig.desk.working() == set()


@in_loop
async def test_when_a_filled_order_is_cancelled_the_venue_says_why_not(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, _):
        first = market("a")
        await port.submit(first)
        with pytest.raises(VenueRefused, match="TOO_LATE_TO_CANCEL"):
            await port.cancel(cancel(first))
        with pytest.raises(VenueRefused, match="BROKER_OPTION"):
            await port.replace(replace(first, quantity=Decimal(20)))


@in_loop
async def test_when_an_id_comes_twice_it_is_refused_as_a_repetition_and_the_order_lives(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, seen):
        first = order("a")
        await port.submit(first)
        with pytest.raises(VenueRefused) as refused:
            await port.submit(first)
        assert refused.value.venue_code == RefusalCode.DUPLICATE_CLIENT_ORDER_ID
        assert not [
            each for each in seen.of(OrderStatusReport) if each.status is OrderStatus.REJECTED
        ]
        assert (
            await port.order_status("ACC", first.client_order_id)
        ).status is OrderStatus.ACCEPTED


@in_loop
async def test_an_order_that_the_venue_does_not_know_is_none(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, _):
        assert await port.order_status("ACC", order("never").client_order_id) is None


@in_loop
async def test_everything_is_cancelled_with_one_request(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, _):
        orders = [order(name) for name in "abc"]
        for each in orders:
            await port.submit(each)
        found = await port.cancel_all(ALL)
        assert set(found) == {each.client_order_id for each in orders}
        assert rig.floor.asked["F"] == 0
        assert rig.desk.working() == set()
        assert await port.cancel_all(ALL) == ()


@pytest.mark.parametrize("has_mass_status", [True, False])
def test_without_a_mass_cancel_orders_are_cancelled_one_by_one(tmp_path, has_mass_status):
    changes = [("mass_cancel = true", "mass_cancel = false")]
    if not has_mass_status:
        changes.append(("mass_status = true", "mass_status = false"))

    async def whole():
        async with rig_at(tmp_path, dialect=changed(tmp_path, *changes)) as rig:
            async with connected(rig) as (port, _):
                for name in "abc":
                    await port.submit(order(name))
                await port.submit(market("filled"))
            async with connected(rig) as (port, _):
                assert not port.capabilities.can_cancel_all
                assert len(await port.open_orders("ACC")) == 3
                assert len(await port.cancel_all(ALL)) == 3
                assert rig.floor.asked["q"] == 0
                assert bool(rig.floor.asked["AF"]) is has_mass_status
        assert rig.desk.working() == set()

    asyncio.run(whole())


@in_loop
async def test_the_orders_of_one_strategy_cannot_be_cancelled_in_one_request(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, _):
        with pytest.raises(VenueRefused, match="strategies"):
            await port.cancel_all(CancelAllOrders(account_id="ACC", strategy_id=StrategyId("s")))


@in_loop
async def test_what_the_venue_does_not_take_is_refused_before_it_is_sent(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, _):
        for bad in (
            order(
                "t",
                order_type=OrderType.TRAILING_STOP_MARKET,
                price=None,
                trailing_offset=Decimal(1),
            ),
            order("o", time_in_force=TimeInForce.OPG),
            order("f", quantity=Decimal("0.5")),
        ):
            with pytest.raises(VenueRefused, match="the venue takes no"):
                await port.submit(bad)
        other = msgspec.structs.replace(order("i"), instrument_id=InstrumentId("MSFT.XNAS"))
        with pytest.raises(VenueRefused, match="not among the instruments"):
            await port.submit(other)
        with pytest.raises(VenueRefused, match="lists"):
            await port.submit_list(
                SubmitOrderList(kind=OrderListKind.OCO, account_id="ACC", orders=())
            )
        assert rig.floor.received == []


@in_loop
async def test_when_the_session_layer_rejects_an_order_it_is_refused(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, _):

        def reject(fields) -> None:
            rig.floor.say(
                [
                    (35, "3"),
                    (45, fields[34]),
                    (371, "38"),
                    (372, "D"),
                    (373, "5"),
                    (58, "bad OrderQty"),
                ],
                How.PLAIN,
            )

        rig.floor.take = reject
        with pytest.raises(VenueRefused, match="SESSION_REJECT_5: bad OrderQty"):
            await port.submit(order("a"))


@in_loop
async def test_when_nothing_is_answered_the_outcome_is_unknown(folder):
    async with rig_at(folder) as rig, connected(rig, answer_timeout_s=0.2) as (port, _):
        rig.floor.take = lambda fields: None
        first = order("a")
        for call in (
            port.submit(first),
            port.cancel(cancel(first)),
            port.replace(replace(first, quantity=Decimal(20))),
            port.order_status("ACC", first.client_order_id),
            port.open_orders("ACC"),
            port.positions("ACC"),
            port.account("ACC"),
            port.cancel_all(ALL),
        ):
            with pytest.raises(OutcomeUnknown, match=r"0\.2 s"):
                await call


@in_loop
async def test_when_an_execution_is_taken_back_it_is_said_and_never_counted_again(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, seen):
        await port.submit(market("a"))
        await until(lambda: seen.of(FillReport))
        [fill] = seen.of(FillReport)
        told = [
            (35, "8"),
            (37, fill.venue_order_id),
            (11, fill.client_order_id),
            (17, "BUST-1"),
            (19, fill.trade_id),
            (150, "H"),
            (39, "0"),
            (55, "AAPL"),
            (54, "1"),
            (38, "10"),
            (32, "10"),
            (31, "100"),
            (14, "0"),
            (151, "10"),
        ]
        await asyncio.to_thread(rig.venue.run, rig.floor.say, told, How.PLAIN)
        await until(lambda: len(seen.of(VenueConnected)) == 2)  # compare with the venue
        assert len(seen.of(FillReport)) == 1
        assert await port.executions_since("ACC", 0) == ()
        states = [each.status for each in seen.of(OrderStatusReport)]
        assert states[-1] is OrderStatus.FILLED


@in_loop
async def test_positions_and_cash_are_the_venues_where_it_tells_them(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, _):
        assert await port.positions("ACC") == ()
        await port.submit(market("a"))
        status = await port.mass_status("ACC", 0)
        assert status.account.cash == rig.desk.cash
        assert [(each.instrument_id, each.quantity) for each in status.positions] == [
            (rig.traded, Decimal(10))
        ]
        assert len(status.fills) == 1


@in_loop
async def test_where_the_venue_tells_neither_nothing_is_made_up(folder):
    async with rig_at(folder, dialect="standard") as rig, connected(rig) as (port, _):
        await port.submit(market("a"))
        await port.submit(order("b"))
        status = await port.mass_status("ACC", 0)
        assert (status.positions, status.account) == (None, None)
        assert (len(status.fills), len(status.open_orders)) == (1, 1)
        for call in (port.positions("ACC"), port.account("ACC")):
            with pytest.raises(VenueRefused, match="NOT_OFFERED"):
                await call


@in_loop
async def test_where_ids_are_short_an_echo_leads_back_to_our_order(folder):
    dialect = changed(
        folder, ("length_max = 64 ", "length_max = 20 "), ("echo_tag = 0 ", "echo_tag = 526 ")
    )
    async with rig_at(folder, dialect=dialect, echo_tag=526) as rig:
        first = order("a")
        async with connected(rig) as (port, _):
            await port.submit(first)
            await port.replace(replace(first, quantity=Decimal(20)))
            assert all(len(each[11]) <= 20 for each in rig.floor.received if 11 in each)
        async with connected(rig, store_dir=str(folder / "new"), reset_on_logon=True) as (port, _):
            [report] = await port.open_orders("ACC")
            assert report.client_order_id == first.client_order_id
            await port.cancel(cancel(first))
        assert rig.desk.working() == set()


@in_loop
async def test_lime_orders_carry_limes_tags(folder):
    async with rig_at(folder, dialect="lime") as rig, connected(rig) as (port, seen):
        day = {"time_in_force": TimeInForce.DAY}
        await port.submit(order("a", **day))
        await port.submit(market("b"))
        assert [(each[100], each[528], each[9999]) for each in sent(rig, "D")] == [
            ("LIME", "A", "API")
        ] * 2
        await until(lambda: seen.of(FillReport))
        assert seen.of(FillReport)[0].trade_id.startswith("20")
        assert len(await port.cancel_all(ALL)) == 1


@in_loop
async def test_when_the_budget_is_used_up_cancels_go_before_orders(folder):
    dialect = changed(folder, ("count = 1000 ", "count = 6 "), ("per_s = 1.0", "per_s = 0.5"))
    async with rig_at(folder, dialect=dialect) as rig, connected(rig) as (port, _):
        now = stopped_clock(port._pacing)
        first = order("first")
        await port.submit(first)
        waiting = [asyncio.ensure_future(port.submit(order(f"o{n}"))) for n in range(9)]
        await until(lambda: rig.floor.asked["D"] >= 6)
        canceling = asyncio.ensure_future(port.cancel(cancel(first)))
        await until(lambda: len(port._pacing._waiting) == 5)  # it waits, behind four orders
        now[0] += 1.0
        await asyncio.gather(canceling, *waiting)
        kinds = [fields[35] for fields in rig.floor.received]
        assert kinds.index("F") == 6
        assert rig.floor.asked["D"] == 10


@in_loop
async def test_when_the_venue_throttles_us_we_slow_down(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, _):
        now = stopped_clock(port._pacing)
        rig.faults.plan(Fault.RATE_LIMIT)
        with pytest.raises(VenueUnreachable, match="THROTTLED"):
            await port.submit(order("a"))
        assert port._pacing.room_in(1) > 0
        later = asyncio.ensure_future(port.submit(order("b")))
        await until(lambda: port._pacing._waiting)
        now[0] += 2 * port._pacing.room_in(1)
        await later


@in_loop
async def test_an_order_of_somebody_else_is_reported_and_can_be_cancelled(folder):
    async with rig_at(folder) as rig, connected(rig) as (port, seen):
        foreign = msgspec.structs.replace(order("x"), client_order_id="trader-7/1")
        await asyncio.to_thread(rig.desk.request, foreign)
        await until(lambda: seen.of(OrderStatusReport))
        report = seen.of(OrderStatusReport)[0]
        assert report.client_order_id == f"ext-{report.venue_order_id}"
        await port.cancel(
            msgspec.structs.replace(cancel(foreign), client_order_id=report.client_order_id)
        )
        assert rig.desk.working() == set()


def test_the_changed_dialect_is_read(tmp_path):
    assert dialect_file(tmp_path, "count = 50 ", "count = 5 ").endswith(".toml")


@in_loop
async def test_an_execution_with_groups_is_read_whatever_its_tags(folder):
    """A group that the engine does not know would cost us the execution."""
    async with rig_at(folder) as rig, connected(rig) as (port, seen):
        first = order("a")
        venue_order_id = await port.submit(first)
        parties = [
            (453, "2"),
            (448, "DESK"),
            (447, "D"),
            (452, "1"),
            (448, "BROKER"),
            (447, "D"),
            (452, "3"),
        ]
        own = [(9100, "2"), (9101, "x"), (9102, "1"), (9101, "y"), (9102, "2")]
        told = [
            (35, "8"),
            (37, venue_order_id),
            (11, first.client_order_id),
            (17, "G1"),
            (150, "F"),
            (39, "1"),
            (55, "AAPL"),
            (54, "1"),
            (38, "10"),
            (32, "4"),
            (31, "80.00"),
            (14, "4"),
            (151, "6"),
            (58, ""),
            (7777, "a tag that nobody declared"),
            *parties,
            *own,
        ]
        raw = "".join(f"{tag}={value}\x01" for tag, value in told[1:])
        await asyncio.to_thread(rig.venue.run, rig.venue.send_raw, "8", raw)
        await until(lambda: seen.of(FillReport))
        assert seen.of(FillReport)[0].last_qty == 4
        assert rig.venue.transcript.of("in", "|35=3|") == []
