"""Quotes, trades, books, bars: as they stream, and as they were."""

import asyncio
import time

import pytest

from actors.venues.ib.depth import DELETE, INSERT, UPDATE, Depth
from actors.venues.ib.history import BAR_SIZES, HistoryPacing, plan
from actors.venues.ib.streams import BarStream, QuoteStream
from tests.venues.ib.acts import run, until, watching
from tests.venues.ib.contracts import AAPL, CALL, EURUSD, KO
from trading.data import Bar, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.ports import Subscription
from trading.values import NANOS_PER_SECOND, BookAction, DataKind, OrderSide

SECOND = NANOS_PER_SECOND
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
START = 1_795_186_800  # 2026-11-20 15:00 UTC


async def subscribed(rig, feed, kind, key=AAPL, interval_ns=0):
    await feed.subscribe((Subscription(key, kind, interval_ns),))
    await until(lambda: any(found[0] == str(kind) for found in rig.tws.market.streams.values()))


def tell(rig, what, *details):
    rig.tws.call(getattr(rig.tws.market, what), *details)


def test_the_two_sides_that_arrive_together_are_one_quote():
    async def story(rig):
        async with watching(rig) as (feed, said):
            await subscribed(rig, feed, DataKind.QUOTES)
            tell(rig, "quote", AAPL, 99.5, 100.5, 300)
            await said.until(lambda: said.of(QuoteTick))
            (quote,) = said.of(QuoteTick)
            assert (quote.bid_px, quote.ask_px, quote.bid_size) == (99.5, 100.5, 300)
            assert quote.sequence == 1

    run(story)


def test_sizes_of_options_are_units():
    async def story(rig):
        async with watching(rig) as (feed, said):
            await subscribed(rig, feed, DataKind.QUOTES, CALL)
            tell(rig, "quote", CALL, 2.4, 2.6, 5)
            await said.until(lambda: said.of(QuoteTick))
            assert said.of(QuoteTick)[0].bid_size == 500

    run(story)


@pytest.mark.parametrize(("bid", "ask"), [(-1.0, 100.0), (99.0, 0.0), (float("inf"), 100.0)])
def test_a_side_that_ib_does_not_have_makes_no_quote(bid, ask):
    stream = QuoteStream(AAPL)
    stream.take("priceSizeTick", (1, bid, 10.0), 0)
    stream.take("priceSizeTick", (2, ask, 10.0), 0)
    assert stream.flush(0) == []


def test_delayed_ticks_are_quotes_too():
    stream = QuoteStream(AAPL)
    stream.take("priceSizeTick", (66, 99.0, 10.0), 0)
    stream.take("priceSizeTick", (67, 100.0, 10.0), 0)
    stream.take("tickSize", (69, 20.0), 0)
    (quote,) = stream.flush(7)
    assert (quote.bid_px, quote.ask_px, quote.bid_size, quote.ts_event) == (99.0, 100.0, 20.0, 7)
    assert stream.flush(8) == []


def test_trades_carry_the_second_of_ib():
    async def story(rig):
        async with watching(rig) as (feed, said):
            await subscribed(rig, feed, DataKind.TRADES)
            tell(rig, "trade", AAPL, 100.25, 7)
            await said.until(lambda: said.of(TradeTick))
            (trade,) = said.of(TradeTick)
            assert (trade.price, trade.size) == (100.25, 7)
            assert trade.ts_event % SECOND == 0
            assert abs(trade.ts_event - time.time_ns()) < 60 * SECOND

    run(story)


