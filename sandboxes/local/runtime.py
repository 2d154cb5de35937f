"""The interpreter and the packages that sandboxed code runs on: copies that its user can read.

The interpreter of the host may lie where only its owner can go (`/root` is closed to others on many
machines), and its packages hold far more than a strategy needs. So the interpreter, its standard library
and the packages of a template are copied once into a folder of their own, named by what it holds.
"""

import hashlib
import os
import platform
import shutil
import stat
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import distribution
from pathlib import Path

import msgspec

from sandboxes import worker
from sandboxes.errors import IsolationUnavailable
from sandboxes.local.packages import packages_for
from sandboxes.templates.template import Template

LEFT_OUT = ("site-packages", "test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3")
SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
FOLDERS_OF_LAST_RESORT = ("/var/lib/neural-trader/sandbox",)
"""For the administrator, whose own folders are often closed to others."""


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything lies that a sandbox reads, and what it is told.

    Attributes
    ----------
    env : mapping
        Of the template.
    digest : str
        Of the copies of interpreter, packages and worker.
    about : mapping
        Of the template, for `Isolation.details`.
    """

    interpreter: Path
    packages: Path
    worker: Path
    preload: tuple[str, ...]
    env: Mapping[str, str]
    digest: str
    about: Mapping[str, str]

    @property
    def python(self) -> Path:
        return self.interpreter / "bin" / "python3"

    @property
    def readable(self) -> tuple[Path, ...]:
        """Every path that must be readable, the libraries of the system among them."""
        system = tuple(Path(path) for path in SYSTEM_LIBRARIES if Path(path).exists())
        return (self.interpreter, self.packages, self.worker, *system)


def prepare(home: Path, template: Template) -> Runtime:
    """Return the copies for a template, made now if they are not there.

    Raises
    ------
    SandboxRefused
        If a package of the template is missing here and it was not built.
    """
    interpreter = _made(home, "python", _interpreter_facts(), _copy_interpreter)
    found = packages_for(home, template)
    packages = found.built or _made(
        home, template.name, [found.digest], lambda folder: _copy_packages(found.copied, folder)
    )
    source = Path(worker.__file__)
    program = _made(
        home, "worker", [_sha256(source)], lambda folder: _copy(source, folder / "worker.py")
    )
    return Runtime(
        interpreter=interpreter,
        packages=packages,
        worker=program / "worker.py",
        preload=template.preload,
        env=template.env,
        digest=_digest([interpreter.name, found.digest, program.name]),
        about={"template": template.name, "digest": found.digest, "packages": found.origin},
    )


def usable_home(wanted: Path, user: int | None) -> Path:
    """Return a folder that `user` can go to: the wanted one, or for the administrator one of the system.

    Raises
    ------
    IsolationUnavailable
        If there is none.
    """
    others = [Path(each) for each in FOLDERS_OF_LAST_RESORT] if user else []
    reasons = {}
    for place in [wanted, *others]:
        reason = _opened(place, user)
        if not reason:
            return place
        reasons[str(place)] = reason
    raise IsolationUnavailable(reasons)


def _opened(place: Path, user: int | None) -> str:
    """Make a folder if it is missing; return why it is of no use, and what would help."""
    missing = [each for each in (*reversed(place.parents), place) if not each.exists()]
    try:
        for folder in missing:
            folder.mkdir()
            folder.chmod(0o755 if user else 0o700)
    except OSError as error:
        return f"it cannot be made ({error.strerror}); name a folder of yours"
    state = place.stat()
    if state.st_uid != os.geteuid() or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write there; name a folder of yours, or take their right (chmod go-w)"
    if closed := closed_to(place, user):
        return (
            f"user {user} of the sandbox cannot enter {closed}; open it (chmod o+x) or name another"
        )
    return ""


def closed_to(path: Path, user: int | None) -> Path | None:
    """Return the first folder on the way to `path` that `user` cannot enter, or None.

    A user of a sandbox owns nothing and is in no group, so the rights of all others count; None is
    whoever runs this.
    """
    for folder in (*reversed(path.absolute().parents), path.absolute()):
        if user is None:
            if not os.access(folder, os.X_OK):
                return folder
        elif not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _interpreter_facts() -> list[str]:
    executable = Path(sys.executable).resolve()
    state = executable.stat()
    return [sys.version, platform.machine(), str(executable), str(state.st_mtime_ns)]


def _made(home: Path, kind: str, facts: Iterable[str], make: Callable[[Path], None]) -> Path:
    """Return the folder of that kind that holds what `facts` say; it appears whole or not at all."""
    folder = home / f"{kind}-{_digest(facts)[:16]}"
    if folder.is_dir():
        return folder
    draft = home / f".{folder.name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o755)
    try:
        make(draft)
        _open_to_all(draft)
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not folder.is_dir():  # else another process was faster
            raise
    return folder


def _copy_interpreter(folder: Path) -> None:
    executable = Path(sys.executable).resolve()
    _copy(executable, folder / "bin" / "python3")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(
        sysconfig.get_path("stdlib"),
        folder / "lib" / version,
        ignore=lambda place, names: (
            set(names) & set(LEFT_OUT) if Path(place).name == version else ()
        ),
    )
    for library in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        _copy(library, folder / "lib" / library.name)


def _copy_packages(names: Iterable[str], folder: Path) -> None:
    for each in map(distribution, names):
        for file in each.files or ():
            if ".." not in file.parts and not file.name.endswith((".pth", ".pyi")):
                _copy(Path(str(each.locate_file(file))), folder / Path(*file.parts))


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        return  # a record may name compiled files that were never made
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)


def _digest(facts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
