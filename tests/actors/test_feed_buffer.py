"""What waits between a venue and a host: in order while there is room, bounded and counted beyond."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import feed_buffer
from actors.feed_buffer import FeedBuffer
from trading.data import Bar, BookDelta, QuoteTick, TradeTick
from trading.identifiers import InstrumentId
from trading.outcomes import FeedOverran, FeedSubscribed, VenueConnected, VenueDisconnected
from trading.values import BookAction, OrderSide

KEYS = tuple(InstrumentId(f"{name}.X") for name in "ABC")
ROOM, MOST = 8, 12
"""Of quotes, and of everything else."""


def quote(key, at):
    return QuoteTick(
        ts_event=at, instrument_id=key, bid_px=1.0, ask_px=2.0, bid_size=1.0, ask_size=1.0
    )


def trade(key, at):
    return TradeTick(ts_event=at, instrument_id=key, price=1.0, size=1.0)


def bar(key, at):
    return Bar(ts_event=at, instrument_id=key, open=1.0, high=1.0, low=1.0, close=1.0)


def delta(key, at):
    return BookDelta(
        ts_event=at,
        instrument_id=key,
        side=OrderSide.BUY,
        action=BookAction.UPDATE,
        price=1.0,
        size=1.0,
    )


@pytest.fixture
def wakes():
    return []


@pytest.fixture
def buffer(monkeypatch, wakes):
    monkeypatch.setattr(feed_buffer, "QUOTES_AFTER", ROOM)
    monkeypatch.setattr(feed_buffer, "WAITING_MAX", MOST)
    return FeedBuffer(lambda: wakes.append(1), lambda: 7)


def test_when_there_is_room_everything_waits_in_order(buffer, wakes):
    messages = [VenueConnected(), quote(KEYS[0], 1), quote(KEYS[0], 2), trade(KEYS[1], 3)]
    for message in messages:
        buffer.put(message)
    assert buffer.is_waiting
    assert buffer.take() == messages
    assert not buffer.is_waiting
    assert buffer.take() == []
    assert wakes == [1]
    buffer.put(messages[0])
    assert wakes == [1, 1]


def test_when_it_is_full_the_latest_quote_of_each_instrument_wins(buffer):
    for at in range(100):
        buffer.put(quote(KEYS[at % 3], at))
    taken = buffer.take()
    assert len(taken) == ROOM + 3 + 1
    assert [message.ts_event for message in taken[ROOM:-1]] == [98, 99, 97]
    assert taken[-1] == FeedOverran(ts_event=7, ts_init=7, conflated=100 - ROOM - 3)
    buffer.put(quote(KEYS[0], 101))
    assert [message.ts_event for message in buffer.take()] == [101]


def test_when_it_is_full_trades_bars_and_books_are_lost_by_name(buffer):
    kept = [trade(KEYS[2], at) for at in range(MOST)]
    for message in (
        *kept,
        trade(KEYS[0], 1),
        trade(KEYS[0], 2),
        bar(KEYS[0], 3),
        delta(KEYS[1], 4),
        delta(KEYS[1], 5),
    ):
        buffer.put(message)
    lost = FeedOverran(ts_event=7, ts_init=7, trades=2, bars=1, books=(KEYS[1],))
    assert buffer.take() == [*kept, lost]


def test_when_it_is_full_outcomes_and_connections_still_wait(buffer):
    for at in range(ROOM + 5):
        buffer.put(quote(KEYS[0], at))
    buffer.put(FeedSubscribed())
    buffer.put(VenueDisconnected(reason="reset"))
    taken = buffer.take()
    assert taken[ROOM : ROOM + 2] == [FeedSubscribed(), VenueDisconnected(reason="reset")]
    assert not [message for message in taken[ROOM:] if isinstance(message, QuoteTick)]


MESSAGE = st.tuples(st.sampled_from((quote, trade, bar, delta)), st.sampled_from(KEYS))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.one_of(MESSAGE, st.none()), max_size=60))
def test_whatever_comes_nothing_is_lost_without_being_counted(steps):
    before = feed_buffer.QUOTES_AFTER, feed_buffer.WAITING_MAX
    feed_buffer.QUOTES_AFTER, feed_buffer.WAITING_MAX = ROOM, MOST
    try:
        buffer = FeedBuffer(lambda: None, lambda: 7)
        put, taken = [], []
        for at, step in enumerate([*steps, None]):
            if step is None:
                batch = buffer.take()
                assert len(batch) <= MOST + len(KEYS) + 1
                taken += batch
            else:
                make, key = step
                put.append(make(key, at))
                buffer.put(put[-1])
    finally:
        feed_buffer.QUOTES_AFTER, feed_buffer.WAITING_MAX = before
    lost = [message for message in taken if isinstance(message, FeedOverran)]
    kept = [message for message in taken if not isinstance(message, FeedOverran)]
    assert len(put) - len(kept) >= sum(each.conflated + each.trades + each.bars for each in lost)
    for kind, count in (
        (QuoteTick, sum(each.conflated for each in lost)),
        (TradeTick, sum(each.trades for each in lost)),
        (Bar, sum(each.bars for each in lost)),
    ):
        came, went = ([m for m in some if type(m) is kind] for some in (put, kept))
        assert len(came) - len(went) == count
    for key in KEYS:
        quotes = [m.ts_event for m in kept if type(m) is QuoteTick and m.instrument_id == key]
        assert quotes == sorted(quotes)
        newest = [m.ts_event for m in put if type(m) is QuoteTick and m.instrument_id == key]
        assert quotes[-1:] == newest[-1:]
        deltas = [m for m in put if type(m) is BookDelta and m.instrument_id == key]
        if len([m for m in kept if m in deltas]) < len(deltas):
            assert any(key in each.books for each in lost)


def test_when_threads_put_and_take_at_once_nothing_is_missing():
    done = threading.Event()
    woken = threading.Event()
    buffer = FeedBuffer(woken.set, lambda: 7)

    def stream():
        for at in range(20_000):
            buffer.put(quote(KEYS[at % 3], at))
        done.set()
        woken.set()

    thread = threading.Thread(target=stream)
    thread.start()
    taken = []
    while not (done.is_set() and not buffer.is_waiting):
        assert woken.wait(60)
        woken.clear()
        taken += buffer.take()
    thread.join()
    taken += buffer.take()
    conflated = sum(each.conflated for each in taken if isinstance(each, FeedOverran))
    quotes = [each for each in taken if isinstance(each, QuoteTick)]
    assert len(quotes) + conflated == 20_000
    for place, key in enumerate(KEYS):
        times = [each.ts_event for each in quotes if each.instrument_id == key]
        assert times == sorted(times)
        assert times[-1] == max(range(place, 20_000, 3))
