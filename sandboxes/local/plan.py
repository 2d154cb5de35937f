"""What one sandbox is started with: its user, its limits, its environment and what it may read."""

import itertools
import os
from pathlib import Path
from typing import Any

import msgspec

from sandboxes.limits import Limits
from sandboxes.local.runtime import Runtime

USERS = range(61_184, 65_520)
"""Users without a name that systemd leaves to programs that need some for a while."""
NICE = 10
STACK_BYTES = 8 << 20
MARK = "SANDBOX"
"""In the environment of every sandbox: the name of its folder, which begins with its number."""
_turn = itertools.count(os.getpid())


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One start.

    Attributes
    ----------
    user : int or None
        The user to become; None to stay who we are, which must not be user 0.
    folder : Path
        Input files; the code starts here and can write nothing.
    descriptors : pair of int
        Where the worker reads requests and writes answers.
    """

    runtime: Runtime
    limits: Limits
    user: int | None
    folder: Path
    descriptors: tuple[int, int]


def next_user() -> int | None:
    """Return a user for the next sandbox: another one each time for the administrator, else None.

    Limits on processes are counted by user, so two sandboxes should not share one.
    """
    return USERS[next(_turn) % len(USERS)] if os.geteuid() == 0 else None


def steps(plan: Plan, landlock: int, readable: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return what `stub` has to do, as it reads it."""
    return {
        "parent": os.getpid(),
        "user": plan.user or 0,
        "nice": NICE,
        "limits": resource_limits(plan.limits, shares_user=plan.user is None),
        "landlock": landlock,
        "readable": [str(path) for path in readable],
        "environment": environment(plan),
    }


def resource_limits(limits: Limits, *, shares_user: bool) -> dict[str, int]:
    """Return limits by the names of the module `resource`."""
    processes = limits.processes + (_tasks() if shares_user else 0)
    return {
        "RLIMIT_AS": limits.memory_bytes,
        "RLIMIT_CPU": limits.cpu_s,
        "RLIMIT_NPROC": processes,
        "RLIMIT_NOFILE": limits.files,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
        "RLIMIT_STACK": STACK_BYTES,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_SIGPENDING": 64,
    }


def _tasks() -> int:
    """Return how many tasks this machine runs: those of one user cannot be more."""
    return int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[2])


def environment(plan: Plan) -> dict[str, str]:
    """Return the whole environment: nothing of the host's is in it."""
    return {
        **plan.runtime.env,
        "HOME": "/nonexistent",
        "PATH": "/nonexistent",
        MARK: plan.folder.name,
        "LD_LIBRARY_PATH": str(plan.runtime.interpreter / "lib"),
    }


def worker_command(plan: Plan, worker: Path) -> list[str]:
    """Return the program and arguments of the worker."""
    runtime = plan.runtime
    flags = ["-I", "-S", "-B"]
    return [
        str(runtime.python),
        *flags,
        str(worker),
        str(runtime.packages),
        *map(str, plan.descriptors),
    ]
