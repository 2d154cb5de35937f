"""Tick to order: the same machines fused in one process, spread over ZeroMQ, and spread over Ray calls.

Path: data guard -> book -> strategy that answers every quote with an order -> full risk check and permit
-> broker (permit verified, intent journalled) -> venue call. Counted from the guard's stamp to the
moment of the venue call. Spread: four processes (guard | book and strategy | risk | broker).
"""

import multiprocessing as mp
import shutil
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from actors.bus.zmq import ZmqBus
from actors.delivery import FACT_TOPIC, Deliveries, Drill
from actors.feeds.guard import DataGuard, GuardConfig
from actors.journal.sqlite import SqliteJournal
from actors.latency import LatencyWindow
from actors.runner import Command, Fact, Out, Published, Runner
from actors.simulation.memory_journal import Disk, MemoryJournal
from trading.book.shard import BookShard
from trading.broker.broker import Broker
from trading.broker.config import BrokerConfig
from trading.codec import decode, encode
from trading.commands import QueryMassStatus, SubmitOrder
from trading.data import BookSnapshot, BookTop
from trading.effects import CallVenue, Effect, Publish, Send
from trading.events import Event
from trading.identifiers import (
    AccountId,
    InstrumentId,
    StrategyId,
    Venue,
    derive_client_order_id,
    machine_name,
)
from trading.instruments import Instrument
from trading.messages import Message
from trading.outcomes import MassStatusReceived, SubmitAcknowledged, VenueConnected
from trading.reports import AccountReport, MassStatus
from trading.risk.config import RiskConfig
from trading.risk.gate import RiskGate
from trading.risk.limits import RiskLimits
from trading.values import OrderSide

VENUE, ACCOUNT, STRATEGY = Venue("paper"), AccountId("BENCH"), StrategyId("echo")
NAME = InstrumentId("AAPL.XNAS")
INSTRUMENT = Instrument(instrument_id=NAME)
KEY = b"k" * 32
FEED, BOOK = machine_name("feed", VENUE), machine_name("book", VENUE)
ECHO, RISK = machine_name("strategy", STRATEGY), machine_name("risk", ACCOUNT)
BROKER = machine_name("broker", VENUE, ACCOUNT)
TOPIC = f"market.{VENUE}.{NAME}"
HUGE = Decimal(10) ** 12


class Echo:
    """Answers every book top with a one-share order, buying and selling in turn."""

    name, stream, follows = ECHO, None, ()
    subscribes = (f"book.{VENUE}.",)

    def __init__(self) -> None:
        self.count = 0

    def handle(self, message: Message, now: int) -> list[Effect]:
        if not isinstance(message, BookTop):
            return []
        self.count += 1
        order = SubmitOrder(
            ts_event=message.ts_event,
            ts_init=now,
            ts_signal=message.ts_init,
            correlation_id=message.correlation_id,
            client_order_id=derive_client_order_id(
                ACCOUNT, STRATEGY, NAME, now, "target", self.count
            ),
            account_id=ACCOUNT,
            strategy_id=STRATEGY,
            instrument_id=NAME,
            side=OrderSide.BUY if self.count % 2 else OrderSide.SELL,
            quantity=Decimal(1),
        )
        return [Send(RISK, order)]

    def apply(self, event: Event) -> None: ...
    def view(self) -> dict[str, Any]:
        return {}

    def state_hash(self) -> str:
        return ""

    def validate(self) -> None: ...


def limits() -> RiskLimits:
    return RiskLimits(
        max_shares=HUGE,
        max_notional_per_position=HUGE,
        max_total_exposure=HUGE,
        max_loss_per_trade=HUGE,
        max_daily_loss=HUGE,
        max_trades_per_day=10**9,
        max_consecutive_losses=10**9,
        max_orders_per_second=10**9,
        stop_loss=None,
        trailing_stop=None,
        max_data_age_s=60.0,
    )


FACTORIES: dict[Any, Any] = {
    FEED: lambda: DataGuard(
        GuardConfig(
            venue=VENUE,
            source=machine_name("exchange", VENUE),
            instruments=frozenset({NAME}),
        )
    ),
    BOOK: lambda: BookShard(VENUE, (INSTRUMENT,), FEED),
    ECHO: Echo,
    RISK: lambda: RiskGate(
        RiskConfig(
            account_id=ACCOUNT,
            venue=VENUE,
            strategies=(STRATEGY,),
            instruments={NAME: INSTRUMENT},
            limits=limits(),
            key=KEY,
            initial_cash=Decimal(10) ** 9,
        )
    ),
    BROKER: lambda: Broker(
        BrokerConfig(
            venue=VENUE,
            account_id=ACCOUNT,
            initial_cash=Decimal(10) ** 9,
            risk=RISK,
            risk_key=KEY,
            reconcile_interval_ns=0,
        )
    ),
}
HOMES = {"guard": (FEED,), "lane": (BOOK, ECHO), "risk": (RISK,), "broker": (BROKER,)}


