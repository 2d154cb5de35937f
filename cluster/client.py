"""A running cluster, seen and steered from outside: the one place where people's tools meet Ray."""

import threading
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from actors.assignment import HostReport
from actors.blueprint import Blueprint
from actors.check import compare
from actors.journal.journal import Journal
from actors.journal.open import open_journal
from actors.venues.credentials import remove_credentials
from cluster import ray_runtime
from cluster.config import Config
from cluster.refusals import RefusalReader
from cluster.topology import ClusterPlan
from serve.desk.view import (
    ActorView,
    CheckView,
    ClusterSnapshot,
    Durations,
    LatencyView,
    LinkedView,
    Percentiles,
    VenueKillReport,
    VenueView,
)
from trading.codec import encode
from trading.errors import ClusterUnreachable
from trading.events import KillSwitchReset, KillSwitchTripped
from trading.identifiers import MachineName, kill_stream
from trading.messages import Message
from trading.values import NANOS_PER_SECOND

CALL_TIMEOUT_S = 5.0
KILL_TIMEOUT_S = 2.0
KILL_POLL_S = 0.05


def namespace_of(config: Config) -> str:
    """Return the Ray namespace in which the actors of this cluster have their names."""
    return f"trader-{config.cluster.name}"


def connect(config: Config) -> "RayClusterView":
    """Find the running cluster.

    Raises
    ------
    ClusterUnreachable
        If there is no Ray, or no cluster of this name in it.
    """
    address = config.cluster.address
    if address == "local":
        address = ray_runtime.head_address(config)
    return found_in(ray_runtime.join(config, address), config)


def found_in(ray: Any, config: Config) -> "RayClusterView":
    """Find the cluster in a Ray that this process is connected to.

    Raises
    ------
    ClusterUnreachable
        If there is no cluster of this name in it.
    """
    try:
        supervisor = ray.get_actor("supervisor", namespace=namespace_of(config))
    except ValueError:
        raise ClusterUnreachable(
            f"no cluster named {config.cluster.name!r} runs there; start it with `trader up`."
        ) from None
    try:
        plan: ClusterPlan = ray.get(supervisor.desired.remote(), timeout=CALL_TIMEOUT_S)
    except ray.exceptions.RayError as error:
        raise ClusterUnreachable(f"the supervisor does not answer: {error}") from error
    return RayClusterView(ray, supervisor, plan, owns_ray=False)


