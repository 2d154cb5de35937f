"""First program of every local sandbox: gives up rights for good, then becomes the next program.

    python -I -S -B stub.py PLAN PROGRAM [ARGUMENT ...]

PLAN is JSON, see `sandboxes.local.plan`. Needs the standard library alone. Nothing has run as another
user before this, and what runs after it can take nothing back.
"""

import ctypes
import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Any

PARENT_DEATH_SIGNAL, NO_NEW_PRIVILEGES, DROP_BOUND, AMBIENT, CLEAR_ALL = 1, 38, 24, 47, 4
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, READ_FILE, READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
BENEATH = 1
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights on files Landlock knows since which version."""
NETWORK_SINCE, SCOPES_SINCE = 4, 6
CAPABILITIES = 64

libc = ctypes.CDLL(None, use_errno=True)


def called(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def option(name: str, *values: int) -> None:
    called(name, libc.prctl(*values, *[0] * (5 - len(values))))


def lower(name: str, wanted: int) -> None:
    """Set a limit, but never above what is inherited."""
    kind = getattr(resource, name)
    _, hard = resource.getrlimit(kind)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (value, value))


def become(user: int) -> None:
    """Become the user and group of that number, with no capability and no way back."""
    for capability in range(CAPABILITIES):
        if libc.prctl(DROP_BOUND, capability, 0, 0, 0):
            break  # beyond the last one that this kernel knows
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def restrict(version: int, readable: list[str]) -> None:
    """Allow reading and starting programs beneath these paths, and no other use of a path."""
    rights = (1 << max(bits for since, bits in FILE_RIGHTS.items() if since <= version)) - 1
    network = 3 if version >= NETWORK_SINCE else 0
    scopes = 3 if version >= SCOPES_SINCE else 0
    head = struct.pack("QQQ", rights, network, scopes)
    size = 24 if version >= SCOPES_SINCE else 16 if version >= NETWORK_SINCE else 8
    rules = called("landlock", libc.syscall(CREATE_RULESET, head, size, 0))
    for path in readable:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = EXECUTE | READ_FILE | (READ_FOLDER if Path(path).is_dir() else 0)
        rule = struct.pack("=Qi", allowed, place)
        called("landlock rule", libc.syscall(ADD_RULE, rules, BENEATH, rule, 0))
        os.close(place)
    called("landlock", libc.syscall(RESTRICT_SELF, rules, 0))
    os.close(rules)


def prepare(plan: dict[str, Any]) -> None:
    for name, value in plan["limits"].items():
        lower(name, value)
    os.nice(plan["nice"])
    os.umask(0o077)
    if plan["user"]:
        become(plan["user"])
    if 0 in (*os.getresuid(), *os.getresgid()):
        raise PermissionError("a sandbox never runs as user or group 0")
    libc.prctl(
        AMBIENT, CLEAR_ALL, 0, 0, 0
    )  # kernels without ambient capabilities have none to clear
    option("no new privileges", NO_NEW_PRIVILEGES, 1)
    option("parent death signal", PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != plan["parent"]:
        sys.exit(1)  # it ended before the signal was armed
    if plan["landlock"]:
        restrict(plan["landlock"], plan["readable"])


if __name__ == "__main__":
    steps = json.loads(sys.argv[1])
    prepare(steps)
    os.execve(sys.argv[2], sys.argv[2:], steps["environment"])  # noqa: S606  there must be no shell
