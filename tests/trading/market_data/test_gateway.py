"""The gateway between a venue's stream and the data guard, one message at a time."""

import msgspec
import pytest

from trading.commands import RequestBars, RequestBook
from trading.data import Bar, BarSlice, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.effects import AskFeed, FetchBars, FetchBook, Publish, Send, SetTimer, SubscribeFeed
from trading.identifiers import InstrumentId, MachineName, Venue
from trading.instruments import Instrument
from trading.market_data.gateway import GatewayConfig, MarketGateway
from trading.outcomes import (
    BarsFetched,
    BookFetched,
    FeedAskFailed,
    FeedOverran,
    FeedSubscribed,
    Started,
    TimerFired,
    VenueConnected,
    VenueDisconnected,
)
from trading.values import BookAction, DataKind, OrderSide

SECOND = 10**9
MINUTE = 60 * SECOND
NOW = 1_700_000_040 * SECOND // MINUTE * MINUTE
A, B = InstrumentId("A.X"), InstrumentId("B.X")
NAMES = (A, B)
ASKER = MachineName("strategy:one")
SILENCE = 5 * SECOND


def config(**changes):
    fields = {
        "venue": Venue("alpha"),
        "instruments": tuple(Instrument(instrument_id=name) for name in NAMES),
        "kinds": frozenset({DataKind.QUOTES, DataKind.TRADES}),
        "bar_interval_ns": MINUTE,
        "bars_from": DataKind.TRADES,
        "history_bars": 10,
        "max_silence_ns": SILENCE,
    }
    return GatewayConfig(**{**fields, **changes})


def quote(at, name=A, bid=10.0, **more):
    return QuoteTick(
        ts_event=at,
        instrument_id=name,
        bid_px=bid,
        ask_px=bid + 0.1,
        bid_size=1,
        ask_size=1,
        **more,
    )


def trade(at, price=10.0, size=1.0, name=A, **more):
    return TradeTick(ts_event=at, instrument_id=name, price=price, size=size, **more)


def delta(at, price=10.0, name=A, **more):
    return BookDelta(
        ts_event=at,
        instrument_id=name,
        side=OrderSide.BUY,
        action=BookAction.UPDATE,
        price=price,
        size=1.0,
        **more,
    )


def snapshot(at, name=A, bid=10.0, **more):
    return BookSnapshot(
        ts_event=at, instrument_id=name, bids=((bid, 1.0),), asks=((bid + 0.1, 1.0),), **more
    )


def bar(at, price=10.0, name=A):
    return Bar(
        ts_event=at, instrument_id=name, open=price, high=price, low=price, close=price, volume=1.0
    )


class Gateway:
    """A gateway, the host's clock, and a history of bars that answers its questions when it is told to."""

    def __init__(self, now=NOW, **changes):
        self.machine = MarketGateway(config(**changes))
        self.now = now
        self.timers = {}
        self.asks, self.published, self.sent = [], [], []
        self.history = {name: [] for name in NAMES}
        self.say(Started(epoch=0))

    def say(self, message, at=None):
        """Hand a message over, at `at` behind all timers that are due until then."""
        if at is not None:
            self.pass_to(at)
        effects = self.machine.handle(message, self.now)
        self.machine.validate()
        for effect in effects:
            match effect:
                case AskFeed(body):
                    self.asks.append(body)
                case Publish(topic, message):
                    self.published.append((topic, message))
                case Send(to, message):
                    self.sent.append((to, message))
                case SetTimer(key, at):
                    assert at > self.now
                    self.timers[key] = at
        return effects

    def pass_to(self, at):
        """Fire every timer that is due until `at`, in order."""
        while self.timers and min(self.timers.values()) <= at:
            key = min(self.timers, key=self.timers.get)
            due = self.timers.pop(key)
            assert due >= self.now
            self.now = due
            self.say(TimerFired(key=key))
        self.now = at

    def connect(self, at=None):
        self.say(VenueConnected(), at)
        self.say(FeedSubscribed())

    def answer(self, only=None):
        """Answer the open questions for bars (those of `only`), and those that follow from the answers."""
        while bodies := [
            b for b in self.asks if isinstance(b, FetchBars) and only in {None, b.instrument_id}
        ]:
            for body in bodies:
                self.asks.remove(body)
                closes = [
                    one
                    for one in self.history[body.instrument_id]
                    if body.start <= one.ts_event <= body.end
                ]
                self.say(
                    BarsFetched(
                        instrument_id=body.instrument_id,
                        start=body.start,
                        end=body.end,
                        bars=tuple(closes),
                    )
                )

    def ready(self, at=None):
        self.connect(at)
        self.answer()
        self.published.clear()
        return self

    def slices(self):
        return [message for _, message in self.published if isinstance(message, BarSlice)]

    def view(self):
        return self.machine.view()


