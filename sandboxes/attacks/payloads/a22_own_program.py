"""The interpreter, the libraries and the worker: changed here, they would run for the next one."""

import os
import sys
from functools import partial

from sandboxes.attacks.means import Ground, got_through, writes


def attack(ground: Ground) -> list[str]:
    paths = {sys.executable, os.__file__, *filter(None, sys.path), *sys.orig_argv[1:]}
    paths |= {getattr(each, "__file__", None) or "" for each in tuple(sys.modules.values())}
    real = sorted(path for path in paths if path.startswith("/"))
    found = {f"wrote {path}": writes(path) for path in real}
    for path in real[:20]:
        found[f"made a file beside {path}"] = writes(f"{path}.canary", os.O_CREAT)
        found[f"opened up {path}"] = partial(os.chmod, path, 0o777)
        found[f"moved {path}"] = partial(os.rename, path, f"{path}.old")
    return got_through(**found)
