"""Rule R8: each kind of bad data is refused under its own code, and nothing ever raises."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.guard import SYMBOL_LENGTH_MAX, DataGuard, GuardConfig, RejectCode
from trading.codec import MESSAGE_TYPES
from trading.commands import RequestBook
from trading.data import (
    Bar,
    BarsHistory,
    BarSlice,
    BookDelta,
    BookSnapshot,
    BookTop,
    MarketData,
    MarketSlice,
    QuoteTick,
    TradeTick,
)
from trading.effects import Effect, Publish, Send, SetTimer
from trading.identifiers import InstrumentId, MachineName, Venue
from trading.outcomes import Started, TimerFired
from trading.values import BookAction, OrderSide

A, B = InstrumentId("A.X"), InstrumentId("B.X")
SECOND, HOUR, DAY = 10**9, 3_600 * 10**9, 86_400 * 10**9
NOW = 1_700_000_000 * SECOND
SILENCE = 5 * SECOND


def guard(**changes: object) -> DataGuard:
    fields: dict[str, object] = {
        "venue": Venue("paper"),
        "source": MachineName("exchange:paper"),
        "instruments": frozenset({A, B}),
        "max_silence_ns": SILENCE,
        **changes,
    }
    return DataGuard(GuardConfig(**fields))  # type: ignore[arg-type]


def quote(**changes: object) -> QuoteTick:
    fields: dict[str, object] = {
        "ts_event": NOW,
        "instrument_id": A,
        "bid_px": 10.0,
        "ask_px": 10.1,
        "bid_size": 5.0,
        "ask_size": 5.0,
    }
    return QuoteTick(**{**fields, **changes})  # type: ignore[arg-type]


def trade(**changes: object) -> TradeTick:
    fields: dict[str, object] = {"ts_event": NOW, "instrument_id": A, "price": 10.0, "size": 1.0}
    return TradeTick(**{**fields, **changes})  # type: ignore[arg-type]


def delta(**changes: object) -> BookDelta:
    fields: dict[str, object] = {
        "ts_event": NOW,
        "instrument_id": A,
        "side": OrderSide.BUY,
        "action": BookAction.UPDATE,
        "price": 10.0,
        "size": 1.0,
    }
    return BookDelta(**{**fields, **changes})  # type: ignore[arg-type]


def book(**changes: object) -> BookSnapshot:
    fields: dict[str, object] = {
        "ts_event": NOW,
        "instrument_id": A,
        "bids": ((10.0, 1.0), (9.9, 2.0)),
        "asks": ((10.1, 1.0), (10.2, 2.0)),
    }
    return BookSnapshot(**{**fields, **changes})  # type: ignore[arg-type]


def bar(name: InstrumentId = A, **changes: object) -> Bar:
    fields: dict[str, object] = {
        "open": 10.0,
        "high": 11.0,
        "low": 9.0,
        "close": 10.0,
        "volume": 1.0,
    }
    return Bar(instrument_id=name, **{**fields, **changes})  # type: ignore[arg-type]


def slice_of(*bars: Bar, **changes: object) -> BarSlice:
    fields: dict[str, object] = {"ts_event": NOW, **changes}
    return BarSlice(bars=bars, **fields)  # type: ignore[arg-type]


def published(effects: list[Effect]) -> list[Publish]:
    assert all(isinstance(effect, Publish) for effect in effects)
    return [effect for effect in effects if isinstance(effect, Publish)]


@pytest.mark.parametrize("message", [quote(), trade(), delta(), book()])
def test_good_data_passes_with_the_stamps_of_the_feed(message: MarketData) -> None:
    (effect,) = published(guard().handle(message, NOW + 7))
    assert effect.topic == "data.paper.A.X"
    assert effect.message.ts_init == NOW + 7
    assert effect.message.ts_event == NOW
    assert effect.message.correlation_id == "feed:paper/1"


def test_slice_passes_under_its_topic_and_stamps_are_counted() -> None:
    machine = guard()
    machine.handle(quote(), NOW)
    (effect,) = published(machine.handle(slice_of(bar(A), bar(B), sequence=4), NOW))
    assert effect.topic == "data.paper.slice"
    assert effect.message.correlation_id == "feed:paper/2"
    assert isinstance(effect.message, BarSlice)
    assert (effect.message.sequence, len(effect.message.bars)) == (4, 2)


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (quote(bid_px=NAN), "NOT_A_NUMBER"),
        (quote(ask_px=INF), "INFINITE"),
        (quote(bid_px=-INF), "INFINITE"),
        (quote(bid_px=0.0), "NOT_POSITIVE"),
        (quote(bid_px=-10.0), "NOT_POSITIVE"),
        (quote(ask_px=1e308), "ABSURD_PRICE"),
        (quote(bid_size=-1.0), "BAD_SIZE"),
        (quote(ask_size=NAN), "BAD_SIZE"),
        (quote(bid_px=10.2), "CROSSED"),
        (quote(bid_px=10.1), "LOCKED"),
        (trade(price=NAN), "NOT_A_NUMBER"),
        (trade(price=1.1e9), "ABSURD_PRICE"),
        (trade(price=5e-324), "ABSURD_PRICE"),
        (trade(price=-INF), "INFINITE"),
        (delta(price=NAN, action=BookAction.DELETE), "NOT_A_NUMBER"),
        (
            BookTop(
                instrument_id=A,
                bid_px=1,
                ask_px=2,
                bid_size=1,
                ask_size=1,
                microprice=1,
                imbalance=0,
            ),
            "MALFORMED",
        ),
        (BarsHistory(slices=()), "MALFORMED"),
        (MarketSlice(bars=()), "MALFORMED"),
        (trade(size=INF), "BAD_SIZE"),
        (delta(price=0.0), "NOT_POSITIVE"),
        (delta(size=-1.0), "BAD_SIZE"),
        (book(bids=((10.1, 1.0),)), "LOCKED"),
        (book(bids=((10.5, 1.0),)), "CROSSED"),
        (book(bids=((9.9, 1.0), (10.0, 1.0))), "BAD_LEVELS"),
        (book(asks=((10.1, 1.0), (10.1, 2.0))), "BAD_LEVELS"),
        (book(bids=(), asks=()), "BAD_LEVELS"),
        (book(bids=((NAN, 1.0),)), "NOT_A_NUMBER"),
        (book(asks=((10.1, -1.0),)), "BAD_SIZE"),
        (quote(instrument_id="ZZZ.X"), "UNKNOWN_INSTRUMENT"),
        (quote(instrument_id="A" * 1_000_000), "OVERSIZED_SYMBOL"),
        (quote(instrument_id="A" * SYMBOL_LENGTH_MAX), "UNKNOWN_INSTRUMENT"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_data_is_refused_under_its_own_code(message: MarketData, code: str) -> None:
    machine = guard()
    assert machine.handle(message, NOW) == []
    assert machine.view()["rejected"] == {code: 1}
    assert machine.view()["passed"] == 0


def test_book_with_one_side_empty_is_legal() -> None:
    assert published(guard().handle(book(bids=()), NOW))


@pytest.mark.parametrize("kind", [quote, trade, delta, book])
def test_repeated_and_older_sequences_are_refused(kind: Callable[..., MarketData]) -> None:
    machine = guard()
    assert machine.handle(kind(sequence=5), NOW)
    assert machine.handle(kind(sequence=5), NOW) == []
    assert machine.handle(kind(sequence=4), NOW) == []
    assert machine.handle(kind(sequence=6), NOW)
    assert machine.handle(kind(sequence=5, instrument_id=B), NOW)
    assert machine.view()["rejected"] == {"DUPLICATE": 1, "OUT_OF_ORDER": 1}


def test_repeated_and_older_slices_are_refused() -> None:
    machine = guard()
    assert machine.handle(slice_of(bar(), sequence=5), NOW)
    assert machine.handle(slice_of(bar(), sequence=5), NOW) == []
    assert machine.handle(slice_of(bar(), sequence=3), NOW) == []
    assert machine.view()["rejected"] == {"DUPLICATE": 1, "OUT_OF_ORDER": 1}


def test_bad_bars_are_dropped_one_by_one() -> None:
    bars = (
        bar(A),
        bar(B, close=NAN),
        bar(B, low=0.0),
        bar(B, high=INF),
        bar(B, high=9.5),
        bar(B, low=10.5),
        bar(B, volume=-1.0),
        bar(InstrumentId("ZZZ.X")),
    )
    machine = guard()
    (effect,) = published(machine.handle(slice_of(*bars), NOW))
    assert isinstance(effect.message, BarSlice)
    assert [one.instrument_id for one in effect.message.bars] == [A]
    assert machine.view()["rejected"] == {
        "BAD_BAR": 2,
        "BAD_SIZE": 1,
        "INFINITE": 1,
        "NOT_A_NUMBER": 1,
        "NOT_POSITIVE": 1,
        "UNKNOWN_INSTRUMENT": 1,
    }


def test_slice_whose_bars_are_all_bad_still_passes_so_that_no_gap_appears() -> None:
    (effect,) = published(guard().handle(slice_of(bar(A, close=NAN)), NOW))
    assert isinstance(effect.message, BarSlice)
    assert effect.message.bars == ()


def test_data_an_hour_older_than_the_newest_are_refused() -> None:
    machine = guard()
    machine.handle(quote(), NOW)
    assert machine.handle(quote(ts_event=NOW - HOUR), NOW)
    assert machine.handle(quote(ts_event=NOW - HOUR - 1), NOW) == []
    assert machine.view()["rejected"] == {"TOO_OLD": 1}


def test_live_data_from_the_future_are_refused() -> None:
    machine = guard(is_replay=False)
    assert machine.handle(quote(ts_event=NOW + HOUR), NOW) == []
    assert machine.view()["rejected"] == {"FROM_THE_FUTURE": 1}
    assert machine.handle(quote(), NOW)


def test_wild_moment_in_a_replay_is_refused_and_ages_nobody() -> None:
    machine = guard()
    machine.handle(trade(), NOW)
    assert machine.handle(trade(ts_event=NOW + 1_000 * DAY), NOW) == []
    assert machine.handle(trade(ts_event=NOW + 31 * DAY), NOW)
    assert machine.handle(trade(ts_event=NOW + 31 * DAY), NOW)
    assert machine.view()["rejected"] == {"FROM_THE_FUTURE": 1}


def test_replay_goes_on_behind_a_long_hole_in_the_prices() -> None:
    machine = guard()
    days = (0, 1, 60, 61, 200, 201, 202)
    passed = [
        bool(machine.handle(slice_of(ts_event=NOW + day * DAY, sequence=sequence), NOW))
        for sequence, day in enumerate(days, start=1)
    ]
    assert passed == [True, True, False, True, False, True, True]


def test_jump_beyond_the_limit_is_refused() -> None:
    machine = guard(max_jump=1.5)
    machine.handle(trade(price=10.0), NOW)
    assert machine.handle(trade(price=15.1), NOW) == []
    assert machine.handle(trade(price=6.6), NOW) == []
    assert machine.handle(trade(price=14.0), NOW)
    assert machine.handle(trade(price=100.0, instrument_id=B), NOW)
    assert machine.view()["rejected"] == {"PRICE_JUMP": 2}


def test_refused_repeat_does_not_move_the_price_that_jumps_are_measured_from() -> None:
    machine = guard(max_jump=2.0)
    machine.handle(trade(sequence=1, price=10.0), NOW)
    machine.handle(trade(sequence=1, price=19.0), NOW)
    assert machine.handle(trade(sequence=2, price=30.0), NOW) == []
    assert machine.view()["rejected"] == {"DUPLICATE": 1, "PRICE_JUMP": 1}


def test_size_of_a_deleted_level_does_not_matter() -> None:
    assert published(guard().handle(delta(action=BookAction.DELETE, size=NAN), NOW))


def test_mute_feed_is_stale_until_data_come_again() -> None:
    machine = guard()
    (timer,) = machine.handle(Started(epoch=0), NOW)
    assert timer == SetTimer("silence", NOW + SILENCE)
    machine.handle(quote(), NOW + 2 * SECOND)
    assert machine.handle(TimerFired(key="silence"), NOW + SILENCE) == [
        SetTimer("silence", NOW + 2 * SECOND + SILENCE)
    ]
    assert not machine.view()["stale"]
    (again,) = machine.handle(TimerFired(key="silence"), NOW + 2 * SECOND + SILENCE)
    assert isinstance(again, SetTimer)
    assert machine.view()["stale"]
    machine.handle(quote(), NOW + 9 * SECOND)
    assert not machine.view()["stale"]


def test_feed_that_sends_only_rubbish_is_stale() -> None:
    machine = guard()
    machine.handle(Started(epoch=0), NOW)
    for second in range(1, 6):
        machine.handle(quote(bid_px=NAN), NOW + second * SECOND)
    machine.handle(TimerFired(key="silence"), NOW + SILENCE)
    assert machine.view()["stale"]


def test_request_for_a_book_goes_to_the_venue() -> None:
    request = RequestBook(instrument_id=A, reply_to=MachineName("book:paper"))
    (effect,) = guard().handle(request, NOW)
    assert isinstance(effect, Send)
    assert effect.to == "exchange:paper"
    assert isinstance(effect.message, RequestBook)
    assert effect.message.instrument_id == A


numbers = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -1.0, 1e308, 10.0, 10.1, NAN, INF]),
)
names = st.one_of(st.sampled_from([A, B]), st.text(max_size=80).map(InstrumentId))
stamps = st.fixed_dictionaries(
    {
        "ts_event": st.integers(-(2**62), 2**62) | st.just(NOW),
        "sequence": st.integers(-(2**62), 2**62) | st.integers(0, 5),
        "instrument_id": names,
    }
)
levels = st.lists(st.tuples(numbers, numbers), max_size=4).map(tuple)


def with_fields(
    kind: type[MarketData], **fields: st.SearchStrategy[object]
) -> st.SearchStrategy[MarketData]:
    return st.builds(
        lambda common, own: kind(**common, **own), stamps, st.fixed_dictionaries(fields)
    )


bars = with_fields(Bar, open=numbers, high=numbers, low=numbers, close=numbers, volume=numbers)
anything = st.one_of(
    with_fields(QuoteTick, bid_px=numbers, ask_px=numbers, bid_size=numbers, ask_size=numbers),
    with_fields(TradeTick, price=numbers, size=numbers),
    with_fields(
        BookDelta,
        side=st.sampled_from(list(OrderSide)),
        action=st.sampled_from(list(BookAction)),
        price=numbers,
        size=numbers,
    ),
    with_fields(BookSnapshot, bids=levels, asks=levels),
    bars,
    st.builds(
        lambda ts, seq, inside: BarSlice(ts_event=ts, sequence=seq, bars=tuple(inside)),
        st.integers(-(2**62), 2**62),
        st.integers(-(2**62), 2**62),
        st.lists(bars, max_size=3),
    ),
)


@settings(deadline=None, max_examples=600)
@given(
    messages=st.lists(anything, max_size=6),
    is_replay=st.booleans(),
    jump=st.sampled_from([None, 2.0]),
)
def test_whatever_arrives_is_passed_or_counted_and_what_passes_is_sound(
    messages: list[MarketData], is_replay: bool, jump: float | None
) -> None:
    machine = guard(is_replay=is_replay, max_jump=jump)
    refused = 0
    for message in messages:
        effects = published(machine.handle(message, NOW))
        machine.validate()
        if effects:
            assert_sound(effects[0].message)
        elif not isinstance(message, BarSlice):
            refused += 1
    counted = machine.view()["rejected"]
    assert set(counted) <= set(RejectCode)
    assert sum(counted.values()) >= refused


def assert_sound(message: object) -> None:
    match message:
        case QuoteTick():
            assert 0 < message.bid_px < message.ask_px <= 1e9
        case TradeTick() | BookDelta():
            assert 0 < message.price <= 1e9
        case BookSnapshot(bids=bids, asks=asks):
            assert all(0 < price <= 1e9 and 0 <= size < INF for price, size in (*bids, *asks))
            assert not (bids and asks) or bids[0][0] < asks[0][0]
        case BarSlice(bars=inside):
            for one in inside:
                assert one.instrument_id in {A, B}
                assert 0 < one.low <= min(one.open, one.close)
                assert max(one.open, one.close) <= one.high <= 1e9
        case _:
            raise AssertionError(f"{type(message).__name__} passed the guard")


def test_every_other_message_is_ignored_or_refused() -> None:
    assert len(MESSAGE_TYPES) > 30
    machine = guard()
    assert machine.handle(bar(), NOW) == []
    assert machine.view()["rejected"] == {"MALFORMED": 1}
    assert machine.handle(TimerFired(key="other"), NOW) == []
