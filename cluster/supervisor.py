"""The supervisor makes the running hosts match the plan, again and again.

Ray tells it within milliseconds when a host's process is gone (a pending `wait_closed` call fails). A
warm spare, a host process that has imported everything and holds nothing, then takes over the dead
host's machines: they restore themselves from the journal under a new lease epoch, so it does
not matter whether the old process is really dead. Ray never restarts a host by itself; it
does restart the supervisor, which finds the hosts by name and goes on. While it is
away, trading continues on the routes that the hosts already have.
"""

import gc
import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

from actors.assignment import Assignment, HostReport
from actors.bus.wire import HostAddress
from actors.heap import freeze_heap
from actors.host import Host
from cluster.agent_watch import AgentWatch
from cluster.logs import set_up_logs
from cluster.telemetry import Telemetry
from cluster.topology import ClusterPlan, HostPlan
from trading.identifiers import MachineName

log = logging.getLogger(__name__)

WATCH_INTERVAL_S = 0.2
HEALTH_INTERVAL_S = 1.0
TELEMETRY_INTERVAL_S = 5.0
STUCK_AFTER_S = 5.0
"""A host whose loop has not turned for so long is replaced."""
CALL_TIMEOUT_S = 30.0
CRASH_WINDOW_S = 30.0
CRASHES_ALLOWED = 5
"""More deaths than this within the window, and the host waits before it starts again."""
BACKOFF_S = 10.0


class LoggedHost(Host):
    """A host in a process of its own: with a log named after what it runs, and a frozen heap."""

    def __init__(self) -> None:
        super().__init__()
        freeze_heap()  # takes 100 ms: a spare has them before anybody waits for it

    def assign(self, assignment: Assignment) -> HostAddress:
        folder = Path(assignment.surroundings.run_dir).with_name("logs")
        set_up_logs(folder=folder, process=assignment.name, quiet=True)
        address: HostAddress = super().assign(assignment)
        gc.freeze()  # what the machines and their venues have brought along
        return address


HostActor = ray.remote(LoggedHost)


@dataclass(slots=True)
class _Live:
    """One running host process: assigned when `plan` is set, a spare otherwise."""

    actor: Any
    ray_name: str
    closed: Any
    plan: HostPlan | None = None
    address: HostAddress | None = None
    incarnation: int = 0


@dataclass(slots=True)
class _Record:
    """What the supervisor remembers of one planned host over its lives."""

    restarts: int = 0
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=CRASHES_ALLOWED))
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class HostState:
    """One host as the supervisor sees it, for people."""

    name: str
    ray_name: str
    machines: tuple[MachineName, ...]
    restarts: int
    is_alive: bool