def test_a_book_begins_with_a_snapshot_and_goes_on_with_changes():
    async def story(rig):
        async with watching(rig) as (feed, said):
            await subscribed(rig, feed, DataKind.BOOKS)
            tell(rig, "depth", AAPL, (0, INSERT, 1, 99, 5), (1, INSERT, 1, 98, 6))
            tell(rig, "depth", AAPL, (0, INSERT, 0, 101, 7))
            await said.until(lambda: said.of(BookSnapshot))
            (book,) = said.of(BookSnapshot)
            assert book.bids == ((99, 5), (98, 6))
            assert book.asks == ((101, 7),)
            tell(rig, "depth", AAPL, (0, UPDATE, 1, 99, 9), (1, DELETE, 1, 98, 0))
            await said.until(lambda: len(said.of(BookDelta)) == 2)
            changes = {(d.side, d.action, d.price, d.size) for d in said.of(BookDelta)}
            assert changes == {
                (OrderSide.BUY, BookAction.UPDATE, 99, 9),
                (OrderSide.BUY, BookAction.DELETE, 98, 0),
            }
            assert [m.sequence for m in said.messages if hasattr(m, "sequence")] == [1, 2, 3]
            now = await feed.book(AAPL)
            assert now.bids == ((99, 9),)

    run(story)


def test_a_book_that_is_reset_begins_again():
    async def story(rig):
        async with watching(rig) as (feed, said):
            await subscribed(rig, feed, DataKind.BOOKS)
            both = (0, INSERT, 1, 99, 5), (0, INSERT, 0, 101, 7)
            tell(rig, "depth", AAPL, *both)
            await said.until(lambda: said.of(BookSnapshot))
            ((_, number),) = rig.tws.market.streams
            rig.tws.error(317, "Market depth data has been RESET.", number)
            tell(rig, "depth", AAPL, *both)
            await said.until(lambda: len(said.of(BookSnapshot)) == 2)
            rig.tws.error(316, "Market depth data has been HALTED. Please re-subscribe.", number)
            await until(lambda: number not in {each[1] for each in rig.tws.market.streams})
            await until(lambda: rig.tws.market.streams)
            tell(rig, "depth", AAPL, *both)
            await said.until(lambda: len(said.of(BookSnapshot)) == 3)

    run(story)


def test_a_row_that_does_not_fit_begins_the_book_again():
    async def story(rig):
        async with watching(rig) as (feed, _said):
            await subscribed(rig, feed, DataKind.BOOKS)
            ((_, number),) = rig.tws.market.streams
            tell(rig, "depth", AAPL, (7, DELETE, 1, 0, 0))
            await until(lambda: number not in {each[1] for each in rig.tws.market.streams})

    run(story)


def test_a_book_that_nobody_follows_is_asked_for_once():
    async def story(rig):
        async with watching(rig) as (feed, _said):
            asking = asyncio.ensure_future(feed.book(KO))
            await until(lambda: rig.tws.market.streams)
            tell(rig, "depth", KO, (0, INSERT, 1, 59, 5), (0, INSERT, 0, 61, 7))
            book = await asking
            assert (book.bids, book.asks) == (((59, 5),), ((61, 7),))
            await until(lambda: not rig.tws.market.streams)

    run(story)


def test_several_rows_of_one_price_are_one_level():
    depth = Depth()
    depth.take(0, INSERT, 1, 99.0, 5.0)
    depth.take(1, INSERT, 1, 99.0, 7.0)
    assert depth.show()[0] == ((99.0, 12.0),)
    depth.take(0, DELETE, 1, 0.0, 0.0)
    assert depth.changes() == [(OrderSide.BUY, BookAction.UPDATE, 99.0, 7.0)]
    assert depth.changes() == []


@pytest.mark.parametrize(
    "row", [(3, INSERT, 1, 1, 1), (0, DELETE, 0, 1, 1), (0, 9, 1, 1, 1), (0, INSERT, 2, 1, 1)]
)
def test_rows_that_make_no_sense_are_noticed(row):
    assert not Depth().take(*row)


def test_bars_are_put_together_from_those_of_five_seconds():
    async def story(rig):
        async with watching(rig) as (feed, said):
            await subscribed(rig, feed, DataKind.BARS, interval_ns=15 * SECOND)
            tell(rig, "five_seconds", AAPL, START - 5, (90, 99, 80, 91), 1)  # not from the begin
            for number, prices in enumerate([(100, 102, 99, 101), (101, 105, 101, 104)]):
                tell(rig, "five_seconds", AAPL, START + 5 * number, prices, 10)
            tell(rig, "five_seconds", AAPL, START + 10, (104, 104, 98, 99), 10)
            await said.until(lambda: said.of(Bar))
            (bar,) = said.of(Bar)
            assert (bar.open, bar.high, bar.low, bar.close) == (100, 105, 98, 99)
            assert (bar.volume, bar.ts_event) == (30, (START + 15) * SECOND)

    run(story)


