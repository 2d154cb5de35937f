"""More rights: another user, capabilities, programs that give them, namespaces."""

import ctypes
import os

from sandboxes.attacks.means import Ground, got_through, is_refused, numbers

NEW_PRIVILEGES = 39
CALLS = """
capset 126 91
unshare 272 97
setns 308 268
mount 165 40
umount2 166 39
pivot_root 155 41
personality 135 92
setreuid 113 145
setfsuid 122 151
keyctl 250 219
"""


def attack(ground: Ground) -> list[str]:
    found = ["is user 0"] if 0 in (*os.getresuid(), *os.getresgid()) else []
    found += ["is in group 0"] if 0 in os.getgroups() else []
    found += got_through(
        user=lambda: os.setuid(0),
        group=lambda: os.setgid(0),
        groups=lambda: os.setgroups([0]),
        su=lambda: os.execv("/usr/bin/su", ["su"]),
    )
    if ctypes.CDLL(None).prctl(NEW_PRIVILEGES, 0, 0, 0, 0) != 1:
        found.append("may gain privileges")
    new_user = 0x10000000
    raw = numbers(CALLS)
    return found + [name for name, number in raw.items() if not is_refused(number, new_user, 0, 0)]
