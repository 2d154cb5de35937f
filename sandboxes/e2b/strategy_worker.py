"""The strategy worker inside a sandbox at E2B: its frames are lines of base64, for E2B hands on text."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from e2b import AsyncCommandHandle
from numpy.typing import NDArray

from sandboxes import worker
from sandboxes.e2b.commands import Commands, limited
from sandboxes.e2b.files import Files
from sandboxes.e2b.scripts import script_of
from sandboxes.errors import (
    InvalidResult,
    ProtocolViolation,
    SandboxCrashed,
    SandboxRefused,
    SandboxTimeout,
)
from sandboxes.frames import (
    LENGTH_BYTES,
    Answer,
    Done,
    Failed,
    Hello,
    Invalid,
    Weights,
    answer_of,
    bars_requests,
    failure_of,
    length_of,
    load_request,
    printable,
    request,
    shape_of,
    weights_of,
)
from sandboxes.limits import Limits
from sandboxes.local.seccomp import assemble
from sandboxes.local.syscalls import X86_64
from sandboxes.sandbox import Source

FOLDER = "/home/user/worker"
COMMAND = "exec python3 -I -B worker.py '' --lines"
SEND_BYTES = 1 << 20
WAITING_LINES = 4
COMPLAINT_CHARS = 2000
START_TIMEOUT_S = 30.0
NEWS_TIMEOUT_S = 1.0


class Lines:
    """What the worker writes, cut into lines. Reading stops while nobody takes them."""

    def __init__(self, limits: Limits) -> None:
        self._longest = 4 * (limits.frame_bytes + LENGTH_BYTES + 2) // 3 + 2
        self._frame_bytes = limits.frame_bytes
        self._start = ""
        self._lines: asyncio.Queue[str] = asyncio.Queue(WAITING_LINES)
        self.complaint = ""

    async def hear(self, stream: str, text: str) -> None:
        if stream == "stderr":
            self.complaint = (self.complaint + text)[-COMPLAINT_CHARS:]
            return
        *lines, self._start = (self._start + text).split("\n")
        for line in lines:
            await self._lines.put(line)
        if len(self._start) > self._longest:
            # The reader refuses it by its length; what follows is of no interest.
            await self._lines.put(self._start)
            self._start = ""

    async def frame(self) -> bytes:
        """Return the body of the next frame.

        Raises
        ------
        ProtocolViolation
            If the next line is none.
        """
        line = await self._lines.get()
        if len(line) > self._longest:
            raise ProtocolViolation(
                f"the worker wrote a line of more than {self._longest:,} bytes."
            )
        try:
            data = base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            raise ProtocolViolation("the worker wrote what is no frame.") from None
        length = length_of(data[:LENGTH_BYTES], self._frame_bytes)
        if length != len(data) - LENGTH_BYTES:
            raise ProtocolViolation("the worker wrote a frame that is not as long as it says.")
        return data[LENGTH_BYTES:]

    @property
    def empty(self) -> bool:
        return self._lines.empty()


class StrategyWorker:
    """Talks to the worker of one strategy. Every method raises `SandboxError`s alone.

    After any but `StrategyFailed` it must not be asked again: end the sandbox.
    """

    def __init__(
        self, commands: Commands, files: Files, limits: Limits, network_allowance_s: float
    ) -> None:
        self._commands = commands
        self._files = files
        self._limits = limits
        self._allowance_s = network_allowance_s
        self._lines = Lines(limits)
        self._sequence = 0
        self._turn = asyncio.Lock()
        self._handle: AsyncCommandHandle[None] | None = None
        self._ended: asyncio.Task[int] | None = None

    async def start(self, envs: Mapping[str, str], preload: Sequence[str]) -> None:
        """Start it, let it import the modules, then take its rights away."""
        await self._files.write(FOLDER, {"worker.py": script_of(worker)})
        command = limited(COMMAND, self._limits)
        self._handle = await self._commands.start(
            command, FOLDER, envs, self._lines.hear, stdin=True
        )
        self._ended = asyncio.create_task(self._commands.exit_code(self._handle))
        hello = await self._one("start", START_TIMEOUT_S, Hello, preload=list(preload))
        assert isinstance(hello, Hello)
        program = assemble(X86_64, hello.pid)
        await self._one("lock", START_TIMEOUT_S, Done, number=X86_64.seccomp, filter=program)

    async def load(self, source: Source, parameters: Mapping[str, Any]) -> None:
        self._sequence += 1
        frames = [load_request(self._sequence, source, parameters)]
        async with self._turn, self._deadline("load", START_TIMEOUT_S):
            await self._send(frames)
            self._expect(await self._answer(), Done)

    async def targets(self, bars: Mapping[str, Any], timeout_s: float) -> NDArray[np.float64]:
        async with self._turn, self._deadline("call", timeout_s):
            self._sequence += 1
            await self._send(bars_requests(self._sequence, bars))
            return weights_of(await self._weights(shape_of(bars)), shape_of(bars))

    async def stop(self) -> None:
        """Listen no more. The process ends with its sandbox."""
        if self._handle is not None:
            await self._handle.disconnect()
        if self._ended is not None:
            self._ended.cancel()
            await asyncio.gather(self._ended, return_exceptions=True)

    async def _one(self, op: str, timeout_s: float, kind: type[Answer], **fields: Any) -> Answer:
        self._sequence += 1
        async with self._turn, self._deadline(op, timeout_s):
            await self._send([request(op, self._sequence, **fields)])
            return self._expect(await self._answer(), kind)

    async def _weights(self, shape: tuple[int, int]) -> list[Weights]:
        pieces: list[Weights] = []
        room = 8 * shape[0] * shape[1]
        while not pieces or not pieces[-1].last:
            answer = await self._answer()
            if isinstance(answer, Invalid):
                raise InvalidResult(f"the strategy gave {printable(answer.what, 100)}.")
            piece = self._expect(answer, Weights)
            assert isinstance(piece, Weights)
            room -= len(piece.data)
            if room < 0 or (not piece.data and not piece.last):
                raise InvalidResult(f"more weights than {shape[0]}x{shape[1]}.")
            pieces.append(piece)
        return pieces

    def _expect(self, answer: Answer, kind: type[Answer]) -> Answer:
        if isinstance(answer, Failed):
            raise failure_of(answer)
        if not isinstance(answer, kind):
            raise ProtocolViolation(f"{type(answer).__name__} was answered, not {kind.__name__}.")
        return answer

    async def _send(self, frames: Iterable[bytes]) -> None:
        assert self._handle is not None
        for frame in frames:
            line = base64.b64encode(frame) + b"\n"
            for start in range(0, len(line), SEND_BYTES):
                try:
                    await self._commands.send(self._handle.pid, line[start : start + SEND_BYTES])
                except SandboxRefused:
                    await self._raise_if_ended()
                    raise

    async def _answer(self) -> Answer:
        assert self._ended is not None
        frame = asyncio.create_task(self._lines.frame())
        try:
            await asyncio.wait({frame, self._ended}, return_when=asyncio.FIRST_COMPLETED)
            if not frame.done() and self._lines.empty:
                raise await self._crash()
            return answer_of(await frame, self._sequence)
        finally:
            frame.cancel()

    async def _raise_if_ended(self) -> None:
        """Tell "no such process" by its reason: the news of its end may come a little later."""
        assert self._ended is not None
        await asyncio.wait({self._ended}, timeout=NEWS_TIMEOUT_S)
        if self._ended.done():
            raise await self._crash()

    async def _crash(self) -> SandboxCrashed:
        assert self._ended is not None
        status = await self._ended
        said = printable(self._lines.complaint, 500)
        return SandboxCrashed(f"the worker ended with status {status}. {said}")

    @asynccontextmanager
    async def _deadline(self, what: str, timeout_s: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(timeout_s + self._allowance_s):
                yield
        except TimeoutError as error:
            raise SandboxTimeout(
                f"{what}: no answer within {timeout_s:g} s, and {self._allowance_s:g} s for the network."
            ) from error
