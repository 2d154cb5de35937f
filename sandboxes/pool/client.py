"""Sandboxes of the pools, for a process that has joined Ray: a backend like any other."""

import asyncio
import hashlib
import os
import secrets
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sandboxes.errors import SandboxError, SandboxGone
from sandboxes.limits import Limits
from sandboxes.pool.desk import Ask
from sandboxes.sandbox import Isolation, RunResult, Source

PREFIX = "sandboxes-"
BEAT_S = 0.5
RESTART_WAIT_S = 20.0
RESTART_LOOK_S = 0.2


class PooledBackend:
    """Gives sandboxes of the pool that an owner belongs to.

    An owner belongs to one pool, so that its quotas hold; another comes in when that one's node is lost.

    Parameters
    ----------
    namespace : str
        Of Ray, where the pools are.
    owner : str
        Whose turn, quota and account it is.
    """

    def __init__(self, namespace: str, owner: str) -> None:
        self.owner = owner
        self._namespace = namespace
        self._client = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._count = 0
        self._pool = _pool_of(namespace, owner)
        over = threading.Event()
        self._over = over
        weakref.finalize(self, over.set)
        threading.Thread(
            target=_beat, args=(weakref.ref(self), over), name="sandbox-beat", daemon=True
        ).start()

    @property
    def isolation(self) -> Isolation:
        """Return what the pool has proved.

        Raises
        ------
        IsolationUnavailable
            If nothing was.
        """
        import ray

        with _told():
            isolation: Isolation = ray.get(self._pool.isolation.remote())
        return isolation

    async def create(
        self, template: str, limits: Limits, metadata: Mapping[str, str] | None = None
    ) -> "PooledSandbox":
        """Wait for a turn and return a sandbox.

        Parameters
        ----------
        metadata : mapping
            `strategy` is the sha256 of the source, if it is known: one in quarantine then takes no turn.

        Raises
        ------
        SandboxBusy
            If there is no place in time, or a quota is used up.
        SandboxRefused
            If the source is in quarantine, or there is no such template.
        SandboxGone
            If the pool ended and does not come back.
        """
        self._count += 1
        ask = Ask(
            ticket=f"{self._client}-{self._count}",
            client=self._client,
            owner=self.owner,
            template=template,
            limits=limits,
            source=(metadata or {}).get("strategy", ""),
        )
        deadline_s = time.monotonic() + RESTART_WAIT_S
        while True:
            try:
                return await self._asked(ask)
            except SandboxGone as gone:  # with a cause if the pool itself has ended
                if gone.__cause__ is None or time.monotonic() > deadline_s:
                    raise
            await asyncio.sleep(RESTART_LOOK_S)  # Ray starts the pool again
            self._pool = _pool_of(self._namespace, self.owner)

    async def _asked(self, ask: Ask) -> "PooledSandbox":
        pool = self._pool
        async with _ended_when_cancelled(pool, ask.ticket):
            isolation = await pool.acquire.remote(ask)
        return PooledSandbox(pool, ask.ticket, isolation, self)

    def close(self) -> None:
        """Be silent: the pool ends what this backend still holds."""
        self._over.set()

    def beat(self) -> None:
        """Tell the pool that this process lives."""
        self._pool.beat.remote(self._client)


class PooledSandbox:
    """Made by `PooledBackend.create`. It keeps its backend, and so its place, alive."""

    def __init__(
        self, pool: Any, ticket: str, isolation: Isolation, backend: PooledBackend
    ) -> None:
        self.id = ticket
        self.isolation = isolation
        self._pool = pool
        self._backend = backend

    async def load(self, source: Source, parameters: Mapping[str, Any]) -> None:
        async with _ended_when_cancelled(self._pool, self.id):
            self.isolation = await self._pool.load.remote(self.id, source, dict(parameters))

    async def targets(self, bars: Mapping[str, Any], timeout_s: float | None = None) -> Any:
        async with _ended_when_cancelled(self._pool, self.id):
            return await self._pool.targets.remote(self.id, dict(bars), timeout_s)

    async def run(
        self,
        code: str,
        files: Mapping[str, bytes] | None = None,
        timeout_s: float | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        given = (self.id, code, dict(files or {}), timeout_s)
        async with _ended_when_cancelled(self._pool, self.id):
            if on_output is None:
                result: RunResult = await self._pool.run.remote(*given)
                return result
            heard = self._pool.run_heard.options(num_returns="streaming").remote(*given)
            async for each in heard:
                what = await each
                if isinstance(what, RunResult):
                    return what
                on_output(*what)
        raise SandboxGone("the pool ended amid the script; ask for another sandbox.")

    async def kill(self) -> None:
        try:
            with _told():
                await self._pool.end.remote(self.id)
        except SandboxGone:
            return  # it ended with its pool


def names_of(namespace: str) -> list[str]:
    """Return the names of the pools that run there."""
    import ray

    return [
        each["name"]
        for each in ray.util.list_named_actors(all_namespaces=True)
        if each["namespace"] == namespace and each["name"].startswith(PREFIX)
    ]


def _pool_of(namespace: str, owner: str) -> Any:
    """Return the pool of an owner: the same for everybody who asks, and spread over all pools."""
    import ray

    found = names_of(namespace)
    if not found:
        raise SandboxError(f"no pool of sandboxes runs in {namespace!r}; start the cluster's.")
    chosen = max(found, key=lambda name: hashlib.sha256(f"{owner}\0{name}".encode()).digest())
    return ray.get_actor(chosen, namespace=namespace)


def _beat(backend: "weakref.ref[PooledBackend]", over: threading.Event) -> None:
    """Beat until the backend is gone; a name of its own for it would keep it alive."""
    import ray

    while not over.wait(BEAT_S) and ray.is_initialized():
        alive = backend()
        if alive is None:
            return
        alive.beat()
        del alive


@contextmanager
def _told() -> Iterator[None]:
    """Raise what the pool raised, and what its death means."""
    from ray.exceptions import RayActorError, RayTaskError

    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, SandboxError):
            raise error.cause from None
        raise
    except RayActorError as error:
        raise SandboxGone("the pool of this sandbox has ended; ask for another one.") from error


@asynccontextmanager
async def _ended_when_cancelled(pool: Any, ticket: str) -> AsyncIterator[None]:
    try:
        with _told():
            yield
    except asyncio.CancelledError:
        pool.end.remote(ticket)
        raise