class RayClusterView:
    """`ClusterView` over Ray. Calls ask the actors; nothing is cached but their handles."""

    def __init__(self, ray: Any, supervisor: Any, plan: ClusterPlan, *, owns_ray: bool) -> None:
        self._ray = ray
        self._supervisor = supervisor
        self._plan = plan
        self._owns_ray = owns_ray
        self._hosts: list[tuple[Any, Any]] = []
        self._looking = threading.Lock()
        self._journal = open_journal(plan.surroundings.journal_url)
        self._refusals = RefusalReader(self._journal, plan.blueprint)
        self._start_s = 0.0
        self._running_since = time.monotonic()

    def started(self, seconds: float) -> None:
        self._start_s = seconds
        self._running_since = time.monotonic()

    def snapshot(self) -> ClusterSnapshot:
        with self._looking:  # the journal serves one thread at a time
            return self._look()

    def _look(self) -> ClusterSnapshot:
        reports = self._reports()
        views = _views(reports)
        blueprint = self._plan.blueprint
        linked = tuple(_linked_view(each, views) for each in blueprint.linked)
        elsewhere = {name for each in linked for name in each.machines}
        machines = {name: view for name, view in views.items() if name not in elsewhere}
        replay = machines.get(blueprint.name("replay"), {})
        sender = next((r for _, r in reports if r and blueprint.name("broker") in r.views), None)
        latency = {} if sender is None else sender.latency_us
        finished = bool(replay.get("finished", False))
        pace_ns = 0 if blueprint.replay is None else blueprint.replay.pace_ns
        return ClusterSnapshot(
            name=self._plan.name,
            mode=self._plan.mode,
            pace=NANOS_PER_SECOND / pace_ns if pace_ns else 0.0,
            clock_ns=_clock(blueprint, machines),
            sequence=int(replay.get("sequence", 0)),
            first=int(replay.get("first", 0)),
            last=int(replay.get("last", 0)),
            finished=finished,
            machines={str(name): view for name, view in machines.items()},
            actors=(self._supervisor_view(), *(_actor_view(state, r) for state, r in reports)),
            latency_us=LatencyView(
                tick_to_order=Percentiles(p50=latency.get("p50"), p99=latency.get("p99"))
            ),
            latency_counts=() if sender is None else sender.latency_counts,
            latency_total_s=0.0 if sender is None else sender.latency_total_ns / 1e9,
            seconds=Durations(start=self._start_s, run=time.monotonic() - self._running_since),
            check=self._check(machines) if finished else None,
            refusals=self._refusals.poll(),
            venue=None if blueprint.feed is None else venue_view(blueprint, machines),
            linked=linked,
        )

    @property
    def blueprint(self) -> Blueprint:
        """What the running machines are made from."""
        return self._plan.blueprint

    @property
    def journal(self) -> Journal:
        return self._journal

    @property
    def journal_url(self) -> str:
        """Where that journal is; for who needs a connection of their own."""
        return self._plan.surroundings.journal_url

    def command(self, to: MachineName, message: Message) -> None:
        """Hand a message to a machine.

        Raises
        ------
        ClusterUnreachable
            If its host is down or does not answer; whether it got the message is not known then.
        """
        ray = self._ray
        try:
            hosts = ray.get(self._supervisor.hosts.remote(), timeout=CALL_TIMEOUT_S)
            actor = next((actor for state, actor in hosts if to in state.machines), None)
            if actor is None:
                raise ClusterUnreachable(f"{to} is down; nothing was sent.")
            ray.get(actor.command.remote(to, encode(message)), timeout=CALL_TIMEOUT_S)
        except ray.exceptions.RayError as error:
            raise ClusterUnreachable(f"{to} does not answer: {error}") from error

    def kill(self, *, reason: str, flatten: bool, actor: str = "operator") -> list[VenueKillReport]:
        """Latch the kill switch of every account, durably, then watch the brokers cancel (and flatten)."""
        self._write_switch(KillSwitchTripped(actor=actor, reason=reason, flatten=flatten))
        deadline = time.monotonic() + KILL_TIMEOUT_S
        while True:
            reports = kill_reports(self._plan.blueprint, _views(self._reports()))
            if all(each.reached for each in reports) or time.monotonic() > deadline:
                return reports
            time.sleep(KILL_POLL_S)

    def reset_kill(self, reason: str, *, actor: str = "operator") -> None:
        self._write_switch(KillSwitchReset(actor=actor, reason=reason))

    def close(self) -> None:
        """Let go of a cluster that others go on to use."""
        self._journal.close()

    def stop(self) -> None:
        """End every actor of the cluster; a Ray that was started for it ends too."""
        try:
            if self._plan.has_sandboxes:
                from sandboxes.pool.actor import find_pools

                find_pools(self._plan.namespace).stop()
            self._ray.get(self._supervisor.stop.remote(), timeout=60)
        except self._ray.exceptions.RayError as error:
            raise ClusterUnreachable(f"the supervisor did not stop its hosts: {error}") from error
        finally:
            remove_credentials(self._plan.credentials_files)
            self._journal.close()
            self._ray.kill(self._supervisor, no_restart=True)
            if self._owns_ray:
                self._ray.shutdown()

    def _write_switch(self, event: KillSwitchTripped | KillSwitchReset) -> None:
        """Straight into the journal, for every account: this works with every actor dead.

        Over a connection of its own: the switch does not wait for a thread that looks at dead hosts.
        """
        now = time.time_ns()
        stamped: Message = type(event)(**{**_fields(event), "ts_event": now, "ts_init": now})
        journal = open_journal(self.journal_url)
        try:
            for account in self._plan.blueprint.accounts:
                journal.append_shared(kill_stream(account.account_id), [encode(stamped)], now)
        finally:
            journal.close()

    def _reports(self) -> list[tuple[Any, HostReport | None]]:
        """Ask every host; one that is down or busy dying has no report."""
        ray = self._ray
        try:
            self._hosts = ray.get(self._supervisor.hosts.remote(), timeout=CALL_TIMEOUT_S)
        except ray.exceptions.RayError:
            if not self._hosts:
                raise ClusterUnreachable("the supervisor does not answer") from None
        pending = [
            (state, actor.describe.remote() if actor else None) for state, actor in self._hosts
        ]
        found: list[tuple[Any, HostReport | None]] = []
        for state, ref in pending:
            try:
                found.append((state, ray.get(ref, timeout=CALL_TIMEOUT_S) if ref else None))
            except ray.exceptions.RayError:
                found.append((state, None))
        return found

    def _supervisor_view(self) -> ActorView:
        ray = self._ray
        try:
            pid, node, restarts, handled = ray.get(
                self._supervisor.describe.remote(), timeout=CALL_TIMEOUT_S
            )
        except ray.exceptions.RayError:
            return ActorView(name="supervisor", pid=0, node="", restarts=0, messages=0, alive=False)
        return ActorView(name="supervisor", pid=pid, node=node, restarts=restarts, messages=handled)

    def _check(self, machines: dict[Any, Any]) -> CheckView | None:
        """Compare the living ledger with the exchange's durable record."""
        ledger = machines.get(self._plan.blueprint.name("ledger"))
        if ledger is None:
            return None
        found = compare(self._plan.blueprint, self._journal, ledger)
        return CheckView(
            duplicates=found.duplicates,
            lost=found.lost,
            position_difference=Decimal(found.position_difference),
            cash_difference=Decimal(found.cash_difference),
        )