# -- config


@pytest.mark.parametrize(
    "changes",
    [
        {"bar_interval_ns": 0},
        {"history_bars": 0},
        {"bars_from": DataKind.BOOKS},
        {"kinds": frozenset({DataKind.TRADES, DataKind.BARS})},
    ],
)
def test_when_the_settings_make_no_sense_they_are_refused(changes):
    with pytest.raises(ValueError, match=r".+"):
        config(**changes)


def test_what_is_subscribed_is_what_is_needed():
    wanted = config(
        kinds=frozenset({DataKind.QUOTES, DataKind.BARS}), bars_from=DataKind.TRADES
    ).subscriptions
    assert {(each.instrument_id, each.kind, each.interval_ns) for each in wanted} == {
        (name, kind, 0) for name in NAMES for kind in (DataKind.QUOTES, DataKind.TRADES)
    }
    bars = config(bars_from=DataKind.BARS).subscriptions
    assert {each.interval_ns for each in bars if each.kind is DataKind.BARS} == {MINUTE}


# -- the connection


def test_when_started_it_subscribes_and_again_at_every_connection():
    gateway = Gateway()
    gateway.say(VenueConnected())
    gateway.say(VenueDisconnected(reason="reset"))
    gateway.say(VenueConnected())
    assert [type(ask) for ask in gateway.asks] == [SubscribeFeed] * 3


def test_when_disconnected_nothing_is_published():
    gateway = Gateway()
    assert gateway.say(quote(NOW)) == []
    gateway.ready()
    assert gateway.say(quote(NOW)) != []
    gateway.say(VenueDisconnected(reason="reset"))
    assert gateway.say(quote(NOW + 1)) == []
    assert gateway.view()["while_disconnected"] == 2
    assert gateway.view()["reason"] == "reset"


def test_when_the_subscription_fails_it_is_asked_again_more_and_more_slowly():
    gateway = Gateway(max_silence_ns=3_600 * SECOND)
    gateway.say(VenueConnected())
    gateway.asks.clear()
    waits = []
    for _ in range(7):
        gateway.say(FeedAskFailed(question="SubscribeFeed", reason="busy"))
        waits.append(gateway.timers["subscribe"] - gateway.now)
        gateway.say(TimerFired(key="subscribe"), at=gateway.timers.pop("subscribe"))
    assert waits == [SECOND * s for s in (1, 2, 4, 8, 16, 30, 30)]
    assert len(gateway.asks) == 7
    gateway.say(FeedAskFailed(question="SubscribeFeed", reason="no right", is_final=True))
    assert gateway.timers["subscribe"] - gateway.now == 30 * SECOND


def test_when_a_connection_is_mute_it_subscribes_once_more_and_waits():
    gateway = Gateway().ready()
    gateway.asks.clear()
    gateway.pass_to(NOW + 4 * SILENCE)
    subscribed = [ask for ask in gateway.asks if isinstance(ask, SubscribeFeed)]
    assert len(subscribed) == 1
    assert gateway.view()["mute"] is True
    gateway.say(quote(gateway.now))
    gateway.pass_to(gateway.now + 3 * SILENCE)
    assert gateway.view()["mutes"] == 2


def test_when_disconnected_silence_is_no_muteness():
    gateway = Gateway()
    gateway.asks.clear()
    gateway.pass_to(NOW + 20 * SILENCE)
    assert gateway.asks == []
    assert gateway.view()["mute"] is False


# -- ticks


