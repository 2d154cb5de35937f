"""The Ray actor that runs machines: one process, one dedicated loop, no machine code in Ray's threads.

Ray calls only ask and tell (assign, routes, describe, stop). Everything that trades passes through
the loop: bus and venue results in, runner, effects out. The loop is the only thread that touches
machines, journal and bus.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import ray

from actors.assignment import Assignment, HostReport
from actors.blueprint import build
from actors.bus.wire import HostAddress
from actors.bus.zmq import ZmqBus
from actors.delivery import Deliveries, Drill, FencedOff
from actors.feed_sessions import FeedSessions
from actors.forecast_sessions import ForecastSessions
from actors.journal.open import open_journal
from actors.latency import LatencyWindow
from actors.runner import Command, Runner
from actors.venue_sessions import VenueSessions
from trading.codec import decode
from trading.errors import TradingError
from trading.identifiers import MachineName

log = logging.getLogger(__name__)

POLL_S = 0.05
"""Longest the loop sleeps; timers and arrivals wake it earlier."""
INSPECT_TIMEOUT_S = 5.0


class Host:
    """Runs the machines of one assignment until it is stopped or killed."""

    def __init__(self) -> None:
        self._assignment: Assignment | None = None
        self._bus: ZmqBus | None = None
        self._runner: Runner | None = None
        self._deliveries: Deliveries | None = None
        self._address: HostAddress | None = None
        self._errands: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._stopping = threading.Event()
        self._closed = threading.Event()
        self._failure = ""
        self._latency = LatencyWindow()
        self._turned_at = time.monotonic()
        self._thread: threading.Thread | None = None

    # -- Ray's side

    @ray.method  # type: ignore[untyped-decorator]
    def assign(self, assignment: Assignment) -> HostAddress:
        """Take the machines, bind the sockets; nothing runs yet."""
        surroundings = assignment.surroundings
        secret = Path(surroundings.secret_file).read_bytes()
        factories = {
            name: build(assignment.blueprint, name, secret) for name in assignment.machines
        }
        self._assignment = assignment
        self._bus = ZmqBus(
            assignment.name,
            str(assignment.incarnation),
            run_dir=Path(surroundings.run_dir),
            bind=surroundings.bind,
            secret=secret,
        )
        self._address = self._bus.address
        journal = open_journal(surroundings.journal_url)
        self._runner = Runner(factories, journal, holder=f"{assignment.name}/{os.getpid()}")
        venues = VenueSessions(assignment.blueprint, secret, assignment.machines)
        models = ForecastSessions(assignment.blueprint, assignment.machines)
        feeds = FeedSessions(assignment.blueprint, secret, assignment.machines)
        is_first_life = assignment.restarts == 0
        drill = Drill(surroundings.drills.get(assignment.name, {}) if is_first_life else {})
        self._deliveries = Deliveries(
            self._bus, self._runner, venues, self._latency, drill, models, feeds
        )
        return self._address

    @ray.method  # type: ignore[untyped-decorator]
    def set_routes(self, routes: Mapping[MachineName, HostAddress]) -> None:
        assert self._deliveries is not None
        deliveries = self._deliveries
        if self._thread is None:
            deliveries.set_routes(routes)
        else:
            self._in_loop(lambda: deliveries.set_routes(routes))

    @ray.method  # type: ignore[untyped-decorator]
    def go(self) -> None:
        """Restore the machines from the journal and start the loop.

        Raises
        ------
        TradingError
            If the journal cannot be read; the process ends and the supervisor tries again.
        """
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._loop, args=(started,), name="loop", daemon=True
        )
        self._thread.start()
        started.result()

    @ray.method  # type: ignore[untyped-decorator]
    def describe(self) -> HostReport:
        if self._thread is None or self._runner is None or self._bus is None:
            return HostReport(
                os.getpid(), _node_id(), self._assignment, self._address, {}, {}, {}, {}, ()
            )
        report: HostReport = self._in_loop(self._report)
        return report

    @ray.method  # type: ignore[untyped-decorator]
    def command(self, to: MachineName, payload: bytes) -> None:
        """Hand an operator's message to a machine here."""
        deliveries = self._deliveries
        assert deliveries is not None
        self._in_loop(lambda: deliveries.handle([Command(to, decode(payload))]))

    @ray.method  # type: ignore[untyped-decorator]
    def idle_s(self) -> float:
        """Return the time since the loop last turned; a spare is never idle."""
        return 0.0 if self._thread is None else time.monotonic() - self._turned_at

    @ray.method  # type: ignore[untyped-decorator]
    def wait_closed(self) -> str:
        """Return when the loop ends, with the reason. Fails at once when the process dies."""
        self._closed.wait()
        return self._failure

    @ray.method  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        self._stopping.set()
        if self._bus is not None and self._thread is not None:
            self._bus.wake()
            self._thread.join(INSPECT_TIMEOUT_S)
        self._closed.set()

    # -- the loop's side

    def _in_loop(self, errand: Callable[[], Any]) -> Any:
        done: Future[Any] = Future()
        self._errands.append((errand, done))
        assert self._bus is not None
        self._bus.wake()
        return done.result(INSPECT_TIMEOUT_S)

    def _loop(self, started: Future[None]) -> None:
        deliveries = self._deliveries
        assert deliveries is not None
        try:
            try:
                deliveries.start()
            except TradingError as error:
                started.set_exception(error)
                raise
            started.set_result(None)
            log.info("restored and running, process %d", os.getpid())
            while not self._stopping.is_set():
                self._turned_at = time.monotonic()
                deliveries.turn(POLL_S)
                while self._errands:
                    errand, done = self._errands.popleft()
                    try:
                        done.set_result(errand())
                    except TradingError as error:
                        done.set_exception(error)
        except FencedOff as error:
            log.warning("host %s ends: %s", self._assignment, error)
            self._failure = str(error)
        except Exception as error:
            # A broken invariant: no state may be trusted. The successor restores from the journal.
            log.exception("host %s ends", self._assignment)
            self._failure = f"{type(error).__name__}: {error}"
        finally:
            deliveries.close()
            self._closed.set()

    def _report(self) -> HostReport:
        assert self._runner is not None
        assert self._bus is not None
        runner = self._runner
        return HostReport(
            pid=os.getpid(),
            node=_node_id(),
            assignment=self._assignment,
            address=self._address,
            views={name: dict(machine.view()) for name, machine in runner.machines.items()},
            messages=runner.handled,
            latency_us={
                "p50": self._latency.percentile_us(0.5),
                "p99": self._latency.percentile_us(0.99),
            },
            latency_counts=tuple(self._latency.counts),
            latency_total_ns=self._latency.total_ns,
            bus=self._bus.counters(),
            fenced=runner.fenced,
        )


def _node_id() -> str:
    return str(ray.get_runtime_context().get_node_id())
