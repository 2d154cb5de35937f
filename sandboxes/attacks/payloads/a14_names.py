"""Tricks with names: links, pipes, devices, modes, and the way up."""

import contextlib
import os
import re
import stat

from sandboxes.attacks.means import Ground, got_through, is_refused, numbers

NEIGHBOUR = re.compile(r"\d+-\d+-\d+")
CALLS = """
open_by_handle_at 304 265
name_to_handle_at 303 264
open_tree 428 428
chroot 161 51
"""


def attack(ground: Ground) -> list[str]:
    key, own = ground["key_file"], "params.json"
    found = got_through(
        symlink=lambda: os.symlink(key, "link"),
        hard_link=lambda: os.link(own, "hard"),
        foreign_link=lambda: os.link(key, "foreign"),
        fifo=lambda: os.mkfifo("fifo"),
        device=lambda: os.mknod("device", stat.S_IFCHR | 0o600, os.makedev(1, 3)),
        mode=lambda: os.chmod(own, 0o6777),
        owner=lambda: os.chown(own, os.getuid(), os.getgid()),
        moved=lambda: os.rename(own, "other.json"),
        removed=lambda: os.unlink(own),
        stamped=lambda: os.utime(own, (1, 1)),
        entered=lambda: os.chdir(os.path.dirname(key)),
    )
    with contextlib.suppress(OSError):
        found += [f"saw {name}" for name in os.listdir("..") if NEIGHBOUR.fullmatch(name)]
    raw = numbers(CALLS)
    return found + [name for name, number in raw.items() if not is_refused(number, -1, 0, 0, 0)]
