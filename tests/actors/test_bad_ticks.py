"""Whatever a venue streams: nothing escapes from gateway and guard, and what passes both can be."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.guard import DataGuard, GuardConfig, RejectCode
from trading.data import Bar, BarSlice, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.effects import FetchBars, Publish, SetTimer
from trading.identifiers import InstrumentId, MachineName, Venue
from trading.instruments import Instrument
from trading.market_data.gateway import GatewayConfig, MarketGateway
from trading.outcomes import (
    BarsFetched,
    BookFetched,
    FeedSubscribed,
    Started,
    TimerFired,
    VenueConnected,
)
from trading.values import BookAction, DataKind, OrderSide

A, B = InstrumentId("A.X"), InstrumentId("B.X")
SECOND = 10**9
MINUTE = 60 * SECOND
NOW = 1_700_000_040 * SECOND // MINUTE * MINUTE

numbers = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -1.0, 1e308, 5e-324, 10.0, 10.1, math.nan, math.inf, "ten", None]),
)
names = st.one_of(
    st.sampled_from([A, B]),
    st.text(max_size=80).map(InstrumentId),
    st.just(InstrumentId("A" * 1_000_000)),
)
common = {
    "ts_event": st.one_of(
        st.integers(-(2**62), 2**62),
        st.integers(NOW - 2 * MINUTE, NOW + 2 * MINUTE),
        st.sampled_from([NOW, NOW - 3_600 * SECOND, "now", math.nan, None]),
    ),
    "sequence": st.one_of(st.integers(-(2**62), 2**62), st.integers(0, 5)),
    "instrument_id": names,
}
levels = st.lists(st.tuples(numbers, numbers), max_size=4).map(tuple)
anything = st.one_of(
    st.builds(
        QuoteTick, bid_px=numbers, ask_px=numbers, bid_size=numbers, ask_size=numbers, **common
    ),
    st.builds(TradeTick, price=numbers, size=numbers, **common),
    st.builds(
        BookDelta,
        side=st.sampled_from(list(OrderSide)),
        action=st.sampled_from(list(BookAction)),
        price=numbers,
        size=numbers,
        **common,
    ),
    st.builds(BookSnapshot, bids=levels, asks=levels, **common),
    st.builds(
        Bar, open=numbers, high=numbers, low=numbers, close=numbers, volume=numbers, **common
    ),
)


class Chain:
    """Gateway and guard of a live feed; keeps what passes the guard."""

    def __init__(self, bars_from):
        instruments = (Instrument(instrument_id=A), Instrument(instrument_id=B))
        self.gateway = MarketGateway(
            GatewayConfig(
                venue=Venue("alpha"),
                instruments=instruments,
                kinds=frozenset(DataKind),
                bar_interval_ns=MINUTE,
                bars_from=bars_from,
                history_bars=5,
                max_silence_ns=5 * SECOND,
            )
        )
        self.guard = DataGuard(
            GuardConfig(
                venue=Venue("alpha"),
                source=MachineName("market:alpha"),
                instruments=frozenset({A, B}),
                is_replay=False,
            )
        )
        self.passed = []
        self.timers = {}
        for message in (Started(epoch=0), VenueConnected(), FeedSubscribed()):
            self.say(message, NOW)

    def say(self, message, now):
        for effect in self.gateway.handle(message, now):
            if isinstance(effect, SetTimer):
                self.timers[effect.key] = effect.at
            elif isinstance(effect, Publish):
                for out in self.guard.handle(effect.message, now):
                    self.passed.append(out.message)
            elif isinstance(getattr(effect, "body", None), FetchBars):
                body = effect.body
                nothing = BarsFetched(
                    instrument_id=body.instrument_id, start=body.start, end=body.end, bars=()
                )
                self.say(nothing, now)

    def pass_to(self, until):
        while self.timers and min(self.timers.values()) <= until:
            key = min(self.timers, key=self.timers.get)
            at = self.timers.pop(key)
            self.say(TimerFired(key=key), at)


@settings(deadline=None, max_examples=400)
@given(
    st.lists(anything, max_size=8),
    st.sampled_from([DataKind.QUOTES, DataKind.TRADES, DataKind.BARS]),
)
def test_whatever_is_streamed_nothing_escapes_and_what_passes_can_be(messages, bars_from):
    chain = Chain(bars_from)
    for step, message in enumerate(messages):
        chain.say(message, NOW + step)
        if isinstance(message, BookSnapshot):
            chain.say(BookFetched(snapshot=message), NOW + step)
    chain.pass_to(NOW + 3 * MINUTE)
    for message in chain.passed:
        assert_sound(message)
    assert set(chain.guard.view()["rejected"]) <= set(RejectCode)
    good = QuoteTick(
        ts_event=NOW + 4 * MINUTE,
        instrument_id=A,
        bid_px=1.0,
        ask_px=2.0,
        bid_size=1.0,
        ask_size=1.0,
    )
    count = len(chain.passed)
    chain.say(good, NOW + 4 * MINUTE)
    assert len(chain.passed) == count + 1  # one bad message spoils no later one


def assert_sound(message):
    match message:
        case QuoteTick():
            assert 0 < message.bid_px < message.ask_px <= 1e9
        case TradeTick() | BookDelta():
            assert 0 < message.price <= 1e9
        case BookSnapshot(bids=bids, asks=asks):
            assert all(0 < price <= 1e9 and 0 <= size < math.inf for price, size in (*bids, *asks))
        case BarSlice(bars=inside):
            assert inside
            for one in inside:
                assert one.instrument_id in {A, B}
                assert 0 < one.low <= min(one.open, one.close)
                assert max(one.open, one.close) <= one.high <= 1e9
        case _:
            raise AssertionError(f"{type(message).__name__} passed the guard")
    assert message.instrument_id in {A, B} if hasattr(message, "instrument_id") else True
