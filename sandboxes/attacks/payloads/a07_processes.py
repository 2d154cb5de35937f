"""Other processes: fork bombs and other programs."""

import os
import subprocess

from sandboxes.attacks.means import Ground, answered, got_through, is_refused, numbers

FORK = "fork 57 -"
EXEC = "execveat 322 281"


def attack(ground: Ground) -> list[str]:
    found = []
    for _ in range(ground["forks"]):
        try:
            pid = os.fork()
        except OSError as error:
            answered(error, "fork")
            break
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        found.append("fork")
    found += got_through(
        spawn=lambda: os.posix_spawn("/bin/true", ["true"], {}),
        popen=lambda: subprocess.run(["/bin/true"], check=False),
        execve=lambda: os.execv("/proc/self/exe", ["python"]),
    )
    if not is_refused(numbers(EXEC)["execveat"], -1, 0, 0, 0, 0):
        found.append("execveat")
    return found + _forked_past_libraries()


def _forked_past_libraries() -> list[str]:
    known, parent = numbers(FORK), os.getpid()
    refused = [is_refused(number) for number in known.values()]
    if os.getpid() != parent:
        os._exit(0)
    return [] if all(refused) else ["fork past libraries"]
