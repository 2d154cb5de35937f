"""The ways in which this machine may keep code in, strongest first. Which one holds is proved elsewhere."""

import ctypes
import functools
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from sandboxes.local import stub
from sandboxes.local.plan import Plan, environment, steps, worker_command
from sandboxes.local.syscalls import ARCHITECTURES

OLDEST_BUBBLEWRAP = (0, 8)
SHARED_MEMORY, SHARED_MEMORY_BYTES = "/dev/shm", 1 << 20  # noqa: S108  of the sandbox
NOBODY = "65534"
TIME_ZONES = Path("/usr/share/zoneinfo")


class Rung(Protocol):
    @property
    def name(self) -> str: ...

    def objection(self) -> str:
        """Return why it cannot even be tried and what would help; empty if it can."""

    def command(self, plan: Plan) -> list[str]:
        """Return the program to start, and its arguments."""

    def details(self) -> dict[str, str]:
        """Return what a person may want to know of it."""

    def exit_code(self, code: int) -> int:
        """Return the exit code of the worker; negative for a signal."""


class Bubblewrap:
    """L1: own namespaces, an empty read-only file system with the runtime in it, and the filter."""

    name = "L1"

    def objection(self) -> str:
        if reason := unsuited():
            return reason
        if not shutil.which("bwrap"):
            return "bubblewrap is missing; install it (apt-get install bubblewrap)"
        if bubblewrap_version() < OLDEST_BUBBLEWRAP:
            return "bubblewrap is older than 0.8; install a newer one"
        return ""

    def command(self, plan: Plan) -> list[str]:
        program = shutil.which("bwrap")
        assert program is not None
        arguments = [*_namespaces(), *_environment(plan), *_files(plan)]
        worker = worker_command(plan, Path("/sandbox/worker.py"))
        return [*_stub(plan, landlock=0), program, *arguments, "--", *worker]

    def details(self) -> dict[str, str]:
        return {"bubblewrap": ".".join(map(str, bubblewrap_version()))}

    def exit_code(self, code: int) -> int:
        return 128 - code if code > 128 else code


class Landlock:
    """L2: reading beneath the runtime alone, and the filter; no namespace, no package."""

    name = "L2"

    def objection(self) -> str:
        if reason := unsuited():
            return reason
        if landlock_version() < 1:
            return (
                "the kernel offers no Landlock; use Linux 5.13 or newer with `landlock` in its lsm="
            )
        return ""

    def command(self, plan: Plan) -> list[str]:
        readable = (*plan.runtime.readable, plan.folder, *_existing(TIME_ZONES))
        start = _stub(plan, landlock_version(), readable)
        return [*start, *worker_command(plan, plan.runtime.worker)]

    def details(self) -> dict[str, str]:
        return {"landlock": str(landlock_version())}

    def exit_code(self, code: int) -> int:
        return code


def unsuited() -> str:
    """Return why no rung works on such a machine, or nothing."""
    if sys.platform != "linux":
        return "this needs Linux; use E2B instead"
    if platform.machine() not in ARCHITECTURES:
        known = " and ".join(ARCHITECTURES)
        return (
            f"system calls of {platform.machine()} are not known, only of {known}; use E2B instead"
        )
    return ""


@functools.cache
def bubblewrap_version() -> tuple[int, ...]:
    done = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False)
    words = done.stdout.split()
    numbers = words[-1].split(".") if words else []
    return tuple(int(each) for each in numbers if each.isdigit())


@functools.cache
def landlock_version() -> int:
    """Return the version of Landlock that the kernel speaks; 0 or less for none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(stub.CREATE_RULESET, None, 0, 1))


def _stub(plan: Plan, landlock: int, readable: tuple[Path, ...] = ()) -> list[str]:
    told = json.dumps(steps(plan, landlock, readable))
    return [str(plan.runtime.python), "-I", "-S", "-B", str(Path(stub.__file__)), told]


def _namespaces() -> list[str]:
    kinds = ("user", "pid", "net", "ipc", "uts", "cgroup-try")
    return [
        *(f"--unshare-{kind}" for kind in kinds),
        *("--disable-userns", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--uid", NOBODY, "--gid", NOBODY, "--hostname", "sandbox"),
    ]


def _environment(plan: Plan) -> list[str]:
    pairs = environment(plan).items()
    return ["--clearenv", *(word for name, value in pairs for word in ("--setenv", name, value))]


def _files(plan: Plan) -> list[str]:
    runtime = plan.runtime
    words: list[str] = []
    for path in (*runtime.readable, *_existing(TIME_ZONES)):
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path != runtime.worker:
            words += ["--ro-bind", str(path), str(path)]
    return [
        *words,
        *("--ro-bind", str(runtime.worker), "/sandbox/worker.py"),
        *("--ro-bind", str(plan.folder), "/work"),
        *("--dev", "/dev", "--size", str(SHARED_MEMORY_BYTES), "--tmpfs", SHARED_MEMORY),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/work"),
    ]


def _existing(*paths: Path) -> tuple[Path, ...]:
    return tuple(path for path in paths if path.exists())


RUNGS: tuple[Rung, ...] = (Bubblewrap(), Landlock())
