"""More threads than are allowed."""

import threading

from sandboxes.attacks.means import Ground, note


def attack(ground: Ground) -> list[str]:
    over = threading.Event()
    count = 0
    try:
        while count <= ground["threads"]:
            threading.Thread(target=over.wait, daemon=True).start()
            count += 1
    except (RuntimeError, MemoryError):
        pass
    finally:
        over.set()
    note("no more than", f"{count} threads")
    return [f"{count} threads"] if count > ground["threads"] else []