def test_quotes_and_trades_carry_sequences_that_rise_by_one_per_instrument_and_kind():
    gateway = Gateway().ready()
    for step in range(3):
        gateway.say(quote(NOW + step))
        gateway.say(trade(NOW + step))
        gateway.say(quote(NOW + step, B))
    for topic, kind in (
        ("market.alpha.A.X", QuoteTick),
        ("market.alpha.A.X", TradeTick),
        ("market.alpha.B.X", QuoteTick),
    ):
        found = [m.sequence for t, m in gateway.published if t == topic and type(m) is kind]
        assert found == [found[0], found[0] + 1, found[0] + 2]


def test_sequences_go_on_in_the_next_life():
    first, second = Gateway().ready(), Gateway(now=NOW + SECOND).ready()
    for step in range(100):
        first.say(quote(NOW + step))
    second.say(quote(NOW + SECOND))
    assert second.published[0][1].sequence > first.published[-1][1].sequence


def test_when_quotes_come_out_of_their_order_or_twice_they_are_refused_and_counted():
    gateway = Gateway().ready()
    gateway.say(quote(NOW + 5, sequence=5))
    gateway.say(quote(NOW + 5, sequence=5))
    gateway.say(quote(NOW + 4, sequence=6))
    gateway.say(quote(NOW + 5, sequence=4))
    gateway.say(trade(NOW, sequence=1))
    gateway.say(trade(NOW, sequence=1))
    gateway.say(quote(NOW, InstrumentId("ZZZ.X")))
    assert len(gateway.published) == 2
    assert gateway.view()["ticks"]["refused"] == {
        "duplicate": 2,
        "out_of_order": 2,
        "unknown_instrument": 1,
    }


def test_when_the_source_counts_anew_younger_messages_pass():
    gateway = Gateway().ready()
    for at, sequence in ((NOW, 2**62), (NOW + 1, 1), (NOW + 2, 2)):
        gateway.say(quote(at, sequence=sequence))
        gateway.say(trade(at, sequence=sequence))
    assert len(gateway.published) == 6


def test_when_a_trade_is_reported_late_it_passes():
    gateway = Gateway().ready()
    gateway.say(trade(NOW, sequence=1))
    gateway.say(trade(NOW - SECOND, sequence=2))
    assert len(gateway.published) == 2


def test_when_a_quote_claims_to_be_from_the_future_those_behind_it_still_pass():
    gateway = Gateway().ready()
    gateway.say(quote(NOW + 3_600 * SECOND))  # the guard refuses it
    gateway.say(quote(NOW))
    assert len(gateway.published) == 2


def test_when_a_field_is_no_number_the_message_is_counted_and_nothing_raises():
    gateway = Gateway().ready()
    gateway.say(quote("now"))
    gateway.say(trade(NOW, price="ten"))
    gateway.say(quote(NOW))
    assert gateway.view()["malformed"] == 2


# -- books


def books(**more):
    return Gateway(kinds=frozenset({DataKind.BOOKS}), bars_from=DataKind.QUOTES, **more).ready()


def test_changes_of_a_book_and_snapshots_share_one_sequence():
    gateway = books()
    for message in (snapshot(NOW), delta(NOW + 1), delta(NOW + 2), snapshot(NOW + 3)):
        gateway.say(message)
    sequences = [message.sequence for _, message in gateway.published]
    assert sequences == list(range(sequences[0], sequences[0] + 4))


def test_when_a_change_is_missing_there_is_a_gap_and_the_book_is_asked_for():
    gateway = books()
    gateway.say(snapshot(NOW, sequence=1))
    gateway.say(delta(NOW + 1, sequence=2))
    gateway.say(delta(NOW + 4, sequence=5))
    gateway.say(delta(NOW + 4, sequence=5))
    gateway.say(delta(NOW + 5, sequence=6))
    first, second, beyond, last = [message.sequence for _, message in gateway.published]
    assert (second, beyond, last) == (first + 1, first + 3, first + 4)
    assert [ask for ask in gateway.asks if isinstance(ask, FetchBook)] == [FetchBook(A)]


