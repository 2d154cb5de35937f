"""A secret in the environment of the host."""

import os

from sandboxes.attacks.means import Ground, answered, note


def attack(ground: Ground) -> list[str]:
    secret = ground["secret"]
    found = ["os.environ"] if secret in str(os.environ) else []
    note("os.environ holds", ", ".join(sorted(os.environ)))
    for pid in ("self", os.getppid(), ground["parent"], ground["victim"]):
        path = f"/proc/{pid}/environ"
        try:
            with open(path, "rb") as file:
                found += [path] if secret.encode() in file.read() else []
        except OSError as error:
            answered(error, path)
    return found
