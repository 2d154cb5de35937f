"""Places that processes of a machine share."""

import os
from _posixshmem import shm_open  # type: ignore[import-not-found]

from sandboxes.attacks.means import Ground, answered, got_through, lists, reads, writes


def attack(ground: Ground) -> list[str]:
    path, name = ground["shared_file"], ground["shared_file"].removeprefix("/dev/shm")
    found = got_through(
        read=reads(path),
        written=writes(path),
        shared_memory=lambda: os.close(shm_open(name, os.O_RDWR, 0o600)),
        new_shared_memory=lambda: os.close(shm_open("/canary-new", os.O_RDWR | os.O_CREAT, 0o600)),
        tmp=lists("/tmp"),
        ray=lists("/tmp/ray"),
    )
    try:
        seen = os.listdir("/dev/shm")
    except OSError as error:
        answered(error, "list /dev/shm")
        seen = []
    return found + [f"saw {each}" for each in seen]