def tick(sequence: int) -> BookSnapshot:
    price = 100 + sequence % 7 * 0.01
    return BookSnapshot(
        ts_event=sequence,
        sequence=sequence,
        instrument_id=NAME,
        bids=((price, 100.0), (price - 0.01, 100.0)),
        asks=((price + 0.02, 100.0), (price + 0.03, 100.0)),
    )


def answer(body: object, now: int) -> Message | None:
    """A venue that accepts everything at once and never fills."""
    if isinstance(body, SubmitOrder):
        return SubmitAcknowledged(
            ts_init=now,
            client_order_id=body.client_order_id,
            venue_order_id="v" + body.client_order_id,
        )
    if isinstance(body, QueryMassStatus):
        account = AccountReport(account_id=ACCOUNT, cash=Decimal(10) ** 9)
        status = MassStatus(
            account_id=ACCOUNT, open_orders=(), fills=(), positions=(), account=account
        )
        return MassStatusReceived(ts_init=now, mass_status=status)
    return None


class InstantVenue:
    """Stands where `VenueSessions` stands, and answers in the same turn."""

    def __init__(self) -> None:
        self._tell: Any = None

    def set_routes(self, routes: object) -> None: ...

    def start(self, tell: Any) -> None:
        self._tell = tell
        tell(Command(BROKER, VenueConnected()))

    def call(self, machine: Any, body: object, timeout_ns: int) -> None:
        del machine, timeout_ns
        reply = answer(body, time.time_ns())
        if reply is not None:
            self._tell(Command(BROKER, reply))

    def close(self) -> None: ...


# -- one process


def fused(journal: Any, count: int, rate: int) -> LatencyWindow:
    runner = Runner(FACTORIES, journal, "bench")
    latency = LatencyWindow(count)
    replies: list[Command] = []

    def emit(item: Any) -> None:
        if not isinstance(item, Out) or not isinstance(item.effect, CallVenue):
            return
        now, body = time.time_ns(), item.effect.body
        if isinstance(body, SubmitOrder):
            latency.record(now - body.ts_signal)
        reply = answer(body, now)
        if reply is not None:
            replies.append(Command(BROKER, reply))

    def settle() -> None:
        while replies:
            batch = replies.copy()
            replies.clear()
            runner.deliver(batch, time.time_ns())

    runner.emit_to(emit)
    runner.start(time.time_ns())
    runner.deliver([Command(BROKER, VenueConnected())], time.time_ns())
    settle()
    start = time.perf_counter()
    for sequence in range(1, count + 1):
        while time.perf_counter() - start < sequence / rate:
            pass
        runner.deliver([Published(TOPIC, tick(sequence))], time.time_ns())
        settle()
    runner.close()
    return latency


# -- four processes over ZeroMQ


def serve(home: str, folder: str, pipe: Any) -> None:
    journal = MemoryJournal(Disk()) if home != "broker" else SqliteJournal(Path(folder) / "journal")
    bus = ZmqBus(home, "1", run_dir=Path(folder) / "run")
    runner = Runner({name: FACTORIES[name] for name in HOMES[home]}, journal, home)
    latency = LatencyWindow(100_000)
    venue: Any = InstantVenue()
    deliveries = Deliveries(bus, runner, venue, latency, Drill({}))
    pipe.send(bus.address)
    deliveries.set_routes(pipe.recv())
    if home != "broker":
        venue.start = lambda tell: None
    deliveries.start()
    pipe.send("ready")
    while not pipe.poll(0):
        deliveries.turn(0.05)
    pipe.send((latency.count, latency.percentile_us(0.5), latency.percentile_us(0.99)))
    deliveries.close()


def spread(count: int, rate: int) -> tuple[int, float | None, float | None]:
    folder = tempfile.mkdtemp(prefix="tb-", dir="/tmp")
    context = mp.get_context("spawn")
    pipes, processes = {}, []
    for home in HOMES:
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(home, folder, there), daemon=True)
        process.start()
        pipes[home] = here
        processes.append(process)
    addresses = {home: pipe.recv() for home, pipe in pipes.items()}
    routes = {name: addresses[home] for home, names in HOMES.items() for name in names}
    source = ZmqBus("source", "1", run_dir=Path(folder) / "run")
    routes[machine_name("exchange", VENUE)] = source.address
    for pipe in pipes.values():
        pipe.send(routes)
    for pipe in pipes.values():
        pipe.recv()
    source.set_routes(routes)
    settle = time.perf_counter() + 1.0
    while time.perf_counter() < settle:
        source.poll(0.05)
    start = time.perf_counter()
    for sequence in range(1, count + 1):
        source.publish(TOPIC, encode(tick(sequence)))
        while (left := start + sequence / rate - time.perf_counter()) > 0:
            time.sleep(left)
    drain = time.perf_counter() + 2.0
    while time.perf_counter() < drain:
        source.poll(0.05)
    pipes["broker"].send("stop")
    result: tuple[int, float | None, float | None] = pipes["broker"].recv()
    for home, pipe in pipes.items():
        if home != "broker":
            pipe.send("stop")
            pipe.recv()
    for process in processes:
        process.join(5)
    source.close()
    shutil.rmtree(folder, ignore_errors=True)
    return result


