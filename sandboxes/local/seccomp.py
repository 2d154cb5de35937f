"""The filter of system calls: an allow-list, as a classic BPF program.

Everything that is not named in `syscalls` fails with EPERM. Another machine's calls (i386, x32) kill the
process. No file is opened for writing, no process started, no socket made, no other process signalled.
"""

import errno
import struct

from sandboxes.local.syscalls import Architecture

LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
ALLOW, KILL_PROCESS, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
DENY = ERROR | errno.EPERM
ABSENT = ERROR | errno.ENOSYS

WRITES = 0o1 | 0o2 | 0o100 | 0o1000 | 0o20000000
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE."""
THREAD = 0x00010000
NEW_NAMESPACES = 0x7E020080
DESCRIPTOR_COMMANDS = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC: F_SETOWN and F_SETSIG signal others."""
DEVICE_REQUESTS = (0x5401, 0x541B, 0x5421, 0x5451, 0x5413)
"""TCGETS, FIONREAD, FIONBIO, FIOCLEX, TIOCGWINSZ."""
PROCESS_OPTIONS = (3, 15, 16, 21, 39, 0x53564D41)
"""GET_DUMPABLE, SET_NAME, GET_NAME, GET_SECCOMP, GET_NO_NEW_PRIVS, SET_VMA."""

Step = tuple[int, int, int, int]
"""Operation, steps to skip if true, steps to skip if false, constant."""


def assemble(architecture: Architecture, pid: int) -> bytes:
    """Return the filter for the process `pid` (its number as it sees itself)."""
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture.audit),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER),
    ]
    if architecture.foreign_from:
        steps += [(AT_LEAST, 0, 1, architecture.foreign_from), (RETURN, 0, 0, KILL_PROCESS)]
    for number in architecture.allowed.values():
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    for name, number in architecture.examined.items():
        block = _block(name, pid)
        steps += [(EQUAL, 0, len(block), number), *block]
    steps.append((RETURN, 0, 0, DENY))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _block(name: str, pid: int) -> list[Step]:
    """Steps for one call whose arguments matter; each way through ends in a RETURN."""
    match name:
        case "open":
            return _without(1, WRITES)
        case "openat":
            return _without(2, WRITES)
        case "clone":
            return [
                (LOAD, 0, 0, _low(0)),
                (AND, 0, 0, THREAD | NEW_NAMESPACES),
                (EQUAL, 0, 1, THREAD),
                (RETURN, 0, 0, ALLOW),
                (RETURN, 0, 0, DENY),
            ]
        case "kill" | "tgkill":
            return _one_of(0, (pid,))
        case "fcntl":
            return _one_of(1, DESCRIPTOR_COMMANDS)
        case "ioctl":
            return _one_of(1, DEVICE_REQUESTS)
        case "prctl":
            return _one_of(0, PROCESS_OPTIONS)
        case "prlimit64":
            return _all_zero(_low(0), _low(2), _high(2))
        case _:
            return [(RETURN, 0, 0, ABSENT)]  # clone3, openat2: libraries then use the older call


def _low(argument: int) -> int:
    return ARGUMENTS + 8 * argument


def _high(argument: int) -> int:
    return _low(argument) + 4


def _without(argument: int, bits: int) -> list[Step]:
    return [
        (LOAD, 0, 0, _low(argument)),
        (AND, 0, 0, bits),
        (EQUAL, 0, 1, 0),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, DENY),
    ]


def _one_of(argument: int, values: tuple[int, ...]) -> list[Step]:
    tests = [(EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [(LOAD, 0, 0, _low(argument)), *tests, (RETURN, 0, 0, DENY), (RETURN, 0, 0, ALLOW)]


def _all_zero(*offsets: int) -> list[Step]:
    steps: list[Step] = []
    for offset in offsets:
        steps += [(LOAD, 0, 0, offset), (EQUAL, 1, 0, 0), (RETURN, 0, 0, DENY)]
    return [*steps, (RETURN, 0, 0, ALLOW)]
