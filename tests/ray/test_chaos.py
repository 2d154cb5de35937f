"""Minutes of killed and frozen processes in a trading cluster (`make chaos`), and an hour of it (`make soak`)."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest

Cluster = Any

CHAOS_S = float(os.environ.get("TRADER_CHAOS_S", "120"))
SOAK_S = float(os.environ.get("TRADER_SOAK_S", "3600"))
PACE = 10.0
RSS_GROWTH_MB_PER_MIN = 1.0


def hurt(cluster: Cluster, seconds: float, every_s: float, seed: int) -> int:
    """Kill or freeze a random host every few seconds. Returns how many were hurt."""
    random = np.random.default_rng(seed)
    deadline = time.monotonic() + seconds
    count = 0
    while time.monotonic() < deadline and not cluster.snapshot().finished:
        alive = [a for a in cluster.snapshot().actors if a.alive and a.pid]
        victim = alive[int(random.integers(len(alive)))]
        is_frozen = random.random() < 0.3 and victim.name != "supervisor"
        try:
            os.kill(victim.pid, signal.SIGSTOP if is_frozen else signal.SIGKILL)
            if is_frozen:
                time.sleep(1.5)
                os.kill(victim.pid, signal.SIGCONT)
        except ProcessLookupError:
            continue  # it died of something else in between
        count += 1
        time.sleep(every_s * (0.5 + random.random()))
    return count


def rss_mb() -> float:
    us = psutil.Process()
    return sum(p.memory_info().rss for p in us.children(recursive=True) if p.is_running()) / 1e6


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("placement", ["fused", "spread"])
def test_minutes_of_killed_and_frozen_hosts_lose_nothing(
    make_cluster: Callable[..., Cluster], placement: str
) -> None:
    cluster = make_cluster(
        cluster={"placement": placement},
        data={"days": int(CHAOS_S * PACE * 0.6), "pace_slices_per_s": PACE},
    )
    hurt_count = hurt(cluster, CHAOS_S, every_s=3.0, seed=7)
    snapshot = cluster.finish()
    assert hurt_count > 10
    assert snapshot.check is not None
    assert snapshot.check.is_clean, snapshot.check


@pytest.mark.soak
@pytest.mark.timeout(int(SOAK_S * 2))
def test_an_hour_of_trading_and_killing_leaks_nothing(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(
        data={"days": min(8_000, int(SOAK_S * PACE * 0.9)), "pace_slices_per_s": PACE}
    )
    hurt(cluster, SOAK_S / 4, every_s=30.0, seed=11)
    before, begin = rss_mb(), time.monotonic()
    hurt(cluster, SOAK_S / 2, every_s=30.0, seed=12)
    minutes = (time.monotonic() - begin) / 60
    growth = (rss_mb() - before) / minutes
    snapshot = cluster.finish()
    assert snapshot.check is not None
    assert snapshot.check.is_clean, snapshot.check
    assert growth < RSS_GROWTH_MB_PER_MIN, f"memory grows by {growth:.2f} MB a minute"
