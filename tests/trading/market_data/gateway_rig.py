"""A gateway whose clock, timers and history of bars a test holds in its hands, and the messages it is told."""

from trading.data import Bar, BarSlice, BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.effects import AskFeed, FetchBars, Publish, Send, SetTimer
from trading.identifiers import InstrumentId, MachineName, Venue
from trading.instruments import Instrument
from trading.market_data.gateway import GatewayConfig, MarketGateway
from trading.outcomes import (
    BarsFetched,
    FeedSubscribed,
    Started,
    TimerFired,
    VenueConnected,
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
