"""Output without end."""

import os

from sandboxes.attacks.means import Ground


def attack(ground: Ground) -> list[str]:
    block = b"x" * (1 << 20)
    for _ in range(ground["flood_blocks"]):
        os.write(1, block)
        os.write(2, block)
    return ["wrote all of it"]
