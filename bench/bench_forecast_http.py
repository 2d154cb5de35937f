"""A forecast over HTTP: Ray Serve in its settings against plain uvicorn with the same application and session.

One process serves, a client in a process of its own keeps 1, 16 or 64 connections busy. Requests go round 60 questions
(20 symbols, 3 horizons); with the cache off, every answer is computed. The requests per second are in the note.

`BENCH_MODELS` names another registry than the shipped one; its `nhits@champion` answers.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec

from actors.feeds.sources import symbols_of
from bench.http_load import load
from serve.forecast import launch
from serve.forecast.question import Question
from serve.forecast.settings import ServiceSettings

CONNECTIONS = (1, 16, 64)
SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
HANDLE_CALLS = 500
HORIZONS = (1, 3, 5)
SYMBOLS = symbols_of("sp500")
QUESTIONS = [{"symbol": symbol, "horizon": horizon} for horizon in HORIZONS for symbol in SYMBOLS]
READY_S = 60.0

Row = dict[str, object]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_of(folder: Path, **changes: Any) -> ServiceSettings:
    models = os.environ.get("BENCH_MODELS", str(folder / "models"))
    facts = {"min_replicas": 1, "max_replicas": 1, "num_cpus": 1.0, "cache_entries": 0} | changes
    return ServiceSettings(registry=models, port=free_port(), **facts)


async def serve_plainly(settings: ServiceSettings) -> None:
    """Run the application of a replica on uvicorn, until the process is told to stop."""
    import uvicorn

    from actors.models.opening import open_registry
    from serve.forecast.price_histories import PriceHistories
    from serve.forecast.service import ForecastService
    from serve.http.app import build_app

    service = ForecastService(
        settings, open_registry(settings.registry), PriceHistories(settings.source)
    )
    await service.start()
    config = uvicorn.Config(
        build_app(service),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="error",
    )
    await uvicorn.Server(config).serve()


def until_ready(port: int) -> None:
    deadline = time.perf_counter() + READY_S
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except OSError:
            if time.perf_counter() > deadline:
                raise
            time.sleep(0.02)


@contextmanager
def uvicorn_alone(
    settings: ServiceSettings, program: str = "bench.bench_forecast_http.serve_plainly"
) -> Iterator[int]:
    """Run `program` (module and async function of the settings) in a process of its own; yield its pid."""
    module, _, name = program.rpartition(".")
    code = (
        f"import sys, uvloop, msgspec; from {module} import {name}; "
        "from serve.forecast.settings import ServiceSettings; "
        f"uvloop.run({name}(msgspec.json.decode(sys.argv[1], type=ServiceSettings)))"
    )
    server = subprocess.Popen([sys.executable, "-c", code, msgspec.json.encode(settings).decode()])
    try:
        until_ready(settings.port)
        yield server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


class InActor:
    """uvicorn in the event loop of a Ray actor."""

    async def start(self, settings: ServiceSettings) -> None:
        self._server = asyncio.get_running_loop().create_task(serve_plainly(settings))


@contextmanager
def uvicorn_in_actor(settings: ServiceSettings) -> Iterator[None]:
    import ray

    actor = ray.remote(InActor).options(num_cpus=1).remote()
    ray.get(actor.start.remote(settings))
    try:
        until_ready(settings.port)
        yield
    finally:
        ray.kill(actor)


@contextmanager
def on_serve(settings: ServiceSettings, *, short_way: bool) -> Iterator[launch.RunningService]:
    service = launch.start(settings, short_way=short_way)
    try:
        yield service
    finally:
        service.stop()


def measured(subject: str, port: int) -> list[Row]:
    bodies = [json.dumps(question).encode() for question in QUESTIONS]
    found = []
    for connections in CONNECTIONS:
        result = load(port, bodies, connections, SECONDS)
        failed = {status: n for status, n in result["statuses"].items() if status != "200"}
        trouble = f", {failed} and {result['broken']} broken" if failed or result["broken"] else ""
        found.append(
            row(
                f"{connections} connections",
                subject,
                result["p50_ns"] / 1e3,
                result["p99_ns"] / 1e3,
                f"{result['per_s']:,.0f} requests/s{trouble}",
            )
        )
    return found


def row(what: str, subject: str, p50_us: float, p99_us: float, note: str) -> Row:
    return {
        "what": what,
        "subject": subject,
        "p50_us": p50_us,
        "p99_us": p99_us,
        "ratio": None,
        "note": note,
    }


def handle_calls(service: launch.RunningService) -> Row:
    """Time calls of the deployment handle, one after another."""
    times = []
    for number in range(HANDLE_CALLS):
        question = Question(**QUESTIONS[number % len(QUESTIONS)])
        began = time.perf_counter_ns()
        service.handle.forecast.remote(question).result()
        times.append(time.perf_counter_ns() - began)
    times.sort()
    return row(
        "handle, one call after another",
        "deployment handle",
        times[len(times) // 2] / 1e3,
        times[int(len(times) * 0.99)] / 1e3,
        f"{len(times) / (sum(times) / 1e9):,.0f} calls/s",
    )


def rows() -> list[Row]:
    from cluster import ray_runtime
    from cluster.config import load_config

    folder = Path(tempfile.mkdtemp(prefix="tb-", dir="/tmp"))
    found: list[Row] = []
    try:
        alone = settings_of(folder)
        with uvicorn_alone(alone):
            found += measured("uvicorn alone", alone.port)
        overrides = {"cluster": {"name": "bench", "state_dir": str(folder), "dashboard": False}}
        ray = ray_runtime.start_local(load_config(None, overrides))
        try:
            found += _on_ray(lambda **changes: settings_of(folder, **changes))
        finally:
            ray.shutdown()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return with_ratios(found)


def _on_ray(make: Callable[..., ServiceSettings]) -> list[Row]:
    found: list[Row] = []
    actor = make()
    with uvicorn_in_actor(actor):
        found += measured("uvicorn in a Ray actor", actor.port)
    for subject, changes, short_way in (
        ("Serve, its own proxy", {"ha_proxy": False}, False),
        ("Serve, HAProxy", {}, False),
        ("Serve, HAProxy, short way", {}, True),
        ("the same, answers from the cache", {"cache_entries": 10_000}, True),
    ):
        settings = make(**changes)
        began = time.perf_counter()
        with on_serve(settings, short_way=short_way) as service:
            start_us = (time.perf_counter() - began) * 1e6
            found.append(
                row("start on a running Ray", subject, start_us, start_us, "until it answers")
            )
            found += measured(subject, settings.port)
            if subject == "Serve, HAProxy, short way":
                found.append(handle_calls(service))
    return found


def with_ratios(found: list[Row]) -> list[Row]:
    """Order by what was measured; the ratio is that of the median to the first subject's."""
    order = list(dict.fromkeys(each["what"] for each in found))
    ordered = sorted(found, key=lambda each: order.index(each["what"]))
    first: dict[object, Any] = {}
    for each in ordered:
        base = first.setdefault(each["what"], each["p50_us"])
        each["ratio"] = round(float(each["p50_us"]) / base, 2)  # type: ignore[arg-type]
    return ordered


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(rows()))
