"""Streams and history of stocks, options and crypto."""

import time
from contextlib import asynccontextmanager

import pytest

from actors.venues.alpaca.history import UNSUPPORTED, timeframe
from actors.venues.alpaca.wire import moment_text
from tests.venues.alpaca.orders import LoopClock, until
from tests.venues.alpaca.rig import AAPL, BTC, CALL, KO
from tests.venues.faults import Fault
from tests.venues.rig import Observed
from trading.data import Bar, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.ports import Subscription
from trading.values import AssetClass, BookAction, DataKind, OptionRight, OrderSide

pytestmark = pytest.mark.asyncio
MINUTE = 60 * 10**9
STOCKS, COINS, OPTIONS = "/v2/iex", "/v1beta3/crypto/us", "/v1beta1/indicative"


@asynccontextmanager
async def feeding(rig, *subscriptions):
    feed, seen = rig.open_feed(), Observed()
    await feed.connect(seen)
    try:
        await until(lambda: seen.of(VenueConnected))
        await feed.subscribe(subscriptions)
        yield feed, seen
    finally:
        await feed.disconnect()


async def publish(rig, path, *items):
    await rig.in_simulator(lambda: rig.simulator.market.publish(path, *items))


async def test_quotes_trades_and_bars_of_a_stock(rig):
    wanted = [
        Subscription(AAPL.instrument_id, DataKind.QUOTES),
        Subscription(AAPL.instrument_id, DataKind.TRADES),
        Subscription(AAPL.instrument_id, DataKind.BARS, MINUTE),
    ]
    async with feeding(rig, *wanted) as (_, seen):
        now = 1_795_280_426_123_456_789
        await publish(
            rig,
            STOCKS,
            {"T": "q", "S": "AAPL", "bp": 99.5, "ap": 100, "bs": 2, "as": 3, "t": now},
            {"T": "t", "S": "AAPL", "p": 99.75, "s": 10, "i": 7, "x": "V", "t": now + 1},
            {"T": "b", "S": "AAPL", "o": 1, "h": 4, "l": 0.5, "c": 2, "v": 9, "t": now},
            {"T": "q", "S": "MSFT", "bp": 1, "ap": 2, "bs": 2, "as": 3, "t": now},
        )
        bar = (await until(lambda: seen.of(Bar)))[0]
        quote, trade = seen.of(QuoteTick)[0], seen.of(TradeTick)[0]
        assert (quote.bid_px, quote.ask_px, quote.bid_size, quote.ask_size) == (99.5, 100, 2, 3)
        assert (quote.ts_event, trade.ts_event) == (now, now + 1)
        assert (trade.price, trade.size, trade.aggressor_side) == (99.75, 10, None)
        assert (bar.ts_event, bar.close) == (now + MINUTE, 2)
        assert [m.sequence for m in (quote, trade, bar)] == [1, 2, 3]
        assert {m.instrument_id for m in (quote, trade, bar)} == {AAPL.instrument_id}


async def test_book_of_a_coin_begins_with_a_snapshot(rig):
    async with feeding(
        rig,
        Subscription(BTC.instrument_id, DataKind.BOOKS),
        Subscription(BTC.instrument_id, DataKind.TRADES),
    ) as (_, seen):
        feeds = rig.simulator.market.subscribed
        await until(lambda: "BTC/USD" in feeds.get(COINS, {}).get("orderbooks", ()))
        now = time.time_ns()
        levels = {
            "b": [{"p": 9, "s": 1}, {"p": 10, "s": 2}],
            "a": [{"p": 12, "s": 1}, {"p": 11, "s": 0}],
        }
        await publish(
            rig,
            COINS,
            {"T": "o", "S": "BTC/USD", "t": now, "r": True, **levels},
            {
                "T": "o",
                "S": "BTC/USD",
                "t": now,
                "b": [{"p": 10, "s": 0}],
                "a": [{"p": 11, "s": 5}],
            },
            {"T": "t", "S": "BTC/USD", "t": now, "p": 10.5, "s": 0.25, "i": 1, "tks": "S"},
        )
        await until(lambda: seen.of(TradeTick))
        snapshot = seen.of(BookSnapshot)[0]
        assert (snapshot.bids, snapshot.asks) == (((10, 2), (9, 1)), ((12, 1),))
        gone, new = seen.of(BookDelta)
        assert (gone.side, gone.action, gone.price) == (OrderSide.BUY, BookAction.DELETE, 10)
        assert (new.side, new.action, new.size) == (OrderSide.SELL, BookAction.UPDATE, 5)
        assert [snapshot.sequence, gone.sequence, new.sequence] == [1, 2, 3]
        assert seen.of(TradeTick)[0].aggressor_side is OrderSide.SELL