def test_when_a_book_comes_on_request_newer_changes_are_made_again_on_top():
    gateway = books()
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER))
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER))
    assert gateway.asks.count(FetchBook(A)) == 1
    gateway.say(delta(NOW + 1, price=9.0))
    gateway.say(delta(NOW + 3, price=9.5))
    gateway.published.clear()
    gateway.say(BookFetched(snapshot=snapshot(NOW + 2)))
    (_, whole), (_, again) = gateway.published
    assert isinstance(whole, BookSnapshot)
    assert (again.price, again.sequence) == (9.5, whole.sequence + 1)


def test_when_the_stream_begins_the_book_again_the_answer_is_of_no_use():
    gateway = books()
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER))
    gateway.say(snapshot(NOW + 5))
    gateway.published.clear()
    gateway.say(BookFetched(snapshot=snapshot(NOW + 2)))
    assert gateway.published == []


def test_when_a_book_is_not_given_it_can_be_asked_for_again():
    gateway = books()
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER))
    gateway.say(FeedAskFailed(question="FetchBook", reason="busy", instrument_id=A))
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER))
    assert gateway.asks.count(FetchBook(A)) == 2


def test_when_the_venue_has_no_books_a_new_quote_answers_and_an_old_one_does_not():
    gateway = Gateway().ready()
    gateway.say(quote(NOW))
    gateway.published.clear()
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER), at=NOW + SECOND)
    assert [message.bid_px for _, message in gateway.published] == [10.0]
    gateway.say(RequestBook(instrument_id=A, reply_to=ASKER), at=NOW + SECOND + 1)
    assert len(gateway.published) == 1
    assert not any(isinstance(ask, FetchBook) for ask in gateway.asks)


# -- bars that are built


