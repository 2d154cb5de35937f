"""A little output for ever: whoever waits for silence waits for ever."""

import os
import time

from sandboxes.attacks.means import Ground


def attack(ground: Ground) -> list[str]:
    while True:
        os.write(1, b".")
        time.sleep(0.02)