# -- four Ray actors calling each other


class Hop:
    """One home as a Ray actor: what leaves is a Ray call to the next."""

    def __init__(self, home: str, folder: str) -> None:
        sqlite = home == "broker"
        journal = SqliteJournal(Path(folder)) if sqlite else MemoryJournal(Disk())
        self.runner = Runner({name: FACTORIES[name] for name in HOMES[home]}, journal, home)
        self.latency = LatencyWindow(100_000)
        self.others: dict[str, Any] = {}

    def join(self, others: dict[str, Any]) -> None:
        self.others = others
        self.perform(self.runner.start(time.time_ns()))
        if BROKER in self.runner.machines:
            connected = Command(BROKER, VenueConnected())
            self.perform(self.runner.deliver([connected], time.time_ns()))

    def publish(self, topic: str, payload: bytes) -> None:
        published = Published(topic, decode(payload))
        self.perform(self.runner.deliver([published], time.time_ns()))

    def command(self, to: Any, payload: bytes) -> None:
        self.perform(self.runner.deliver([Command(to, decode(payload))], time.time_ns()))

    def fact(self, stream: Any, seq: int, payload: bytes) -> None:
        self.perform(self.runner.deliver([Fact(stream, seq, payload)], time.time_ns()))

    def perform(self, out: list[Any]) -> None:
        for item in out:
            if isinstance(item, Fact) and item.stream.startswith("account:"):
                self.others["risk"].fact.remote(item.stream, item.seq, item.payload)
            if not isinstance(item, Out):
                continue
            match item.effect:
                case Send(to, message):
                    home = next((h for h, names in HOMES.items() if to in names), None)
                    if home:
                        self.others[home].command.remote(to, encode(message))
                case Publish(topic, message) if topic.startswith("data."):
                    self.others["lane"].publish.remote(topic, encode(message))
                case Publish(topic, message) if topic.startswith("book."):
                    self.others["risk"].publish.remote(topic, encode(message))
                case CallVenue(body):
                    now = time.time_ns()
                    if isinstance(body, SubmitOrder):
                        self.latency.record(now - body.ts_signal)
                    reply = answer(body, now)
                    if reply is not None:
                        self.perform(self.runner.deliver([Command(BROKER, reply)], now))

    def result(self) -> tuple[int, float | None, float | None]:
        return self.latency.count, self.latency.percentile_us(0.5), self.latency.percentile_us(0.99)


def over_ray(count: int, rate: int) -> tuple[int, float | None, float | None]:
    import ray

    folder = tempfile.mkdtemp(prefix="tb-", dir="/tmp")
    hops = {home: ray.remote(Hop).options(num_cpus=0).remote(home, folder) for home in HOMES}
    for home in ("risk", "lane", "guard", "broker"):
        ray.get(hops[home].join.remote(hops))
    time.sleep(1.0)
    start = time.perf_counter()
    for sequence in range(1, count + 1):
        hops["guard"].publish.remote(TOPIC, encode(tick(sequence)))
        while (left := start + sequence / rate - time.perf_counter()) > 0:
            time.sleep(left)
    deadline = time.perf_counter() + 60
    result = ray.get(hops["broker"].result.remote())
    while time.perf_counter() < deadline:
        time.sleep(0.5)
        before, result = result, ray.get(hops["broker"].result.remote())
        if before[0] == result[0]:
            break
    for hop in hops.values():
        ray.kill(hop)
    shutil.rmtree(folder, ignore_errors=True)
    return tuple(result)


def row(what: str, subject: str, result: Any, count: int, first: float | None) -> dict[str, object]:
    arrived, p50, p99 = result
    ratio = p50 / first if p50 and first else 1.0
    note = f"{arrived} of {count} orders"
    return {
        "what": what,
        "subject": subject,
        "p50_us": p50,
        "p99_us": p99,
        "ratio": ratio,
        "note": note,
    }


def rows() -> list[dict[str, object]]:
    import ray

    assert FACT_TOPIC
    found: list[dict[str, object]] = []
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    for rate in (100, 1_000, 5_000):
        what, count = f"tick to order, {rate}/s", min(rate * 3, 9_000)
        folder = Path(tempfile.mkdtemp(prefix="tb-", dir="/tmp"))
        for subject, journal in (
            ("fused, journal in memory", MemoryJournal(Disk())),
            ("fused, SQLite synced", SqliteJournal(folder)),
        ):
            window = fused(journal, count, rate)
            measured = (window.count, window.percentile_us(0.5), window.percentile_us(0.99))
            first = found[-1]["p50_us"] if found and found[-1]["what"] == what else None
            found.append(row(what, subject, measured, count, first))  # type: ignore[arg-type]
        shutil.rmtree(folder, ignore_errors=True)
        base = float(str(found[-2]["p50_us"]))
        found.append(
            row(what, "4 processes, ZeroMQ, SQLite synced", spread(count, rate), count, base)
        )
        found.append(
            row(what, "4 Ray actors, Ray calls, SQLite synced", over_ray(count, rate), count, base)
        )
    ray.shutdown()
    return found


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(rows()))
