"""Connections in a thread of their own, and the host that takes what they stream."""

import threading
import time
from pathlib import Path

import pytest

from actors import feed_buffer, loop_thread
from actors.bus.zmq import ZmqBus
from actors.delivery import Deliveries, Drill
from actors.feed_sessions import FeedSessions
from actors.feeds.guard import DataGuard, GuardConfig
from actors.latency import LatencyWindow
from actors.runner import Runner
from actors.simulation.memory_journal import Disk, MemoryJournal
from actors.venues.credentials import hide
from tests.actors.feed_port import MINUTE, SECOND, Market, PlayedPort
from trading.book.shard import BookShard
from trading.data import QuoteTick
from trading.effects import AskFeed, FetchBars, SubscribeFeed
from trading.identifiers import InstrumentId, Venue, machine_name
from trading.instruments import Instrument
from trading.market_data.gateway import GatewayConfig, MarketGateway
from trading.outcomes import BarsFetched, FeedAskFailed, VenueConnected, VenueDisconnected
from trading.values import DataKind

VENUE = Venue("alpha")
NAMES = tuple(InstrumentId(f"{name}.X") for name in "ABC")
INSTRUMENTS = tuple(Instrument(instrument_id=name) for name in NAMES)
MARKET, FEED, BOOK = (machine_name(kind, VENUE) for kind in ("market", "feed", "book"))
LIMIT_S = 60.0


def a_port(cls=PlayedPort, **changes):
    return cls(Market(NAMES, dict.fromkeys(NAMES, SECOND)), time.time_ns, **changes)


def quote(name, at, bid=10.0):
    return QuoteTick(
        ts_event=at,
        ts_init=at,
        instrument_id=name,
        bid_px=bid,
        ask_px=bid + 0.01,
        bid_size=1.0,
        ask_size=1.0,
    )


class Sessions:
    """Sessions of one port, and what was taken of them."""

    def __init__(self, port):
        self.woken = threading.Event()
        self.sessions = FeedSessions(None, b"", (MARKET,), {MARKET: port})
        self.sessions.start(self.woken.set)
        self.taken = []

    def until(self, condition):
        deadline = time.monotonic() + LIMIT_S
        while not condition(self.taken):
            assert self.woken.wait(max(0.0, deadline - time.monotonic())), self.taken
            self.woken.clear()
            for command in self.sessions.take():
                assert command.to == MARKET
                self.taken.append(command.message)


@pytest.fixture
def opened(monkeypatch):
    monkeypatch.setattr(loop_thread, "_BLOCKED_S", LIMIT_S)  # late on a busy machine is not blocked
    made = []

    def make(port):
        made.append(Sessions(port))
        return made[-1]

    yield make
    for each in made:
        each.sessions.close()


def has(kind):
    return lambda taken: any(isinstance(message, kind) for message in taken)


def test_when_started_ports_connect_and_questions_are_answered(opened):
    port = a_port()
    sessions = opened(port)
    sessions.until(has(VenueConnected))
    now = time.time_ns()
    sessions.sessions.ask(
        MARKET, AskFeed(FetchBars(NAMES[0], MINUTE, now - 5 * MINUTE, now), SECOND)
    )
    sessions.until(has(BarsFetched))
    sessions.sessions.close()
    assert port.calls[0] == ("connect",)
    assert port.calls[-1] == ("disconnect",)


def test_when_the_host_takes_nothing_what_waits_is_bounded(opened):
    port = a_port()
    sessions = opened(port)
    sessions.until(has(VenueConnected))
    for at in range(3 * feed_buffer.QUOTES_AFTER):
        port.say(quote(NAMES[at % 3], at))
    taken = sessions.sessions.take()
    assert len(taken) <= feed_buffer.QUOTES_AFTER + len(NAMES) + 1
    newest = {}
    for command in taken[:-1]:
        newest[command.message.instrument_id] = command.message.ts_event
    assert sorted(newest.values()) == [3 * feed_buffer.QUOTES_AFTER - n for n in (3, 2, 1)]
    assert taken[-1].message.conflated == 2 * feed_buffer.QUOTES_AFTER - len(NAMES)


def test_when_a_port_cannot_connect_its_gateway_hears_so_for_good(opened):
    class Broken(PlayedPort):
        async def connect(self, on_message):
            raise RuntimeError("key hunter2hunter2 is wrong")

    hide(["hunter2hunter2"])
    sessions = opened(a_port(Broken))
    sessions.until(has(VenueDisconnected))
    (gone,) = sessions.taken
    assert gone.is_final
    assert "hunter2" not in gone.reason