class Supervisor:
    """Ray actor, detached, restarted by Ray. `plan` comes again with the constructor."""

    def __init__(self, plan: ClusterPlan) -> None:
        folder = Path(plan.surroundings.run_dir).with_name("logs")
        set_up_logs(folder=folder, process="supervisor", quiet=True)
        self._plan = plan
        self._lock = threading.Lock()
        self._live: list[_Live] = []
        self._records = {host.name: _Record() for host in plan.hosts}
        self._created = 0
        self._stopping = threading.Event()
        self._settled = threading.Event()
        self._failure = ""
        self._rounds = 0
        self._telemetry = Telemetry(plan.name)
        self._was_restarted = ray.get_runtime_context().was_current_actor_reconstructed
        self._adopt()
        self._thread = threading.Thread(target=self._run, name="reconcile", daemon=True)
        self._thread.start()
        watching = AgentWatch(plan).run
        threading.Thread(
            target=watching, args=(self._stopping,), name="agents", daemon=True
        ).start()

    # -- what others may ask

    @ray.method  # type: ignore[untyped-decorator]
    def wait_settled(self, timeout_s: float) -> str:
        """Wait until every planned host runs. Returns why not, or an empty string."""
        if self._settled.wait(timeout_s):
            return ""
        return self._failure or "the hosts did not start in time"

    @ray.method  # type: ignore[untyped-decorator]
    def hosts(self) -> list[tuple[HostState, Any]]:
        """Return every planned host with its actor handle (None while it is down)."""
        with self._lock:
            found = {live.plan.name: live for live in self._live if live.plan is not None}
            return [
                (
                    HostState(
                        host.name,
                        found[host.name].ray_name if host.name in found else "",
                        host.machines,
                        self._records[host.name].restarts,
                        host.name in found,
                    ),
                    found[host.name].actor if host.name in found else None,
                )
                for host in self._plan.hosts
            ]

    @ray.method  # type: ignore[untyped-decorator]
    def desired(self) -> ClusterPlan:
        return self._plan

    @ray.method  # type: ignore[untyped-decorator]
    def describe(self) -> tuple[int, str, int, int]:
        """Return process id, node, own restarts and rounds of reconciliation."""
        context = ray.get_runtime_context()
        return os.getpid(), context.get_node_id()[:8], int(self._was_restarted), self._rounds

    @ray.method  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Stop every host, in reverse order of the plan, then the spares."""
        self._stopping.set()
        self._thread.join(CALL_TIMEOUT_S)
        with self._lock:
            order = {host.name: index for index, host in enumerate(self._plan.hosts)}
            live = sorted(
                self._live, key=lambda one: -order[one.plan.name] if one.plan else len(order)
            )
            self._live = []
        for one in live:
            try:
                ray.get(one.actor.stop.remote(), timeout=5)
            except ray.exceptions.RayError as error:
                log.warning("host %s did not stop by itself: %s", one.ray_name, error)
            ray.kill(one.actor, no_restart=True)

    # -- reconciliation

    def _run(self) -> None:
        next_health = next_telemetry = 0.0
        while not self._stopping.is_set():
            self._rounds += 1
            try:
                self._reconcile()
                self._watch()
                if time.monotonic() >= next_health:
                    self._check_health()
                    next_health = time.monotonic() + HEALTH_INTERVAL_S
                if time.monotonic() >= next_telemetry:
                    self._record_telemetry()
                    next_telemetry = time.monotonic() + TELEMETRY_INTERVAL_S
            except ray.exceptions.RayError as error:
                self._failure = str(error)
                log.exception("reconciliation failed; trying again")
                self._stopping.wait(WATCH_INTERVAL_S)

    def _adopt(self) -> None:
        """Find the hosts that an earlier life of the supervisor started."""
        for item in ray.util.list_named_actors(all_namespaces=True):
            if item["namespace"] != self._plan.namespace or not item["name"].startswith("host-"):
                continue
            actor = ray.get_actor(item["name"], namespace=self._plan.namespace)
            try:
                report: HostReport = ray.get(actor.describe.remote(), timeout=CALL_TIMEOUT_S)
            except ray.exceptions.RayError:
                ray.kill(actor, no_restart=True)
                continue
            self._created = max(self._created, int(item["name"].rpartition("-")[2]))
            live = _Live(actor, item["name"], actor.wait_closed.remote())
            if report.assignment is not None:
                plans = {host.name: host for host in self._plan.hosts}
                live.plan = plans.get(report.assignment.name)
                live.address = report.address
                live.incarnation = report.assignment.incarnation
                self._records[report.assignment.name].restarts = report.assignment.restarts
            self._live.append(live)

    def _reconcile(self) -> None:
        running = {live.plan.name for live in self._live if live.plan is not None}
        now = time.monotonic()
        missing = [
            host
            for host in self._plan.hosts
            if host.name not in running and self._records[host.name].not_before <= now
        ]
        if missing:
            self._start(missing)
        if sum(1 for live in self._live if live.plan is not None) == len(self._plan.hosts):
            self._settled.set()
        spares = sum(1 for live in self._live if live.plan is None)
        for _ in range(self._plan.spare_hosts - spares):
            self._create(None)

    def _start(self, missing: list[HostPlan]) -> None:
        """Give each missing host a process, bind, tell everybody the routes, then let them go."""
        starting: list[tuple[_Live, Any]] = []
        for host in missing:
            live = self._take_spare(host) or self._create(host)
            live.plan = host
            live.incarnation = time.time_ns()
            assignment = Assignment(
                name=host.name,
                machines=host.machines,
                incarnation=live.incarnation,
                restarts=self._records[host.name].restarts,
                blueprint=self._plan.blueprint,
                surroundings=self._plan.surroundings,
            )
            starting.append((live, live.actor.assign.remote(assignment)))
            log.info("%s takes host %s: %s", live.ray_name, host.name, ", ".join(host.machines))
        bound = [live for live, pending in starting if self._bind(live, pending)]
        self._push_routes()
        for live in bound:
            self._call_or_bury(live, live.actor.go.remote())

    def _bind(self, live: _Live, pending: Any) -> bool:
        live.address = self._call_or_bury(live, pending)
        return live.address is not None

    def _call_or_bury(self, live: _Live, pending: Any) -> Any:
        """Return the answer of a host that starts; one that cannot is given up and made anew."""
        try:
            return ray.get(pending, timeout=CALL_TIMEOUT_S)
        except ray.exceptions.RayError as error:
            self._failure = str(error).strip().rpartition("\n")[2]
            log.exception("host %s does not start", live.ray_name)
            self._bury(live)
            return None

    def _take_spare(self, host: HostPlan) -> _Live | None:
        if host.labels or host.resources:
            return None
        return next((live for live in self._live if live.plan is None), None)

    def _create(self, host: HostPlan | None) -> _Live:
        self._created += 1
        name = f"host-{self._created}"
        options: dict[str, Any] = {
            "name": name,
            "namespace": self._plan.namespace,
            "lifetime": "detached",
            "max_concurrency": 8,
            "max_restarts": 0,
            "max_task_retries": 0,
            "num_cpus": self._plan.cpus_per_host,
        }
        if host is not None and host.labels:
            options["label_selector"] = dict(host.labels)
        if host is not None and host.resources:
            options["resources"] = dict(host.resources)
        actor = HostActor.options(**options).remote()
        live = _Live(actor, name, actor.wait_closed.remote())
        with self._lock:
            self._live.append(live)
        return live

    def _push_routes(self) -> None:
        routes = {
            machine: live.address
            for live in self._live
            if live.plan is not None and live.address is not None
            for machine in live.plan.machines
        }
        pending = [
            live.actor.set_routes.remote(routes) for live in self._live if live.plan is not None
        ]
        ray.wait(pending, num_returns=len(pending), timeout=CALL_TIMEOUT_S)

    # -- death and illness

    def _watch(self) -> None:
        closed = {live.closed: live for live in self._live}
        done, _ = ray.wait(list(closed), num_returns=1, timeout=WATCH_INTERVAL_S)
        for ref in done:
            self._bury(closed[ref])

    def _bury(self, live: _Live) -> None:
        with self._lock:
            self._live.remove(live)
        ray.kill(live.actor, no_restart=True)
        if live.plan is None:
            return
        record = self._records[live.plan.name]
        record.restarts += 1
        now = time.monotonic()
        if len(record.deaths) == CRASHES_ALLOWED and now - record.deaths[0] < CRASH_WINDOW_S:
            record.not_before = now + BACKOFF_S
            log.error("host %s keeps dying; next start in %.0f s", live.plan.name, BACKOFF_S)
        record.deaths.append(now)
        log.warning("host %s (%s) died; starting it again", live.plan.name, live.ray_name)

    def _check_health(self) -> None:
        pending = {live.actor.idle_s.remote(): live for live in self._live if live.plan}
        if not pending:
            return
        done, late = ray.wait(list(pending), num_returns=len(pending), timeout=STUCK_AFTER_S)
        stuck = [pending[ref] for ref in late]
        for ref in done:
            try:
                if ray.get(ref) > STUCK_AFTER_S:
                    stuck.append(pending[ref])
            except ray.exceptions.RayError:
                continue  # it died; `_watch` sees that
        for live in stuck:
            log.error("host %s is stuck; replacing it", live.ray_name)
            self._bury(live)

    def _record_telemetry(self) -> None:
        pending = [live.actor.describe.remote() for live in self._live if live.plan]
        if not pending:
            return
        done, _ = ray.wait(pending, num_returns=len(pending), timeout=STUCK_AFTER_S)
        reports: list[HostReport] = []
        for ref in done:
            try:
                reports.append(ray.get(ref))
            except ray.exceptions.RayError:
                continue  # it died; `_watch` sees that
        restarts = {name: record.restarts for name, record in self._records.items()}
        self._telemetry.record(restarts, reports)
