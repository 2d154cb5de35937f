"""Nothing is left when a parent is killed, and many starts leak nothing."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from sandboxes.limits import Limits
from sandboxes.local.backend import LocalBackend
from sandboxes.local.survivors import survivors
from tests.sandboxes.local.home import HOME, any_backend
from tests.sandboxes.local.measures import descriptors

ROOT = Path(__file__).parents[3]
STARTS, THREADS = 200, 64
GONE_WITHIN_S = 5.0
OWNER = """
import asyncio, sys
from sandboxes.limits import Limits
from tests.sandboxes.local.home import backend_of

async def main():
    sandbox = await backend_of(sys.argv[1]).create("bare", Limits(call_timeout_s=60))
    running = asyncio.create_task(sandbox.run("while True: pass"))
    print(sandbox.id, flush=True)
    await running

asyncio.run(main())
"""


def test_nothing_lives_on_when_the_owner_is_killed(backend: LocalBackend) -> None:
    name = backend.isolation.rung
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, name], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    sandbox_id = owner.stdout.readline().strip()
    assert survivors(sandbox_id)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    deadline = monotonic() + GONE_WITHIN_S
    while survivors(sandbox_id) and monotonic() < deadline:
        sleep(0.02)
    assert survivors(sandbox_id) == []


def test_folders_of_killed_owners_are_swept() -> None:
    no_process = int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii")) + os.getpid()
    left = HOME / "jobs" / f"{no_process}-1-2"
    left.mkdir(parents=True)
    assert LocalBackend(HOME).isolation.proof
    assert not left.exists()


def children() -> dict[str, str]:
    """Return the processes that this one started, with their states."""
    found = {}
    for each in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with suppress(
            FileNotFoundError, ProcessLookupError
        ):  # a thread, or a child, that just ended
            for pid in each.read_text(encoding="ascii").split():
                stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
                found[pid] = stat.rpartition(") ")[2][0]
    return found


@pytest.mark.slow
def test_many_starts_beside_many_threads_leak_nothing() -> None:
    backend = any_backend()
    assert backend.isolation.proof
    of_others = children()
    over = threading.Event()
    threads = [threading.Thread(target=over.wait) for _ in range(THREADS)]
    for thread in threads:
        thread.start()

    async def one() -> None:
        sandbox = await backend.create("bare", Limits())
        await sandbox.kill()
        assert survivors(sandbox.id) == []

    async def several(count: int) -> None:
        for _ in range(count // 4):
            await asyncio.gather(*(one() for _ in range(4)))

    try:
        asyncio.run(several(4))
        before = descriptors()
        asyncio.run(several(STARTS))
        assert descriptors() <= before
    finally:
        over.set()
        for thread in threads:
            thread.join()
    ours = {pid: state for pid, state in children().items() if pid not in of_others}
    assert "Z" not in ours.values()