def test_when_a_reason_shows_a_credential_it_is_hidden(opened):
    hide(["hunter2hunter2"])
    port = a_port()
    sessions = opened(port)
    sessions.until(has(VenueConnected))
    port.drop("https://x?key=hunter2hunter2")
    port.errors.append(RuntimeError("hunter2hunter2"))
    sessions.sessions.ask(MARKET, AskFeed(SubscribeFeed(()), SECOND))
    sessions.until(has(FeedAskFailed))
    assert "hunter2" not in repr(sessions.taken)


def test_when_a_port_does_not_let_go_closing_ends_all_the_same(opened):
    class Stuck(PlayedPort):
        async def disconnect(self):
            raise RuntimeError("no")

    sessions = opened(a_port(Stuck))
    sessions.until(has(VenueConnected))
    sessions.sessions.close()
    assert not any(thread.name == "feeds" for thread in threading.enumerate())


def test_when_there_is_no_gateway_there_is_no_thread():
    sessions = FeedSessions(None, b"", (FEED,))
    sessions.start(lambda: None)
    assert sessions.take() == []
    assert not sessions.is_waiting
    sessions.close()


# -- with the loop of a host


class NoVenues:
    def set_routes(self, routes): ...

    def start(self, tell): ...

    def close(self): ...


class HostLoop:
    """The loop of one host that runs gateway, guard and book, in the thread of the test."""

    def __init__(self, folder: Path, port):
        self.bus = ZmqBus("data", "1", run_dir=folder / "run")
        factories = {
            MARKET: lambda: MarketGateway(
                GatewayConfig(
                    venue=VENUE,
                    instruments=INSTRUMENTS,
                    kinds=frozenset({DataKind.QUOTES}),
                    bar_interval_ns=MINUTE,
                    bars_from=DataKind.QUOTES,
                    history_bars=5,
                    max_silence_ns=5 * SECOND,
                )
            ),
            FEED: lambda: DataGuard(
                GuardConfig(
                    venue=VENUE, source=MARKET, instruments=frozenset(NAMES), is_replay=False
                )
            ),
            BOOK: lambda: BookShard(VENUE, INSTRUMENTS, FEED),
        }
        self.runner = Runner(factories, MemoryJournal(Disk()), "test")
        feeds = FeedSessions(None, b"", (MARKET,), {MARKET: port})
        self.deliveries = Deliveries(
            self.bus, self.runner, NoVenues(), LatencyWindow(), Drill({}), None, feeds
        )
        self.deliveries.start()

    def until(self, condition):
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, self.runner.machines[MARKET].view()
            self.deliveries.turn(0.05)

    def view(self, name):
        return self.runner.machines[name].view()


@pytest.fixture
def host_loop(tmp_path):
    made = []

    def make(port):
        made.append(HostLoop(tmp_path, port))
        return made[-1]

    yield make
    for each in made:
        each.deliveries.close()


def test_when_a_venue_streams_the_books_of_the_host_follow(host_loop):
    port = a_port()
    loop = host_loop(port)
    loop.until(lambda: loop.view(MARKET)["subscribed"])
    loop.until(lambda: loop.view(MARKET)["bars"]["has_history"])
    assert loop.view(MARKET)["bars"]["kept"] == 5
    for name in NAMES:
        port.say(quote(name, time.time_ns(), 42.0))
    loop.until(lambda: all(book["bid_px"] == 42.0 for book in loop.view(BOOK)["books"].values()))
    port.drop()
    loop.until(lambda: not loop.view(MARKET)["connected"])


def test_when_the_stream_floods_the_latest_quote_wins_and_the_rest_is_counted(host_loop):
    port = a_port()
    loop = host_loop(port)
    loop.until(lambda: loop.view(MARKET)["subscribed"])
    count = 5 * feed_buffer.QUOTES_AFTER
    for number in range(count):
        port.say(quote(NAMES[number % 3], time.time_ns(), 1.0 + number / 100))
    loop.until(lambda: loop.view(MARKET).get("conflated"))
    newest = {
        name: 1.0 + (count - 1 - (count - 1 - place) % 3) / 100 for place, name in enumerate(NAMES)
    }
    loop.until(
        lambda: (
            {name: book["bid_px"] for name, book in loop.view(BOOK)["books"].items()}
            == pytest.approx(newest)
        )
    )
    view = loop.view(MARKET)
    assert view["ticks"]["quotes"] + view["conflated"] == count
