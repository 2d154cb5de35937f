"""One sandbox at E2B."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from e2b_code_interpreter import AsyncSandbox
from numpy.typing import NDArray

from sandboxes.e2b.commands import Commands, Ended, Listener, limited
from sandboxes.e2b.connection import Connection
from sandboxes.e2b.contexts import Contexts
from sandboxes.e2b.costs import Meter
from sandboxes.e2b.faults import asking
from sandboxes.e2b.files import Files, inside
from sandboxes.e2b.jobs import Jobs
from sandboxes.e2b.labels import Labels
from sandboxes.e2b.leaks import end
from sandboxes.e2b.strategy_worker import StrategyWorker
from sandboxes.errors import (
    OutputLimit,
    SandboxError,
    SandboxGone,
    SandboxRefused,
    SandboxTimeout,
    StrategyFailed,
)
from sandboxes.limits import Limits
from sandboxes.sandbox import Isolation, RunResult, Source
from sandboxes.templates.template import Template

HOME = "/home/user"
KILLING = (SandboxTimeout.code, OutputLimit.code)


class E2BSandbox:
    """A virtual machine at E2B: for one strategy, or for jobs and contexts of one owner.

    Parameters
    ----------
    guest : AsyncSandbox
        The sandbox as the library knows it.
    meter : Meter
        Counts what it costs.
    """

    def __init__(
        self,
        guest: AsyncSandbox,
        connection: Connection,
        template: Template,
        limits: Limits,
        labels: Labels,
        isolation: Isolation,
        meter: Meter,
    ) -> None:
        self.labels = labels
        self.meter = meter
        self._guest = guest
        self._connection = connection
        self._template = template
        self._limits = limits
        self._isolation = isolation
        self._commands = Commands(guest, connection, limits)
        self._files = Files(guest, connection)
        self._contexts = Contexts(guest, connection, limits, isolation)
        self._jobs = Jobs(self._commands, self._files, limits, isolation, template.env)
        self._worker: StrategyWorker | None = None
        self._gone = False

    @property
    def id(self) -> str:
        return str(self._guest.sandbox_id)

    @property
    def isolation(self) -> Isolation:
        return self._isolation

    async def load(self, source: Source, parameters: Mapping[str, Any]) -> None:
        """Load a strategy: once, after which this sandbox belongs to it."""
        if self._worker is not None:
            raise SandboxRefused("this sandbox has its strategy; make another for the next one")
        allowance_s = self._connection.network_allowance_s
        async with self._ended_by_faults((StrategyFailed,)):
            self._worker = StrategyWorker(self._commands, self._files, self._limits, allowance_s)
            await self._worker.start(self._template.env, self._template.preload)
            await self._worker.load(source, parameters)

    async def targets(
        self, bars: Mapping[str, Any], timeout_s: float | None = None
    ) -> NDArray[np.float64]:
        """Return the target weights (time, instrument) of a loaded strategy, validated."""
        if self._worker is None:
            raise SandboxRefused("this sandbox has no strategy yet; load one")
        async with self._ended_by_faults((StrategyFailed,)):
            weights: NDArray[np.float64] = await self._worker.targets(
                bars, timeout_s or self._limits.call_timeout_s
            )
        return weights

    async def run(
        self,
        code: str,
        files: Mapping[str, bytes] | None = None,
        timeout_s: float | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        """Run a script. `on_output(stream, text)` hears what it writes as it is written.

        A script that is late or floods is ended with the sandbox.
        """
        async with self._ended_by_faults():
            result = await self._jobs.run(
                code, files or {}, timeout_s or self._limits.call_timeout_s, on_output
            )
        if result.error in KILLING:
            await self.kill()
        return result

    async def command(
        self, command: str, timeout_s: float | None = None, on_output: Listener | None = None
    ) -> Ended:
        """Run a command of the shell in the home folder. One that is late or floods ends the sandbox."""
        async with self._ended_by_faults():
            ended = await self._commands.run(
                limited(command, self._limits),
                timeout_s or self._limits.call_timeout_s,
                HOME,
                self._template.env,
                on_output,
            )
        if ended.error in KILLING:
            await self.kill()
        return ended

    async def write_files(self, files: Mapping[str, bytes]) -> None:
        """Put files into the home folder, by relative name."""
        self._require_life()
        await self._files.write(HOME, files)

    async def read_file(self, name: str) -> bytes:
        """Read one file of the home folder, up to `scratch_bytes` of the limits."""
        self._require_life()
        return await self._files.read(f"{HOME}/{inside(name)}", self._limits.scratch_bytes)

    async def open_context(self) -> str:
        """Start a code context, whose steps share their variables, and return its id."""
        self._require_life()
        return await self._contexts.open()

    async def run_in(
        self,
        context_id: str,
        code: str,
        timeout_s: float | None = None,
        on_output: Listener | None = None,
    ) -> RunResult:
        """Run a step in a context; see `sandboxes.e2b.contexts.Contexts.run`."""
        async with self._ended_by_faults():
            result: RunResult = await self._contexts.run(
                context_id, code, timeout_s or self._limits.call_timeout_s, on_output
            )
        return result

    async def close_context(self, context_id: str) -> None:
        """End a context."""
        self._require_life()
        await self._contexts.close(context_id)

    async def pause(self) -> None:
        """Put it to sleep with its memory; it costs nothing then. `E2BBackend.connect` wakes it.

        A strategy must be loaded again afterwards.
        """
        self._require_life()
        await self._stop_worker()
        async with asking("pause", self._connection, self._connection.request_timeout_s):
            await self._guest.pause(**self._connection.options())
        self.meter.stop()
        self._gone = True

    async def set_timeout(self, timeout_s: int) -> None:
        """Let it live for so long from now; then E2B ends it."""
        self._require_life()
        async with asking("set its time", self._connection, self._connection.request_timeout_s):
            await self._guest.set_timeout(timeout_s, **self._connection.options())
        self.meter.live_until(timeout_s)

    async def kill(self) -> None:
        """End it now; ending it again does nothing.

        Raises
        ------
        SandboxError
            If E2B does not answer: it may live until its own time is over, or is reaped.
        """
        await self._stop_worker()
        if self._gone:
            return
        await end(self._connection, self.id)
        self.meter.stop()
        self._gone = True

    async def _stop_worker(self) -> None:
        if self._worker is not None:
            await self._worker.stop()

    def _require_life(self) -> None:
        if self._gone:
            raise SandboxGone(
                f"sandbox {self.id} was ended or paused; make a new one, or connect to it"
            )

    @asynccontextmanager
    async def _ended_by_faults(
        self, spared: tuple[type[SandboxError], ...] = (SandboxRefused,)
    ) -> AsyncIterator[None]:
        """End the sandbox after anything that should not have happened in it."""
        self._require_life()
        try:
            yield
        except spared:
            raise
        except SandboxError as error:
            try:
                await self.kill()
            except SandboxError as another:
                error.add_note(f"and it could not be ended: {another}")
            raise
