"""The way of a quote from a venue's socket to the publication of its book, in one process like a host.

Another process sends quotes as the Alpaca stream does (msgpack, one quote to a frame) over a TCP connection; each
carries the moment it was sent. Ours is what trades: the Alpaca adapter's parser in the thread of the feed, then
`Deliveries` with gateway, data guard and book, and the real bus with a subscriber. The plain program beside it does
less: one asyncio loop, JSON, one item of a queue per quote, a dictionary for a book, and a publication as JSON;
no checks, no bars, no bounds. The time is from sending to publishing, so waiting in sockets and queues counts.

    python -m bench.bench_feed [--seconds 60]
"""

import argparse
import asyncio
import json
import multiprocessing as mp
import os
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import zmq

from actors.bus.zmq import ZmqBus
from actors.delivery import Deliveries, Drill
from actors.feed_sessions import FeedSessions
from actors.feeds.guard import DataGuard, GuardConfig
from actors.latency import LatencyWindow
from actors.runner import Runner
from actors.simulation.memory_journal import Disk, MemoryJournal
from actors.venues.alpaca.feed_parse import messages
from actors.venues.alpaca.ticks import TickMaker
from bench.quote_stream import SYMBOLS, frames_of, send
from trading.book.shard import BookShard
from trading.identifiers import InstrumentId, Venue, machine_name
from trading.instruments import Instrument
from trading.market_data.gateway import GatewayConfig, MarketGateway
from trading.outcomes import VenueConnected
from trading.values import NANOS_PER_SECOND, DataKind

VENUE = Venue("alpaca")
INSTRUMENTS = tuple(Instrument(instrument_id=InstrumentId(f"{name}.XNAS")) for name in SYMBOLS)
MARKET, FEED, BOOK = (machine_name(kind, VENUE) for kind in ("market", "feed", "book"))
WARM_UP_S = 2.0
SAMPLES = 200_000
SECONDS = 20.0
RATE, FLOOD = 10_000, 50_000
CONTEXT = mp.get_context("spawn")


# -- ours


class AlpacaLikePort:
    """The parser of the Alpaca adapter behind a plain socket, in place of the library's websocket."""

    def __init__(self) -> None:
        self.listening = threading.Event()
        self.ended = threading.Event()
        self.port = 0
        self.received = 0
        self._maker = TickMaker(time.time_ns)
        for symbol, instrument in zip(SYMBOLS, INSTRUMENTS, strict=True):
            self._maker.add(symbol, instrument)
        self._server: asyncio.Server | None = None
        self._on_message: Any = None

    async def connect(self, on_message: Any) -> None:
        self._on_message = on_message
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        on_message(VenueConnected(ts_init=time.time_ns()))
        self.listening.set()

    async def disconnect(self) -> None:
        if self._server is not None:
            self._server.close()

    async def subscribe(self, subscriptions: Any) -> None: ...

    async def bars(self, *question: Any) -> tuple[()]:
        return ()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in frames_of(reader):
            for message in messages(frame) if frame else ():
                for tick in self._maker.ticks(message):
                    self.received += 1
                    self._on_message(tick)
        writer.close()
        self.ended.set()


class NoVenues:
    def set_routes(self, routes: object) -> None: ...

    def start(self, tell: object) -> None: ...

    def close(self) -> None: ...


class TimedBus(ZmqBus):
    """Notes the age of each quote at the moment its book is published."""

    ages: "Ages"

    def publish(self, topic: str, payload: bytes) -> None:
        super().publish(topic, payload)
        if topic.startswith("book."):
            self.ages.note(self.ages.ts_of(payload))


class Ages:
    """Ages of quotes (us), of which the newest are kept, and memory before and after.

    Parameters
    ----------
    ts_of : function of bytes to int
        The moment at which the quote in a publication was sent (ns UTC).
    """

    def __init__(self, ts_of: Callable[[bytes], int]) -> None:
        self.ts_of = ts_of
        self.count = 0
        self._window = LatencyWindow(SAMPLES)
        self._begun = time.perf_counter()
        self._rss_before = 0.0

    def note(self, sent_at: int) -> None:
        self.count += 1
        if self._rss_before:
            self._window.record(time.time_ns() - sent_at)
        elif time.perf_counter() - self._begun > WARM_UP_S:
            self._rss_before = rss_mb()

    def result(self) -> dict[str, Any]:
        return {
            "p50": self._window.percentile_us(0.5),
            "p99": self._window.percentile_us(0.99),
            "published": self.count,
            "rss": (self._rss_before, rss_mb()),
            "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
        }


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def gateway() -> MarketGateway:
    return MarketGateway(
        GatewayConfig(
            venue=VENUE,
            instruments=INSTRUMENTS,
            kinds=frozenset({DataKind.QUOTES}),
            bar_interval_ns=NANOS_PER_SECOND,
            bars_from=DataKind.QUOTES,
            history_bars=500,
            max_silence_ns=5 * NANOS_PER_SECOND,
        )
    )


def guard() -> DataGuard:
    return DataGuard(
        GuardConfig(
            venue=VENUE,
            source=MARKET,
            instruments=frozenset(each.instrument_id for each in INSTRUMENTS),
            is_replay=False,
        )
    )


def ts_of_message(payload: bytes) -> int:
    """Return `ts_event`: the second element of every message."""
    decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
    return int(msgspec.msgpack.decode(decoder.decode(payload)[1]))


