"""The whole cluster: time to start, memory, and how long a killed host is away, with and without a spare."""

import os
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from cluster import launch, ray_runtime
from cluster.client import RayClusterView
from cluster.config import load_config

HOSTS = ("broker", "lane", "ledger", "market")
ROUNDS = 3
SETTLE_S = 4.0


def config_of(folder: Path, spares: int) -> Any:
    return load_config(
        None,
        {
            "cluster": {
                "name": f"bench-{spares}",
                "state_dir": str(folder),
                "dashboard": False,
                "spare_hosts": spares,
            },
            "data": {"days": 756, "pace_slices_per_s": 5.0},
        },
    )


def memory_mb() -> float:
    """Return the proportional set size of this process and everything below it."""
    us = psutil.Process()
    total = 0
    for process in [us, *us.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 1e6


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.perf_counter() + 60
    while not condition():
        if time.perf_counter() > deadline:
            raise RuntimeError(f"waited a minute for {what}")
        time.sleep(0.005)


def away_s(view: RayClusterView, host: str) -> float:
    """Kill a host; return the seconds until its successor reports itself with every machine."""

    def pid() -> int:
        actors = view.snapshot().actors
        return next((a.pid for a in actors if a.name == host and a.alive and a.messages), 0)

    until(lambda: pid() != 0, host)
    time.sleep(SETTLE_S)  # the spare that replaces the last spare gets ready
    old = pid()
    os.kill(old, signal.SIGKILL)
    begin = time.perf_counter()
    until(lambda: pid() not in {0, old}, f"the successor of {host}")
    return time.perf_counter() - begin


def row(
    what: str, subject: str, p50_s: float, worst_s: float, ratio: float, note: str
) -> dict[str, object]:
    return {
        "what": what,
        "subject": subject,
        "p50_us": p50_s * 1e6,
        "p99_us": worst_s * 1e6,
        "ratio": ratio,
        "note": note,
    }


def rows() -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    root = Path(tempfile.mkdtemp(prefix="tb-", dir="/tmp"))
    begin = time.perf_counter()
    ray = ray_runtime.start_local(config_of(root / "session", 1))
    ray_s = time.perf_counter() - begin
    base = None
    for spares in (1, 0):
        begin = time.perf_counter()
        view = launch.start(config_of(root / f"spares-{spares}", spares), ray=ray)
        start_s = time.perf_counter() - begin
        if spares:
            found.append(row("start", "Ray alone", ray_s, ray_s, 1.0, ""))
            note = f"{memory_mb():.0f} MB PSS over all processes, Ray included"
            found.append(
                row("start", "cluster on a running Ray", start_s, start_s, start_s / ray_s, note)
            )
        times: dict[str, list[float]] = {host: [] for host in HOSTS}
        for _ in range(ROUNDS):
            for host in HOSTS:
                times[host].append(away_s(view, host))
        view.stop()
        for host, seconds in times.items():
            middle = statistics.median(seconds)
            base = base or middle
            subject = f"{host}, {'warm spare' if spares else 'new process'}"
            found.append(
                row(
                    "kill -9 to restored",
                    subject,
                    middle,
                    max(seconds),
                    middle / base,
                    f"{ROUNDS} rounds",
                )
            )
    ray.shutdown()
    shutil.rmtree(root, ignore_errors=True)
    return found


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(rows()))
