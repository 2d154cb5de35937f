"""The sandboxes of one machine, shared: turns and quotas in front of a backend. Ray is not needed."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import msgspec

from sandboxes.errors import (
    KILLS,
    SandboxBusy,
    SandboxError,
    SandboxGone,
    SandboxRefused,
    StrategyFailed,
)
from sandboxes.pool.desk import Ask, Desk
from sandboxes.pool.facts import AnyFact, CpuUsed, RunStarted, SourceKilled
from sandboxes.pool.lease import Lease
from sandboxes.pool.ledger import Ledger
from sandboxes.pool.settings import PoolSettings
from sandboxes.pool.shelf import Shelf, lives
from sandboxes.sandbox import Isolation, RunResult, Sandbox, SandboxBackend, Source

log = logging.getLogger(__name__)

SILENCE_S = 3.0
"""A client that was not heard for so long has died; what it held ends."""
SWEEP_S = 0.25
FILL_S = 1.0
NOTED_CPU_S = 1.0
SPARED = (StrategyFailed, SandboxRefused, SandboxBusy)
"""After anything else the sandbox has ended."""
KILL_CODES = frozenset(kind.code for kind in KILLS)
Listener = Callable[[str, str], None]


class PoolState(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool does now, for people."""

    places: int
    held: int
    warm: int
    waiting: int
    holders: Mapping[str, int]