def test_when_a_whole_interval_was_watched_its_slice_is_published_after_the_grace():
    gateway = Gateway().ready()
    gateway.say(trade(NOW + 1, 10.0))
    gateway.say(trade(NOW + 30 * SECOND, 12.0, 2.0))
    gateway.say(trade(NOW + MINUTE, 99.0))  # of the next bar
    gateway.say(trade(NOW + MINUTE - 1, 11.0))  # late, and within the grace
    gateway.pass_to(NOW + MINUTE + SECOND)
    (slice_,) = gateway.slices()
    assert (slice_.ts_event, slice_.sequence) == (NOW + MINUTE, NOW // MINUTE + 1)
    (only,) = slice_.bars
    assert (only.open, only.high, only.low, only.close, only.volume) == (
        10.0,
        12.0,
        10.0,
        11.0,
        4.0,
    )
    gateway.say(trade(NOW + MINUTE - 1, 500.0))
    assert gateway.view()["bars"]["late_ticks"] == 1


def test_when_nothing_traded_there_is_no_slice():
    gateway = Gateway().ready()
    gateway.pass_to(NOW + 10 * MINUTE)
    assert gateway.slices() == []


def test_when_prices_cannot_be_they_make_no_bar():
    gateway = Gateway().ready()
    for price in (float("nan"), float("inf"), 0.0, -1.0, 1e308):
        gateway.say(trade(NOW + 1, price))
    gateway.say(trade(NOW + 2, size=float("nan")))
    gateway.say(trade(NOW + 3, 7.0))
    gateway.pass_to(NOW + MINUTE + SECOND)
    ((only,),) = [slice_.bars for slice_ in gateway.slices()]
    assert (only.high, only.low) == (7.0, 7.0)


def test_bars_from_quotes_are_of_the_middle_and_crossed_quotes_make_none():
    gateway = Gateway(kinds=frozenset({DataKind.QUOTES}), bars_from=DataKind.QUOTES).ready()
    gateway.say(quote(NOW + 1, bid=10.0))
    crossed = msgspec.structs.replace(quote(NOW + 2, bid=30.0), ask_px=20.0)
    gateway.say(crossed)
    gateway.pass_to(NOW + MINUTE + SECOND)
    ((only,),) = [slice_.bars for slice_ in gateway.slices()]
    assert (only.open, only.high, only.volume) == (10.05, 10.05, 0.0)


def test_when_connected_in_the_middle_of_a_bar_its_slice_comes_from_the_history():
    gateway = Gateway(now=NOW + 20 * SECOND)
    gateway.history = {name: [bar(NOW, 9.0, name)] for name in NAMES}
    gateway.ready()
    gateway.say(trade(NOW + 40 * SECOND, 50.0))
    gateway.pass_to(NOW + MINUTE + SECOND)
    assert gateway.slices() == []
    gateway.history = {name: [bar(NOW + MINUTE, 11.0, name)] for name in NAMES}
    gateway.answer()
    (slice_,) = gateway.slices()
    assert [one.close for one in slice_.bars] == [11.0, 11.0]
    assert slice_.ts_event == NOW + MINUTE
    gateway.say(trade(NOW + MINUTE + 2 * SECOND, 12.0))
    gateway.pass_to(NOW + 2 * MINUTE + SECOND)
    assert [one.sequence for one in gateway.slices()] == [NOW // MINUTE + 1, NOW // MINUTE + 2]


def test_when_the_history_is_late_the_bar_is_asked_for_again_until_it_is_there():
    gateway = Gateway(now=NOW + 20 * SECOND).ready()
    gateway.pass_to(NOW + MINUTE + SECOND)
    gateway.answer()
    assert gateway.slices() == []
    gateway.history = {name: [bar(NOW + MINUTE, 11.0, name)] for name in NAMES}
    gateway.pass_to(NOW + MINUTE + 3 * SECOND)
    gateway.answer()
    assert [len(slice_.bars) for slice_ in gateway.slices()] == [2]


def test_when_trades_were_lost_the_slice_comes_from_the_history():
    gateway = Gateway().ready()
    gateway.say(trade(NOW + 1, 10.0))
    gateway.say(FeedOverran(trades=7, conflated=3))
    gateway.history = {name: [bar(NOW + MINUTE, 11.0, name)] for name in NAMES}
    gateway.pass_to(NOW + MINUTE + SECOND)
    gateway.answer()
    ((first, second),) = [slice_.bars for slice_ in gateway.slices()]
    assert (first.close, second.close) == (11.0, 11.0)
    assert gateway.view()["lost_trades"] == 7
    assert gateway.view()["conflated"] == 3


def test_when_disconnected_over_boundaries_only_the_newest_slice_is_published_and_none_is_missing():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW, 9.0, name)] for name in NAMES}
    gateway.ready()
    gateway.say(trade(NOW + 1, 10.0))
    gateway.pass_to(NOW + MINUTE + SECOND)
    gateway.say(VenueDisconnected(reason="reset"))
    gateway.pass_to(NOW + 4 * MINUTE + 10 * SECOND)
    assert len(gateway.slices()) == 1
    gateway.history = {
        name: [bar(NOW + n * MINUTE, float(n), name) for n in (1, 2, 3, 4)] for name in NAMES
    }
    gateway.connect()
    assert {ask.start for ask in gateway.asks if isinstance(ask, FetchBars)} == {NOW + MINUTE + 1}
    gateway.answer()
    assert [slice_.ts_event for slice_ in gateway.slices()] == [NOW + MINUTE, NOW + 4 * MINUTE]
    gateway.say(RequestBars(count=10, reply_to=ASKER))
    ((_, history),) = gateway.sent
    assert [one.sequence - NOW // MINUTE for one in history.slices] == [0, 1, 2, 3, 4]
    assert history.slices[1].bars[0].close == 10.0  # as it was published


def test_when_missed_bars_are_not_given_they_are_asked_for_at_the_next_connection():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW, 9.0, name)] for name in NAMES}
    gateway.ready()
    for at in (NOW + 2 * MINUTE + SECOND, NOW + 3 * MINUTE + SECOND):
        gateway.say(VenueDisconnected(reason="reset"))
        gateway.connect(at)
        asked = [ask for ask in gateway.asks if isinstance(ask, FetchBars)]
        gateway.asks.clear()
        assert {ask.start for ask in asked} == {NOW + 1}
        for ask in asked:
            refused = FeedAskFailed(
                question="FetchBars",
                reason="no",
                is_final=True,
                instrument_id=ask.instrument_id,
                start=ask.start,
                end=ask.end,
            )
            gateway.say(refused)


