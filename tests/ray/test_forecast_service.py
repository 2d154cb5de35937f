"""The service on Ray Serve: it says what a session says, changes champions without a failed request, survives kills."""

import asyncio
import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
import pytest

from actors.feeds.sources import load_prices
from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from serve.auth.opening import open_access
from serve.auth.secret_file import keep_secret
from serve.auth.settings import AccessSettings
from serve.desk.principal import Permission
from serve.forecast import launch
from serve.forecast.price_histories import histories_of
from serve.forecast.settings import ServiceSettings
from trading.forecasting.history import inputs_of

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

SYMBOLS = ("AAPL", "KO", "MSFT", "XOM")
CONNECTIONS = 8
WAIT_S = 60.0
DEADLINE_MS = 5_000.0
"""Of every request: what is refused because a busy machine stalls for a second says nothing about the service."""
CHAOS_S = float(os.environ.get("SERVE_CHAOS_S", "30"))
KILL_EVERY_S = 2.0
KILLS_MIN = CHAOS_S / KILL_EVERY_S / 2


class Service:
    """A running service, and ways to ask it."""

    def __init__(self, running: launch.RunningService, registry: ModelRegistry) -> None:
        self.running, self.registry, self.url = running, registry, running.url

    async def get(self, client: aiohttp.ClientSession, path: str) -> Any:
        async with client.get(self.url + path) as reply:
            return await reply.json()

    async def post(
        self, client: aiohttp.ClientSession, body: Any, path: str = "/v1/forecast"
    ) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        async with client.post(self.url + path, data=data, headers=headers) as reply:
            return reply.status, json.loads(await reply.read())

    async def until(
        self, client: aiohttp.ClientSession, condition: Callable[[Any], bool], what: str
    ) -> Any:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            status = await self.get(client, "/v1/cluster")
            if condition(status):
                return status
            await asyncio.sleep(0.1)
        raise AssertionError(f"waited {WAIT_S:.0f} s for {what}: {status}")


class Load:
    """Connections that ask one thing after another until they are told to stop; they repeat nothing."""

    def __init__(self, service: Service, client: aiohttp.ClientSession) -> None:
        self._service, self._client = service, client
        self.outcomes: Counter[str] = Counter()
        self.versions: list[int] = []
        self.asked_at: list[float] = []
        self.slowest_ms = 0.0
        self._is_over = False
        self._tasks = [asyncio.create_task(self._ask(n)) for n in range(CONNECTIONS)]

    async def _ask(self, number: int) -> None:
        while not self._is_over:
            number += 1
            question = {"symbol": SYMBOLS[number % len(SYMBOLS)], "horizon": 1 + number % 3}
            began = time.perf_counter()
            try:
                status, answer = await self._service.post(self._client, question)
            except (aiohttp.ClientError, ValueError) as error:
                self.outcomes[type(error).__name__] += 1
                continue
            self.slowest_ms = max(self.slowest_ms, (time.perf_counter() - began) * 1000.0)
            self.outcomes[str(status)] += 1
            if status == 200:
                assert answer["latency_ms"] <= DEADLINE_MS
                self.versions.append(answer["version"])
                self.asked_at.append(began)
            await asyncio.sleep(0.002)

    async def more(self, count: int) -> None:
        """Wait until so many that are asked from now on have got forecasts."""
        mark = time.perf_counter()
        deadline = time.monotonic() + WAIT_S
        while sum(asked_at > mark for asked_at in self.asked_at) < count:
            assert time.monotonic() < deadline, f"no {count} forecasts in {WAIT_S:.0f} s"
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)


def free_port() -> int:
    """Return a port that the system gives to nobody who asks for any: it stays free until HAProxy listens there."""
    given = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    first, last = (int(each) for each in given)
    for port in (*range(20_000, first), *range(last + 1, 65_536), 0):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise AssertionError("no port is free")


@pytest.fixture(scope="module")
def start(
    ray_session: Any, register_trend: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Service]]:
    """Return a function that starts a service with two versions of a model; one at a time runs."""
    started: list[launch.RunningService] = []

    def start(**changes: Any) -> Service:
        while started:
            started.pop().stop()
        registry = ModelRegistry(str(tmp_path_factory.mktemp("models")))
        for slope in (0.5, -0.5):
            register_trend(registry, "net", slope=slope)
        facts = {"num_cpus": 0.1, "min_replicas": 2, "max_replicas": 2} | changes
        settings = ServiceSettings(
            registry=registry.url,
            model="net@champion",
            port=free_port(),
            deadline_ms=DEADLINE_MS,
            **facts,
        )
        running = launch.start(settings)
        started.append(running)
        return Service(running, registry)

    yield start
    while started:
        started.pop().stop()


