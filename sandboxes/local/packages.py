"""The packages of a template: as they were built from its lock, or as they are installed here."""

import hashlib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import msgspec

from sandboxes.errors import SandboxRefused
from sandboxes.templates import registry
from sandboxes.templates.local_build import inspect_local, packages_of
from sandboxes.templates.lock import Lock, this_platform
from sandboxes.templates.template import Template

DIGITS = 16
BUILT = "built from the lock, hashes checked"
AS_LOCKED = "copied from here, versions as locked"


class Packages(msgspec.Struct, frozen=True, kw_only=True):
    """What code will find installed.

    Attributes
    ----------
    digest : str
        Of the lock, if it is what the lock says; otherwise of the names and versions.
    origin : str
        Where they come from, for people.
    built : Path or None
        The folder that holds them; None if `copied` have to be copied.
    copied : tuple of str
        Distributions of this environment.
    """

    digest: str
    origin: str
    built: Path | None = None
    copied: tuple[str, ...] = ()


def build_folder(home: Path, name: str, lock: Lock) -> Path:
    """Return where the virtual environment of a template belongs."""
    return home / "templates" / f"{name}-{lock.digest[:DIGITS]}"


def packages_for(home: Path, template: Template) -> Packages:
    """Return the packages of a template: what was built of it, else what this environment has of it.

    Raises
    ------
    SandboxRefused
        If a package is missing here and the template was not built.
    """
    lock = lock_of(template)
    if lock is None:
        return _copied(template, template.packages, None)
    folder = build_folder(home, template.name, lock)
    if folder.is_dir():
        digest = inspect_local(folder).digest
        return Packages(digest=digest, origin=BUILT, built=packages_of(folder))
    return _copied(template, lock.requirements, lock)


def lock_of(template: Template) -> Lock | None:
    """Return the lock for this machine; None if nobody made one."""
    path = registry.lock_path(template.name, this_platform())
    return Lock(text=path.read_text(encoding="utf-8")) if path.is_file() else None


def _copied(template: Template, requirements: tuple[str, ...], lock: Lock | None) -> Packages:
    names = [each.partition("==")[0] for each in requirements]
    there = tuple(f"{name}=={_installed(template, name).version}" for name in names)
    if lock is not None and there == requirements:
        return Packages(digest=lock.digest, origin=AS_LOCKED, copied=tuple(names))
    other = ", ".join(sorted(set(there) - set(requirements))) or "nothing is locked"
    return Packages(
        digest=hashlib.sha256("\n".join(there).encode()).hexdigest(),
        origin=f"copied from here: {other}",
        copied=tuple(names),
    )


def _installed(template: Template, name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise SandboxRefused(
            f"template {template.name} needs {name}, which is not installed here; build it: "
            f"trader sandbox templates build {template.name}"
        ) from None