def _views(reports: list[tuple[Any, HostReport | None]]) -> dict[MachineName, Mapping[str, Any]]:
    return {name: view for _, report in reports if report for name, view in report.views.items()}


def _linked_view(account: Blueprint, views: Mapping[MachineName, Mapping[str, Any]]) -> LinkedView:
    return LinkedView(
        account_id=account.account_id,
        venue=venue_view(account, views),
        machines={str(name): views[name] for name in account.machines() if name in views},
    )


def kill_reports(
    blueprint: Blueprint, views: Mapping[Any, Mapping[str, Any]]
) -> list[VenueKillReport]:
    """Return what the brokers of all accounts say of the kill switch."""
    return [_kill_report(each, views) for each in blueprint.accounts]


def _kill_report(account: Blueprint, views: Mapping[Any, Mapping[str, Any]]) -> VenueKillReport:
    broker = views.get(account.name("broker"))
    kill = {} if broker is None else broker["kill"]
    is_done = bool(kill.get("is_latched") and kill.get("is_done"))
    if broker is None:
        reason = "the broker is down; it reads the switch before anything else when it starts"
    else:
        reason = "" if is_done else "the venue has not confirmed everything yet"
    return VenueKillReport(
        venue=account.venue,
        account_id=account.account_id,
        reached=is_done,
        canceled=kill.get("canceled", 0),
        flattened=kill.get("flattened", 0),
        reason=reason,
    )


def venue_view(
    blueprint: Blueprint, machines: Mapping[MachineName, Mapping[str, Any]]
) -> VenueView:
    """Return what broker and feed say of their venue; both may be down."""
    broker = machines.get(blueprint.name("broker"))
    if broker is None:
        return VenueView(name=blueprint.venue, reason="the broker is down")
    down = broker["disconnection"] or {"reason": "", "is_final": False}
    differences = [each["subject"] for each in broker["mismatches"]] + broker["contradictions"]
    return VenueView(
        name=blueprint.venue,
        is_connected=broker["is_connected"],
        is_ready=broker["is_ready"],
        refusal=down["reason"] if down["is_final"] else "",
        reason=down["reason"] or "; ".join(differences),
        skew_ms=broker["clock"]["skew_ms"],
        feed_problem=_feed_problem(blueprint, machines),
    )


def _feed_problem(blueprint: Blueprint, machines: Mapping[MachineName, Mapping[str, Any]]) -> str:
    market, feed = machines.get(blueprint.name("market")), machines.get(blueprint.name("feed"))
    if market is None or feed is None:
        return "DOWN"
    if market["given_up"]:
        return f"REFUSED: {market['reason']}"
    if not market["connected"]:
        return f"NOT CONNECTED: {market['reason']}"
    return "STALE" if feed["stale"] else ""


def _clock(blueprint: Blueprint, machines: Mapping[MachineName, Mapping[str, Any]]) -> int:
    if blueprint.feed is None:
        return int(machines.get(blueprint.name("replay"), {}).get("clock", 0))
    return int(machines.get(blueprint.name("feed"), {}).get("newest", 0))


def _fields(event: Message) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def _actor_view(state: Any, report: HostReport | None) -> ActorView:
    return ActorView(
        name=state.name,
        pid=report.pid if report else 0,
        node=report.node[:8] if report else "",
        restarts=state.restarts,
        messages=sum(report.messages.values()) if report else 0,
        machines=state.machines,
        alive=report is not None,
    )
