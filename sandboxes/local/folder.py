"""The folder that a sandbox starts in: its input files, to be read by its user alone, written by nobody."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from sandboxes.errors import SandboxRefused
from sandboxes.worker import FILE_NAME

NAME = re.compile(r"(\d+)-\d+-\d+")


def make(folder: Path, user: int | None) -> None:
    """Make it; as the administrator it is given to the group of `user`."""
    folder.mkdir(parents=True, mode=0o700)
    if user is not None:
        os.chown(folder, -1, user)
        folder.chmod(0o750)


def fill(folder: Path, files: Mapping[str, bytes], limit: int) -> None:
    """Write input files.

    Raises
    ------
    SandboxRefused
        If a name is not plain, or they are longer than `limit` bytes together.
    """
    if bad := [name for name in files if not FILE_NAME.fullmatch(name)]:
        raise SandboxRefused(f"{bad[0]!r} is no plain file name; use letters, digits, dot, dash.")
    if (size := sum(map(len, files.values()))) > limit:
        raise SandboxRefused(f"input files of {size:,} bytes; at most {limit:,} are taken.")
    group = folder.stat().st_gid
    for name, data in files.items():
        path = folder / name
        path.write_bytes(data)
        os.chown(path, -1, group)
        path.chmod(0o640)


def sweep(jobs: Path) -> None:
    """Remove what processes left that did not live to do it themselves."""
    for folder in jobs.iterdir():
        owner = NAME.fullmatch(folder.name)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            shutil.rmtree(folder, ignore_errors=True)  # somebody else may sweep too
