"""Quotes, trades, books and bars: books are never crossed, gaps and wrong checksums are noticed."""

import asyncio
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venues.ccxt.books import ToldBook
from actors.venues.ccxt.integrity import kraken_checksum
from tests.venues.ccxt.rig import open_bybit, open_kraken, open_rig
from tests.venues.ccxt.simulator import dumps
from tests.venues.faults import Fault
from tests.venues.rig import Observed
from trading.data import Bar, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.errors import VenueRefused
from trading.identifiers import InstrumentId
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.ports import Subscription
from trading.values import NANOS_PER_SECOND, BookAction, DataKind, OrderSide

OPENERS = [open_rig, open_kraken, open_bybit]
MINUTE = 60 * NANOS_PER_SECOND
KEY = InstrumentId("BTC/USDT.X")


class Follower(dict):
    """Applies what is told of a book, and looks at it after every message."""

    def __init__(self):
        super().__init__(bids={}, asks={})
        self.snapshots = 0

    def apply(self, message):
        if isinstance(message, BookSnapshot):
            self.snapshots += 1
            self["bids"], self["asks"] = dict(message.bids), dict(message.asks)
        else:
            side = self["bids"] if message.side is OrderSide.BUY else self["asks"]
            if message.action is BookAction.DELETE:
                del side[message.price]
            else:
                side[message.price] = message.size
        if self["bids"] and self["asks"]:
            assert max(self["bids"]) < min(self["asks"]), "crossed on the way"


def streamed(opener, kinds, tell, **options):
    """Run `tell(rig, feed, heard)` with a feed that has subscribed."""

    async def whole():
        rig = await opener(None)
        rig.simulator.book(bids=[("99.50", "1.0000")], asks=[("100.50", "2.0000")])
        heard, feed = Observed(), rig.open_feed(**options)
        try:
            await feed.connect(heard)
            await heard.until(lambda: heard.of(VenueConnected))
            await feed.subscribe(tuple(Subscription(rig.traded, *kind) for kind in kinds))
            await tell(rig, feed, heard)
        finally:
            await feed.disconnect()
            await rig.close()

    asyncio.run(whole())