def test_a_bar_whose_last_piece_is_missing_closes_with_the_next():
    stream = BarStream(AAPL, 10 * SECOND)
    piece = (100.0, 101.0, 99.0, 100.0, 5.0)
    assert stream.take("realtimeBar", (START, *piece), 0) == []
    (bar,) = stream.take("realtimeBar", (START + 10, *piece), 0)
    assert bar.ts_event == (START + 10) * SECOND


def test_bars_that_ib_cannot_stream_are_refused():
    async def story(rig):
        async with watching(rig) as (feed, _):
            with pytest.raises(VenueRefused, match="5 s"):
                await feed.subscribe((Subscription(AAPL, DataKind.BARS, 3 * SECOND),))

    run(story)


def test_streams_come_back_after_a_break_and_end_on_request():
    async def story(rig):
        async with watching(rig) as (feed, said):
            await subscribed(rig, feed, DataKind.QUOTES)
            rig.tws.cut()
            await said.until(lambda: len(said.of(VenueConnected)) == 2)
            await until(lambda: rig.tws.market.streams)
            tell(rig, "quote", AAPL, 99.5, 100.5)
            await said.until(lambda: said.of(QuoteTick))
            await feed.unsubscribe((Subscription(AAPL, DataKind.QUOTES),))
            await until(lambda: not rig.tws.market.streams)

    run(story)


@pytest.mark.parametrize(("code", "count"), [(1101, 2), (1102, 1)])
def test_after_1101_streams_are_asked_for_again_and_after_1102_they_are_not(code, count):
    async def story(rig):
        async with watching(rig) as (feed, said):
            await subscribed(rig, feed, DataKind.QUOTES)
            rig.tws.error(1100, "Connectivity between IB and TWS has been lost.")
            await said.until(lambda: said.of(VenueDisconnected))
            rig.tws.error(code, "Connectivity between IB and TWS has been restored.")
            await said.until(lambda: len(said.of(VenueConnected)) == 2)
            await feed.instruments(("KO",))  # whatever was sent before the question has arrived
            assert rig.tws.received[1] == count

    run(story)


def test_a_broken_farm_is_a_feed_that_is_disconnected():
    async def story(rig):
        async with watching(rig) as (_feed, said):
            rig.tws.error(2103, "Market data farm connection is broken:usfarm")
            await said.until(lambda: said.of(VenueDisconnected))
            assert "usfarm" in said.of(VenueDisconnected)[0].reason
            rig.tws.error(2104, "Market data farm connection is OK:eufarm")
            rig.tws.error(2104, "Market data farm connection is OK:usfarm")
            await said.until(lambda: len(said.of(VenueConnected)) == 2)

    run(story)


def test_what_was_subscribed_to_before_the_connection_streams_with_it():
    async def story(rig):
        feed = rig.open_feed()
        await feed.subscribe((Subscription(AAPL, DataKind.QUOTES),))
        with pytest.raises(VenueUnreachable):
            await feed.instruments(("AAPL",))
        await feed.connect(lambda message: None)
        await until(lambda: rig.tws.market.streams)
        await feed.disconnect()

    run(story)


# -- history


