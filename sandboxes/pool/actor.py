"""The Ray actor that holds the sandboxes of one node, and how one is started on each node that offers places."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sandboxes.errors import SandboxRefused
from sandboxes.pool.client import PREFIX, names_of
from sandboxes.pool.desk import Ask
from sandboxes.pool.ledger import Ledger
from sandboxes.pool.pool import Pool, PoolState
from sandboxes.pool.settings import RESOURCE, PoolSettings
from sandboxes.sandbox import Isolation, RunResult, SandboxBackend, Source

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 1000
CLOSE_TIMEOUT_S = 10.0


class SandboxActor:
    """A pool in a process of its own, with whose end its sandboxes end.

    Ray starts it again: it knows its facts, makes its warm sandboxes anew, and holds nothing for anybody.
    """

    def __init__(
        self,
        name: str,
        places: int,
        settings: PoolSettings,
        open_backend: Callable[[], SandboxBackend],
    ) -> None:
        quota, quarantine = settings.quota, settings.quarantine
        horizon_s = max(quota.window_s, quarantine.window_s, quarantine.term_s)
        ledger = Ledger(settings.ledger / f"{name}.jsonl", horizon_s)
        self._pool = Pool(open_backend, places, settings, ledger)
        self._pool.start()

    async def describe(self) -> tuple[int, PoolState]:
        """Return the process and what it does now."""
        return os.getpid(), self._pool.state()

    async def used(self, owner: str) -> tuple[int, float]:
        return self._pool.used(owner)

    async def isolation(self) -> Isolation:
        return await self._pool.isolation()

    async def beat(self, client: str) -> None:
        self._pool.beat(client)

    async def acquire(self, ask: Ask) -> Isolation:
        return await self._pool.acquire(ask)

    async def load(self, ticket: str, source: Source, parameters: Mapping[str, Any]) -> Isolation:
        return await self._pool.load(ticket, source, parameters)

    async def targets(self, ticket: str, bars: Mapping[str, Any], timeout_s: float | None) -> Any:
        return await self._pool.targets(ticket, bars, timeout_s)

    async def run(
        self, ticket: str, code: str, files: Mapping[str, bytes], timeout_s: float | None
    ) -> RunResult:
        return await self._pool.run(ticket, code, files, timeout_s)

    async def run_heard(
        self, ticket: str, code: str, files: Mapping[str, bytes], timeout_s: float | None
    ) -> AsyncIterator[tuple[str, str] | RunResult]:
        """Yield (stream, text) as the script writes it, and its result in the end."""
        heard: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue()
        running = asyncio.create_task(
            self._pool.run(ticket, code, files, timeout_s, lambda *what: heard.put_nowait(what))
        )
        running.add_done_callback(lambda _: heard.put_nowait(None))
        while (what := await heard.get()) is not None:
            yield what
        yield await running

    async def end(self, ticket: str) -> None:
        await self._pool.end(ticket)

    async def close(self) -> None:
        await self._pool.close()


class Pools:
    """Pools by name. Unless they are detached they end with the process that started them."""

    def __init__(self, actors: Mapping[str, Any]) -> None:
        self.actors = actors

    def stop(self) -> None:
        """End every sandbox, then the pools."""
        for name, actor in self.actors.items():
            try:
                ray.get(actor.close.remote(), timeout=CLOSE_TIMEOUT_S)
            except ray.exceptions.RayError as error:
                log.warning("%s did not close by itself: %s", name, error)
            ray.kill(actor, no_restart=True)


def find_pools(namespace: str) -> Pools:
    """Return the pools that run there, whoever started them."""
    return Pools({name: ray.get_actor(name, namespace=namespace) for name in names_of(namespace)})


def start_pools(
    settings: PoolSettings, open_backend: Callable[[], SandboxBackend], *, detached: bool = False
) -> Pools:
    """Start a pool on each node that offers the resource `sandbox`; one that runs already is taken as it is.

    Parameters
    ----------
    open_backend : function
        Called in the process of each pool. It must be importable by name there.
    detached : bool
        They outlive the process that starts them.

    Raises
    ------
    SandboxRefused
        If no node offers the resource.
    """
    nodes = {each["NodeID"]: int(each["Resources"].get(RESOURCE, 0)) for each in _nodes()}
    offers = {node: places for node, places in nodes.items() if places}
    if not offers:
        raise SandboxRefused(
            "no node of this Ray may run sandboxes; start one with "
            f"`ray start --resources='{{\"{RESOURCE}\": 4}}'`."
        )
    actors = {}
    for node, places in offers.items():
        name = f"{PREFIX}{node[:12]}"
        options = _options(name, node, places, settings.namespace, detached=detached)
        actor = ray.remote(SandboxActor).options(**options)
        actors[name] = actor.remote(name, places, settings, open_backend)
    return Pools(actors)


def _nodes() -> list[dict[str, Any]]:
    return [each for each in ray.nodes() if each["Alive"]]


def _options(
    name: str, node: str, places: int, namespace: str, *, detached: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": namespace,
        "get_if_exists": True,
        "lifetime": "detached" if detached else None,
        "max_restarts": -1,
        "max_task_retries": 0,  # nobody's code is run twice
        "max_concurrency": CALLS_AT_ONCE,
        "num_cpus": 0,
        "resources": {RESOURCE: places},
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
    }
