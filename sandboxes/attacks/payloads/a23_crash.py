"""Ends of every kind."""

import ctypes
import os
import signal

from sandboxes.attacks.means import Ground


def attack(ground: Ground) -> list[str]:
    match ground["how"]:
        case "fault":
            ctypes.string_at(8)
        case "abort":
            os.abort()
        case "exit":
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case _:
            pass
    return ["lived on"]
