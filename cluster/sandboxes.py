"""Where this machine runs code that nobody vouches for: which backend, from what is asked for and what there is."""

import asyncio
import functools
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec.structs import replace

from cluster.config import Config
from sandboxes.errors import SandboxRefused
from sandboxes.limits import Limits
from sandboxes.sandbox import SandboxBackend
from sandboxes.strategy import SandboxedStrategy
from tune.agents.candidate import Candidate
from tune.agents.worker import Worker

if TYPE_CHECKING:
    from sandboxes.e2b.connection import Connection

KEY = "E2B_API_KEY"
EXAMINED = Limits(call_timeout_s=2.0)
"""An examination is not a race: the machine may be busy with other candidates."""


class SandboxChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which backend is wanted. It travels to other processes; the key to E2B does not.

    Attributes
    ----------
    backend : str
        `auto` is E2B where its key is set, and this machine otherwise; never one for the other after a failure.
    least_rung : str
        The weakest local rung that will do.
    home : str
        Folder of the local backend.
    cluster : str
        Written on every sandbox at E2B.
    pools : str
        Namespace of Ray whose pools give the sandboxes; empty for those of the own process.
    call_timeout_s : float
        How long a strategy that trades may take for a decision.
    """

    home: str
    cluster: str
    pools: str = ""
    backend: Literal["auto", "e2b", "local"] = "auto"
    least_rung: str = "L2"
    call_timeout_s: float = Limits().call_timeout_s


def choice_of(config: Config, backend: str = "", least_rung: str = "") -> SandboxChoice:
    """Return what is wanted of sandboxes: what [sandbox] says where nothing else is asked for.

    Raises
    ------
    SandboxRefused
        If there is no such backend.
    """
    backend = backend or config.sandbox.backend
    if backend not in ("auto", "e2b", "local"):
        raise SandboxRefused(f"there is no backend {backend!r}; choose auto, e2b or local.")
    return SandboxChoice(
        home=str(config.cluster.sandbox_dir),
        cluster=config.cluster.name,
        backend=backend,  # type: ignore[arg-type]  # checked above
        least_rung=least_rung or config.sandbox.least_rung,
        call_timeout_s=config.sandbox.call_timeout_s,
    )


def opener(choice: SandboxChoice, owner: str) -> Callable[[], SandboxBackend]:
    """Return what opens the backend of a strategy that trades: its pool, or that of its own process."""
    if not choice.pools:
        return functools.partial(open_backend, choice)
    from sandboxes.pool.client import PooledBackend

    return functools.partial(PooledBackend, choice.pools, owner)


@functools.cache
def open_backend(choice: SandboxChoice) -> SandboxBackend:
    """Return the backend of this process, proved.

    Raises
    ------
    IsolationUnavailable
        If no isolation can be had.
    SandboxRefused
        If E2B is asked for without a key, or does not take it.
    """
    if choice.backend == "e2b" or (choice.backend == "auto" and os.environ.get(KEY)):
        return _at_e2b(choice)
    from sandboxes.local.backend import LocalBackend

    backend = LocalBackend(Path(choice.home), choice.least_rung)
    _ = backend.isolation  # raises here rather than at the first use
    return backend


def _at_e2b(choice: SandboxChoice) -> SandboxBackend:
    connection = connection_to_e2b()
    from sandboxes.e2b.backend import E2BBackend

    run = f"{os.getpid()}-{secrets.token_hex(4)}"
    backend = E2BBackend(connection, choice.cluster, run)
    asyncio.run(backend.prove())
    return backend


def connection_to_e2b() -> "Connection":
    """Return how E2B is reached, by the environment.

    Raises
    ------
    SandboxRefused
        If there is no key, or its library is not installed.
    """
    key = os.environ.get(KEY, "")
    if not key:
        raise SandboxRefused(f"E2B needs an API key; set {KEY}, or take --backend local.")
    try:
        from sandboxes.e2b.connection import Connection
    except ModuleNotFoundError as error:
        raise SandboxRefused(
            f"{KEY} is set but {error.name} is missing; install neural-trader[e2b], or take --backend local."
        ) from None
    return Connection(api_key=key, **_addresses())


def _addresses() -> dict[str, Any]:
    """Return where E2B is, for those who run their own."""
    names = {"domain": "E2B_DOMAIN", "api_url": "E2B_API_URL", "sandbox_url": "E2B_SANDBOX_URL"}
    return {name: os.environ[known] for name, known in names.items() if os.environ.get(known)}


@contextmanager
def open_worker(choice: SandboxChoice, candidate: Candidate) -> Iterator[Worker]:
    """Give a worker of its own to a candidate, for `tune.agents`; it has seen nothing yet.

    Raises
    ------
    SandboxError
        As `open_backend`.
    """
    isolation = open_backend(choice).isolation
    strategy = SandboxedStrategy(
        candidate.source,
        candidate.parameters,
        functools.partial(open_backend, choice),
        replace(EXAMINED, call_timeout_s=max(EXAMINED.call_timeout_s, choice.call_timeout_s)),
        candidate.template,
        restarts=0,
    )
    try:
        yield Worker(strategy, isolation, lambda: strategy.isolation)
    finally:
        strategy.close()