async def test_sizes_of_options_are_shares(rig):
    async with feeding(rig, Subscription(CALL.instrument_id, DataKind.QUOTES)) as (_, seen):
        await until(lambda: rig.simulator.market.subscribed.get(OPTIONS, {}).get("quotes"))
        symbol = CALL.instrument_id.rpartition(".")[0]
        await publish(
            rig,
            OPTIONS,
            {"T": "q", "S": symbol, "bp": 4, "ap": 5, "bs": 3, "as": 1, "t": time.time_ns()},
        )
        quote = (await until(lambda: seen.of(QuoteTick)))[0]
        assert (quote.bid_size, quote.ask_size) == (300, 100)


async def test_subscriptions_survive_a_lost_connection(rig):
    async with feeding(rig, Subscription(AAPL.instrument_id, DataKind.QUOTES)) as (_, seen):
        await rig.cut()
        await until(lambda: seen.of(VenueDisconnected))
        await until(lambda: len(seen.of(VenueConnected)) == 2)
        await rig.quote(99, 101)
        await until(lambda: seen.of(QuoteTick))
        times = [at for path, at in rig.simulator.market.connects if path == STOCKS]
        assert times[1] - times[0] >= 0.45


async def test_unsubscribed_is_not_streamed(rig):
    wanted = Subscription(AAPL.instrument_id, DataKind.QUOTES)
    async with feeding(rig, wanted) as (feed, seen):
        assert rig.simulator.market.subscribed[STOCKS]["quotes"] == {"AAPL"}
        await feed.unsubscribe((wanted,))
        await until(lambda: rig.simulator.market.subscribed[STOCKS]["quotes"] == set())
        await rig.cut()
        await until(lambda: len(seen.of(VenueConnected)) == 2)
        # The venue confirms this behind everything that was asked for when the stream came back.
        await feed.subscribe((Subscription(AAPL.instrument_id, DataKind.TRADES),))
        await until(lambda: rig.simulator.market.subscribed[STOCKS].get("trades") == {"AAPL"})
        assert not rig.simulator.market.subscribed[STOCKS].get("quotes")


async def test_mute_feed_is_cut(rig):
    rig.options["stream_timeout_s"] = 6.0
    async with feeding(rig, Subscription(AAPL.instrument_id, DataKind.QUOTES)) as (_, seen):
        rig.simulator.market.is_mute = True
        lost = (await LoopClock().run_until(lambda: seen.of(VenueDisconnected)))[0]
        assert "mute" in lost.reason
        rig.simulator.market.is_mute = False
        await until(lambda: len(seen.of(VenueConnected)) == 2)


async def test_quiet_feed_is_left_alone(rig):
    async with feeding(rig, Subscription(AAPL.instrument_id, DataKind.QUOTES)) as (feed, seen):
        _, session = feed._streams[AssetClass.EQUITY]
        await LoopClock().run_through(session, timeouts=2)
        assert not seen.of(VenueDisconnected)


@pytest.mark.parametrize(
    ("refusal", "is_final", "sentence"),
    [
        ((402, "auth failed"), True, "ALPACA_API_KEY"),
        ((409, "insufficient subscription"), True, "subscription"),
        ((406, "connection limit exceeded"), False, "only one"),
        ((404, "auth timeout"), False, "auth timeout"),
    ],
)
async def test_refusals_of_the_feed_have_one_meaning_each(rig, refusal, is_final, sentence):
    rig.simulator.market.refuse_with = refusal
    feed, seen = rig.open_feed(), Observed()
    await feed.connect(seen)
    lost = (await until(lambda: seen.of(VenueDisconnected)))[0]
    assert lost.is_final is is_final
    assert sentence in lost.reason
    if not is_final:
        await until(lambda: seen.of(VenueConnected))
    await feed.disconnect()


