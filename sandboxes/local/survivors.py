"""Processes of a sandbox that live on although it has ended."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sandboxes.local.plan import MARK

_OURS = re.compile(rb"\0" + MARK.encode() + rb"=(\d+)-\d+-\d+\0")
_NOWHERE = (b"\0HOME=/nonexistent\0", b"\0PATH=/nonexistent\0")
"""What the environment of every sandbox says beside its mark."""


def survivors(sandbox_id: str) -> list[int]:
    """Return processes that this sandbox left behind."""
    wanted = f"\0{MARK}={sandbox_id}-".encode()
    return [number for number, text in _environments() if wanted in text]


def end_orphans() -> list[int]:
    """End the processes of sandboxes whose owner is gone, and return them.

    Who dies takes its sandboxes along, but for one moment: a bubblewrap whose parent dies between the making of the
    namespaces and the order to go on leaves a first process that waits for that order for ever. No code of strangers
    has been started in it.
    """
    ended = []
    for number, text in _environments():
        owner = _OURS.search(text)
        if owner and all(word in text for word in _NOWHERE) and not _is_alive(int(owner[1])):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(number, signal.SIGKILL)
                ended.append(number)
    return ended


def _environments() -> Iterator[tuple[int, bytes]]:
    """Yield every process that may be looked at, with its environment between NUL characters."""
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                yield int(place.name), b"\0" + (place / "environ").read_bytes()
            except OSError:
                continue  # ended meanwhile, or of another user


def _is_alive(number: int) -> bool:
    return Path(f"/proc/{number}").exists()
