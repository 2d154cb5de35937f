"""What should run where: the plan that the supervisor keeps true.

Placement is a choice of configuration. The machines are the same whether they share one process
(`fused`, fastest) or have one each (`spread`, most isolated).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.assignment import Surroundings
from actors.blueprint import Blueprint
from trading.errors import ConfigError
from trading.identifiers import MachineName, machine_kind

FUSED = {
    "market": ("exchange", "replay", "market"),
    "lane": ("feed", "book", "strategy", "execution", "risk"),
    "forecast": ("forecast",),
    "broker": ("broker",),
    "ledger": ("ledger",),
}
"""Host name -> kinds of machines in it. The order is the order of starting; see `_START_ORDER`."""

_START_ORDER = (
    "exchange", "ledger", "broker", "risk", "execution", "strategy", "forecast", "book", "feed", "replay", "market",
)  # fmt: skip
"""Who must listen before who speaks."""


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One process: its machines, and where Ray may put it."""

    name: str
    machines: tuple[MachineName, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """The desired state of a cluster."""

    name: str
    namespace: str
    mode: str
    hosts: tuple[HostPlan, ...]
    blueprint: Blueprint
    surroundings: Surroundings
    spare_hosts: int = 1
    cpus_per_host: float = 0.0
    has_sandboxes: bool = False

    @property
    def credentials_files(self) -> tuple[str, ...]:
        """Private files that must not outlive the cluster."""
        plans = (plan for each in self.blueprint.accounts for plan in each.venues.values())
        return tuple(
            dict.fromkeys(plan.credentials_file for plan in plans if plan.credentials_file)
        )


def place(
    machines: tuple[MachineName, ...],
    groups: Mapping[str, tuple[str, ...]] | None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[HostPlan, ...]:
    """Distribute machines over hosts.

    Parameters
    ----------
    groups : mapping of host name to machine kinds, or None
        None gives each machine a host of its own, named after it.

    Raises
    ------
    ConfigError
        If a machine's kind is in no group, or in two.
    """
    labels = labels or {}
    if groups is None:
        groups = {machine: (machine,) for machine in machines}
    homes: dict[str, list[MachineName]] = {name: [] for name in groups}
    for machine in machines:
        found = [
            name
            for name, kinds in groups.items()
            if machine in kinds or machine_kind(machine) in kinds
        ]
        if len(found) != 1:
            raise ConfigError(
                f"placement: {machine} belongs to {len(found)} hosts ({', '.join(found) or 'none'}); "
                "name its kind in exactly one [cluster.placement] entry."
            )
        homes[found[0]].append(machine)
    plans = [
        HostPlan(name.replace(":", "-"), tuple(sorted(held, key=_start_rank)), labels.get(name, {}))
        for name, held in homes.items()
        if held
    ]
    return tuple(sorted(plans, key=lambda plan: max(_start_rank(m) for m in plan.machines)))


def _start_rank(machine: MachineName) -> tuple[int, str]:
    return _START_ORDER.index(machine_kind(machine)), machine
