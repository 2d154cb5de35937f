"""All processes of a job, whoever started them and whatever session they moved to."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from serve.jobs.files import MARK

TERMINATE_S = 3.0
"""How long a command has to end by itself."""
POLL_S = 0.02


def processes_of(job_id: str) -> set[int]:
    """Return the ids of the processes that carry the mark of a job; dead ones that nobody has buried are left out."""
    mark = f"{MARK}={job_id}".encode()
    return {
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and _is_marked(entry, mark)
    }


def end_processes(job_id: str, spared: int | None, is_over: Callable[[], bool]) -> None:
    """End all of a job: in peace first, then by force until none is left.

    Parameters
    ----------
    spared : int or None
        The runner, while there is a command that it waits for: it writes down how that ended.
    is_over : callable
        True when the end is written down.
    """
    _signal(processes_of(job_id) - {spared}, signal.SIGTERM)
    deadline = time.monotonic() + TERMINATE_S
    while time.monotonic() < deadline and not (is_over() and not processes_of(job_id) - {spared}):
        time.sleep(POLL_S)
    while left := processes_of(job_id):
        _signal(left, signal.SIGKILL)
        time.sleep(POLL_S)


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_marked(entry: Path, mark: bytes) -> bool:
    try:
        return mark in (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # it is gone, or somebody else's
        return False
