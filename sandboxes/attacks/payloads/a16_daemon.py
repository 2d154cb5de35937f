"""A process that outlives the script: forked twice, in a session of its own, or a thread."""

import os
import threading
import time

from sandboxes.attacks.means import Ground, answered

LIFE_S = 60


def attack(ground: Ground) -> list[str]:
    threading.Thread(target=time.sleep, args=(LIFE_S,)).start()
    try:
        if os.fork():
            return ["fork"]
        os.setsid()
        if os.fork():
            os._exit(0)
        time.sleep(LIFE_S)
        os._exit(0)
    except OSError as error:
        answered(error, "fork")
        return []
