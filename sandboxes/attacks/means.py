"""What payloads share: it travels in front of each of them, so it needs the standard library alone."""

import ctypes
import errno
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

REFUSALS = (errno.EPERM, errno.ENOSYS)
NAMES_TOLD, NAME_LENGTH = 3, 60
Ground = dict[str, Any]
seen: dict[str, list[str]] = {}
"""How the system answered, and to which attempts."""


def note(how: str, what: str) -> None:
    seen.setdefault(how, []).append(what[:NAME_LENGTH])


def answered(error: OSError, what: str) -> None:
    """Note how the system refused an attempt."""
    number = error.errno
    note(f"{errno.errorcode[number]} ({os.strerror(number)})" if number else str(error), what)


def report(through: list[str]) -> dict[str, Any]:
    """Return what got through, and how often and by what the rest did not; forget it for the next attack."""
    told = {how: [len(names), *names[:NAMES_TOLD]] for how, names in seen.items()}
    seen.clear()
    return {"through": through, "seen": told}


def got_through(**attempts: Callable[[], object]) -> list[str]:
    """Return the names of the attempts that the system did not refuse."""
    found = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError as error:
            answered(error, name)
            continue
        found.append(name)
    return found


def reads(path: str) -> Callable[[], object]:
    def attempt() -> object:
        place = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.read(place, 100)
        finally:
            os.close(place)

    return attempt


def writes(path: str, flags: int = 0) -> Callable[[], object]:
    """Return an attempt to open for writing; nothing is written."""
    return lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | flags, 0o600))


def lists(path: str) -> Callable[[], object]:
    """Return an attempt to see more names in a folder than those on the way to our own libraries."""
    own = (*sys.path, sys.executable, "/etc/ld.so.cache")

    def attempt() -> None:
        ways = {name: f"{path.rstrip('/')}/{name}/" for name in os.listdir(path)}  # noqa: PTH208
        foreign = [
            name
            for name, way in ways.items()
            if not any(f"{each}/".startswith(way) for each in own)
        ]
        if not foreign:
            raise FileNotFoundError("nothing there but our own libraries")

    return attempt


def call(number: int, *arguments: int) -> int:
    """Make a system call past every library; return 0 or the number of the error."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    words = [ctypes.c_long(each) for each in arguments]
    return ctypes.get_errno() if libc.syscall(ctypes.c_long(number), *words) < 0 else 0


def is_refused(number: int, *arguments: int) -> bool:
    error = call(number, *arguments)
    if error:
        answered(OSError(error, ""), f"system call {number}")
    return error in REFUSALS


def numbers(text: str) -> dict[str, int]:
    """Return numbers of this machine from lines of `name x86_64 aarch64`; `-` where there is none."""
    column = {"x86_64": 1, "aarch64": 2}[platform.machine()]
    rows = [line.split() for line in text.strip().splitlines()]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}
