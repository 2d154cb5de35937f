"""A front desk over the project's own machines in one process: no Ray, no wall clock, the same desk that trades."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from actors.blueprint import Blueprint
from actors.journal.journal import Journal
from actors.journal.sqlite import SqliteJournal
from actors.models.opening import open_registry
from actors.runner import Command
from actors.simulation.memory_journal import MemoryJournal
from actors.simulation.seeded_faults import Profile
from actors.simulation.simulation import Simulation, blueprint_for
from cluster.client import kill_reports
from cluster.desk.live_desk import LiveDesk
from serve.desk.audit import AuditTrail
from serve.desk.front_desk import FrontDesk
from serve.desk.job_folder import JobFolder, JobSettings
from serve.desk.view import ActorView, ClusterSnapshot, VenueKillReport
from serve.forecast.price_histories import Histories, PriceHistories
from serve.forecast.service import ForecastService
from serve.forecast.settings import ServiceSettings
from trading.codec import decode, encode
from trading.commands import SubmitOrder
from trading.errors import ClusterUnreachable
from trading.events import KillSwitchReset, KillSwitchTripped, VenueRequestReceived
from trading.identifiers import MachineName, StreamName, kill_stream
from trading.messages import Message
from trading.outcomes import TimerFired
from trading.reports import OrderStatusReport
from trading.values import NANOS_PER_SECOND

SOURCE = "sp500"
NEVER_NS = 10**15
FIRST_SLICES = 6
"""Traded before anybody looks, so that there is something to see."""
PATIENT_MS = 60_000.0
"""The first forecast loads a graph: how long that takes says how busy the machine is. Lateness has tests of its own."""


class SimulatedLink:
    """`ClusterLink` over machines on a `LocalBus`; time passes only while somebody waits or asks for slices."""

    def __init__(self, days: int, seed: int, blueprint: Blueprint | None) -> None:
        self._lock = threading.RLock()
        calm = Profile("nothing goes wrong")
        self.simulation = Simulation(
            seed, days, profile=calm, blueprint=blueprint or still_blueprint(seed, days)
        )
        self._bus = self.simulation.bus
        self._replay = self.blueprint.name("replay")
        self.is_down = False
        self._bus.start()
        self._bus.run(lambda: self._is_handed_out(self._replay_view()["first"]), NEVER_NS)

    @property
    def blueprint(self) -> Blueprint:
        return self.simulation.blueprint

    def snapshot(self) -> ClusterSnapshot:
        with self._lock:
            self._require_up()
            views = {
                str(name): machine.view()
                for name in self.blueprint.machines()
                if (machine := self._bus.machine(name)) is not None
            }
            replay = views[self._replay]
            return ClusterSnapshot(
                name="simulated",
                mode="paper",
                pace=0.0,
                clock_ns=replay["clock"],
                sequence=replay["sequence"],
                first=replay["first"],
                last=replay["last"],
                finished=replay["finished"],
                machines=views,
                actors=tuple(
                    ActorView(
                        name=name.replace(":", "-"),
                        pid=number,
                        node="simulated",
                        restarts=host.restarts,
                        messages=0,
                        machines=tuple(host.machines),
                        alive=host.runner is not None,
                    )
                    for number, (name, host) in enumerate(self._bus.hosts.items(), start=1)
                ),
            )

    def command(self, to: MachineName, message: Message) -> None:
        with self._lock:
            self._require_up()
            if self._bus.machine(to) is None:
                raise ClusterUnreachable(f"{to} is down; nothing was sent.")
            self._bus.inject(to, Command(to, message))
            self._run(0.001)

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        with self._lock:
            yield MemoryJournal(self.simulation.disk)

    def kill(self, *, actor: str, reason: str, flatten: bool) -> list[VenueKillReport]:
        self._switch(KillSwitchTripped(actor=actor, reason=reason, flatten=flatten))
        self.pause(1.0)
        with self._lock:
            return kill_reports(self.blueprint, self.snapshot().machines)

    def reset_kill(self, *, actor: str, reason: str) -> None:
        self._switch(KillSwitchReset(actor=actor, reason=reason))
        self.pause(1.0)

    def now_ns(self) -> int:
        with self._lock:
            return self._bus.now

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._run(seconds)

    def close(self) -> None:
        """Nothing to close: the simulation belongs to the test."""

    # -- for tests

    def advance(self, slices: int) -> int:
        """Let the market move by so many slices, as far as the replay goes. Returns the slice now."""
        with self._lock:
            for _ in range(slices):
                sequence = int(self._replay_view()["sequence"])
                if sequence == self._replay_view()["last"]:
                    break
                self._bus.inject(self._replay, Command(self._replay, TimerFired(key="pace")))
                self._bus.run(partial(self._is_handed_out, sequence + 1), NANOS_PER_SECOND)
            self._run(1.0)
            return int(self._replay_view()["sequence"])

    def crash(self, kind: str, restart_after_s: float) -> None:
        """Kill the host of a machine; it starts again later."""
        with self._lock:
            restart_ns = int(restart_after_s * NANOS_PER_SECOND)
            self._bus.crash(str(self.blueprint.name(kind)), restart_ns)

    def exchange_orders(self) -> list[OrderStatusReport]:
        """Return the orders that the venue knows, oldest first."""
        with self._lock:
            exchange: Any = self._bus.machine(self.blueprint.name("exchange"))
            return list(getattr(exchange, "exchange", exchange).orders(self.blueprint.account_id))

    def received_orders(self) -> list[SubmitOrder]:
        """Return every submission as it came to the venue; one that came twice is there twice."""
        with self._lock:
            stream = StreamName(self.blueprint.name("exchange"))
            records = list(MemoryJournal(self.simulation.disk).read(stream))
        requests = [decode(record.payload) for record in records]
        bodies = [
            decode(each.payload) for each in requests if isinstance(each, VenueRequestReceived)
        ]
        return [each for each in bodies if isinstance(each, SubmitOrder)]

    # -- pieces

    def _run(self, seconds: float) -> None:
        """Let time pass, also when nobody has anything to do in it."""
        end = self._bus.now + int(seconds * NANOS_PER_SECOND)
        self._bus.at(end, lambda: None)
        self._bus.run(lambda: self._bus.now >= end, NEVER_NS)

    def _switch(self, event: KillSwitchTripped | KillSwitchReset) -> None:
        with self._lock:
            now = self._bus.now
            stamped = msgspec.structs.replace(event, ts_event=now, ts_init=now)
            stream = StreamName(kill_stream(self.blueprint.account_id))
            MemoryJournal(self.simulation.disk).append_shared(stream, [encode(stamped)], now)

    def _require_up(self) -> None:
        if self.is_down:
            raise ClusterUnreachable("no cluster named 'simulated' runs there.")

    def _replay_view(self) -> Any:
        machine = self._bus.machine(self._replay)
        assert machine is not None
        return machine.view()

    def _is_handed_out(self, sequence: int) -> bool:
        replay: Any = self._bus.machine(self._replay)
        return bool(replay._sequence >= sequence and replay._settled >= sequence)


class SimulatedDesk(LiveDesk):
    """A `TradingDesk` whose market moves when it is told to.

    Parameters
    ----------
    folder : Path
        Its logs are below.
    days : int
        Length of the replay.
    seed : int
        Of what is random in the simulation.
    blueprint : Blueprint or None
        What trades; by default a small account with two strategies and tight limits.
    """

    def __init__(
        self, folder: Path, days: int = 40, seed: int = 3, blueprint: Blueprint | None = None
    ) -> None:
        self.link = SimulatedLink(days, seed, blueprint)
        super().__init__(
            self._found,
            cluster="simulated",
            mode="paper",
            logs=folder / "logs",
            latch=self._latched,
        )
        self.latched: list[tuple[str, str, bool]] = []
        self.advance(FIRST_SLICES)

    def advance(self, slices: int = 1) -> int:
        """Let the market move; return the slice now."""
        reached = self.link.advance(slices)
        self.connection.forget_look()
        return reached

    def exchange_orders(self) -> list[OrderStatusReport]:
        """Return the ground truth: the orders that the venue knows, oldest first."""
        return self.link.exchange_orders()

    def received_orders(self) -> list[SubmitOrder]:
        """Return every submission as it came to the venue; one that came twice is there twice."""
        return self.link.received_orders()

    def crash(self, kind: str, restart_after_s: float = 0.5) -> None:
        """Kill the host of a machine (`risk`, `broker`, `ledger` ...), kill -9; it starts again later."""
        self.link.crash(kind, restart_after_s)
        self.connection.forget_look()

    def go_down(self, *, is_down: bool = True) -> None:
        """Let the whole cluster be unreachable, or reachable again."""
        self.link.is_down = is_down
        self.connection.forget_look()

    def _found(self) -> SimulatedLink:
        self.link._require_up()
        return self.link

    def _latched(self, actor: str, reason: str, flatten: bool) -> list[VenueKillReport]:
        self.latched.append((actor, reason, flatten))
        blueprint = self.link.blueprint
        return [
            VenueKillReport(
                venue=blueprint.venue, account_id=blueprint.account_id, reached=False, reason="down"
            )
        ]


def still_blueprint(seed: int, days: int) -> Blueprint:
    """Return the simulation's account on a market that stands still between two slices."""
    base = blueprint_for(seed, days)
    assert base.replay is not None
    limits = msgspec.structs.replace(
        base.limits, max_data_age_s=1e6, max_value_at_risk=Decimal(20_000)
    )
    return msgspec.structs.replace(
        base,
        replay=msgspec.structs.replace(base.replay, pace_ns=NEVER_NS),
        limits=limits,
        max_silence_ns=NEVER_NS,
    )