@pytest.fixture(scope="module")
def service(start: Callable[..., Service]) -> Service:
    return start()


def with_client(work: Callable[[aiohttp.ClientSession], Any]) -> Any:
    async def run() -> Any:
        timeout = aiohttp.ClientTimeout(total=30.0)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as client:
            return await work(client)

    return asyncio.run(run())


def test_forecasts_over_http_are_those_of_a_session(service: Service) -> None:
    session = load_session(service.registry, "net@1")
    known = histories_of(load_prices("sp500", SYMBOLS))

    async def work(client: aiohttp.ClientSession) -> None:
        for symbol in SYMBOLS:
            status, answer = await service.post(client, {"symbol": symbol, "horizon": 3})
            inputs = inputs_of([known[symbol]], session.manifest.input_size)
            prices = session.predict(inputs).prices(inputs["close"][:, -1])[0, :3]
            answered = np.array(list(answer["quantiles"].values())).T
            assert status == 200
            assert answered == pytest.approx(prices, rel=1e-6)  # the graph computes in 32 bits
            assert (answer["version"], answer["provider"]) == (1, "cpu")
            assert answer["as_of"] == int(known[symbol].ts[-1])

    with_client(work)


def test_the_handle_answers_like_http(service: Service) -> None:
    from serve.forecast.question import Question

    answer = service.running.handle.forecast.remote(Question(symbol="KO", horizon=3)).result()

    async def work(client: aiohttp.ClientSession) -> Any:
        return (await service.post(client, {"symbol": "KO", "horizon": 3}))[1]

    over_http = with_client(work)
    assert {level: list(p) for level, p in answer.quantiles.items()} == over_http["quantiles"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"symbol": "nobody"}, 404, "FORECAST_SYMBOL_UNKNOWN"),
        ({"symbol": "AAPL", "model": "nobody"}, 404, "MODEL_UNKNOWN"),
        ({"symbol": "AAPL", "horizon": 9}, 422, "FORECAST_HORIZON"),
        ({"symbol": "x", "close": [1.0, 2.0]}, 422, "FORECAST_HISTORY_SHORT"),
        ({"symbol": "x", "close": [3.0] * 12}, 422, "FORECAST_HISTORY_CONSTANT"),
        ({"symbol": "x", "close": ["a"] * 12}, 422, "REQUEST_INVALID"),
        (b'{"symbol":"x","close":[NaN]}', 400, "REQUEST_NOT_JSON"),
        (b'{"symbol":"x","close":[1e999]}', 422, "REQUEST_INVALID"),
        (b"x" * 10_000_000, 413, "REQUEST_TOO_LARGE"),
    ],
)
def test_bad_input_is_a_problem(service: Service, body: Any, status: int, code: str) -> None:
    found, problem = with_client(lambda client: service.post(client, body))
    assert (found, problem["code"]) == (status, code)
    assert problem["correlation_id"]


def test_all_replicas_are_seen_by_any_of_them(service: Service) -> None:
    async def work(client: aiohttp.ClientSession) -> None:
        status = await service.until(client, lambda s: len(s["replicas"]) == 2, "two replicas")
        assert len({replica["pid"] for replica in status["replicas"]}) == 2
        assert status["versions"] == {"net": ["net@1"]}
        assert status["cpus"] > 0
        async with client.get(f"{service.url}/metrics") as reply:
            assert "forecast_asked_total" in await reply.text()
        async with client.get(f"{service.url}/readyz") as reply:
            assert reply.status == 200

    with_client(work)


