"""A small model whose answers are known by hand, and a registry of two versions of it."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from actors.models.manifest import ModelFile, ModelManifest, TrainingData
from actors.models.registry import ModelRegistry
from serve.forecast.question import Question
from serve.forecast.service import ForecastService
from serve.forecast.settings import ServiceSettings
from tests.serve.simulated_desk import PATIENT_MS
from trading.errors import ForecastRefused
from trading.forecasting.history import History

INPUT_SIZE, HORIZON = 20, 3
DAY = 86_400_000_000_000
SPREAD = (-0.04, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04)
BAD_ABOVE = 1e6
"""A window whose newest close is higher is answered with NaN."""


def a_graph(drift: float) -> bytes:
    """Quantile at step k (from 1) and level j: drift * k + SPREAD[j]."""
    paths = [drift * step + spread for step in (1, 2, 3) for spread in SPREAD]
    model = onnx.parser.parse_model(f"""
    <ir_version: 10, opset_import: ["" : 18]>
    net (double[window, {INPUT_SIZE}] close)
        => (double[window, {HORIZON}, 9] log_returns, double[window] scale)
    <int64[1] end = {{{INPUT_SIZE}}}, int64[1] one = {{1}}, int64[1] last = {{{INPUT_SIZE - 1}}},
     int64[1] two = {{2}}, double high = {{{BAD_ABOVE}}}, double nan = {{nan}}, double floor = {{0.01}},
     double[1, {HORIZON}, 9] paths = {{{", ".join(map(repr, paths))}}}>
    {{
        newest = Slice(close, last, end, one)
        is_bad = Greater(newest, high)
        marked = Unsqueeze(is_bad, two)
        log_returns = Where(marked, nan, paths)
        flat = Squeeze(newest, one)
        zero = Sub(flat, flat)
        scale = Add(zero, floor)
    }}""")
    onnx.checker.check_model(model)
    return model.SerializeToString()


def a_manifest(name: str = "net", **changes: Any) -> ModelManifest:
    facts: dict[str, Any] = {
        "name": name,
        "version": 0,
        "kind": "linear",
        "horizon": HORIZON,
        "input_size": INPUT_SIZE,
        "data": TrainingData(
            source="made", digest="d", symbols=("A",), first_ts=1, last_ts=2 * DAY
        ),
        "code": "0.1.0",
        "parameters": {},
        "metrics": {"crps": 0.5},
        "baselines": {"naive": {"crps": 0.6}},
        "beats_naive": True,
        "files": (ModelFile(name="model.onnx", sha256="", size_bytes=0),),
        "created_at": 3,
    }
    return ModelManifest(**(facts | changes))


def register(registry: ModelRegistry, drift: float, **changes: Any) -> str:
    """Register a version and return its reference."""
    stored = registry.register(a_manifest(**changes), {"model.onnx": a_graph(drift)})
    return stored.reference


def promote(registry: ModelRegistry, reference: str, part: str = "champion") -> None:
    registry.promote(reference, part, by="test", why="test", at=1, force=True)


def corrupt(registry: ModelRegistry, reference: str) -> Path:
    """Damage the graph of a version in the folder; return its path."""
    digest = registry.manifest(reference).files[0].sha256
    path = Path(registry.url) / "files" / digest
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    return path


def a_history(symbol: str = "A", count: int = 30, last: float | None = None) -> History:
    close = 100.0 + np.arange(count, dtype=np.float64) % 7
    if last is not None:
        close[-1] = last
    return History(symbol=symbol, ts=DAY * np.arange(1, count + 1), close=close)


KNOWN = {
    "A": a_history("A"),
    "B": a_history("B", last=50.0),
    "SHORT": a_history("SHORT", 5),
    "HIGH": a_history("HIGH", last=2 * BAD_ABOVE),
    **{f"S{number}": a_history(f"S{number}", last=200.0 + number) for number in range(40)},
}


def histories(symbol: str) -> History:
    if symbol not in KNOWN:
        raise ForecastRefused("FORECAST_SYMBOL_UNKNOWN", f"There is no symbol {symbol!r}.")
    return KNOWN[symbol]


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """net@1 drifts by 0.001 and is champion, net@2 by 0.002."""
    registry = ModelRegistry(str(tmp_path / "models"))
    promote(registry, register(registry, 0.001))
    register(registry, 0.002)
    return registry


@pytest.fixture
def make_service(registry: ModelRegistry) -> Callable[..., ForecastService]:
    def make(**changes: Any) -> ForecastService:
        usual = {"model": "net@champion", "deadline_ms": PATIENT_MS}
        settings = ServiceSettings(registry=registry.url, **(usual | changes))
        return ForecastService(settings, registry, histories)

    return make


@pytest.fixture
def ask(make_service: Callable[..., ForecastService]) -> Callable[..., Any]:
    """Return a function that asks a fresh service one thing."""

    def ask(service: ForecastService | None = None, /, **question: Any) -> Any:
        async def work() -> Any:
            asked = service or make_service()
            return await asked.forecast(Question(**question), time.perf_counter())

        return asyncio.run(work())

    return ask


class Reply:
    """What an ASGI application sent back."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture
def call() -> Callable[..., Any]:
    """Return a coroutine function that sends one request to an ASGI application."""

    async def call(
        app: Any,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        chunk: int = 65_536,
    ) -> Reply:
        path, _, query = path.partition("?")
        given = {"content-type": content_type, "host": "test"} | (headers or {})
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(key.encode(), value.encode()) for key, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("test", 80),
        }
        parts = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b""]
        messages = [
            {"type": "http.request", "body": part, "more_body": number + 1 < len(parts)}
            for number, part in enumerate(parts)
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else await asyncio.Event().wait()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await app(scope, receive, send)
        found = {key.decode().lower(): value.decode() for key, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], found, b"".join(m.get("body", b"") for m in sent[1:]))

    return call


@pytest.fixture
def net() -> SimpleNamespace:
    """Ways to make and break versions of the model."""
    return SimpleNamespace(
        register=register,
        promote=promote,
        corrupt=corrupt,
        histories=histories,
        known=KNOWN,
        spread=SPREAD,
        input_size=INPUT_SIZE,
        horizon=HORIZON,
        bad_above=BAD_ABOVE,
        day=DAY,
    )