def front_desk(
    folder: Path,
    *,
    trading: SimulatedDesk | None = None,
    registry: str = "",
    model: str = "nhits@champion",
    histories: Histories | None = None,
    running_max: int = 2,
    waiting_max: int = 20,
) -> FrontDesk:
    """Return a front desk with real jobs, a real audit trail and a real forecasting service; all below `folder`.

    Parameters
    ----------
    trading : SimulatedDesk or None
        One that is there already; they take a second to make.
    registry, model : str
        Models to forecast with; by default those that ship with the package.
    histories : callable or None
        Bars of a symbol; by default those of the shipped data.
    running_max, waiting_max : int
        Jobs at once, and jobs that may wait.
    """
    histories = histories or PriceHistories(SOURCE)
    registry = registry or str(folder / "models")
    service = ServiceSettings(registry=registry, model=model, source=SOURCE, deadline_ms=PATIENT_MS)
    jobs = JobSettings(
        folder=folder / "jobs",
        program=(str(Path(sys.executable).with_name("trader")),),
        environment=_environment(folder, registry),
        running_max=running_max,
        waiting_max=waiting_max,
    )
    return FrontDesk(
        trading=trading or SimulatedDesk(folder),
        jobs=JobFolder(jobs),
        audit=AuditTrail(SqliteJournal(folder / "audit"), "simulated"),
        forecasts=ForecastService(service, open_registry(registry), histories),
        histories=histories,
        source=SOURCE,
        secret=b"s" * 32,
    )


def _environment(folder: Path, registry: str) -> dict[str, str]:
    """Return the environment of a person without any configuration, whose state is below `folder`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TRADER_", "RAY_"))}
    return kept | {
        "HOME": str(folder),
        "TRADER_CLUSTER__STATE_DIR": str(folder / "state"),
        "TRADER_MODELS__FOLDER": registry,
    }