def test_when_reconnected_within_the_same_bar_nothing_needs_to_be_asked():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW, 9.0, name)] for name in NAMES}
    gateway.ready()
    gateway.say(VenueDisconnected(reason="reset"))
    gateway.connect(NOW + 10 * SECOND)
    assert not any(isinstance(ask, FetchBars) for ask in gateway.asks)


def test_when_the_newest_slice_is_old_it_is_history_alone():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW - 2 * MINUTE, 9.0, name)] for name in NAMES}
    gateway.connect()
    gateway.answer()
    gateway.pass_to(NOW + 10 * SECOND)
    gateway.answer()
    assert gateway.slices() == []
    assert gateway.view()["bars"]["newest_close"] == NOW - 2 * MINUTE


# -- the venue's own bars


def own_bars(**more):
    return Gateway(bars_from=DataKind.BARS, **more)


def test_when_all_bars_of_a_boundary_are_there_their_slice_is_published_at_once():
    gateway = own_bars().ready()
    gateway.say(bar(NOW + MINUTE, name=B), at=NOW + MINUTE + SECOND)
    assert gateway.slices() == []
    gateway.say(bar(NOW + MINUTE, name=A))
    (slice_,) = gateway.slices()
    assert [one.instrument_id for one in slice_.bars] == [A, B]
    assert slice_.sequence == NOW // MINUTE + 1


def test_when_a_bar_is_missing_the_slice_waits_for_the_grace_and_a_later_bar_is_late():
    gateway = own_bars().ready()
    gateway.say(bar(NOW + MINUTE), at=NOW + MINUTE + SECOND)
    gateway.pass_to(gateway.now + SECOND)
    gateway.say(bar(NOW + MINUTE, name=B))
    assert [len(slice_.bars) for slice_ in gateway.slices()] == [1]
    assert gateway.view()["bars"]["late_bars"] == 1


def test_when_a_bar_is_corrected_before_its_slice_closes_the_newer_counts():
    gateway = own_bars().ready()
    gateway.say(bar(NOW + MINUTE, 10.0), at=NOW + MINUTE + SECOND)
    gateway.say(bar(NOW + MINUTE, 11.0))
    gateway.pass_to(gateway.now + SECOND)
    assert gateway.slices()[0].bars[0].close == 11.0


