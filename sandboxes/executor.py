"""The steps of an agent, one after another: scripts and commands over files that stay between them.

The files lie on this side. Each step gets them all, and what it writes is added to them; nothing else is
handed on. So a step means the same on every backend: the local rungs give each script a process of its own,
with no variable, program or thread left of the one before, and at E2B each has a folder of its own.

A command needs a sandbox in which programs can be started. The local rungs allow none, and say so; E2B does.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import TracebackType
from typing import Literal, Self

import msgspec

from sandboxes.errors import SandboxBusy, SandboxError, SandboxGone, SandboxRefused, SandboxTimeout
from sandboxes.limits import JOB, Limits
from sandboxes.sandbox import Isolation, RunResult, Sandbox, SandboxBackend

STEPS_MAX = 1000
WITH_PROGRAMS = ("e2b",)
"""Rungs in which code may start programs."""
COMMAND = """\
import subprocess, sys
code = subprocess.call(["/bin/sh", "-c", {line!r}])
sys.exit(code if code >= 0 else 128 - code)
"""
Kind = Literal["script", "command"]
Listener = Callable[[str, str], None]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a step.

    Attributes
    ----------
    sha256 : str
        Of the script or command.
    error : str
        Machine code of `sandboxes.errors` if it was ended; empty when it ended by itself.
    stdout, stderr : str
        Untrusted text, cut at the limit.
    written : mapping of name to sha256
    """

    number: int
    kind: Kind
    text: str
    sha256: str
    ok: bool
    exit_code: int | None
    error: str
    stdout: str
    stderr: str
    written: Mapping[str, str]
    seconds: float
    cpu_s: float
    isolation: Isolation


class AgentProcess:
    """One agent's process. A step that was ended ends no more than itself: the next gets a new sandbox.

    Parameters
    ----------
    backend : SandboxBackend
        Where its sandboxes are made: this machine, E2B, or a pool.
    limits : Limits
        `call_timeout_s` is for a step that names none, `total_timeout_s` for all steps together, what they
        wait for a sandbox included, `scratch_bytes` for all files.
    metadata : mapping
        For `SandboxBackend.create`.
    """

    def __init__(
        self,
        backend: SandboxBackend,
        template: str,
        limits: Limits = JOB,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.files: dict[str, bytes] = {}
        self.log: list[Step] = []
        self._backend, self._template = backend, template
        self._limits, self._metadata = limits, metadata
        self._sandbox: Sandbox | None = None
        self._used_s = 0.0
        self._is_over = self._is_busy = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()

    async def script(
        self, code: str, timeout_s: float | None = None, on_output: Listener | None = None
    ) -> Step:
        """Run a Python script over the files.

        Raises
        ------
        SandboxGone
            If the process was killed, before or meanwhile.
        SandboxBusy
            If a step runs already, or no sandbox is free.
        SandboxTimeout
            If all its time is used up.
        SandboxError
            If no sandbox can be had, or it does not hand back what was written.
        """
        return await self._step("script", code, code, timeout_s, on_output)

    async def command(
        self, line: str, timeout_s: float | None = None, on_output: Listener | None = None
    ) -> Step:
        """Run a command of the shell over the files; see `script`.

        Raises
        ------
        SandboxRefused
            If this sandbox starts no programs.
        """
        return await self._step("command", line, COMMAND.format(line=line), timeout_s, on_output)

    async def kill(self) -> None:
        """End it, and the step that runs; ending it again does nothing."""
        self._is_over = True
        await self._drop()

    async def _step(
        self, kind: Kind, text: str, code: str, timeout_s: float | None, on_output: Listener | None
    ) -> Step:
        limit_s = self._allowed(timeout_s)
        self._is_busy, began_s = True, time.monotonic()
        try:
            sandbox = await self._ready(kind)
            result = await self._ran(sandbox, code, limit_s, on_output)
        finally:
            self._is_busy = False
            self._used_s += time.monotonic() - began_s
        self.files.update(result.files)
        self.log.append(self._told(kind, text, result))
        if result.error:
            await self._drop()
        return self.log[-1]

    def _allowed(self, timeout_s: float | None) -> float:
        """Return how long the next step may take."""
        if self._is_over:
            raise SandboxGone("this process was killed; make a new one.")
        if self._is_busy:
            raise SandboxBusy("a step of this process runs; wait, or kill it.")
        if len(self.log) >= STEPS_MAX:
            raise SandboxRefused(f"this process has made {STEPS_MAX} steps; make a new one.")
        left_s = self._limits.total_timeout_s - self._used_s
        if left_s <= 0:
            total_s = self._limits.total_timeout_s
            raise SandboxTimeout(f"its {total_s:g} s are used up; make a new process.")
        return min(self._limits.call_timeout_s if timeout_s is None else timeout_s, left_s)

    async def _ready(self, kind: Kind) -> Sandbox:
        sandbox = self._sandbox
        if sandbox is None:
            sandbox = await self._backend.create(self._template, self._limits, self._metadata)
            self._sandbox = sandbox
        if self._is_over:
            await self._drop()
            raise SandboxGone("this process was killed before the step began.")
        rung = sandbox.isolation.rung
        if kind == "command" and rung not in WITH_PROGRAMS:
            raise SandboxRefused(
                f"a sandbox of rung {rung} starts no programs; write the step as a script, or use E2B."
            )
        return sandbox

    async def _ran(
        self, sandbox: Sandbox, code: str, limit_s: float, on_output: Listener | None
    ) -> RunResult:
        try:
            result = await sandbox.run(code, dict(self.files), limit_s, on_output)
        except asyncio.CancelledError:
            await self._drop()
            raise
        except SandboxError as error:
            await self._drop()
            if self._is_over:
                raise SandboxGone("this process was killed amid the step.") from error
            raise
        if self._is_over:
            raise SandboxGone("this process was killed amid the step.")
        return result

    def _told(self, kind: Kind, text: str, result: RunResult) -> Step:
        return Step(
            number=len(self.log) + 1,
            kind=kind,
            text=text,
            sha256=sha256(text.encode()).hexdigest(),
            ok=result.ok,
            exit_code=result.exit_code,
            error=result.error,
            stdout=result.stdout,
            stderr=result.stderr,
            written={name: sha256(data).hexdigest() for name, data in result.files.items()},
            seconds=result.seconds,
            cpu_s=result.cpu_s,
            isolation=result.isolation,
        )

    async def _drop(self) -> None:
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            await sandbox.kill()
