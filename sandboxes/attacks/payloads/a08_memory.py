"""More memory than is allowed: private, shared, and in files that have no name."""

import mmap
import os

from sandboxes.attacks.means import Ground, got_through, note

STEP = 64 << 20


def attack(ground: Ground) -> list[str]:
    def taken(flags: int) -> int:
        held: list[mmap.mmap] = []
        try:
            while len(held) * STEP < ground["memory_probe_bytes"]:
                held.append(mmap.mmap(-1, STEP, flags=flags))
        except (OSError, MemoryError):
            pass
        size = len(held) * STEP
        for each in held:
            each.close()
        return size

    kinds = {"private": mmap.MAP_PRIVATE, "shared": mmap.MAP_SHARED}
    sizes = {name: taken(flags) for name, flags in kinds.items()}
    for name, size in sizes.items():
        note(f"no more than {size >> 20} MiB", name)
    found = [name for name, size in sizes.items() if size > ground["memory_bytes"]]
    return found + got_through(memfd=lambda: os.memfd_create("canary"))
