"""One started process as the supervisor sees it: what it wrote, when it must end, how it ended."""

import codecs
import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import Future

import msgspec

from sandboxes.errors import OutputLimit, SandboxError, SandboxTimeout
from sandboxes.limits import Limits
from sandboxes.local.witness import Usage, family, usage

READ_BYTES = 64 << 10
Listener = Callable[[str, str], None]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a process ended.

    Attributes
    ----------
    code : int
        Exit code; negative for a signal.
    cause : SandboxError or None
        Why we ended it; None if it ended by itself.
    """

    code: int
    cause: SandboxError | None
    stdout: str
    stderr: str
    seconds: float
    cpu_s: float
    peak_memory_bytes: int


class Stream:
    """Standard output or error: its beginning is kept, all of it is counted."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.descriptor = descriptor
        self.kept = bytearray()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def take(self, data: bytes, room: int) -> str:
        """Keep what there is room for; return all of it as text."""
        self.kept += data[: max(0, room - len(self.kept))]
        return self._decode(data)

    def text(self) -> str:
        return self.kept.decode("utf-8", "replace")


class Child:
    """Owned by the thread of the supervisor; others read `pid` and `ended`, and set `listener`."""

    def __init__(self, process: "subprocess.Popen[bytes]", limits: Limits, now: float) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.pid = process.pid
        self.process = process
        self.exit_descriptor = os.pidfd_open(process.pid)
        self.ended: Future[Ending] = Future()
        self.ended.set_running_or_notify_cancel()  # who stops waiting must not stop the others
        self.listener: Listener | None = None
        self.is_measured = False
        self.used = Usage()
        self.started = now
        self.deadline = now + limits.total_timeout_s
        self.limits = limits
        self.cause: SandboxError | None = None
        self.streams = (
            Stream("stdout", process.stdout.fileno()),
            Stream("stderr", process.stderr.fileno()),
        )
        self._written = 0

    def take(self, stream: Stream) -> bool:
        """Read what a stream has; return whether there may be more later."""
        data = os.read(stream.descriptor, READ_BYTES)
        self._written += len(data)
        text = stream.take(data, self.limits.output_bytes)
        if text and self.listener and self._written <= self.limits.output_kill_bytes:
            self.listener(stream.name, text)
        if self._written > self.limits.output_kill_bytes:
            self.kill(
                OutputLimit(
                    f"it wrote over {self.limits.output_kill_bytes:,} bytes and was killed."
                )
            )
        return bool(data)

    def check_deadline(self, now: float) -> None:
        if self.cause is None and now >= self.deadline:
            total = self.limits.total_timeout_s
            self.kill(SandboxTimeout(f"its whole time of {total:g} s is over; it was killed."))

    def kill(self, cause: SandboxError | None) -> None:
        """End its whole session now; the first cause counts. It is not reaped yet, so the number is its own."""
        if self.cause is None:
            self.cause = cause
        self.measure()
        os.killpg(self.pid, signal.SIGKILL)

    def measure(self) -> None:
        """Look at what the worker has used: behind a namespace the kernel does not tell it at the end."""
        try:
            now = usage(family(self.pid)[-1])
        except (FileNotFoundError, ProcessLookupError):
            return  # it has just ended, and the last look counts
        self.used = Usage(
            cpu_s=max(self.used.cpu_s, now.cpu_s),
            peak_memory_bytes=max(self.used.peak_memory_bytes, now.peak_memory_bytes),
        )

    def reap(self, now: float) -> Ending:
        """Return how it ended; the kernel forgets it."""
        _, status, told = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self.process.returncode = code
        os.close(self.exit_descriptor)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
        return Ending(
            code=code,
            cause=self.cause,
            stdout=self.streams[0].text(),
            stderr=self.streams[1].text(),
            seconds=now - self.started,
            cpu_s=max(self.used.cpu_s, told.ru_utime + told.ru_stime),
            peak_memory_bytes=max(self.used.peak_memory_bytes, told.ru_maxrss << 10),
        )
