"""Anything that takes space on a disk: data, files without data, folders."""

import os
from collections.abc import Callable
from functools import partial

from sandboxes.attacks.means import Ground, got_through, writes

PLACES = (".", "/tmp", "/var/tmp", "/dev/shm", "/", "/work", "/run", "/nonexistent")


def attack(ground: Ground) -> list[str]:
    home = os.path.dirname(ground["key_file"])
    found: dict[str, Callable[[], object]] = {}
    for place in (*PLACES, home):
        found[f"file in {place}"] = writes(f"{place}/canary-{os.getpid()}", os.O_CREAT)
        found[f"unnamed file in {place}"] = writes(place, os.O_TMPFILE)
        found[f"folder in {place}"] = partial(os.mkdir, f"{place}/canary-{os.getpid()}-d")
    return got_through(
        **found,
        truncated=lambda: os.truncate("params.json", 0),
        grown=lambda: os.truncate("params.json", ground["disk_bytes"]),
    )
