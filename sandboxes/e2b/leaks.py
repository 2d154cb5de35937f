"""Finds the sandboxes of a cluster at E2B, and ends those whose process is gone."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

import msgspec
from e2b import SandboxQuery
from e2b.sandbox.sandbox_api import SandboxInfo
from e2b_code_interpreter import AsyncSandbox

from sandboxes.e2b.connection import Connection
from sandboxes.e2b.costs import Prices
from sandboxes.e2b.faults import asking
from sandboxes.e2b.labels import Labels, labels_of
from sandboxes.errors import SandboxBusy, SandboxError


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox as E2B lists it.

    Attributes
    ----------
    state : str
        `running` or `paused`.
    cpu_count, memory_mb : int
        What is billed.
    """

    id: str
    labels: Labels
    state: str
    started_at: datetime
    cpu_count: int
    memory_mb: int

    def usd(self, prices: Prices, now: datetime) -> Decimal:
        """Return the price since its start, pauses counted as if it had run: the most it can be."""
        seconds = Decimal(str(max((now - self.started_at).total_seconds(), 0.0)))
        return prices.usd(seconds, self.cpu_count, self.memory_mb)


async def listed(connection: Connection, wanted: dict[str, str]) -> list[Listed]:
    """List the sandboxes whose labels are as wanted, running and paused.

    Raises
    ------
    SandboxError
        If E2B does not answer.
    """
    found: list[Listed] = []
    async with asking("list sandboxes", connection, connection.request_timeout_s):
        pages = AsyncSandbox.list(query=SandboxQuery(metadata=wanted), **connection.options())
        while pages.has_next:
            found += [listed_of(info) for info in await pages.next_items()]
    return found


def listed_of(info: SandboxInfo) -> Listed:
    return Listed(
        id=info.sandbox_id,
        labels=labels_of(info.metadata),
        state=info.state.value,
        started_at=info.started_at,
        cpu_count=info.cpu_count,
        memory_mb=info.memory_mb,
    )


async def end(connection: Connection, sandbox_id: str) -> bool:
    """End a sandbox by its id; False if it was gone already. What is lost on the way is sent again.

    Raises
    ------
    SandboxError
        If E2B does not answer: it may live on until its own time is over.
    """
    try:
        return await end_once(connection, sandbox_id)
    except SandboxBusy:
        return await end_once(connection, sandbox_id)


async def end_once(connection: Connection, sandbox_id: str) -> bool:
    async with asking(f"end {sandbox_id}", connection, connection.request_timeout_s):
        # A method of an object and of the class in one, which no type checker sees.
        ended: bool = await AsyncSandbox.kill(sandbox_id, **connection.options())
    return ended


async def reap(connection: Connection, cluster: str, alive: Collection[str]) -> list[Listed]:
    """End every sandbox of the cluster whose run is not among the living, and return what was ended.

    One that cannot be ended does not keep the others.

    Raises
    ------
    SandboxError
        If E2B does not answer, naming those that it may still run.
    """
    lost = [
        each
        for each in await listed(connection, {"cluster": cluster})
        if each.labels.run not in alive
    ]
    ended: list[Listed] = []
    failed: dict[str, SandboxError] = {}
    for each in lost:
        try:
            await end(connection, each.id)
        except SandboxError as error:
            failed[each.id] = error
        else:
            ended.append(each)
    if failed:
        last = next(reversed(failed.values()))
        raise type(last)(f"{len(failed)} leaked sandboxes live on ({', '.join(failed)}): {last}")
    return ended
