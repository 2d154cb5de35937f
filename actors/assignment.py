"""What a host is given to run, and what it says of itself. Plain data: needs no Ray."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.blueprint import Blueprint
from actors.bus.wire import HostAddress
from trading.identifiers import MachineName


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a host finds things. Holds no secret, only the path of one.

    Attributes
    ----------
    bind : str
        `ipc` on one machine, or the address to bind TCP sockets to.
    drills : mapping of host name to points at which its first life dies (see `Drill`)
    """

    journal_url: str
    run_dir: str
    secret_file: str
    bind: str = "ipc"
    drills: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one host is to run. `incarnation` rises with every start."""

    name: str
    machines: tuple[MachineName, ...]
    incarnation: int
    restarts: int
    blueprint: Blueprint
    surroundings: Surroundings


@dataclass(frozen=True, slots=True)
class HostReport:
    """A host as it sees itself.

    Attributes
    ----------
    latency_counts, latency_total_ns
        See `actors.latency.LatencyWindow`: of the time from market data to order.
    """

    pid: int
    node: str
    assignment: Assignment | None
    address: HostAddress | None
    views: Mapping[MachineName, Mapping[str, Any]]
    messages: Mapping[MachineName, int]
    latency_us: Mapping[str, float | None]
    bus: Mapping[str, int]
    fenced: tuple[MachineName, ...]
    latency_counts: tuple[int, ...] = ()
    latency_total_ns: int = 0
