"""Configuration of the sandboxes that the cluster shares."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from cluster.config.sections import Count, Name, Section
from sandboxes.limits import Limits
from sandboxes.pool.settings import PoolSettings, QuarantineRules, Quota, Warm


class SandboxConfig(Section):
    """Where code that nobody vouches for runs, and how much of it. A pool keeps the sandboxes of a node."""

    backend: Literal["auto", "e2b", "local"] = Field(
        default="auto",
        description="`auto` is E2B where `E2B_API_KEY` is set, and this machine otherwise.",
    )
    least_rung: Literal["L1", "L2"] = Field(
        default="L2", description="The weakest local isolation that will do."
    )
    places: int = Field(
        default=0,
        ge=0,
        description="Sandboxes at once on a node that the cluster starts (Ray resource `sandbox`); 0 starts no pool.",
    )
    warm: dict[Name, Count] = Field(
        default={"polars": 1}, description="Sandboxes kept ready: template -> how many."
    )
    call_timeout_s: float = Field(
        default=Limits().call_timeout_s,
        gt=0,
        le=60,
        description="How long a strategy of an agent may take for a decision; one that takes longer is killed.",
    )
    wait_s: float = Field(default=30.0, gt=0, description="How long one may wait for a sandbox.")
    queue: Count = Field(default=1000, description="How many of one owner may wait.")
    quota_window_s: float = Field(
        default=3600.0, gt=0, description="Time over which runs and processor time are counted."
    )
    quota_runs: Count = Field(
        default=1000, description="Sandboxes and scripts of one owner within that time."
    )
    quota_cpu_s: float = Field(
        default=3600.0, gt=0, description="Processor time of one owner within that time."
    )
    quota_memory_mib: Count = Field(
        default=16_384, description="Memory of all sandboxes that one owner holds at once (MiB)."
    )
    quarantine_kills: Count = Field(
        default=3, description="Kills of one source after which it is not run for a while."
    )
    quarantine_window_s: float = Field(
        default=600.0, gt=0, description="Time within which these kills count."
    )
    quarantine_term_s: float = Field(
        default=3600.0, gt=0, description="How long it is not run then."
    )


def pool_settings(config: SandboxConfig, namespace: str, sandbox_dir: Path) -> PoolSettings:
    """Return what the pools of a cluster are told."""
    limits = Limits(call_timeout_s=config.call_timeout_s)
    return PoolSettings(
        namespace=namespace,
        ledger=sandbox_dir / "pools",
        warm=tuple(
            Warm(template=name, count=count, limits=limits) for name, count in config.warm.items()
        ),
        quota=Quota(
            runs=config.quota_runs,
            cpu_s=config.quota_cpu_s,
            memory_bytes=config.quota_memory_mib << 20,
            window_s=config.quota_window_s,
        ),
        quarantine=QuarantineRules(
            kills=config.quarantine_kills,
            window_s=config.quarantine_window_s,
            term_s=config.quarantine_term_s,
        ),
        wait_s=config.wait_s,
        queue=config.queue,
    )
