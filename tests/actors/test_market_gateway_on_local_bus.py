"""From a venue's stream to the decisions of a strategy, with connections that break and hosts that die.

The market is known to the end: whatever happens, a slice that is decided on holds the true bars, the window
behind it has no hole, and no decision is made twice.
"""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.feed_calls import ask_feed
from actors.feeds.guard import DataGuard, GuardConfig
from actors.local_bus import LocalBus
from actors.runner import Command, Runner
from actors.simulation.memory_journal import Disk, MemoryJournal
from tests.actors.feed_port import MINUTE, SECOND, Market, PlayedPort, trades_between
from trading.book.shard import BookShard
from trading.commands import AnnounceRisk, PermittedOrder, RiskAcknowledged, SubmitOrder
from trading.data import BookTop, QuoteTick
from trading.effects import Send, SubscribeFeed
from trading.identifiers import AccountId, InstrumentId, StrategyId, Venue, machine_name
from trading.instruments import Instrument
from trading.market_data.gateway import GatewayConfig, MarketGateway
from trading.outcomes import VenueConnected, VenueDisconnected
from trading.risk.config import RiskConfig
from trading.risk.gate import RiskGate
from trading.risk.limits import RiskLimits
from trading.strategies.bar_strategy import BarStrategy, BarStrategyConfig
from trading.values import DataKind, OrderSide

VENUE, ACCOUNT, ONE = Venue("alpha"), AccountId("DEMO"), StrategyId("one")
A, B = InstrumentId("A.X"), InstrumentId("BB.X")
NAMES = (A, B)
INSTRUMENTS = tuple(Instrument(instrument_id=name) for name in NAMES)
START = 1_700_000_000 * SECOND // MINUTE * MINUTE
LOOKBACK = 6
MARKET, FEED, BOOK = (machine_name(kind, VENUE) for kind in ("market", "feed", "book"))
RISK, STRATEGY = machine_name("risk", ACCOUNT), machine_name("strategy", ONE)
BROKER = machine_name("broker", VENUE, ACCOUNT)
SILENCE = 5 * SECOND


