"""Other processes: signals by every call that sends some, priorities, limits."""

import fcntl
import os
import resource
import signal

from sandboxes.attacks.means import Ground, got_through, is_refused, numbers

CALLS = """
tkill 200 130
rt_sigqueueinfo 129 138
rt_tgsigqueueinfo 297 240
pidfd_open 434 434
pidfd_send_signal 424 424
sched_setaffinity 203 122
ioprio_set 251 30
migrate_pages 256 238
"""


def attack(ground: Ground) -> list[str]:
    victim, parent = ground["victim"], ground["parent"]

    def by_descriptor() -> None:
        read, write = os.pipe()
        fcntl.fcntl(read, fcntl.F_SETSIG, signal.SIGTERM)
        fcntl.fcntl(read, fcntl.F_SETOWN, victim)
        os.close(read)
        os.close(write)

    found = got_through(
        victim=lambda: os.kill(victim, signal.SIGKILL),
        probed=lambda: os.kill(victim, 0),
        parent=lambda: os.kill(parent, 0),
        group=lambda: os.kill(0, 0),
        all=lambda: os.kill(-1, 0),
        descriptor=by_descriptor,
        nice=lambda: os.setpriority(os.PRIO_PROCESS, victim, 19),
        limit=lambda: resource.prlimit(victim, resource.RLIMIT_CPU, (1, 1)),
    )
    raw = numbers(CALLS)
    return found + [name for name, number in raw.items() if not is_refused(number, victim, 0, 0)]
