"""`python -m serve.jobs.runner FOLDER`: runs one job, in a session of its own, and writes down how it ended.

It belongs to nobody: who started it may end. The call itself returns as soon as the runner lives.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from serve.jobs.files import read_record, take, try_take, write_record

POLL_S = 0.05
_PR_SET_PDEATHSIG = 1


def main(folder: Path) -> None:
    """Leave a runner behind that lives on by itself."""
    read_end, write_end = os.pipe()
    if os.fork():
        os.close(write_end)
        os.read(read_end, 1)  # it lives, or it is gone already
        return
    os.setsid()
    request = read_record(folder / "request")
    assert request is not None, f"{folder} is no job"
    take(folder / "alive")
    waiting = take(folder / "waiting")
    os.close(write_end)
    _await_turn(folder.parent, request)
    if not (folder / "canceled").exists():
        write_record(folder / "running", {"pid": os.getpid(), "at": time.time()})
        os.close(waiting)
        status = _run(folder, request)
        write_record(folder / "exit", {"status": status, "at": time.time()})
    os._exit(0)


def _await_turn(jobs: Path, request: dict[str, Any]) -> None:
    """Wait until those in front do not wait any more, then for a slot, which is held to the end."""
    for earlier in request["behind"]:
        with contextlib.suppress(FileNotFoundError):
            os.close(take(jobs / earlier / "waiting", is_shared=True))
    while True:
        for number in range(request["slots"]):
            if try_take(jobs / f"slot-{number}") is not None:
                return
        time.sleep(POLL_S)


def _run(folder: Path, request: dict[str, Any]) -> int:
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        try:
            command = subprocess.Popen(
                request["command"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder / "work",
                preexec_fn=_end_with_runner,  # noqa: PLW1509  # a runner has one thread
            )
        except OSError as error:
            err.write(f"trader: the command does not start: {error} [FAILED]\n".encode())
            return 1
        return command.wait()


def _end_with_runner() -> None:
    """Let the kernel kill the command when its runner dies: nobody would write down how it ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
