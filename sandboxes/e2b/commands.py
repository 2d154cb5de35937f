"""One command inside a sandbox, under our own deadline and output limits."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import msgspec
from e2b import AsyncCommandHandle, CommandExitException
from e2b_code_interpreter import AsyncSandbox

from sandboxes.e2b.connection import Connection
from sandboxes.e2b.faults import asking
from sandboxes.errors import OutputLimit, SandboxTimeout
from sandboxes.limits import Limits

Result = TypeVar("Result")
Hear = Callable[[str, str], Awaitable[None]]
Listener = Callable[[str, str], None]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended. `error` is a code of `sandboxes.errors` if it was not by itself."""

    exit_code: int | None
    stdout: str
    stderr: str
    error: str
    seconds: float


class Output:
    """Keeps the start of what a command writes; `flooded` is set once it writes far too much."""

    def __init__(self, limits: Limits, on_output: Listener | None) -> None:
        self.flooded = asyncio.Event()
        self._limits = limits
        self._on_output = on_output
        self._kept: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._bytes = 0

    async def hear(self, stream: str, text: str) -> None:
        room = self._limits.output_bytes - self._bytes
        self._bytes += len(text.encode())
        if room > 0:
            self._kept[stream].append(text[:room])
        if self._bytes > self._limits.output_kill_bytes:
            self.flooded.set()
        elif self._on_output is not None:
            self._on_output(stream, text)

    def text(self, stream: str) -> str:
        return "".join(self._kept[stream])


async def bounded(
    work: Coroutine[Any, Any, Result], output: Output, deadline_s: float
) -> tuple[Result | None, str]:
    """Wait for work until its deadline or a flood; return its result, or the code of what ended it."""
    working = asyncio.create_task(work)
    flooded = asyncio.create_task(output.flooded.wait())
    try:
        await asyncio.wait(
            {working, flooded}, timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED
        )
        if output.flooded.is_set():
            return None, OutputLimit.code
        return (await working, "") if working.done() else (None, SandboxTimeout.code)
    finally:
        working.cancel()
        flooded.cancel()
        await asyncio.gather(working, flooded, return_exceptions=True)


class Commands:
    """Runs commands in one sandbox.

    Parameters
    ----------
    guest : AsyncSandbox
        The sandbox as the library knows it.
    """

    def __init__(self, guest: AsyncSandbox, connection: Connection, limits: Limits) -> None:
        self._guest = guest
        self._connection = connection
        self._limits = limits

    async def run(
        self,
        command: str,
        timeout_s: float,
        cwd: str,
        envs: Mapping[str, str],
        on_output: Listener | None = None,
    ) -> Ended:
        """Run a command of the shell to its end, its deadline, or a flood of output.

        After a deadline or a flood its processes may still be there: end the sandbox then.

        Raises
        ------
        SandboxError
            If the sandbox is gone or does not answer.
        """
        output = Output(self._limits, on_output)
        started = time.monotonic()
        handle = await self.start(command, cwd, envs, output.hear)
        try:
            exit_code, error = await bounded(
                self.exit_code(handle), output, timeout_s + self._connection.network_allowance_s
            )
        finally:
            await handle.disconnect()
        return Ended(
            exit_code=exit_code,
            stdout=output.text("stdout"),
            stderr=output.text("stderr"),
            error=error,
            seconds=time.monotonic() - started,
        )

    async def start(
        self, command: str, cwd: str, envs: Mapping[str, str], hear: Hear, stdin: bool = False
    ) -> AsyncCommandHandle[None]:
        """Start a command and return at once; `hear(stream, text)` is awaited with what it writes."""
        async with asking("start a command", self._connection, self._connection.request_timeout_s):
            handle: AsyncCommandHandle[None] = await self._guest.commands.run(
                command,
                background=True,
                cwd=cwd,
                envs=dict(envs),
                stdin=stdin,
                timeout=0,
                on_stdout=lambda text: hear("stdout", text),
                on_stderr=lambda text: hear("stderr", text),
                retain_output=False,
            )
        return handle

    async def exit_code(self, handle: AsyncCommandHandle[None]) -> int:
        """Wait for the end of a command, however long, and return its exit status."""
        async with asking("wait for a command", self._connection, None):
            try:
                await handle.wait()
            except CommandExitException as error:
                return int(error.exit_code)
        return 0

    async def send(self, pid: int, data: bytes) -> None:
        """Write to the standard input of a command."""
        async with asking(
            "send to a command", self._connection, self._connection.request_timeout_s
        ):
            await self._guest.commands.send_stdin(pid, data)


def limited(command: str, limits: Limits) -> str:
    """Return a command of the shell that keeps to the limits of a process."""
    return (
        f"ulimit -c 0; ulimit -v {limits.memory_bytes >> 10}; ulimit -t {limits.cpu_s}; "
        f"ulimit -n {limits.files}; {command}"
    )
