"""What a pool is told when it starts."""

from pathlib import Path

import msgspec

from sandboxes.limits import Limits

RESOURCE = "sandbox"
"""Ray's custom resource: how many sandboxes a node may run at once."""


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What one owner may use.

    Attributes
    ----------
    runs : int
        Sandboxes and scripts begun within the window.
    cpu_s : float
        Processor time within the window.
    memory_bytes : int
        Of all its sandboxes at once, as their limits allow.
    window_s : float
    """

    runs: int = 1000
    cpu_s: float = 3600.0
    memory_bytes: int = 16 << 30
    window_s: float = 3600.0


class QuarantineRules(msgspec.Struct, frozen=True, kw_only=True):
    """A source that is killed `kills` times within `window_s` is refused for `term_s`."""

    kills: int = 3
    window_s: float = 600.0
    term_s: float = 3600.0


class Warm(msgspec.Struct, frozen=True, kw_only=True):
    """How many sandboxes of a template are kept ready."""

    template: str
    count: int
    limits: Limits = Limits()


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool is told when it starts.

    Attributes
    ----------
    namespace : str
        Of Ray: that of the cluster.
    ledger : Path
        Folder where each pool keeps its facts, so that a restart forgets no quota and no quarantine.
    wait_s : float
        How long one may wait for a turn.
    queue : int
        How many of one owner may wait.
    """

    namespace: str
    ledger: Path
    warm: tuple[Warm, ...] = (Warm(template="polars", count=1),)
    quota: Quota = Quota()
    quarantine: QuarantineRules = QuarantineRules()
    wait_s: float = 30.0
    queue: int = 1000