@dataclass
class Remembering:
    """A strategy that notes what it saw at each decision, over all its lives, and turns with every bar."""

    seen: dict[int, tuple[list[int], np.ndarray]] = field(default_factory=dict)
    decisions: list[int] = field(default_factory=list)
    lookback: int = LOOKBACK

    def targets(self, bars):
        at = int(bars.ts[-1])
        self.seen[at] = (bars.ts.tolist(), bars.close.copy())
        self.decisions.append(at)
        weights = np.zeros(bars.close.shape)
        weights[-1, at // MINUTE % 2] = 0.5
        return weights


class Listener:
    """Stands for another machine: keeps what it gets."""

    stream, follows, subscribes = None, (), ()

    def __init__(self, name, kept):
        self.name, self.kept = name, kept

    def handle(self, message, now):
        self.kept.append((now, message))
        if isinstance(message, AnnounceRisk):
            done = RiskAcknowledged(risk_epoch=message.risk_epoch, account_seq=0)
            return [Send(message.reply_to, done)]
        return []

    def apply(self, event): ...

    def view(self):
        return {}

    def state_hash(self):
        return ""

    def validate(self): ...


class Rig:
    """Gateway, guard and book in one host, a strategy in another, and the venue that a test plays."""

    def __init__(self, market, kind=DataKind.TRADES, history_bars=20):
        self.market, self.kind = market, kind
        self.bus = LocalBus(START)
        self.port = PlayedPort(market, lambda: self.bus.now)
        self.bus.feed = self.answer
        self.is_up = False
        self.mute = False
        self.life = 0
        self.strategy = Remembering()
        self.orders = []
        self.machines = {
            MARKET: lambda: MarketGateway(self.gateway_config(history_bars)),
            FEED: lambda: DataGuard(
                GuardConfig(
                    venue=VENUE,
                    source=MARKET,
                    instruments=frozenset(NAMES),
                    max_silence_ns=SILENCE,
                    is_replay=False,
                )
            ),
            BOOK: lambda: BookShard(VENUE, INSTRUMENTS, FEED),
        }
        self.add("data", self.machines)
        self.add("strategy", {STRATEGY: self.bar_strategy})

    def gateway_config(self, history_bars):
        return GatewayConfig(
            venue=VENUE,
            instruments=INSTRUMENTS,
            kinds=frozenset({DataKind.QUOTES, DataKind.TRADES}),
            bar_interval_ns=MINUTE,
            bars_from=self.kind,
            history_bars=history_bars,
            max_silence_ns=SILENCE,
        )

    def bar_strategy(self):
        config = BarStrategyConfig(
            strategy_id=ONE,
            venue=VENUE,
            account_id=ACCOUNT,
            capital=Decimal(10_000),
            instruments=INSTRUMENTS,
            history=MARKET,
        )
        return BarStrategy(config, self.strategy)

    def add(self, host, factories):
        disk = Disk()
        self.bus.add_host(
            host,
            frozenset(factories),
            lambda: Runner(factories, MemoryJournal(disk), "test"),
        )

    def listen(self, name, kept):
        self.add(str(name), {name: lambda: Listener(name, kept)})

    # -- the venue

    def answer(self, machine, ask, now):
        if isinstance(ask.body, SubscribeFeed) and not self.is_up:
            self.at(now, self.connect)
        self.port.is_up = self.is_up or isinstance(ask.body, SubscribeFeed)
        return asyncio.run(ask_feed(self.port, ask, lambda: now))

    def at(self, when, action):
        life = self.life
        self.bus.at(when, lambda: action() if self.life == life else None)

    def connect(self):
        self.is_up = True
        self.life += 1
        self.tell(VenueConnected(ts_event=self.bus.now, ts_init=self.bus.now))
        self.stream_minute(self.bus.now)

    def disconnect(self, back_after_ns):
        if self.is_up:
            self.is_up = False
            self.life += 1
            self.tell(VenueDisconnected(reason="reset"))
            self.at(self.bus.now + back_after_ns, self.connect)

    def kill(self, host, restart_after_ns):
        """A host dies; with the gateway its connection is gone."""
        self.bus.crash(host, restart_after_ns)
        if host == "data":
            self.is_up = False
            self.life += 1

    def stream_minute(self, start):
        """Stream the trades and quotes until the end of the minute, then the venue's own bars."""
        end = start // MINUTE * MINUTE + MINUTE
        for name in NAMES:
            for trade in trades_between(
                name, start, end, self.market.every_ns[name], self.market.is_open
            ):
                self.at(trade.ts_event, lambda trade=trade: self.say(trade))
                self.at(trade.ts_event, lambda trade=trade: self.say(quote_of(trade)))
            self.at(end + SECOND // 4, lambda name=name: self.say_bar(name, end))
        self.at(end, lambda: self.stream_minute(end))

    def say_bar(self, name, close_at):
        bar = self.market.bar(name, close_at)
        if bar is not None and self.kind is DataKind.BARS:
            self.say(bar)

    def say(self, message):
        if self.is_up and not self.mute:
            self.tell(message)

    def tell(self, message):
        self.bus.inject(MARKET, Command(MARKET, message))

    # -- what came of it

    def run(self, for_ns):
        self.bus.run(lambda: False, for_ns)

    def true_slices(self):
        """Return close and closes of every slice of the market until now, oldest first."""
        found = {}
        for close_at in range(START - 30 * MINUTE, self.bus.now + 1, MINUTE):
            bars = {name: self.market.bar(name, close_at) for name in NAMES}
            if any(bars.values()):
                found[close_at] = {name: bar.close for name, bar in bars.items() if bar}
        return found

    def check_decisions(self):
        true = self.true_slices()
        closes = list(true)
        for at, (ts, seen) in self.strategy.seen.items():
            end = closes.index(at) + 1
            assert ts == closes[end - LOOKBACK : end]
            for row, close_at in enumerate(ts):
                for column, name in enumerate(NAMES):
                    if name in true[close_at]:
                        assert seen[row, column] == true[close_at][name]


def quote_of(trade):
    return QuoteTick(
        ts_event=trade.ts_event,
        instrument_id=trade.instrument_id,
        bid_px=trade.price - 0.01,
        ask_px=trade.price + 0.01,
        bid_size=1.0,
        ask_size=1.0,
    )


def dense():
    return Market(NAMES, {A: SECOND, B: 7 * SECOND})


@pytest.mark.parametrize("kind", [DataKind.TRADES, DataKind.BARS])
def test_a_strategy_decides_at_every_bar_on_true_bars(kind):
    rig = Rig(dense(), kind)
    orders = []
    rig.listen(RISK, orders)
    rig.bus.start()
    rig.run(10 * MINUTE + 10 * SECOND)
    assert sorted(rig.strategy.seen) == [START + n * MINUTE for n in range(11)]
    assert len(rig.strategy.decisions) == len(set(rig.strategy.decisions))
    rig.check_decisions()
    assert [m for _, m in orders if isinstance(m, SubmitOrder)]


def test_when_the_market_closes_there_are_no_slices_and_the_window_goes_on_behind_the_pause():
    closed = range(START + 3 * MINUTE, START + 40 * MINUTE)
    rig = Rig(Market(NAMES, {A: SECOND, B: 7 * SECOND}, lambda at: at not in closed))
    rig.listen(RISK, [])
    rig.bus.start()
    rig.run(45 * MINUTE)
    decided = [(at - START) // MINUTE for at in rig.strategy.decisions]
    assert decided == [0, 1, 2, 3, 41, 42, 43, 44]
    rig.check_decisions()


def test_when_an_instrument_hardly_trades_its_last_close_stays_in_the_window():
    rig = Rig(Market(NAMES, {A: SECOND, B: 150 * SECOND}))
    rig.listen(RISK, [])
    rig.bus.start()
    rig.run(12 * MINUTE)
    assert len(rig.strategy.decisions) >= 11
    rig.check_decisions()


@pytest.mark.parametrize("kind", [DataKind.TRADES, DataKind.BARS])
@pytest.mark.parametrize("second", [1, 20, 59])
def test_when_the_host_restarts_in_the_middle_of_a_bar_no_decision_is_missing_or_made_twice(
    kind, second
):
    rig = Rig(dense(), kind)
    orders = []
    rig.listen(RISK, orders)
    rig.bus.start()
    rig.bus.at(START + 4 * MINUTE + second * SECOND, lambda: rig.kill("data", 2 * SECOND))
    rig.run(8 * MINUTE + 10 * SECOND)
    assert sorted(rig.strategy.seen) == [START + n * MINUTE for n in range(9)]
    assert len(rig.strategy.decisions) == len(set(rig.strategy.decisions))
    rig.check_decisions()


FAULT = st.tuples(
    st.integers(0, 600),  # seconds after the start
    st.sampled_from(("disconnect", "data", "strategy")),
    st.integers(1, 200),  # seconds until it is back
)


@settings(deadline=None, max_examples=25)
@given(st.lists(FAULT, max_size=4), st.sampled_from((DataKind.TRADES, DataKind.BARS)))
@example([(59, "disconnect", 2), (60, "data", 1)], DataKind.TRADES)
@example([(120, "data", 1), (120, "strategy", 1)], DataKind.BARS)
def test_whatever_breaks_decisions_are_made_on_true_windows_and_orders_are_the_same(faults, kind):
    rig = Rig(dense(), kind)
    orders = []
    rig.listen(RISK, orders)
    rig.bus.start()
    for second, what, back in faults:
        when = START + second * SECOND
        if what == "disconnect":
            rig.bus.at(when, lambda back=back: rig.disconnect(back * SECOND))
        else:
            rig.bus.at(when, lambda what=what, back=back: rig.kill(what, back * SECOND))
    rig.run(900 * SECOND)
    rig.check_decisions()
    assert START + 15 * MINUTE - MINUTE in rig.strategy.seen  # it goes on to the end
    by_id = {}
    for _, order in orders:
        if isinstance(order, SubmitOrder):
            first = by_id.setdefault(order.client_order_id, order)
            assert (order.ts_event, order.side) == (first.ts_event, first.side)
    rig_life = rig.bus.hosts["strategy"].restarts
    twice = len(rig.strategy.decisions) - len(set(rig.strategy.decisions))
    assert twice <= rig_life  # only a strategy that forgot its decision makes it again


# -- a mute stream, and risk


def risk_gate():
    return RiskGate(
        RiskConfig(
            account_id=ACCOUNT,
            venue=VENUE,
            strategies=(ONE, StrategyId("manual")),
            instruments={each.instrument_id: each for each in INSTRUMENTS},
            limits=RiskLimits(),
            key=b"k" * 32,
            initial_cash=Decimal(100_000),
            history=MARKET,
        )
    )


def an_order(number, now):
    return SubmitOrder(
        ts_event=now,
        client_order_id=f"{number:032x}",
        account_id=ACCOUNT,
        strategy_id=StrategyId("manual"),
        instrument_id=A,
        side=OrderSide.BUY,
        quantity=Decimal(1),
    )


def test_when_the_stream_is_mute_the_feed_is_stale_in_time_and_risk_takes_no_new_orders():
    rig = Rig(dense())
    rig.strategy = Remembering(lookback=1_000)  # never trades
    permits = []
    rig.listen(BROKER, permits)
    rig.listen(machine_name("exchange", VENUE), [])  # where the bus looks for the broker's venue
    rig.add("risk", {RISK: risk_gate})
    rig.bus.start()
    mute_at = START + 100 * SECOND
    rig.bus.at(mute_at, lambda: setattr(rig, "mute", True))
    rig.bus.at(mute_at + 60 * SECOND, lambda: setattr(rig, "mute", False))
    stale = {}
    for step in range(1_000, 1_800):
        when = START + step * SECOND // 10
        rig.bus.at(
            when, lambda when=when: stale.setdefault(when, rig.bus.machine(FEED).view()["stale"])
        )
        if step % 10 == 5:
            order = an_order(step, when)
            rig.bus.at(when, lambda order=order: rig.bus.inject(RISK, Command(RISK, order)))
    rig.run(200 * SECOND)
    last_heard = mute_at - SECOND
    flagged = [when for when, is_stale in stale.items() if is_stale]
    assert last_heard + SILENCE <= min(flagged) <= last_heard + SILENCE + SECOND // 10
    assert max(flagged) <= mute_at + 61 * SECOND
    permitted = {
        int(m.order.client_order_id, 16) for _, m in permits if isinstance(m, PermittedOrder)
    }
    wanted = range(1_005, 1_800, 10)
    is_mute = {
        n: last_heard + SILENCE < START + n * SECOND // 10 < mute_at + 60 * SECOND for n in wanted
    }
    assert permitted == {n for n in wanted if not is_mute[n]}
    assert rig.bus.machine(RISK).view()["denials"] == {"DATA_STALE": sum(is_mute.values())}


def test_when_the_venue_is_disconnected_books_grow_old_and_come_back_with_it():
    rig = Rig(dense())
    tops = []
    listener = Listener(RISK, tops)
    listener.subscribes = (f"book.{VENUE}.",)
    rig.add(str(RISK), {RISK: lambda: listener})
    rig.bus.start()
    rig.bus.at(START + 100 * SECOND, lambda: rig.disconnect(30 * SECOND))
    rig.run(180 * SECOND)
    heard = [now for now, message in tops if isinstance(message, BookTop)]
    assert heard
    quiet = range(START + 100 * SECOND + 1, START + 130 * SECOND)
    assert not [now for now in heard if now in quiet]
    assert max(heard) > START + 170 * SECOND
