"""A template as a virtual environment on this machine."""

import os
import stat
import sysconfig
import venv
from pathlib import Path

import msgspec

from sandboxes.errors import SandboxRefused
from sandboxes.templates.lock import run_pip, this_platform
from sandboxes.templates.registry import FOLDER, inspect, lock, lock_path

MARKER = "template.json"
OTHERS_MAY_ENTER = stat.S_IXOTH
OTHERS_MAY_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
NOBODY_MAY_WRITE = ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


class LocalBuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was built into a folder. `digest` is that of the lock."""

    name: str
    platform: str
    digest: str


def build_local(name: str, folder: Path, templates: Path = FOLDER) -> LocalBuild:
    """Make the virtual environment of a template, or find it made.

    It is readable by every user and writable by none: code in a sandbox runs under a user id that
    owns nothing. The packages are in `packages_of(folder)`, for the rungs that bring an interpreter.

    Parameters
    ----------
    name : str
        Of the template.
    folder : Path
        The environment itself. It must not exist yet, or hold exactly this template.

    Raises
    ------
    SandboxRefused
        If no other user could enter the folder, if something else is there, or if nobody made a lock
        for this platform.
    SandboxError
        If pip cannot install what the lock says, a wrong hash included.
    """
    folder = folder.absolute()
    pinned = lock(name, this_platform(), templates)
    wanted = LocalBuild(name=name, platform=this_platform(), digest=pinned.digest)
    refuse_closed_path(folder.parent)
    if folder.exists():
        return found(folder, wanted)
    inspect(name, templates)
    install(folder, lock_path(name, this_platform(), templates))
    (folder / MARKER).write_bytes(msgspec.json.encode(wanted))
    open_to_read(folder)
    return wanted


def inspect_local(folder: Path) -> LocalBuild:
    """Return what was built in a folder.

    Raises
    ------
    SandboxRefused
        If nothing was, or not to its end.
    """
    marker = folder / MARKER
    if not marker.is_file():
        raise SandboxRefused(f"{folder} holds no finished template; remove it and build again")
    return msgspec.json.decode(marker.read_bytes(), type=LocalBuild)


def found(folder: Path, wanted: LocalBuild) -> LocalBuild:
    there = inspect_local(folder)
    if there != wanted:
        raise SandboxRefused(
            f"{folder} holds {there.name} {there.digest[:12]}, not {wanted.name} {wanted.digest[:12]}; "
            "name another folder"
        )
    return there


def python_of(folder: Path) -> Path:
    """Return the Python of what was built in a folder."""
    return folder / "bin" / "python"


def packages_of(folder: Path) -> Path:
    """Return the folder of its packages."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))


def refuse_closed_path(folder: Path) -> None:
    """Other users need the right to enter every folder on the way: one of 0700 shuts them all out.

    Sandboxes of a plain user are that user.
    """
    if os.geteuid() != 0:
        return
    for each in (folder, *folder.parents):
        if each.exists() and not each.stat().st_mode & OTHERS_MAY_ENTER:
            raise SandboxRefused(
                f"other users may not enter {each}, so nothing under it can be used by a sandbox; "
                "choose a place like /opt"
            )


def install(folder: Path, requirements: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    only_these = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--quiet"]
    run_pip("--python", str(python_of(folder)), "install", *only_these, "-r", str(requirements))


def open_to_read(folder: Path) -> None:
    for parent, _, files in os.walk(folder, topdown=False):
        for file in files:
            path = Path(parent, file)
            if not path.is_symlink():
                path.chmod((path.stat().st_mode | OTHERS_MAY_READ) & NOBODY_MAY_WRITE)
        Path(parent).chmod(0o555)