def ours(folder: str, pipe: Any) -> None:
    """Run the host until the stream ends, and report."""
    bus = TimedBus("data", "1", run_dir=Path(folder) / "run")
    bus.ages = Ages(ts_of_message)
    factories: dict[Any, Any] = {
        MARKET: gateway,
        FEED: guard,
        BOOK: lambda: BookShard(VENUE, INSTRUMENTS, FEED),
    }
    runner = Runner(factories, MemoryJournal(Disk()), "bench")
    port = AlpacaLikePort()
    feeds = FeedSessions(None, b"", (MARKET,), {MARKET: port})  # type: ignore[arg-type,dict-item]
    venues: Any = NoVenues()
    deliveries = Deliveries(bus, runner, venues, LatencyWindow(1), Drill({}), None, feeds)
    deliveries.start()
    port.listening.wait()
    pipe.send((port.port, bus.address.pub))
    while not port.ended.is_set() or feeds.is_waiting:
        deliveries.turn(0.05)
    view = runner.machines[MARKET].view()
    books = runner.machines[BOOK].view()["books"]
    pipe.send(
        {
            **bus.ages.result(),
            "conflated": view.get("conflated", 0),
            "slices": view["bars"].get("slices", 0),
            "last": {key.partition(".")[0]: book["bid_px"] for key, book in books.items()},
        }
    )
    pipe.recv()
    deliveries.close()


# -- the plain program


def plain(folder: str, pipe: Any) -> None:
    """One loop: read, parse, queue, update, publish."""
    asyncio.run(_plain(folder, pipe))


async def _plain(folder: str, pipe: Any) -> None:
    ages = Ages(int)
    publisher: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
    endpoint = f"ipc://{folder}/plain"
    publisher.bind(endpoint)
    queue: asyncio.Queue[Any] = asyncio.Queue()
    books: dict[str, dict[str, Any]] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in frames_of(reader):
            for message in json.loads(frame) if frame else (None,):
                await queue.put(message)
            await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    pipe.send((server.sockets[0].getsockname()[1], endpoint))
    while (quote := await queue.get()) is not None:
        books[quote["S"]] = top = {
            "symbol": quote["S"],
            "ts": quote["t"],
            "bid": quote["bp"],
            "ask": quote["ap"],
            "mid": (quote["bp"] + quote["ap"]) / 2,
        }
        publisher.send(b"book." + json.dumps(top).encode())
        ages.note(quote["t"])
    last = {symbol: top["bid"] for symbol, top in books.items()}
    pipe.send({**ages.result(), "conflated": 0, "slices": 0, "last": last})
    pipe.recv()
    server.close()


# -- measuring


def subscribed(endpoint: str, stop: threading.Event, count: list[int]) -> None:
    """Take what is published, so that publishing is not for nothing."""
    socket_: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket_.connect(endpoint)
    socket_.subscribe(b"")
    while not stop.is_set():
        if socket_.poll(50):
            socket_.recv()
            count[0] += 1
    socket_.close(0)


def run(subject: Any, encoding: str, rate: int, seconds: float) -> dict[str, Any]:
    folder = tempfile.mkdtemp(prefix="fb-", dir="/tmp")
    here, there = CONTEXT.Pipe()
    host = CONTEXT.Process(target=subject, args=(folder, there), daemon=True)
    host.start()
    port, endpoint = here.recv()
    stop, heard = threading.Event(), [0]
    listener = threading.Thread(target=subscribed, args=(endpoint, stop, heard))
    listener.start()
    ours_, theirs = CONTEXT.Pipe()
    venue = CONTEXT.Process(target=send, args=(port, encoding, rate, seconds, theirs), daemon=True)
    venue.start()
    sent, took_s, last = ours_.recv()
    result: dict[str, Any] = here.recv()
    for pipe in (here, ours_):
        pipe.send("end")
    for process in (host, venue):
        process.join(10)
    stop.set()
    listener.join()
    shutil.rmtree(folder, ignore_errors=True)
    is_newest = all(abs(result["last"][key] - price) < 1e-9 for key, price in last.items())
    return {
        **result,
        "sent": sent,
        "rate": sent / took_s,
        "is_newest": is_newest,
        "heard": heard[0],
    }


def row(what: str, subject: str, found: dict[str, Any], first: float | None) -> dict[str, object]:
    before, after = found["rss"]
    parts = [
        f"sent {found['rate']:,.0f}/s, published {found['published']:,} of {found['sent']:,}",
        f"{found['conflated']:,} conflated" if found["conflated"] else "none conflated",
        f"RSS {before:,.0f} to {after:,.0f} MB",
        f"{found['cpu_s'] / found['sent'] * 1e6:.0f} us of CPU a quote",
        "the newest quote won" if found["is_newest"] else "THE LAST QUOTES ARE MISSING",
    ]
    p50 = found["p50"]
    ratio = round(p50 / first, 2) if p50 and first else 1.0
    keys = {"what": what, "subject": subject, "p50_us": p50, "p99_us": found["p99"]}
    return {**keys, "ratio": ratio, "note": "; ".join(parts)}


def cases(seconds: float) -> Iterator[tuple[str, int, float]]:
    yield f"{RATE:,} quotes/s for {seconds:g} s", RATE, seconds
    flood_s = max(5.0, seconds / 4)
    yield f"flood of {FLOOD:,} quotes/s for {flood_s:g} s", FLOOD, flood_s


def rows(seconds: float = SECONDS) -> list[dict[str, object]]:
    """Return one row per measured subject."""
    found: list[dict[str, object]] = []
    for what, rate, for_s in cases(seconds):
        mine = run(ours, "msgpack", rate, for_s)
        found.append(row(what, "parser, gateway, guard, book, bus", mine, None))
        found.append(
            row(what, "plain asyncio, JSON, queue", run(plain, "json", rate, for_s), mine["p50"])
        )
    return found


def main() -> None:
    from bench.__main__ import table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    print(table(rows(parser.parse_args().seconds)))


if __name__ == "__main__":
    main()