@pytest.mark.parametrize("interval_s", [60, 3_600, 86_400])
def test_bars_lie_in_the_span_oldest_first_each_once(interval_s):
    async def story(rig):
        async with watching(rig) as (feed, _):
            span = (START * SECOND, START * SECOND + 3 * DAY)
            bars = await feed.bars(AAPL, interval_s * SECOND, *span)
            times = [bar.ts_event for bar in bars]
            assert times == sorted(set(times))
            assert span[0] <= times[0] <= times[-1] <= span[1]
            assert len(bars) in (3 * 86_400 // interval_s, 3 * 86_400 // interval_s + 1)

    run(story)


def test_a_bar_of_a_day_closes_at_the_midnight_of_its_exchange():
    async def story(rig):
        async with watching(rig) as (feed, _):
            bars = await feed.bars(AAPL, DAY, START * SECOND, START * SECOND + DAY)
            assert [bar.ts_event // SECOND for bar in bars] == [1_795_237_200]  # 05:00 UTC

    run(story)


def test_what_ib_does_not_have_is_an_empty_answer():
    async def story(rig):
        async with watching(rig) as (feed, _):
            rig.tws.market.refuse_history = (
                "Historical Market Data Service error message:HMDS query returned no data: AAPL"
            )
            assert await feed.bars(AAPL, MINUTE, START * SECOND, START * SECOND + MINUTE) == ()

    run(story)


def test_a_pacing_violation_is_refused_and_waited_for():
    async def story(rig):
        async with watching(rig) as (feed, _):
            rig.tws.market.refuse_history = "Historical Market Data Service error message:Historical data request pacing violation"
            with pytest.raises(VenueRefused, match="pacing"):
                await feed.bars(AAPL, MINUTE, START * SECOND, START * SECOND + MINUTE)
            assert feed._history._pacing._window._paused_until > time.monotonic()

    run(story)


def test_bars_of_a_length_that_ib_does_not_have_are_refused():
    with pytest.raises(VenueRefused):
        plan(7 * SECOND, (0, DAY))


@pytest.mark.parametrize("interval_s", BAR_SIZES)
def test_the_requests_of_a_plan_cover_the_span_without_a_gap(interval_s):
    span = (START * SECOND, (START + 40 * 86_400) * SECOND)
    _, pages = plan(interval_s * SECOND, span)
    units = {"S": 1, "D": 86_400, "Y": 365 * 86_400}
    ends = [end for end, _ in pages]
    begins = [end - int(d.split()[0]) * units[d.split()[1]] for end, d in pages]
    assert ends[0] >= span[1] // SECOND
    assert begins[-1] <= START - interval_s
    assert all(begin <= end for begin, end in zip(begins, ends[1:], strict=False))


def test_ticks_of_the_past_are_read_page_by_page():
    async def story(rig):
        async with watching(rig) as (feed, _):
            span = (START * SECOND, (START + 900) * SECOND)
            trades = await feed.trades(AAPL, *span)
            assert len(trades) == 901
            assert trades[0].ts_event == span[0]
            assert rig.tws.received[96] == 2
            quotes = await feed.quotes(EURUSD, START * SECOND, (START + 3) * SECOND)
            assert [quote.bid_px for quote in quotes] == [100] * 4

    run(story)


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


def test_no_request_for_the_past_is_one_too_many():
    async def story():
        clock = Clock()
        pacing = HistoryPacing(clock)
        for number in range(60):
            clock.now += 0.5
            await pacing.turn(1, number)
        too_many = asyncio.ensure_future(pacing.turn(2, "other"))
        await asyncio.sleep(0)
        assert not too_many.done()
        too_many.cancel()

    asyncio.run(story())


def test_the_same_request_waits_for_fifteen_seconds(monkeypatch):
    async def story():
        clock, waited = Clock(), []

        async def wait(seconds):
            waited.append(seconds)
            clock.now += seconds

        pacing = HistoryPacing(clock)
        await pacing.turn(1, "a")
        clock.now += 5
        monkeypatch.setattr("actors.venues.ib.history.asyncio.sleep", wait)
        await pacing.turn(1, "b")
        await pacing.turn(1, "a")
        assert waited == [10]

    asyncio.run(story())


def test_a_history_that_does_not_answer_is_unknown_and_names_the_broken_farm():
    async def story(rig):
        async with watching(rig, history_timeout_s=0.3, heartbeat_s=30.0) as (feed, _):
            await feed.contracts.listing(feed.connection(), AAPL)
            rig.tws.error(2105, "HMDS data farm connection is broken:ushmds")
            await until(lambda: feed.connection().broken_farms)
            rig.tws.is_frozen = True
            with pytest.raises(OutcomeUnknown, match="ushmds"):
                await feed.bars(AAPL, MINUTE, START * SECOND, START * SECOND + MINUTE)

    run(story)
