"""A loop without end that ignores every signal which can be ignored."""

import signal

from sandboxes.attacks.means import Ground


def attack(ground: Ground) -> list[str]:
    for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass
