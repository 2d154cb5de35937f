"""A key whose path is known and whose mode lets everybody read it."""

import os

from sandboxes.attacks.means import Ground, got_through, lists, reads


def attack(ground: Ground) -> list[str]:
    path = ground["key_file"]
    return got_through(
        **{"read the key": reads(path), "listed its folder": lists(os.path.dirname(path))}
    )
