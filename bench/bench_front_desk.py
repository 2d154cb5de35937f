"""The front desk over HTTP at 16 connections: uvicorn alone, and Ray Serve with HAProxy, with the same application.

One process serves, a client in a process of its own keeps the connections busy. Behind it trade the project's own machines in
one process (a simulated market that stands still), so that nothing but the front desk is measured; the forecasts are those of
the shipped model, with the cache off. Each note has the requests per second and the 95th percentile, beside what the original
system claimed of itself. An MCP tool call is measured where the application answers at /mcp.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from bench.bench_forecast_http import QUESTIONS, settings_of, uvicorn_alone, with_ratios
from bench.http_load import WARM_UP_S, Connection, Load
from serve.forecast import launch
from serve.forecast.settings import ServiceSettings

CONNECTIONS = 16
SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
CLAIMED = {
    "/health": "850 requests/s, p95 25 ms",
    "/v1/portfolio": "p95 50 ms for /portfolio/status",
    "/v1/forecast": "p95 680 ms for /neural/forecast on CPU",
}
TOOL_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "get_portfolio_status", "arguments": {}},
}
MCP_HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2025-06-18",
}
LAST_CHUNK = b"0\r\n\r\n"

Row = dict[str, object]


def a_request(path: str, body: object = None, headers: dict[str, str] | None = None) -> str:
    content = "" if body is None else json.dumps(body)
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", content])


REQUESTS: dict[str, list[str]] = {
    "/health": [a_request("/health")],
    "/v1/portfolio": [a_request("/v1/portfolio")],
    "/v1/forecast": [a_request("/v1/forecast", question) for question in QUESTIONS],
    "MCP get_portfolio_status": [a_request("/mcp", TOOL_CALL, MCP_HEADERS)],
}


# -- the client, in a process of its own


class AnyAnswer(Connection):
    """A connection that also understands an answer in chunks, as a stream of events comes."""

    def data_received(self, data: bytes) -> None:
        head, separator, _ = (self._buffer + data).partition(b"\r\n\r\n")
        if not separator or b"chunked" not in head.lower():
            super().data_received(data)
            return
        self._buffer += data
        if self._buffer.endswith(LAST_CHUNK):
            self._buffer = b""
            self._load.answered(self._began, int(head[9:12]))
            self.ask()


class RawLoad(Load):
    """Keeps connections busy with requests that are written out already."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._requests = self.bodies

    async def connect(self) -> None:
        await asyncio.get_running_loop().create_connection(
            lambda: AnyAnswer(self), self.host, self.port
        )


async def asked(port: int, requests: list[bytes], seconds: float) -> dict[str, Any]:
    begins_at = time.perf_counter() + WARM_UP_S
    load = RawLoad("127.0.0.1", port, requests, begins_at, begins_at + seconds)
    for _ in range(CONNECTIONS):
        await load.connect()
    await asyncio.sleep(WARM_UP_S + seconds + 0.2)
    times = sorted(load.latencies_ns)
    figures = {
        f"p{part}_us": times[int(len(times) * part / 100)] / 1e3 if times else None
        for part in (50, 95, 99)
    }
    per_s = len(times) / seconds
    return {**figures, "per_s": per_s, "statuses": load.statuses, "broken": load.broken}


def client() -> None:
    import uvloop

    requests = [each.encode() for each in json.load(sys.stdin)]
    print(json.dumps(uvloop.run(asked(int(sys.argv[1]), requests, float(sys.argv[2])))))


def loaded(port: int, requests: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.bench_front_desk", str(port), str(SECONDS)],
        input=json.dumps(requests),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# -- the servers


def simulated(service: Any, histories: Any) -> Any:
    """Return a front desk around the forecasts of a replica."""
    from dataclasses import replace

    from tests.serve.simulated_desk import front_desk

    folder = Path(tempfile.mkdtemp(prefix="desk-", dir=Path(service.settings.registry).parent))
    return replace(front_desk(folder, histories=histories), forecasts=service)


async def serve_plainly(settings: ServiceSettings, *, is_bounded: bool = False) -> None:
    """Run the application on uvicorn, until the process is told to stop."""
    import uvicorn

    from actors.heap import freeze_heap
    from actors.models.opening import open_registry
    from serve.forecast.price_histories import PriceHistories
    from serve.forecast.service import ForecastService
    from serve.http.app import build_app
    from serve.http.bounded_http import BoundedHttp

    histories = PriceHistories(settings.source)
    service = ForecastService(settings, open_registry(settings.registry), histories)
    await service.start()
    app = build_app(service, desk=simulated(service, histories))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=BoundedHttp if is_bounded else "auto",
        access_log=False,
        log_level="error",
    )
    freeze_heap()  # as replicas do
    await uvicorn.Server(config).serve()


async def serve_bounded(settings: ServiceSettings) -> None:
    """The same with limits to the head of a request, as `trader run` has them."""
    await serve_plainly(settings, is_bounded=True)


def has_mcp(port: int) -> bool:
    body = json.dumps(TOOL_CALL).encode()
    headers = MCP_HEADERS | {"Content-Type": "application/json"}
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}/mcp", body, headers), timeout=20):
            return True
    except HTTPError as error:
        if error.code != 404:
            raise
        return False


def measured(subject: str, port: int) -> list[Row]:
    found = []
    for what, requests in REQUESTS.items():
        if what not in CLAIMED and not has_mcp(port):
            continue
        result = loaded(port, requests)
        failed = {status: n for status, n in result["statuses"].items() if status != "200"}
        trouble = f"; {failed} and {result['broken']} broken" if failed or result["broken"] else ""
        claim = f"; the original claims {CLAIMED[what]}" if what in CLAIMED else ""
        found.append(
            {
                "what": what,
                "subject": subject,
                "p50_us": result["p50_us"],
                "p99_us": result["p99_us"],
                "ratio": None,
                "note": f"{result['per_s']:,.0f} requests/s, p95 {result['p95_us'] / 1e3:.1f} ms"
                f"{claim}{trouble}",
            }
        )
    return found


def rows() -> list[Row]:
    from cluster import ray_runtime
    from cluster.config import load_config

    folder = Path(tempfile.mkdtemp(prefix="tb-", dir="/tmp"))
    found: list[Row] = []
    try:
        alone = settings_of(folder)
        with uvicorn_alone(alone, "bench.bench_front_desk.serve_plainly"):
            found += measured("uvicorn alone", alone.port)
        overrides = {"cluster": {"name": "bench", "state_dir": str(folder), "dashboard": False}}
        ray = ray_runtime.start_local(load_config(None, overrides))
        try:
            on_ray = settings_of(folder)
            with launch.running(on_ray, simulated):
                found += measured("Serve, HAProxy", on_ray.port)
        finally:
            ray.shutdown()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return with_ratios(found)


if __name__ == "__main__":
    client()
