"""What a death at the wrong moment leaves behind is ended by the next who starts, and nothing else is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sandboxes.local.plan import MARK
from sandboxes.local.survivors import end_orphans

NOWHERE = {"HOME": "/nonexistent", "PATH": "/nonexistent"}


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def sleeper(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], env=environment, stdin=subprocess.PIPE)  # fmt: skip


@pytest.fixture
def processes(gone: int) -> "Iterator[dict[str, subprocess.Popen[bytes]]]":
    mark = f"{gone}-7-8"
    made = {
        "orphan": sleeper({MARK: mark, **NOWHERE}),
        "owned": sleeper({MARK: f"{os.getpid()}-7-8", **NOWHERE}),
        "a program of others": sleeper({MARK: mark, "HOME": "/root", "PATH": "/bin"}),
        "another mark": sleeper({MARK: "yes", **NOWHERE}),
    }
    yield made
    for process in made.values():
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def test_only_sandboxes_without_an_owner_are_ended(
    processes: "dict[str, subprocess.Popen[bytes]]",
) -> None:
    assert processes["orphan"].pid in end_orphans()
    assert processes["orphan"].wait(10) == -signal.SIGKILL
    assert [name for name, process in processes.items() if process.poll() is None] == [
        "owned", "a program of others", "another mark",
    ]  # fmt: skip
    assert not {process.pid for process in processes.values()} & set(end_orphans())
