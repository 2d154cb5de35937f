"""The front desk under attack (fault 25): requests for the portfolio, 100 a second, alone and beside hostile clients.

A good client in a process of its own sends at fixed moments over 4 connections; a request is timed from the moment at which
it was due. The hostile clients, in another process, have kinds: bodies of 10 MB and without end, 10,000 headers, 200
connections that drip a header every half second, and JSON that is none. Server and both clients share the machine's cores, so
what an attack costs its sender is in the figures too. Figures are medians of 5 rounds through all of it; ratios are of the 99th
percentile to that of the good client alone. Memory is what the serving processes together have grown by, in all rounds.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.bench_forecast_http import settings_of, uvicorn_alone
from bench.bench_front_desk import a_request, simulated
from bench.http_attack import KINDS
from serve.forecast import launch

SECONDS = float(os.environ.get("BENCH_SECONDS", "8"))
ROUNDS = 5
CONNECTIONS, PER_S = 4, 100.0
LEAD_S = 1.0
"""The attack begins so long before the good client's first request, and outlives its last one."""
REQUEST = a_request("/v1/portfolio").encode()
SERVING = ("ray::ServeReplica", "ray::ProxyActor")
MIB = 1_048_576

Row = dict[str, object]


# -- the good client, in a process of its own


async def ask_on_time(port: int, first_at: float, seconds: float) -> list[float]:
    """Send one request per `CONNECTIONS / PER_S` seconds; return how long each took (s)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    every, taken = CONNECTIONS / PER_S, []
    for number in range(int(seconds / every)):
        due = first_at + number * every
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writer.write(REQUEST)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer[9:12] == b"200", answer
        length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        taken.append(time.perf_counter() - due)
    writer.close()
    return taken


async def good_client(port: int, seconds: float) -> list[float]:
    begins = time.perf_counter() + 0.2
    offsets = [begins + number / PER_S for number in range(CONNECTIONS)]
    each = await asyncio.gather(*(ask_on_time(port, at, seconds) for at in offsets))
    return [taken for part in each for taken in part]


# -- the servers


def memory_of(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def memory_of_serve() -> int:
    """Return the resident bytes of replicas, proxies and HAProxy."""
    found = 0
    for process in psutil.process_iter(["cmdline", "name", "memory_info"]):
        said = " ".join(process.info["cmdline"] or ())
        if said.startswith(SERVING) or process.info["name"] == "haproxy":
            found += process.info["memory_info"].rss
    return found


# -- measuring


def measured(port: int, kinds: tuple[str, ...]) -> tuple[list[float], dict[str, dict[str, int]]]:
    """Return the times of the good client (s), and what became of the attacks."""
    attack = None
    if kinds:
        length = str(SECONDS + 2 * LEAD_S)
        command = [sys.executable, "-m", "bench.http_attack", str(port), length, *kinds]
        attack = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        time.sleep(LEAD_S)
    client = [sys.executable, "-m", "bench.bench_hostile_http", str(port), str(SECONDS)]
    done = subprocess.run(client, stdout=subprocess.PIPE, text=True, check=True)
    statuses = {} if attack is None else json.loads(attack.communicate()[0])
    return json.loads(done.stdout), statuses


def compared(subject: str, port: int, memory: Callable[[], int]) -> list[Row]:
    """Return a row for the good client alone, beside each kind of attack, and beside all at once."""
    scenes = {
        "alone": (),
        **{f"beside {kind}": (kind,) for kind in KINDS},
        "beside all": tuple(KINDS),
    }
    parts: dict[str, list[np.ndarray]] = {scene: [] for scene in scenes}
    ended: dict[str, Counter[str]] = {scene: Counter() for scene in scenes}
    grown = dict.fromkeys(scenes, 0)
    measured(port, ())  # warm
    for _ in range(ROUNDS):
        for scene, kinds in scenes.items():
            before = memory()
            times, statuses = measured(port, kinds)
            grown[scene] += memory() - before
            parts[scene].append(np.percentile(times, [50, 99]) * 1e6)
            for each in statuses.values():
                ended[scene].update(each)
    medians = {scene: np.median(found, axis=0) for scene, found in parts.items()}
    return [
        {
            "what": f"portfolio, {scene}",
            "subject": subject,
            "p50_us": float(p50),
            "p99_us": float(p99),
            "ratio": round(float(p99 / medians["alone"][1]), 2),
            "note": _note(ended[scene], grown[scene])
            if scenes[scene]
            else f"{PER_S:.0f} requests/s",
        }
        for scene, (p50, p99) in medians.items()
    ]


def _note(ended: Counter[str], grown: int) -> str:
    codes = ", ".join(f"{count:,} x {code}" for code, count in sorted(ended.items()))
    return f"attacks ended by {codes or 'none'}; memory {grown / MIB:+.0f} MiB"


def rows() -> list[Row]:
    from cluster import ray_runtime
    from cluster.config import load_config

    folder = Path(tempfile.mkdtemp(prefix="th-", dir="/tmp"))
    found: list[Row] = []
    try:
        plain = settings_of(folder)
        with uvicorn_alone(plain, "bench.bench_front_desk.serve_bounded") as pid:
            found += compared("uvicorn alone", plain.port, lambda: memory_of(psutil.Process(pid)))
        overrides: dict[str, Any] = {
            "cluster": {"name": "bench", "state_dir": str(folder), "dashboard": False}
        }
        ray = ray_runtime.start_local(load_config(None, overrides))
        try:
            on_ray = settings_of(folder)
            with launch.running(on_ray, simulated):
                found += compared("Serve, HAProxy", on_ray.port, memory_of_serve)
        finally:
            ray.shutdown()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(good_client(int(sys.argv[1]), float(sys.argv[2])))))