def test_when_a_newer_slice_is_complete_the_one_before_it_goes_first():
    gateway = own_bars().ready()
    gateway.say(bar(NOW + MINUTE), at=NOW + 2 * MINUTE)
    gateway.say(bar(NOW + 2 * MINUTE))
    gateway.say(bar(NOW + 2 * MINUTE, name=B))
    assert [slice_.sequence - NOW // MINUTE for slice_ in gateway.slices()] == [1, 2]


@pytest.mark.parametrize(
    "bad",
    [
        bar(NOW + 100 * MINUTE),
        bar(NOW + MINUTE, float("nan")),
        bar(NOW + MINUTE, -1.0),
        bar(NOW + MINUTE, name=InstrumentId("ZZZ.X")),
    ],
)
def test_when_a_bar_cannot_be_it_is_counted_and_those_behind_it_pass(bad):
    gateway = own_bars().ready()
    gateway.say(bad, at=NOW + MINUTE)
    gateway.say(bar(NOW + MINUTE))
    gateway.say(bar(NOW + MINUTE, name=B))
    assert len(gateway.slices()) == 1
    assert gateway.view()["bars"]["bad_bars"] == 1


def test_when_connected_while_bars_of_a_boundary_come_its_slice_is_whole_all_the_same():
    gateway = own_bars()
    gateway.connect(NOW + SECOND)
    gateway.say(bar(NOW))  # the other one came before the connection
    gateway.answer()
    gateway.pass_to(NOW + 3 * SECOND)
    assert gateway.slices() == []
    gateway.history = {name: [bar(NOW, 10.0, name)] for name in NAMES}
    gateway.answer()
    assert [len(slice_.bars) for slice_ in gateway.slices()] == [2]


def test_when_bars_were_lost_they_are_asked_for():
    gateway = own_bars().ready()
    gateway.pass_to(NOW + MINUTE + SECOND)
    gateway.history = {name: [bar(NOW + MINUTE, 11.0, name)] for name in NAMES}
    gateway.say(FeedOverran(bars=2))
    gateway.answer()
    assert [len(slice_.bars) for slice_ in gateway.slices()] == [2]


# -- history


def test_when_bars_are_asked_for_before_they_are_there_the_question_waits():
    gateway = Gateway()
    gateway.history = {
        name: [bar(NOW - n * MINUTE, 1.0, name) for n in range(20)] for name in NAMES
    }
    gateway.say(RequestBars(count=5, reply_to=ASKER))
    gateway.connect()
    gateway.answer(only=A)
    assert gateway.sent == []
    gateway.answer()
    ((to, history),) = gateway.sent
    assert to == ASKER
    assert [one.ts_event for one in history.slices] == [NOW - n * MINUTE for n in (4, 3, 2, 1, 0)]
    assert history.sequence == NOW // MINUTE
    assert all(len(one.bars) == 2 for one in history.slices)
    gateway.say(RequestBars(count=50, reply_to=ASKER))
    assert len(gateway.sent[1][1].slices) == 10  # what is kept


def test_when_history_is_refused_for_one_instrument_the_others_are_answered():
    gateway = Gateway()
    gateway.history[B] = [bar(NOW - n * MINUTE, 1.0, B) for n in range(20)]
    gateway.say(RequestBars(count=5, reply_to=ASKER))
    gateway.connect()
    asked = next(ask for ask in gateway.asks if getattr(ask, "instrument_id", None) == A)
    gateway.asks.remove(asked)
    refused = FeedAskFailed(
        question="FetchBars",
        reason="no right",
        is_final=True,
        instrument_id=A,
        start=asked.start,
        end=asked.end,
    )
    gateway.say(refused)
    gateway.answer()
    assert [len(one.bars) for one in gateway.sent[0][1].slices] == [1] * 5
    assert gateway.view()["bars"]["without_history"] == {A: "no right"}


def test_when_the_venue_answers_no_question_for_history_it_is_asked_again_a_minute_later():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW, 9.0, name)] for name in NAMES}
    gateway.ready()
    gateway.say(VenueDisconnected(reason="reset"))
    gateway.pass_to(NOW + 3 * MINUTE + 20 * SECOND)
    gateway.connect()
    for _ in range(5):
        for ask in [ask for ask in gateway.asks if isinstance(ask, FetchBars)]:
            gateway.asks.remove(ask)
            down = FeedAskFailed(
                question="FetchBars",
                reason="down",
                instrument_id=ask.instrument_id,
                start=ask.start,
                end=ask.end,
            )
            gateway.say(down)
        gateway.pass_to(gateway.timers.get("backfill", gateway.now))
    assert gateway.view()["bars"]["without_history"] == dict.fromkeys(NAMES, "down")
    gateway.history = {
        name: [bar(NOW + n * MINUTE, float(n), name) for n in (1, 2, 3)] for name in NAMES
    }
    gateway.pass_to(gateway.now + 61 * SECOND)
    gateway.answer()
    gateway.say(RequestBars(count=10, reply_to=ASKER))
    assert [one.sequence - NOW // MINUTE for one in gateway.sent[-1][1].slices] == [0, 1, 2, 3]


def test_when_history_holds_what_cannot_be_it_is_left_out():
    gateway = Gateway()
    gateway.history[A] = [bar(NOW, float("nan")), bar(NOW - MINUTE, 5.0), bar(NOW + MINUTE, 5.0)]
    gateway.connect()
    gateway.answer()
    assert gateway.view()["bars"]["kept"] == 1


def test_when_the_connection_breaks_while_bars_are_fetched_they_are_fetched_at_the_next():
    gateway = Gateway()
    gateway.history = {name: [bar(NOW, 1.0, name)] for name in NAMES}
    gateway.say(RequestBars(count=5, reply_to=ASKER))
    gateway.connect()
    gateway.say(VenueDisconnected(reason="reset"))
    gateway.answer()  # of the connection before: heard, and not enough
    assert gateway.sent == []
    gateway.connect(NOW + 5 * SECOND)
    gateway.answer()
    assert len(gateway.sent) == 1
