"""What a replica says of itself, and the cluster made of it."""

import msgspec

from serve.forecast.shadow import ShadowReport


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One loaded version.

    Attributes
    ----------
    parts : tuple of str
        "champion", "challenger", "split", or nothing.
    runs, windows : int
        How often it ran, and on how many histories; their ratio is the mean batch.
    """

    model: str
    parts: tuple[str, ...]
    provider: str
    is_fallback: bool
    runs: int
    windows: int


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One replica at one moment.

    Attributes
    ----------
    at : int
        When it said so (ns UTC).
    queued : int
        Forecasts that were asked for and have no answer yet.
    failures : dict of code to count
        Forecasts that ended in an error.
    p50_ms, p99_ms : float or None
        Latency of the latest answers.
    refused : dict of reference to reason
        Versions that the registry gives a part, and that cannot play it here.
    problem : str
        Why the registry cannot be read; "" when it can.
    """

    replica: str
    node: str
    pid: int
    at: int
    asked: int
    queued: int
    failures: dict[str, int]
    p50_ms: float | None
    p99_ms: float | None
    cache_hits: int
    cache_misses: int
    models: tuple[ModelStatus, ...]
    refused: dict[str, str]
    shadow: dict[str, ShadowReport]
    problem: str = ""


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `GET /v1/cluster`.

    Attributes
    ----------
    replicas : tuple of ReplicaStatus
        Those that were heard lately: the one that answers as it is now, the others as they were at their `at`, up to
        a few seconds ago.
    p50_ms, p99_ms : float or None
        Of the slowest replica.
    cpus, gpus : float
        What the cluster has; 0 where the service runs alone.
    versions : dict of model to versions
        Champions that answer; more than one while replicas change over. A promotion rules everywhere when there is one
        and the `at` of every replica is later than it.
    """

    replicas: tuple[ReplicaStatus, ...]
    asked: int
    queued: int
    p50_ms: float | None
    p99_ms: float | None
    cache_hits: int
    cpus: float
    gpus: float
    gpus_free: float
    versions: dict[str, tuple[str, ...]]
    refused: dict[str, str]


def summed(
    replicas: tuple[ReplicaStatus, ...], cpus: float, gpus: float, gpus_free: float
) -> ServiceStatus:
    """Return the whole made of its replicas."""
    versions: dict[str, set[str]] = {}
    refused: dict[str, str] = {}
    for replica in replicas:
        refused |= replica.refused
        for model in replica.models:
            if "champion" in model.parts:
                versions.setdefault(model.model.partition("@")[0], set()).add(model.model)
    return ServiceStatus(
        replicas=replicas,
        asked=sum(each.asked for each in replicas),
        queued=sum(each.queued for each in replicas),
        p50_ms=max((each.p50_ms for each in replicas if each.p50_ms is not None), default=None),
        p99_ms=max((each.p99_ms for each in replicas if each.p99_ms is not None), default=None),
        cache_hits=sum(each.cache_hits for each in replicas),
        cpus=cpus,
        gpus=gpus,
        gpus_free=gpus_free,
        versions={name: tuple(sorted(found)) for name, found in sorted(versions.items())},
        refused=refused,
    )
