"""What IB alone has: option chains, implied volatility, Greeks, the scanner, headlines."""

import asyncio
from decimal import Decimal

import pytest

from actors.venues.ib.news import headlines, news_providers
from actors.venues.ib.options import implied_volatility, option_chain, stream_greeks
from actors.venues.ib.scanner import Scan, scan
from tests.venues.ib.acts import run, until, watching
from tests.venues.ib.contracts import AAPL, CALL
from trading.errors import VenueRefused, VenueUnreachable
from trading.values import NANOS_PER_SECOND

DAY = 86_400 * NANOS_PER_SECOND
NOVEMBER_20 = 1_795_132_800 * NANOS_PER_SECOND


def test_the_chain_of_an_underlying_has_its_expiries_and_strikes():
    async def story(rig):
        async with watching(rig) as (feed, _):
            chains = await option_chain(feed, AAPL)
            assert [chain.exchange for chain in chains] == ["SMART", "CBOE"]
            smart = chains[0]
            assert smart.underlying == AAPL
            assert smart.multiplier == 100
            assert smart.expiries == ("2026-12-18", "2027-01-15")
            assert smart.strikes == (Decimal(100), Decimal(110), Decimal("120.5"))

    run(story)


def test_a_price_has_an_implied_volatility():
    async def story(rig):
        async with watching(rig) as (feed, _):
            found = await implied_volatility(feed, CALL, 2.5, 100.0)
            assert (found.implied_volatility, found.price) == (0.25, 2.5)
            assert found.underlying_price == 100.0

    run(story)


def test_greeks_stream_until_the_connection_breaks():
    async def story(rig):
        async with watching(rig) as (feed, _):
            stream = stream_greeks(feed, CALL)
            first = anext(stream)

            waiting = asyncio.ensure_future(first)
            await until(lambda: rig.tws.market.streams)
            values = (0.3, 0.55, 2.5, 0.1, 0.02, 0.12, -0.05, 101.5)
            rig.tws.call(rig.tws.market.greeks, CALL, values)
            found = await waiting
            assert (found.implied_volatility, found.delta, found.gamma) == (0.3, 0.55, 0.02)
            assert (found.vega, found.theta, found.underlying_price) == (0.12, -0.05, 101.5)
            rig.tws.call(rig.tws.market.greeks, CALL, (-1, -2, -1, 0, -2, -2, -2, -1))
            nothing = await anext(stream)
            assert (nothing.implied_volatility, nothing.delta, nothing.price) == (None, None, None)
            rig.tws.cut()
            with pytest.raises(VenueUnreachable):
                await anext(stream)

    run(story)


def test_a_stream_of_greeks_that_is_left_is_cancelled():
    async def story(rig):
        async with watching(rig) as (feed, _):
            stream = stream_greeks(feed, CALL)

            waiting = asyncio.ensure_future(anext(stream))
            await until(lambda: rig.tws.market.streams)
            waiting.cancel()
            await asyncio.wait({waiting})
            await stream.aclose()
            await until(lambda: not rig.tws.market.streams)

    run(story)


def test_the_scanner_names_what_it_finds_by_our_ids():
    async def story(rig):
        async with watching(rig) as (feed, _):
            rows = await scan(feed, Scan(code="TOP_PERC_GAIN", count=2, min_price=5.0))
            assert [(row.rank, row.instrument_id) for row in rows] == [
                (0, "KO.XNYS"),
                (1, "AAPL.XNAS"),
            ]
            assert rows[0].value == "12.5"
            await until(lambda: rig.tws.received[23] == 1)

    run(story)


def test_headlines_come_oldest_first_without_the_marks_of_ib():
    async def story(rig):
        async with watching(rig) as (feed, _):
            assert await news_providers(feed) == {"BRFG": "Briefing.com", "DJNL": "Dow Jones"}
            found = await headlines(feed, AAPL, NOVEMBER_20 - 2 * DAY, NOVEMBER_20 + DAY)
            assert [each.text for each in found] == ["Apple falls", "Apple rises"]
            assert found[0].provider == "DJNL"
            assert found[0].ts_event < found[1].ts_event
            later = await headlines(feed, AAPL, NOVEMBER_20, NOVEMBER_20 + DAY, ("BRFG",))
            assert [each.article_id for each in later] == ["BRFG$1"]

    run(story)


def test_what_nobody_knows_is_refused():
    async def story(rig):
        async with watching(rig) as (feed, _):
            with pytest.raises(VenueRefused):
                await option_chain(feed, "NOSUCH.XNAS")

    run(story)
