"""What a death at the wrong moment leaves behind is ended by the next who starts, and nothing else is."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.local import plan, survivors
from sandboxes.local.survivors import end_orphans

MARK = f"{plan.MARK}_OF_{os.getpid()}"
"""Not that of the product: whoever proves a backend meanwhile, in another process, ends orphans too."""
NOWHERE = {"HOME": "/nonexistent", "PATH": "/nonexistent"}


@pytest.fixture(autouse=True)
def own_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the mark of this process alone, in the form of the product."""
    form = survivors._OURS.pattern
    assert form.count(plan.MARK.encode()) == 1
    own = re.compile(form.replace(plan.MARK.encode(), MARK.encode()))
    monkeypatch.setattr(survivors, "_OURS", own)


@pytest.fixture
def gone() -> int:
    """A number that no process has, and none gets."""
    return int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii")) + 1


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
    assert processes["orphan"].wait(60) == -signal.SIGKILL
    assert [name for name, process in processes.items() if process.poll() is None] == [
        "owned", "a program of others", "another mark",
    ]  # fmt: skip
    assert not {process.pid for process in processes.values()} & set(end_orphans())