async def until_told(heard, say, holds):
    """Say something again and again: a stream tells nothing of what was before the subscription."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.to_thread(say)
            await asyncio.sleep(0.05)


def followed(heard):
    follower = Follower()
    for message in heard.messages:
        if isinstance(message, BookSnapshot | BookDelta):
            follower.apply(message)
    return follower


def book_is(heard, rig):
    follower = followed(heard)
    wanted = {
        side: {float(price): float(size) for price, size in rig.simulator._book[side].items()}
        for side in ("bids", "asks")
    }
    return {**follower} == wanted


# -- books


@pytest.mark.parametrize("opener", OPENERS)
def test_a_book_begins_with_a_snapshot_and_goes_on_with_changes(opener):
    async def tell(rig, feed, heard):
        say = rig.simulator.book
        await until_told(
            heard, lambda: say(bids=[("99.40", "3.0000")]), lambda: followed(heard).snapshots
        )
        await asyncio.to_thread(say, bids=[("99.50", "0")], asks=[("100.40", "1.5000")])
        await asyncio.to_thread(say, bids=[("100.45", "7.0000")], asks=[("100.40", "0")])
        await heard.until(lambda: book_is(heard, rig))
        assert followed(heard).snapshots == 1
        sequences = [m.sequence for m in heard.messages if isinstance(m, BookSnapshot | BookDelta)]
        assert sequences == list(range(1, len(sequences) + 1))

    streamed(opener, [(DataKind.BOOKS,)], tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_book_that_missed_a_message_begins_again(opener):
    """Binance and Bybit number the changes, Kraken sends checksums."""

    async def tell(rig, feed, heard):
        say = rig.simulator.book
        await until_told(
            heard, lambda: say(bids=[("99.40", "3.0000")]), lambda: followed(heard).snapshots
        )
        await heard.until(lambda: book_is(heard, rig))
        await asyncio.to_thread(say, asks=[("100.40", "1.5000")], is_lost=True)
        await asyncio.to_thread(say, bids=[("99.30", "4.0000")])
        await until_told(
            heard, lambda: say(bids=[("99.20", "1.0000")]), lambda: followed(heard).snapshots > 1
        )
        await heard.until(lambda: book_is(heard, rig))

    streamed(opener, [(DataKind.BOOKS,)], tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_quotes_and_books_of_one_market_do_not_disturb_each_other(opener):
    async def tell(rig, feed, heard):
        say = rig.simulator.book
        await until_told(
            heard, lambda: say(bids=[("99.40", "3.0000")]), lambda: followed(heard).snapshots
        )
        await until_told(
            heard, lambda: rig.simulator.quote(99.5, 100.5), lambda: heard.of(QuoteTick)
        )
        await asyncio.to_thread(say, bids=[("99.10", "1.0000")])
        await heard.until(lambda: book_is(heard, rig))

    streamed(opener, [(DataKind.QUOTES,), (DataKind.BOOKS,)], tell)


@pytest.mark.parametrize("opener", OPENERS)
def test_after_a_break_the_book_begins_again(opener):
    async def tell(rig, feed, heard):
        say = rig.simulator.book
        await until_told(
            heard, lambda: say(bids=[("99.40", "3.0000")]), lambda: followed(heard).snapshots
        )
        ups, downs = len(heard.of(VenueConnected)), len(heard.of(VenueDisconnected))
        await rig.cut()
        await heard.until(lambda: len(heard.of(VenueConnected)) > ups)
        assert len(heard.of(VenueDisconnected)) > downs
        await until_told(
            heard, lambda: say(bids=[("99.20", "1.0000")]), lambda: followed(heard).snapshots > 1
        )
        await heard.until(lambda: book_is(heard, rig))

    streamed(opener, [(DataKind.BOOKS,)], tell)


def test_a_feed_that_is_open_and_mute_is_cut():
    async def tell(rig, feed, heard):
        await until_told(
            heard, lambda: rig.simulator.quote(99.5, 100.5), lambda: heard.of(QuoteTick)
        )
        rig.faults.plan(Fault.MUTE_STREAM)
        downs = len(heard.of(VenueDisconnected))
        await heard.until(lambda: len(heard.of(VenueDisconnected)) > downs)
        rig.faults.clear()
        await until_told(
            heard,
            lambda: rig.simulator.quote(98.5, 99.5),
            lambda: any(q.bid_px == 98.5 for q in heard.of(QuoteTick)),
        )

    streamed(open_rig, [(DataKind.QUOTES,)], tell, data_timeout_s=0.8)


LEVELS = st.lists(
    st.tuples(st.integers(1, 30), st.integers(1, 9)),
    min_size=1,
    max_size=8,
    unique_by=lambda x: x[0],
)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(40, 60), LEVELS, LEVELS), min_size=1, max_size=6))
def test_changes_lead_from_book_to_book_and_are_never_crossed_on_the_way(states):
    told, follower = ToldBook(KEY, 5), Follower()
    for middle, below, above in states:
        bids = sorted(((float(middle - d), float(s)) for d, s in below), reverse=True)
        asks = sorted((float(middle + d), float(s)) for d, s in above)
        for message in told.changes(bids, asks, 1, 2):
            follower.apply(message)
        assert follower["bids"] == dict(bids[:5])
        assert follower["asks"] == dict(asks[:5])


def test_the_checksum_of_kraken_is_that_of_its_documentation():
    """Ten levels a side; digits of price (5 places) and size (8 places), no point, no leading zeros."""
    asks = [
        (0.05005, 0.00000500), (0.05010, 0.00000500), (0.05015, 0.00000500), (0.05020, 0.00000500),
        (0.05025, 0.00000500), (0.05030, 0.00000500), (0.05035, 0.00000500), (0.05040, 0.00000500),
        (0.05045, 0.00000500), (0.05050, 0.00000500),
    ]  # fmt: skip
    bids = [
        (0.05000, 0.00000500), (0.04995, 0.00000500), (0.04990, 0.00000500), (0.04980, 0.00000500),
        (0.04975, 0.00000500), (0.04970, 0.00000500), (0.04965, 0.00000500), (0.04960, 0.00000500),
        (0.04955, 0.00000500), (0.04950, 0.00000500),
    ]  # fmt: skip
    assert kraken_checksum(asks, bids, 5, 8) == 974947235


@pytest.mark.parametrize("turns", range(6))
def test_the_last_word_is_told_even_if_silence_follows(turns):
    """Ccxt wakes nobody for a message that comes while its caller is busy with the one before."""

    async def tell(rig, feed, heard):
        bids = [0.0]

        def say():
            bids.append(bids[-1] + 0.001)
            rig.simulator.quote(bids[-1], 9.5)

        await until_told(heard, say, lambda: heard.of(QuoteTick))
        # A straggler would wake whom silence must not leave asleep.
        await heard.until(lambda: heard.of(QuoteTick)[-1].bid_px == bids[-1])
        (client,) = feed._session.exchange.clients.values()
        for bid in (2.5, 3.5, 4.5):
            client.handle_text_or_binary_message(dumps(rig.simulator.quoted(bid, 9.5)))
            for _ in range(turns):
                await asyncio.sleep(0)
        await heard.until(lambda: heard.of(QuoteTick)[-1].bid_px == 4.5)

    streamed(open_rig, [(DataKind.QUOTES,)], tell)


# -- trades and bars


@pytest.mark.parametrize("opener", OPENERS)
def test_public_trades_arrive(opener):
    async def tell(rig, feed, heard):
        await until_told(
            heard, lambda: rig.simulator.trade(100.25, 0.75), lambda: heard.of(TradeTick)
        )
        tick = heard.of(TradeTick)[0]
        assert (tick.price, tick.size) == (100.25, 0.75)
        assert tick.instrument_id == rig.traded
        assert tick.aggressor_side is OrderSide.BUY
        assert abs(tick.ts_event - time.time_ns()) < MINUTE

    streamed(opener, [(DataKind.TRADES,)], tell)


def test_many_trades_at_once_all_arrive_in_order():
    async def tell(rig, feed, heard):
        await until_told(
            heard, lambda: rig.simulator.trade(1, 1, number=1), lambda: heard.of(TradeTick)
        )
        before = len(heard.of(TradeTick))

        def say():
            for number in range(300):
                rig.simulator.trade(100 + number, 1, number=10 + number)
            rig.simulator.trade(999, 1, number=9_999)

        await asyncio.to_thread(say)
        await heard.until(lambda: heard.of(TradeTick)[-1].price == 999)
        prices = [tick.price for tick in heard.of(TradeTick)[before:] if tick.price > 1]
        assert prices == [*(100.0 + n for n in range(300)), 999.0]

    streamed(open_rig, [(DataKind.TRADES,)], tell)


def test_a_bar_is_told_when_the_next_one_has_begun():
    minutes = itertools.count(1_700_000_040_000, 60_000)

    async def tell(rig, feed, heard):
        def say():
            opened = next(minutes)
            rig.simulator.candle(opened, 100)
            rig.simulator.candle(opened, 101)

        await until_told(heard, say, lambda: len(heard.of(Bar)) >= 3)
        times = [bar.ts_event for bar in heard.of(Bar)]
        assert times == sorted(set(times))
        assert {bar.close for bar in heard.of(Bar)[1:]} == {101.0}
        assert times[-1] < next(minutes) * 1_000_000

    streamed(open_rig, [(DataKind.BARS, MINUTE)], tell)


def test_what_an_exchange_does_not_stream_is_refused_by_name():
    async def tell(rig, feed, heard):
        with pytest.raises(VenueRefused, match="7 s"):
            await feed.subscribe((Subscription(rig.traded, DataKind.BARS, 7 * NANOS_PER_SECOND),))
        with pytest.raises(VenueRefused, match="NOPE"):
            await feed.subscribe((Subscription(InstrumentId("NOPE/USDT.X"), DataKind.QUOTES),))

    streamed(open_rig, [], tell)


def test_what_is_unsubscribed_is_told_no_more():
    async def tell(rig, feed, heard):
        wanted = Subscription(rig.traded, DataKind.QUOTES)
        await until_told(
            heard, lambda: rig.simulator.quote(99.5, 100.5), lambda: heard.of(QuoteTick)
        )
        await feed.unsubscribe((wanted,))
        count = len(heard.of(QuoteTick))
        await feed.subscribe((Subscription(rig.traded, DataKind.TRADES),))
        await asyncio.to_thread(rig.simulator.quote, 1.0, 2.0)
        await until_told(heard, lambda: rig.simulator.trade(5, 1), lambda: heard.of(TradeTick))
        assert len(heard.of(QuoteTick)) == count

    streamed(open_rig, [(DataKind.QUOTES,)], tell)


# -- questions


@pytest.mark.parametrize("opener", OPENERS)
def test_a_book_is_answered_when_asked_for(opener):
    async def tell(rig, feed, heard):
        book = await feed.book(rig.traded)
        assert (book.bids[0], book.asks[0]) == ((99.5, 1.0), (100.5, 2.0))

    streamed(opener, [], tell)


def test_bars_of_a_long_time_come_page_by_page():
    async def tell(rig, feed, heard):
        end = time.time_ns() // MINUTE * MINUTE
        start = end - 1_300 * MINUTE
        bars = await feed.bars(rig.traded, MINUTE, start, end)
        assert [bar.ts_event for bar in bars] == list(range(start, end + 1, MINUTE))
        pages = [path for _, path in rig.simulator.asked if path == "api/v3/klines"]
        assert len(pages) == 3

    streamed(open_rig, [], tell)


def test_trades_of_the_past_lie_in_the_asked_time():
    async def tell(rig, feed, heard):
        start = time.time_ns() // 1_000_000_000 * 1_000_000_000
        ticks = await feed.trades(rig.traded, start, start + 3_000_000)
        assert [tick.ts_event - start for tick in ticks] == [0, 1_000_000, 2_000_000, 3_000_000]
        assert await feed.quotes(rig.traded, 0, start) == ()

    streamed(open_rig, [], tell)