async def test_second_connection_to_a_feed_waits_until_the_first_is_gone(rig):
    async with feeding(rig) as (first, _):
        second, seen = rig.open_feed(), Observed()
        await second.connect(seen)
        lost = (await until(lambda: seen.of(VenueDisconnected)))[0]
        assert "only one" in lost.reason
        await first.disconnect()
        await until(lambda: seen.of(VenueConnected))
        await second.disconnect()


async def test_too_many_symbols_are_refused_and_forgotten(rig):
    rig.simulator.market.symbol_limit = 1
    async with feeding(rig, Subscription(AAPL.instrument_id, DataKind.QUOTES)) as (feed, seen):
        with pytest.raises(VenueRefused) as caught:
            await feed.subscribe((Subscription(KO.instrument_id, DataKind.QUOTES),))
        assert caught.value.venue_code == "405"
        await rig.quote(99, 101)
        await until(lambda: seen.of(QuoteTick))
        await rig.cut()
        await until(lambda: len(seen.of(VenueConnected)) == 2)


@pytest.mark.parametrize(
    "wanted",
    [
        Subscription(AAPL.instrument_id, DataKind.BOOKS),
        Subscription(CALL.instrument_id, DataKind.BARS, MINUTE),
        Subscription(AAPL.instrument_id, DataKind.BARS, 5 * MINUTE),
    ],
)
async def test_what_is_not_streamed_is_refused_by_name(rig, wanted):
    async with feeding(rig) as (feed, _):
        with pytest.raises(VenueRefused) as caught:
            await feed.subscribe((wanted,))
        assert caught.value.venue_code == UNSUPPORTED


@pytest.mark.parametrize(
    "frame",
    [b"", b"\xc1", b"\x91\x01", b"\x91\x81\xa1T\xa1q", b"\x92\x81\xa1T\xa1s\x81\xa1T\xa4moon"],
)
async def test_nonsense_on_the_feed_is_left_out(rig, frame):
    async with feeding(rig, Subscription(AAPL.instrument_id, DataKind.QUOTES)) as (_, seen):
        await rig.in_simulator(lambda: rig.simulator.market.say_raw(STOCKS, frame))
        await rig.quote(99, 101)
        await until(lambda: seen.of(QuoteTick))
        assert not seen.of(VenueDisconnected)


async def test_expired_keys_end_the_feed(rig):
    async with feeding(rig) as (_, seen):
        rig.faults.plan(Fault.BAD_CREDENTIALS)
        await until(lambda: [m for m in seen.of(VenueDisconnected) if m.is_final])


# -- history


def minutes(count, start=1_795_280_400 * 10**9):
    return [
        {
            "t": moment_text(start + i * MINUTE),
            "o": i,
            "h": i + 2,
            "l": i,
            "c": i + 1,
            "v": 10,
            "n": 1,
            "vw": i,
        }
        for i in range(count)
    ]


async def test_bars_are_read_page_by_page_and_stamped_with_their_close(rig):
    start = 1_795_280_400 * 10**9
    rig.simulator.market.history["bars", "AAPL"] = minutes(10)
    rig.simulator.market.page = 3
    feed = rig.open_feed()
    bars = await feed.bars(AAPL.instrument_id, MINUTE, start + 2 * MINUTE, start + 9 * MINUTE)
    assert [bar.open for bar in bars] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert bars[0].ts_event == start + 2 * MINUTE
    assert bars[-1].ts_event == start + 9 * MINUTE
    assert await feed.bars(KO.instrument_id, MINUTE, start, start + MINUTE) == ()
    await feed.disconnect()


