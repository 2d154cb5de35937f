"""The one thread that starts, hears, times, ends and reaps all sandboxes of this process.

It lives as long as the process does: the kernel ends a child with the thread that started it, so a
thread of a pool would take its sandboxes along when it goes. No other thread waits for a child, which
keeps process numbers unmistakable when it kills.
"""

import functools
import os
import queue
import selectors
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from time import monotonic

from sandboxes.errors import SandboxError
from sandboxes.limits import Limits
from sandboxes.local.child import Child, Stream

MEASURE_S = 0.1
"""How often one looks at what a script uses."""


class Supervisor:
    """Starts at its first use; `supervisor()` returns that of this process."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._selector = selectors.DefaultSelector()
        self._children: set[Child] = set()
        self._selector.register(self._bell, selectors.EVENT_READ, self._answer_bell)
        threading.Thread(target=self._run, name="sandbox-supervisor", daemon=True).start()

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        descriptors: tuple[int, ...],
        limits: Limits,
    ) -> Future[Child]:
        """Start a program in a session of its own, which inherits these descriptors and no other."""
        started: Future[Child] = Future()
        started.set_running_or_notify_cancel()

        def job() -> None:
            try:
                process = _popen(command, environment, folder, descriptors)
                started.set_result(self._adopt(process, limits))
            except OSError as error:
                started.set_exception(error)

        self._do(job)
        return started

    def kill(self, child: Child, cause: SandboxError | None) -> None:
        """End a process soon; nothing happens if it has ended."""
        self._do(lambda: child.kill(cause) if child in self._children else None)

    def measure(self, child: Child) -> None:
        """Look from now on at what a process uses, again and again."""
        self._do(lambda: setattr(child, "is_measured", True))

    def _do(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)
        os.eventfd_write(self._bell, 1)

    # -- in the thread

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select(self._wait_s()):
                key.data()
            now = monotonic()
            for child in tuple(self._children):
                child.check_deadline(now)
                if child.is_measured:
                    child.measure()

    def _wait_s(self) -> float | None:
        waits = [child.deadline - monotonic() for child in self._children if child.cause is None]
        waits += [MEASURE_S for child in self._children if child.is_measured]
        return max(0.0, min(waits)) if waits else None

    def _answer_bell(self) -> None:
        os.eventfd_read(self._bell)
        while not self._jobs.empty():
            self._jobs.get()()

    def _adopt(self, process: "subprocess.Popen[bytes]", limits: Limits) -> Child:
        child = Child(process, limits, monotonic())
        self._children.add(child)
        for stream in child.streams:
            os.set_blocking(stream.descriptor, False)
            self._hear(stream.descriptor, functools.partial(self._take, child, stream))
        self._hear(child.exit_descriptor, functools.partial(self._reap, child))
        return child

    def _hear(self, descriptor: int, answer: Callable[[], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, answer)

    def _take(self, child: Child, stream: Stream) -> None:
        if child in self._children and not child.take(stream):
            self._selector.unregister(stream.descriptor)

    def _reap(self, child: Child) -> None:
        for stream in child.streams:
            self._drain(child, stream)
        self._selector.unregister(child.exit_descriptor)
        self._children.discard(child)
        child.ended.set_result(child.reap(monotonic()))

    def _drain(self, child: Child, stream: Stream) -> None:
        """Take what it wrote before it ended."""
        if stream.descriptor not in self._selector.get_map():
            return
        self._selector.unregister(stream.descriptor)
        try:
            while child.take(stream):
                pass
        except BlockingIOError:
            return  # somebody of its session is about to end and holds the other side


def _popen(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    descriptors: tuple[int, ...],
) -> "subprocess.Popen[bytes]":
    """Start without a copy of this process: no `preexec_fn`, no `user`, which would make one."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=folder,
        env=environment,
        close_fds=True,
        pass_fds=descriptors,
        start_new_session=True,
    )


_of_this_process: Supervisor | None = None
_making = threading.Lock()


def supervisor() -> Supervisor:
    """Return the supervisor of this process."""
    global _of_this_process  # noqa: PLW0603  one thread of a process must own all children
    with _making:
        if _of_this_process is None:
            _of_this_process = Supervisor()
        return _of_this_process


def _forget() -> None:
    """In a forked child the thread is gone, and so are the children."""
    global _of_this_process, _making
    _of_this_process, _making = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
