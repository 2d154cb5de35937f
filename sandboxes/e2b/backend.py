"""Sandboxes at E2B: making, finding and ending them, and what they cost."""

import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal

from e2b.sandbox.sandbox_api import SandboxInfo
from e2b_code_interpreter import AsyncSandbox

from sandboxes.e2b.connection import Connection
from sandboxes.e2b.costs import Meter, Prices, shipped_prices
from sandboxes.e2b.faults import asking
from sandboxes.e2b.labels import Labels, labels_of
from sandboxes.e2b.leaks import Listed, end, listed, reap
from sandboxes.e2b.probing import prove
from sandboxes.e2b.sandbox import E2BSandbox
from sandboxes.errors import (
    IsolationUnavailable,
    SandboxError,
    SandboxRefused,
)
from sandboxes.limits import Limits
from sandboxes.sandbox import Isolation
from sandboxes.templates.e2b_build import image_name
from sandboxes.templates.registry import inspect, lock

CREATE_TIMEOUT_S = 60.0
SESSION_S = 3600
KEY_DIGITS = 40


class E2BBackend:
    """Makes sandboxes at E2B. It never runs anything anywhere else.

    Parameters
    ----------
    connection : Connection
        With the key, which comes from the composition root.
    cluster, run : str
        Written on every sandbox, see `sandboxes.e2b.labels.Labels`.
    prices : Prices or None
        None: the table that ships.
    session_s : int
        Longest life that the plan allows a sandbox.
    clock : callable
        Seconds, monotonic.
    """

    def __init__(
        self,
        connection: Connection,
        cluster: str,
        run: str,
        prices: Prices | None = None,
        session_s: int = SESSION_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._labels = Labels(cluster=cluster, run=run)
        self.prices = prices or shipped_prices()
        self._session_s = session_s
        self._clock = clock
        self._launches = 0
        self._spent_usd: dict[str, Decimal] = defaultdict(Decimal)
        self._meters: list[tuple[str, Meter]] = []
        self._isolation: Isolation | None = None

    @property
    def isolation(self) -> Isolation:
        """Return what was proved at the start.

        Raises
        ------
        IsolationUnavailable
            If nothing was.
        """
        if self._isolation is None:
            raise IsolationUnavailable({"e2b": "it is not proved yet; await prove() first"})
        return self._isolation

    async def prove(self, template: str = "base") -> Isolation:
        """Make a sandbox, try from inside what must not work, and end it.

        Raises
        ------
        SandboxRefused
            If E2B does not take the key, or has no such template.
        IsolationUnavailable
            If something worked, or E2B cannot be had now.
        """
        try:
            sandbox = await self._launch(template, Limits(), {})
            try:
                proof = await prove(sandbox)
            finally:
                await sandbox.kill()
        except (SandboxRefused, IsolationUnavailable):
            raise
        except SandboxError as error:
            raise IsolationUnavailable({"e2b": str(error)}) from error
        self._isolation = Isolation(backend="e2b", rung="e2b", proof=proof)
        return self._isolation

    async def create(
        self, template: str, limits: Limits, metadata: Mapping[str, str] | None = None
    ) -> E2BSandbox:
        """Make a sandbox, with the internet off. `owner` in the metadata says whom it is for.

        Raises
        ------
        SandboxError
            If E2B refuses or cannot be reached. A sandbox that may have come about is looked for and
            ended.
        """
        _ = self.isolation
        return await self._launch(template, limits, metadata or {})

    async def connect(self, sandbox_id: str, limits: Limits, reboot: bool = False) -> E2BSandbox:
        """Return a sandbox of this cluster by its id; wake it if it is paused.

        Parameters
        ----------
        reboot : bool
            Start it from its disk: the way out when its memory cannot be had back.

        Raises
        ------
        SandboxGone
            If there is none.
        SandboxRefused
            If it belongs to another cluster.
        """
        _ = self.isolation
        labels = labels_of((await self._info(sandbox_id)).metadata)
        if labels.cluster != self._labels.cluster:
            raise SandboxRefused(
                f"sandbox {sandbox_id} does not belong to cluster {self._labels.cluster}"
            )
        async with asking(f"connect to {sandbox_id}", self._connection, CREATE_TIMEOUT_S):
            guest = await AsyncSandbox.connect(
                sandbox_id,
                timeout=self._life_s(limits),
                on_resume="reboot" if reboot else "restore",
                **self._connection.options(),
            )
        return await self._taken(guest, limits, labels)

    async def sandboxes(self) -> list[Listed]:
        """List all sandboxes of the cluster, those of other runs included."""
        return await listed(self._connection, {"cluster": self._labels.cluster})

    async def reap(self, runs_alive: Collection[str] = ()) -> list[Listed]:
        """End the sandboxes of the cluster that a crash left behind, and return them.

        Parameters
        ----------
        runs_alive : collection of str
            Runs that still work; this one is always among them. A sandbox keeps the run that made it,
            also when another one connects to it.
        """
        return await reap(self._connection, self._labels.cluster, {*runs_alive, self._labels.run})

    def spent_usd(self) -> dict[str, Decimal]:
        """Return what the sandboxes of this run cost until now, by owner."""
        running = [(owner, meter) for owner, meter in self._meters if meter.running]
        for owner, meter in self._meters:
            if not meter.running:
                self._spent_usd[owner] += meter.usd
        self._meters = running
        spent = defaultdict(Decimal, self._spent_usd)
        for owner, meter in running:
            spent[owner] += meter.usd
        return dict(spent)

    async def _launch(
        self, template: str, limits: Limits, metadata: Mapping[str, str]
    ) -> E2BSandbox:
        labels = self._next_labels(template, metadata.get("owner", ""))
        image = image_name(template)
        try:
            async with asking(f"make a sandbox of {image}", self._connection, CREATE_TIMEOUT_S):
                guest = await AsyncSandbox.create(
                    template=image,
                    timeout=self._life_s(limits),
                    metadata=labels.metadata(metadata),
                    envs=inspect(template).env,
                    allow_internet_access=False,
                    network={"allow_public_traffic": False},
                    lifecycle={"on_timeout": "kill"},
                    idempotency_key=self._idempotency_key(labels),
                    **self._connection.options(),
                )
        except SandboxRefused:
            raise
        except SandboxError as error:
            await self._forget(labels, error)
            raise
        return await self._taken(guest, limits, labels)

    async def _taken(self, guest: AsyncSandbox, limits: Limits, labels: Labels) -> E2BSandbox:
        """Check a sandbox that runs, and count what it costs from now on."""
        try:
            info = await self._info(guest.sandbox_id)
            if info.allow_internet_access is not False:
                raise IsolationUnavailable({"e2b": "it gave a sandbox with access to the internet"})
        except SandboxError as error:
            await self._forget(labels, error)
            raise
        meter = Meter(
            self.prices, info.cpu_count, info.memory_mb, self._life_s(limits), self._clock
        )
        self._meters.append((labels.owner, meter))
        isolation = Isolation(
            backend="e2b",
            rung="e2b",
            details={"template": labels.template, "digest": labels.digest, "internet": "off"},
            proof=self._isolation.proof if self._isolation is not None else "",
        )
        template = inspect(labels.template)
        return E2BSandbox(guest, self._connection, template, limits, labels, isolation, meter)

    async def _info(self, sandbox_id: str) -> SandboxInfo:
        async with asking(f"look at {sandbox_id}", self._connection, CREATE_TIMEOUT_S):
            # A method of an object and of the class in one, which no type checker sees.
            info: SandboxInfo = await AsyncSandbox.get_info(
                sandbox_id, **self._connection.options()
            )
        return info

    async def _forget(self, labels: Labels, error: SandboxError) -> None:
        """End what a failed launch may have left behind."""
        wanted = {"cluster": labels.cluster, "run": labels.run, "launch": labels.launch}
        try:
            for each in await listed(self._connection, wanted):
                await end(self._connection, each.id)
        except SandboxError as another:
            error.add_note(f"and what it may have left could not be ended: {another}")

    def _next_labels(self, template: str, owner: str) -> Labels:
        self._launches += 1
        return Labels(
            cluster=self._labels.cluster,
            run=self._labels.run,
            launch=str(self._launches),
            owner=owner,
            template=template,
            digest=lock(template, inspect(template).e2b.platform).digest,
        )

    def _idempotency_key(self, labels: Labels) -> str:
        """A repeated request for the same launch makes no second sandbox."""
        name = f"{labels.cluster}/{labels.run}/{labels.launch}"
        return hashlib.sha256(name.encode()).hexdigest()[:KEY_DIGITS]

    def _life_s(self, limits: Limits) -> int:
        return min(math.ceil(limits.total_timeout_s), self._session_s)