async def test_quotes_and_trades_of_the_past(rig):
    at = 1_795_280_400 * 10**9 + 5
    rig.simulator.market.history["quotes", "BTC/USD"] = [
        {"t": moment_text(at), "bp": 1.5, "ap": 2, "bs": 3, "as": 4}
    ]
    rig.simulator.market.history["trades", "BTC/USD"] = [
        {"t": moment_text(at), "p": 1.5, "s": 0.5, "tks": "B", "i": 3}
    ]
    feed = rig.open_feed()
    (quote,) = await feed.quotes(BTC.instrument_id, at - 1, at + 1)
    assert (quote.ts_event, quote.ask_px, quote.ask_size) == (at, 2, 4)
    (trade,) = await feed.trades(BTC.instrument_id, at - 1, at + 1)
    assert (trade.price, trade.aggressor_side) == (1.5, OrderSide.BUY)
    with pytest.raises(VenueRefused, match="option quotes"):
        await feed.quotes(CALL.instrument_id, 0, at)
    await feed.disconnect()


async def test_book_of_a_coin_and_none_of_a_stock(rig):
    rig.simulator.market.books["BTC/USD"] = {
        "t": "2026-11-21T17:00:00Z", "b": [{"p": 9, "s": 1}], "a": [{"p": 11, "s": 2}]
    }  # fmt: skip
    feed = rig.open_feed()
    book = await feed.book(BTC.instrument_id)
    assert (book.bids, book.asks) == (((9, 1),), ((11, 2),))
    with pytest.raises(VenueRefused, match="no order book"):
        await feed.book(AAPL.instrument_id)
    await feed.disconnect()


@pytest.mark.parametrize(
    ("interval_ns", "name"),
    [(MINUTE, "1Min"), (15 * MINUTE, "15Min"), (60 * MINUTE, "1Hour"), (1440 * MINUTE, "1Day")],
)
async def test_lengths_of_bars_have_names(interval_ns, name):
    assert timeframe(interval_ns) == name


async def test_length_that_the_venue_does_not_make_is_refused():
    with pytest.raises(VenueRefused, match="1 s"):
        timeframe(10**9)


# -- instruments


async def test_instruments_say_what_the_venue_says(rig):
    rig.instruments = ()
    rig.simulator.listings.asset_flags["KO"] = {"easy_to_borrow": False, "fractionable": False}
    feed = rig.open_feed()
    stock, coin, option = await feed.instruments(("KO", "BTC/USD", "AAPL270115C00100000"))
    assert (stock.instrument_id, stock.is_shortable, stock.lot_size) == ("KO.XNYS", False, 1)
    assert (coin.instrument_id, coin.asset_class, coin.calendar) == (
        "BTC/USD.ALPACA",
        AssetClass.CRYPTO,
        "24/7",
    )
    assert str(coin.lot_size) == "0.0001"
    assert (option.instrument_id, option.multiplier, option.lot_size) == (
        CALL.instrument_id,
        100,
        100,
    )
    assert (option.strike, option.right, option.expiry) == (100, OptionRight.CALL, "2027-01-15")
    await feed.disconnect()


async def test_unknown_and_untradable_symbols_are_refused(rig):
    rig.simulator.listings.asset_flags["KO"] = {"tradable": False}
    feed = rig.open_feed()
    for symbol in ("NOPE", "KO"):
        with pytest.raises(VenueRefused, match=symbol):
            await feed.instruments((symbol,))
    await feed.disconnect()


@pytest.mark.parametrize(
    "flags",
    [
        {"price_increment": "-1"},
        {"price_increment": "NaN"},
        {"symbol": ""},
        {"tradable": "perhaps"},
    ],
)
async def test_listing_that_makes_no_sense_is_unknown(rig, flags):
    rig.simulator.listings.asset_flags["KO"] = flags
    feed = rig.open_feed()
    with pytest.raises(OutcomeUnknown):
        await feed.instruments(("KO",))
    await feed.disconnect()


async def test_feed_without_a_server_is_unreachable(rig):
    rig.options["data_url"] = "http://127.0.0.1:9"
    feed = rig.open_feed()
    with pytest.raises(VenueUnreachable):
        await feed.bars(AAPL.instrument_id, MINUTE, 0, MINUTE)
    await feed.disconnect()
