"""One worker process behind a rung: started, locked down, spoken to, ended."""

import asyncio
import platform
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sandboxes.errors import (
    InvalidResult,
    ProtocolViolation,
    SandboxCrashed,
    SandboxError,
    SandboxTimeout,
)
from sandboxes.frames import Done, Failed, Hello, Reply, answer_of, failure_of, printable, request
from sandboxes.limits import Limits
from sandboxes.local import folder as folders
from sandboxes.local import seccomp, witness
from sandboxes.local.channel import Channel, ChannelClosed
from sandboxes.local.child import Child, Ending
from sandboxes.local.plan import Plan, environment, next_user
from sandboxes.local.rungs import Rung
from sandboxes.local.runtime import Runtime
from sandboxes.local.supervisor import supervisor
from sandboxes.local.syscalls import ARCHITECTURES

START_TIMEOUT_S = 30.0
LAST_WORDS_S = 1.0
"""How long a worker that hung up may take to end by itself."""
Kind = TypeVar("Kind", bound=Reply)


class Cell:
    """Made by `start`; once it is over it stays over."""

    def __init__(
        self, child: Child, channel: Channel, folder: Path, rung: Rung, limits: Limits
    ) -> None:
        self.child = child
        self.folder = folder
        self.is_over = False
        self._channel, self._rung, self._limits = channel, rung, limits
        self._sequence = 0

    @classmethod
    async def start(cls, rung: Rung, runtime: Runtime, limits: Limits, folder: Path) -> "Cell":
        """Start a worker: modules loaded, filter on, nothing of anybody else's run yet.

        Raises
        ------
        SandboxError
            If it does not come up as it must.
        """
        user = next_user()
        folders.make(folder, user)
        channel = Channel()
        plan = Plan(
            runtime=runtime, limits=limits, user=user, folder=folder, descriptors=channel.theirs
        )
        try:
            starting = supervisor().start(
                rung.command(plan), environment(plan), folder, channel.theirs, limits
            )
            child = await asyncio.shield(asyncio.wrap_future(starting))
        except OSError as error:
            channel.close()
            shutil.rmtree(folder)
            raise SandboxCrashed(f"it could not be started: {error}.") from error
        finally:
            channel.started()
        cell = cls(child, channel, folder, rung, limits)
        try:
            async with cell.exchange(START_TIMEOUT_S):
                await cell._lock_down(runtime)
        except SandboxError:
            await cell.end(None)
            raise
        return cell

    async def _lock_down(self, runtime: Runtime) -> None:
        hello = await self.ask("start", Hello, preload=list(runtime.preload))
        architecture = ARCHITECTURES[platform.machine()]
        program = seccomp.assemble(architecture, hello.pid)
        await self.ask("lock", Done, number=architecture.seccomp, filter=program)
        witness.check(self.child.pid)

    def next(self) -> int:
        """Return the number of the next request."""
        self._sequence += 1
        return self._sequence

    async def ask(self, op: str, kind: type[Kind], **fields: Any) -> Kind:
        await self.send([request(op, self.next(), **fields)])
        return await self.expect(kind)

    async def send(self, frames: Iterable[bytes]) -> None:
        await self._channel.send(frames)

    async def expect(self, *kinds: type[Kind]) -> Kind:
        """Return the next answer, which must be of one of these kinds."""
        answer = answer_of(await self._channel.receive(self._limits.frame_bytes), self._sequence)
        if isinstance(answer, Failed):
            raise failure_of(answer)
        if not isinstance(answer, kinds):
            raise ProtocolViolation(f"an answer of the wrong kind: {type(answer).__name__}.")
        return answer

    @asynccontextmanager
    async def exchange(self, limit_s: float) -> AsyncIterator[None]:
        """End the worker on everything but an answer, or an error that the code raised itself."""
        try:
            async with asyncio.timeout(limit_s):
                yield
        except TimeoutError:
            late = SandboxTimeout(f"no answer within {limit_s:g} s; it was killed.")
            await self._give_up(await self.end(late))
        except ChannelClosed:
            await self._give_up(await self.last_words(LAST_WORDS_S))
        except (ProtocolViolation, InvalidResult) as error:
            await self.end(error)
            raise
        except asyncio.CancelledError:
            await self.end(None)
            raise

    async def last_words(self, limit_s: float) -> Ending:
        """Wait until a worker that hung up has ended; end one that lives on."""
        ended = asyncio.wrap_future(self.child.ended)
        await asyncio.wait([ended], timeout=limit_s)
        return await self.end(ProtocolViolation("it hung up and lived on; it was killed."))

    async def end(self, cause: SandboxError | None) -> Ending:
        """Kill it if it lives, wait until the kernel has forgotten it, and clear its folder."""
        self.is_over = True
        supervisor().kill(self.child, cause)
        ending = await asyncio.shield(asyncio.wrap_future(self.child.ended))
        self._channel.close()
        shutil.rmtree(self.folder, ignore_errors=True)  # ended twice, it is gone
        return ending

    async def _give_up(self, ending: Ending) -> NoReturn:
        if ending.cause:
            raise ending.cause from None
        code = self._rung.exit_code(ending.code)
        how = f"signal {-code}" if code < 0 else f"status {code}"
        last = printable(ending.stderr.strip(), 300)
        raise SandboxCrashed(f"it ended by itself with {how}. {last}".strip()) from None
