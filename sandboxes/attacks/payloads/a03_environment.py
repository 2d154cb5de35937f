"""A secret in the environment of the host."""

import os

from sandboxes.attacks.means import Ground


def attack(ground: Ground) -> list[str]:
    secret = ground["secret"]
    found = ["os.environ"] if secret in str(os.environ) else []
    for pid in ("self", os.getppid(), ground["parent"], ground["victim"]):
        path = f"/proc/{pid}/environ"
        try:
            with open(path, "rb") as file:
                found += [path] if secret.encode() in file.read() else []
        except OSError:
            continue
    return found