class Pool:
    """Hands out sandboxes by ticket. Call `start` within the event loop that it lives in.

    Parameters
    ----------
    open_backend : function
        Returns where sandboxes are made, proved; it may take its time.
    places : int
        How many sandboxes there may be at once, warm ones included.
    clock : function
        Host time in seconds since 1970: quotas outlive the process.
    """

    def __init__(
        self,
        open_backend: Callable[[], SandboxBackend],
        places: int,
        settings: PoolSettings,
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._open_backend = open_backend
        self._settings, self._ledger = settings, ledger
        self._clock, self._silence_s = clock, silence_s
        self._desk = Desk(places, settings)
        self._shelf = Shelf(settings.warm, places, lambda: len(self._desk.held), time.monotonic)
        self._leases: dict[str, Lease] = {}
        self._turns: dict[str, asyncio.Future[None]] = {}
        self._heard_s: dict[str, float] = {}
        self._swept_s = time.monotonic()
        self._backend: SandboxBackend | None = None
        self._opening = asyncio.Lock()
        self._lacks = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Remember what was, and make what is kept warm."""
        for fact in self._ledger.read(self._clock()):
            self._desk.note(fact)
        self._tasks = [
            asyncio.create_task(_again(self._sweep, SWEEP_S)),
            asyncio.create_task(_again(self._fill, 0.0)),
        ]

    async def close(self) -> None:
        """End every sandbox."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*map(self.end, (*self._desk.held, *self._turns)))
        await self._shelf.empty()

    async def isolation(self) -> Isolation:
        return (await self._opened()).isolation

    def state(self) -> PoolState:
        owners = [ask.owner for ask in self._desk.held.values()]
        return PoolState(
            places=self._desk.places,
            held=len(owners),
            warm=len(self._shelf),
            waiting=len(self._desk.waiting),
            holders={owner: owners.count(owner) for owner in sorted(set(owners))},
        )

    def used(self, owner: str) -> tuple[int, float]:
        """Return (runs, seconds of processor time) of an owner within the window."""
        return self._desk.used(owner, self._clock())

    def beat(self, client: str) -> None:
        """Hear that a client lives."""
        self._heard_s[client] = time.monotonic()

    async def acquire(self, ask: Ask) -> Isolation:
        """Wait for a turn and return how the sandbox of this ticket is kept in.

        Raises
        ------
        SandboxBusy
            If there is no place in time, or a quota is used up.
        SandboxRefused
            If the source is in quarantine, or there is no such template.
        IsolationUnavailable
            If no isolation can be had.
        """
        self.beat(ask.client)
        backend = await self._opened()
        self._desk.ask(ask, self._clock())
        try:
            await self._turn(ask)
            sandbox = await self._shelf.take(backend, ask.template, ask.limits)
        except BaseException:  # also a caller who waits no more
            self._leave(ask.ticket)
            raise
        return await self._handed_out(ask, sandbox)

    async def load(self, ticket: str, source: Source, parameters: Mapping[str, Any]) -> Isolation:
        """Load a strategy, as `Sandbox.load`."""
        async with self._using(ticket) as lease:
            self._name(lease, source.text)
            await lease.sandbox.load(source, parameters)
        return lease.isolation

    async def targets(self, ticket: str, bars: Mapping[str, Any], timeout_s: float | None) -> Any:
        """Ask a strategy, as `Sandbox.targets`."""
        async with self._using(ticket) as lease:
            began_s = time.monotonic()
            try:
                return await lease.sandbox.targets(bars, _limit(lease, timeout_s))
            finally:
                if getattr(lease.sandbox, "pid", None) is None:  # elsewhere: its time must do
                    lease.add(time.monotonic() - began_s)

    async def run(
        self,
        ticket: str,
        code: str,
        files: Mapping[str, bytes],
        timeout_s: float | None,
        on_output: Listener | None = None,
    ) -> RunResult:
        """Run a script, as `Sandbox.run`."""
        async with self._using(ticket) as lease:
            self._name(lease, code)
            if lease.scripts:  # the first was counted when the sandbox was handed out
                self._desk.check_owner(lease.ask.owner, self._clock())
                self._note(RunStarted(at_s=self._clock(), owner=lease.ask.owner))
            lease.scripts += 1
            limit = _limit(lease, timeout_s)
            result = await lease.sandbox.run(code, files, limit, on_output)
            lease.add(result.cpu_s)
            self._charge(lease)
            if ticket not in self._leases:
                raise SandboxGone("this sandbox was ended; ask for another.")
            if result.error in KILL_CODES:
                self._kill_noted(lease, result.error)
        return msgspec.structs.replace(result, isolation=lease.isolation)

    async def end(self, ticket: str) -> None:
        """End a sandbox, or leave the queue; ending it again does nothing."""
        lease = self._leases.pop(ticket, None)
        if lease:
            lease.measure()
            self._charge(lease)
            try:
                await lease.sandbox.kill()
            except SandboxError as error:
                log.warning("sandbox %s could not be ended: %s", lease.sandbox.id, error)
        self._leave(ticket)

    # -- turns

    async def _turn(self, ask: Ask) -> None:
        turn = self._turns[ask.ticket] = asyncio.get_running_loop().create_future()
        try:
            self._serve()
            await asyncio.wait([turn], timeout=self._settings.wait_s)
            if not turn.done():
                wait_s, obstacle = self._settings.wait_s, self._desk.obstacle(ask)
                raise SandboxBusy(f"no turn within {wait_s:g} s: {obstacle}")
            turn.result()
        finally:
            del self._turns[ask.ticket]

    def _serve(self) -> None:
        for ask in self._desk.grants():
            self._turns[ask.ticket].set_result(None)
        self._lacks.set()

    def _leave(self, ticket: str) -> None:
        self._desk.end(ticket)
        turn = self._turns.get(ticket)
        if turn and not turn.done():
            turn.set_exception(SandboxGone("nobody waits for this sandbox any more."))
        self._serve()

    async def _handed_out(self, ask: Ask, sandbox: Sandbox) -> Isolation:
        if ask.ticket not in self._desk.held:  # ended while it was made
            await sandbox.kill()
            raise SandboxGone("nobody waits for this sandbox any more.")
        lease = Lease(ask, sandbox, time.monotonic())
        self._leases[ask.ticket] = lease
        self._note(RunStarted(at_s=self._clock(), owner=ask.owner))
        return lease.isolation

    # -- use

    @asynccontextmanager
    async def _using(self, ticket: str) -> AsyncIterator[Lease]:
        lease = self._leases.get(ticket)
        if lease is None:
            raise SandboxGone("this sandbox has ended; ask for another.")
        try:
            self._desk.check_cpu(lease.ask.owner, self._clock())
        except SandboxBusy:
            await self.end(ticket)
            raise
        lease.calls += 1
        try:
            yield lease
        except SPARED:
            raise
        except SandboxError as error:
            if ticket not in self._leases:
                raise SandboxGone("this sandbox was ended; ask for another.") from error
            if isinstance(error, KILLS):
                self._kill_noted(lease, error.code)
            await self.end(ticket)
            raise
        finally:
            lease.calls -= 1

    def _name(self, lease: Lease, code: str) -> None:
        """Call a source by what it is, not by what it says that it is."""
        lease.source = sha256(code.encode()).hexdigest()
        self._desk.check_source(lease.source, self._clock())

    def _kill_noted(self, lease: Lease, cause: str) -> None:
        owner, source = lease.ask.owner, lease.source
        self._note(SourceKilled(at_s=self._clock(), source=source, owner=owner, cause=cause))

    def _charge(self, lease: Lease, least_s: float = 0.0) -> None:
        if cpu_s := lease.owed(least_s):
            self._note(CpuUsed(at_s=self._clock(), owner=lease.ask.owner, cpu_s=cpu_s))

    def _note(self, fact: AnyFact) -> None:
        self._ledger.append(fact)
        self._desk.note(fact)

    # -- by itself

    async def _opened(self) -> SandboxBackend:
        async with self._opening:
            if self._backend is None:
                self._backend = await asyncio.to_thread(self._open_backend)
            return self._backend

    async def _sweep(self) -> None:
        """End what dead clients held and what is over; count what the others use."""
        now_s = time.monotonic()
        self._excuse(now_s - self._swept_s - SWEEP_S)
        self._swept_s = now_s
        silent = {each for each, at_s in self._heard_s.items() if now_s - at_s > self._silence_s}
        asks = (*self._desk.waiting, *self._desk.held.values())
        over = [ask.ticket for ask in asks if ask.client in silent]
        over += [ticket for ticket, lease in self._leases.items() if _is_over(lease, now_s)]
        for client in silent:
            del self._heard_s[client]
        await asyncio.gather(*map(self.end, over))
        for lease in self._leases.values():
            lease.measure()
            self._charge(lease, NOTED_CPU_S)

    def _excuse(self, late_s: float) -> None:
        """While this process was late it heard nobody, which is no fault of theirs."""
        if late_s > SWEEP_S:
            self._heard_s = {client: at_s + late_s for client, at_s in self._heard_s.items()}

    async def _fill(self) -> None:
        """Keep the shelf full: soon after something was taken from it, and now and then."""
        self._lacks.clear()
        try:
            await self._shelf.fill(await self._opened())
        except SandboxError as error:
            log.warning("no sandbox can be kept ready: %s", error)
            await asyncio.sleep(FILL_S)
        waiting = asyncio.create_task(self._lacks.wait())
        await asyncio.wait([waiting], timeout=FILL_S)
        waiting.cancel()


def _limit(lease: Lease, timeout_s: float | None) -> float:
    return lease.ask.limits.call_timeout_s if timeout_s is None else timeout_s


def _is_over(lease: Lease, now_s: float) -> bool:
    is_late = now_s - lease.since_s > lease.ask.limits.total_timeout_s
    return is_late or (not lease.calls and not lives(lease.sandbox))


async def _again(work: Callable[[], Awaitable[None]], pause_s: float) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("the pool goes on after a fault")
            await asyncio.sleep(FILL_S)
        await asyncio.sleep(pause_s)
