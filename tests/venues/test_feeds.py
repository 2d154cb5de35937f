"""Market data of every venue that has some: quotes after a break, instruments, history."""

import asyncio
import importlib
import time

import pytest

from tests.venues.rig import Observed
from tests.venues.rigs import VENUES
from trading.data import QuoteTick
from trading.errors import VenueRefused
from trading.identifiers import symbol_of
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.ports import Subscription
from trading.values import NANOS_PER_SECOND, DataKind

BOUND_S = 60.0


@pytest.fixture(params=VENUES)
def told(request, tmp_path):
    """Run `tell(rig, feed, heard)` with a connected feed of one venue; skip where there is none."""
    module, opener = VENUES[request.param]

    def run(tell):
        async def whole():
            rig = await getattr(importlib.import_module(module), opener)(tmp_path)
            feed = rig.open_feed()
            heard = Observed()
            try:
                if feed is None:
                    return f"{rig.name} has no market data"
                await feed.connect(heard)
                await heard.until(lambda: heard.of(VenueConnected))
                await tell(rig, feed, heard)
            finally:
                if feed is not None:
                    await feed.disconnect()
                await rig.close()
            return ""

        reason = asyncio.run(whole())
        if reason:
            pytest.skip(reason)

    return run


async def until_quoted(rig, heard, bid, ask):
    """Tell the quote until it arrives: a stream tells nothing of what was before the subscription."""
    async with asyncio.timeout(BOUND_S):
        while not any(q.bid_px == bid and q.ask_px == ask for q in heard.of(QuoteTick)):
            await rig.quote(bid, ask)
            await asyncio.sleep(0.05)


def test_quotes_arrive_and_arrive_again_after_a_break(told):
    async def tell(rig, feed, heard):
        if DataKind.QUOTES not in rig.profile.capabilities.streams:
            pytest.skip(f"{rig.name} streams no quotes")
        await feed.subscribe((Subscription(rig.traded, DataKind.QUOTES),))
        await until_quoted(rig, heard, 99.5, 100.5)
        quote = heard.of(QuoteTick)[-1]
        assert quote.instrument_id == rig.traded
        assert abs(quote.ts_event - time.time_ns()) < 60 * NANOS_PER_SECOND
        ups, downs = len(heard.of(VenueConnected)), len(heard.of(VenueDisconnected))
        await rig.cut()
        await heard.until(lambda: len(heard.of(VenueDisconnected)) > downs)
        await heard.until(lambda: len(heard.of(VenueConnected)) > ups)
        await until_quoted(rig, heard, 98.5, 99.25)

    told(tell)


def test_what_an_instrument_is_comes_from_the_venue(told):
    async def tell(rig, feed, heard):
        instrument = rig.desk.instruments[rig.traded]
        symbol = instrument.venue_symbol or symbol_of(rig.traded)
        (found,) = await feed.instruments((symbol,))
        assert found.instrument_id == rig.traded
        assert found.asset_class is instrument.asset_class
        assert found.tick_size > 0
        assert found.lot_size > 0
        with pytest.raises(VenueRefused):
            await feed.instruments(("NOSUCHTHING",))

    told(tell)


def test_history_lies_in_the_asked_time_and_in_order(told):
    async def tell(rig, feed, heard):
        if DataKind.BARS not in rig.profile.capabilities.histories:
            pytest.skip(f"{rig.name} keeps no bars")
        end = time.time_ns()
        start = end - 3_600 * NANOS_PER_SECOND
        bars = await feed.bars(rig.traded, 60 * NANOS_PER_SECOND, start, end)
        assert bars
        times = [bar.ts_event for bar in bars]
        assert times == sorted(set(times))
        assert start <= times[0]
        assert times[-1] <= end
        assert all(bar.low <= bar.open <= bar.high for bar in bars)

    told(tell)
