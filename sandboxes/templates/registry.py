"""The templates that ship, and their locks."""

from pathlib import Path

import msgspec

from sandboxes.errors import SandboxRefused
from sandboxes.templates.lock import Lock, resolve
from sandboxes.templates.template import Template

FOLDER = Path(__file__).parent


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the names of all templates."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def inspect(name: str, folder: Path = FOLDER) -> Template:
    """Return what a template says.

    Raises
    ------
    SandboxRefused
        If there is none of that name, or its file is wrong.
    """
    if name not in names(folder):
        raise SandboxRefused(f"no template {name!r}; there are: {', '.join(names(folder))}")
    path = folder / f"{name}.toml"
    try:
        template = msgspec.toml.decode(path.read_bytes(), type=Template)
    except msgspec.MsgspecError as error:
        raise SandboxRefused(f"{path.name} is no template: {error}") from error
    if template.name != name:
        raise SandboxRefused(f"{path.name} calls itself {template.name!r}; name it {name!r}")
    return template


def lock(name: str, platform: str, folder: Path = FOLDER) -> Lock:
    """Return the lock of a template for a platform.

    Raises
    ------
    SandboxRefused
        If nobody made one.
    """
    path = lock_path(name, platform, folder)
    if not path.is_file():
        raise SandboxRefused(
            f"template {name} has no lock for {platform}; "
            f"make one with sandboxes.templates.registry.write_lock({name!r}, {platform!r})"
        )
    return Lock(text=path.read_text())


def write_lock(name: str, platform: str, folder: Path = FOLDER) -> Lock:
    """Resolve a template for a platform, and keep the result as its lock.

    Raises
    ------
    SandboxError
        See `sandboxes.templates.lock.resolve`.
    """
    made = resolve(inspect(name, folder).packages, platform)
    path = lock_path(name, platform, folder)
    path.parent.mkdir(exist_ok=True)
    path.write_text(made.text)
    return made


def lock_path(name: str, platform: str, folder: Path = FOLDER) -> Path:
    return folder / "locks" / f"{name}.{platform}.txt"
