"""Two pipes to a worker, spoken without blocking the event loop or needing a thread."""

import asyncio
import os
from collections.abc import Iterable

from sandboxes.frames import LENGTH_BYTES, length_of

READ_BYTES = 1 << 20


class ChannelClosed(Exception):
    """The worker hung up."""


class Channel:
    """Our ends of the pipes; `theirs` are what the worker inherits."""

    def __init__(self) -> None:
        requests, self._write = os.pipe2(os.O_CLOEXEC)
        self._read, answers = os.pipe2(os.O_CLOEXEC)
        self.theirs = (requests, answers)
        self._is_open = True
        os.set_blocking(self._write, False)
        os.set_blocking(self._read, False)

    def started(self) -> None:
        """Close the ends that the worker has inherited."""
        for descriptor in self.theirs:
            os.close(descriptor)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            os.close(self._write)
            os.close(self._read)

    async def send(self, frames: Iterable[bytes]) -> None:
        """Write whole frames.

        Raises
        ------
        ChannelClosed
            If the worker has ended.
        """
        for frame in frames:
            rest = memoryview(frame)
            while rest:
                try:
                    rest = rest[os.write(self._write, rest) :]
                except BlockingIOError:
                    await self._ready(self._write, is_write=True)
                except BrokenPipeError:
                    raise ChannelClosed from None

    async def receive(self, limit: int) -> bytes:
        """Return one frame, of at most `limit` bytes.

        Raises
        ------
        ChannelClosed
            If the worker has ended.
        ProtocolViolation
            If it announces more.
        """
        return await self._exactly(length_of(await self._exactly(LENGTH_BYTES), limit))

    async def _exactly(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count:
            try:
                part = os.read(self._read, min(count, READ_BYTES))
            except BlockingIOError:
                await self._ready(self._read, is_write=False)
                continue
            if not part:
                raise ChannelClosed
            parts.append(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _ready(self, descriptor: int, *, is_write: bool) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        (loop.add_writer if is_write else loop.add_reader)(descriptor, wake)
        try:
            await ready
        finally:
            (loop.remove_writer if is_write else loop.remove_reader)(descriptor)
