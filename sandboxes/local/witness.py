"""What the kernel says of a running sandbox: asked from outside, so it cannot be forged."""

import os
from pathlib import Path

import msgspec

from sandboxes.errors import IsolationUnavailable

FILTERED = "2"
USER_TICKS = 11
"""Place in `stat`, counted behind the name of the program; those of the kernel follow."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0


def family(pid: int) -> list[int]:
    """Return the process and all that it started, as this machine numbers them."""
    found = [pid]
    for each in found:
        tasks = Path(f"/proc/{each}/task")
        try:
            for task in tasks.iterdir():
                found += map(int, (task / "children").read_text(encoding="ascii").split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return found


def facts(pid: int) -> dict[str, str]:
    """Return what `/proc` says of a process, by name."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def usage(pid: int) -> Usage:
    """Return what a process has used.

    Raises
    ------
    FileNotFoundError, ProcessLookupError
        If it has ended.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    peak = facts(pid).get("VmHWM", "0 kB").split()[0]
    ticks = int(fields[USER_TICKS]) + int(fields[USER_TICKS + 1])
    return Usage(cpu_s=ticks / os.sysconf("SC_CLK_TCK"), peak_memory_bytes=int(peak) << 10)


def check(pid: int) -> None:
    """Check the worker of a sandbox: no user 0, no capability, no new privileges, the filter on.

    Raises
    ------
    IsolationUnavailable
        Naming what does not hold.
    """
    seen = facts(family(pid)[-1])
    wrong = [
        what
        for what, holds in (
            ("it runs as user 0", "0" not in seen["Uid"].split()),
            ("it runs as group 0", "0" not in seen["Gid"].split()),
            ("it holds capabilities", int(seen["CapEff"], 16) == 0),
            ("it may gain privileges", seen["NoNewPrivs"] == "1"),
            ("no filter of system calls is on", seen["Seccomp"] == FILTERED),
        )
        if not holds
    ]
    if wrong:
        raise IsolationUnavailable(
            {"local": f"a sandbox did not start as it must: {', '.join(wrong)}"}
        )