def test_a_promotion_under_load_fails_no_request(service: Service) -> None:
    async def work(client: aiohttp.ClientSession) -> None:
        load = Load(service, client)
        await load.more(60)
        for version in (2, 1, 2):
            path = f"/v1/models/net/{version}/promote"
            body = {"alias": "champion", "why": "test", "force": True}
            status, _ = await service.post(client, body, path)
            assert status == 200
            decided = time.time_ns()
            await service.until(
                client,
                lambda s, version=version, decided=decided: (
                    s["versions"] == {"net": [f"net@{version}"]}
                    and len(s["replicas"]) == 2
                    and all(r["at"] > decided for r in s["replicas"])  # no word from before
                ),
                f"net@{version} in all replicas",
            )
            changed = time.perf_counter()
            await load.more(60)
        await load.stop()
        assert set(load.outcomes) == {"200"}, load.outcomes
        assert sum(load.outcomes.values()) > 200
        assert set(load.versions) == {1, 2}
        pairs = zip(load.asked_at, load.versions, strict=True)
        assert {version for asked_at, version in pairs if asked_at > changed} == {2}

    with_client(work)


def test_a_corrupt_champion_is_refused_by_name_and_the_old_one_stays(
    service: Service, register_trend: Callable[..., Any]
) -> None:
    registry = service.registry
    made = register_trend(registry, "net", slope=0.9)
    path = Path(registry.url) / "files" / made.files[0].sha256
    path.write_bytes(path.read_bytes()[:-1])
    ruling = registry.aliases("net").champion

    async def work(client: aiohttp.ClientSession) -> None:
        load = Load(service, client)
        registry.promote(made.reference, "champion", by="test", why="test", at=1, force=True)
        status = await service.until(
            client,
            lambda s: sum(made.reference in r["refused"] for r in s["replicas"]) == 2,
            "both replicas to refuse it",
        )
        assert "checksum" in status["refused"][made.reference]
        await load.more(60)
        await load.stop()
        assert set(load.outcomes) == {"200"}, load.outcomes
        assert set(load.versions) == {ruling}

    with_client(work)


def test_when_it_asks_who_comes_in_only_a_key_opens_it(
    start: Callable[..., Service], tmp_path: Path
) -> None:
    """Over HAProxy, by the short way and by the routes; the one that started it sees it without a key."""
    access = AccessSettings(
        is_on=True, journal=f"sqlite://{tmp_path / 'access'}", secret_file=str(tmp_path / "jwt")
    )
    keep_secret(Path(access.secret_file), {})
    opened = open_access(access)
    _, key = opened.issue_key("bot", [Permission.READ], "test")
    opened.close()
    forged = key[:-1] + ("1" if key.endswith("0") else "0")
    service = start(access=access, min_replicas=1, max_replicas=1)
    assert service.running.overview().replicas

    async def work(client: aiohttp.ClientSession) -> list[int]:
        found = []
        for headers in ({}, {"X-API-Key": forged}, {"X-API-Key": key}):
            for path, body in (("/v1/forecast", b'{"symbol": "AAPL"}'), ("/v1/models", None)):
                url = service.url + path
                method = "GET" if body is None else "POST"
                async with client.request(method, url, data=body, headers=headers) as reply:
                    found.append(reply.status)
        return found

    assert with_client(work) == [401, 401, 401, 401, 200, 200]


@pytest.mark.chaos
def test_killed_replicas_cost_at_most_one_request_in_a_thousand(
    start: Callable[..., Service],
) -> None:
    service = start(min_replicas=4, max_replicas=4)
    random = np.random.default_rng(5)

    async def work(client: aiohttp.ClientSession) -> tuple[Load, int]:
        load = Load(service, client)
        ends_at = time.monotonic() + CHAOS_S
        killed = 0
        while time.monotonic() < ends_at or killed < KILLS_MIN:
            await asyncio.sleep(KILL_EVERY_S)
            try:
                status = await service.get(client, "/v1/cluster")
            except (aiohttp.ClientError, ValueError):
                continue  # it hit the one that was killed before; only forecasts are counted
            alive = [r["pid"] for r in status["replicas"] if psutil.pid_exists(r["pid"])]
            os.kill(alive[int(random.integers(len(alive)))], signal.SIGKILL)
            killed += 1
        await load.stop()
        return load, killed

    load, killed = with_client(work)
    asked = sum(load.outcomes.values())
    print(
        f"{killed} kills, {asked} requests: {dict(load.outcomes)}, slowest {load.slowest_ms:.0f} ms"
    )
    assert killed >= KILLS_MIN
    assert load.outcomes["200"] / asked >= 0.999, load.outcomes
