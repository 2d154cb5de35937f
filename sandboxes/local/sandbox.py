"""One local sandbox: for one strategy, or for scripts one after another."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sandboxes.errors import (
    InvalidResult,
    ProtocolViolation,
    SandboxBusy,
    SandboxError,
    SandboxGone,
    SandboxRefused,
    SandboxTimeout,
)
from sandboxes.frames import (
    Done,
    File,
    Invalid,
    Weights,
    bars_requests,
    load_request,
    printable,
    request,
    shape_of,
    weights_of,
)
from sandboxes.limits import Limits
from sandboxes.local import folder as folders
from sandboxes.local.cell import Cell
from sandboxes.local.channel import ChannelClosed
from sandboxes.local.child import Ending, Listener
from sandboxes.local.rungs import Rung
from sandboxes.local.runtime import Runtime
from sandboxes.local.supervisor import supervisor
from sandboxes.sandbox import Isolation, RunResult, Source
from sandboxes.worker import FILE_NAME

LOAD_TIMEOUT_S = 10.0
_numbers = itertools.count(1)


class LocalSandbox:
    """Made by `LocalBackend.create`. Every script gets a process of its own."""

    def __init__(
        self, rung: Rung, isolation: Isolation, runtime: Runtime, limits: Limits, jobs: Path
    ) -> None:
        self.id = f"{os.getpid()}-{next(_numbers)}"
        self.isolation = isolation
        self.limits = limits
        self._rung, self._runtime, self._jobs = rung, runtime, jobs
        self._cell: Cell | None = None
        self._is_busy = self._is_loaded = self._is_over = False

    @property
    def pid(self) -> int | None:
        """Return the process that was started, as this machine numbers it; None between scripts."""
        return self._cell.child.pid if self._cell else None

    async def start(self) -> None:
        """Start a worker that is ready for a strategy or a script."""
        folder = self._jobs / f"{self.id}-{next(_numbers)}"
        self._cell = await Cell.start(self._rung, self._runtime, self.limits, folder)

    async def load(self, source: Source, parameters: Mapping[str, Any]) -> None:
        async with self._turn() as cell, cell.exchange(LOAD_TIMEOUT_S):
            if self._is_loaded:
                raise SandboxRefused("a sandbox holds one strategy for its life; make another one.")
            self._is_loaded = True
            await cell.send([load_request(cell.next(), source, parameters)])
            await cell.expect(Done)

    async def targets(self, bars: Mapping[str, Any], timeout_s: float | None = None) -> Any:
        if not self._is_loaded:
            raise SandboxRefused("no strategy is loaded.")
        limit = self.limits.call_timeout_s if timeout_s is None else timeout_s
        async with self._turn() as cell, cell.exchange(limit):
            shape = shape_of(bars)
            await cell.send(bars_requests(cell.next(), bars))
            return weights_of(await _pieces(cell, 8 * shape[0] * shape[1]), shape)

    async def run(
        self,
        code: str,
        files: Mapping[str, bytes] | None = None,
        timeout_s: float | None = None,
        on_output: Callable[[str, str], None] | None = None,
    ) -> RunResult:
        if self._is_loaded:
            raise SandboxRefused("this sandbox belongs to a strategy; make another for scripts.")
        limit = self.limits.call_timeout_s if timeout_s is None else timeout_s
        written: dict[str, bytearray] = {}
        async with self._turn() as cell:
            folders.fill(cell.folder, files or {}, self.limits.scratch_bytes)
            if on_output:
                cell.child.listener = _calling(asyncio.get_running_loop(), on_output)
            supervisor().measure(cell.child)
            ending = await self._carry_out(cell, code, written, limit)
            self._cell = None
        return self._result(ending, {name: bytes(data) for name, data in written.items()})

    async def _carry_out(
        self, cell: Cell, code: str, written: dict[str, bytearray], limit: float
    ) -> Ending:
        late = SandboxTimeout(f"it took over {limit:g} s and was killed.")
        try:
            async with asyncio.timeout(limit):
                try:
                    await cell.send([request("run", cell.next(), name="script.py", text=code)])
                    await _take_files(cell, written, self.limits)
                except ChannelClosed:
                    pass  # a script may close what it likes: its end counts
                await asyncio.wrap_future(cell.child.ended)
        except TimeoutError:
            return await cell.end(late)
        except SandboxError as error:
            return await cell.end(error)
        except asyncio.CancelledError:
            await cell.end(None)
            raise
        return await cell.end(None)

    def _result(self, ending: Ending, files: Mapping[str, bytes]) -> RunResult:
        by_itself = ending.cause is None
        return RunResult(
            ok=by_itself and ending.code == 0,
            exit_code=self._rung.exit_code(ending.code) if by_itself else None,
            stdout=ending.stdout,
            stderr=ending.stderr,
            error=ending.cause.code if ending.cause else "",
            seconds=ending.seconds,
            isolation=self.isolation,
            files=files,
            cpu_s=ending.cpu_s,
            peak_memory_bytes=ending.peak_memory_bytes,
        )

    async def kill(self) -> None:
        self._is_over = True
        if self._cell:
            await self._cell.end(None)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[Cell]:
        """Give the worker to one caller at a time; a script has used up the last one."""
        if self._is_over or (self._cell and self._cell.is_over):
            raise SandboxGone("this sandbox has ended; make a new one.")
        if self._is_busy:
            raise SandboxBusy("this sandbox answers somebody else; wait, or make another one.")
        self._is_busy = True
        try:
            if self._cell is None:
                await self.start()
            assert self._cell is not None
            yield self._cell
        finally:
            self._is_busy = False


async def _pieces(cell: Cell, size: int) -> list[Weights]:
    """Return the pieces of one answer, `size` bytes in all."""
    pieces: list[Weights] = []
    held = 0
    while not pieces or not pieces[-1].last:
        answer: Weights | Invalid = await cell.expect(Weights, Invalid)
        if isinstance(answer, Invalid):
            raise InvalidResult(f"weights that are no numbers: {printable(answer.what, 100)}.")
        held += len(answer.data)
        if held > size or not (answer.data or answer.last):
            raise InvalidResult("weights of another shape than the bars.")
        pieces.append(answer)
    return pieces


async def _take_files(cell: Cell, written: dict[str, bytearray], limits: Limits) -> None:
    held = 0
    while True:
        answer: File | Done = await cell.expect(File, Done)
        if isinstance(answer, Done):
            return
        held += len(answer.data)
        if held > limits.scratch_bytes:
            raise ProtocolViolation(f"files of over {limits.scratch_bytes:,} bytes.")
        is_new = answer.name not in written
        if (is_new and len(written) >= limits.files) or not FILE_NAME.fullmatch(answer.name):
            raise ProtocolViolation("a file without a plain name, or too many files.")
        written.setdefault(answer.name, bytearray()).extend(answer.data)


def _calling(loop: asyncio.AbstractEventLoop, on_output: Listener) -> Listener:
    """Return a listener for the thread of the supervisor that calls in this loop."""

    def listener(stream: str, text: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(on_output, stream, text)

    return listener
