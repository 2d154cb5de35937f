"""More threads than are allowed."""

import threading

from sandboxes.attacks.means import Ground


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
    return [f"{count} threads"] if count > ground["threads"] else []
