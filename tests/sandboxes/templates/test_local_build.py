"""A template as a virtual environment: exactly its lock, readable by everyone, writable by nobody."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.errors import SandboxError, SandboxRefused
from sandboxes.templates import registry
from sandboxes.templates.local_build import (
    build_local,
    inspect_local,
    packages_of,
    python_of,
    refuse_closed_path,
)
from sandboxes.templates.lock import this_platform

NOBODY = 65534


def remove(folder: Path) -> None:
    """Remove what is read-only for its owner too."""
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def open_place() -> Iterator[Path]:
    """A folder that every user may enter; those of pytest are closed."""
    place = Path(tempfile.mkdtemp(prefix="templates-"))
    place.chmod(0o755)
    yield place
    remove(place)


@pytest.fixture(scope="module")
def python(open_place: Path) -> Path:
    """Of the base template, built once."""
    build_local("base", open_place / "base")
    return python_of(open_place / "base")


def test_it_imports_what_is_in_the_lock_and_nothing_else(python: Path) -> None:
    code = (
        "import importlib.metadata as m\n"
        "print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()))\n"
        "import numpy, msgpack"
    )
    said = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    lock = registry.lock("base", this_platform())
    assert said.stdout.split() == list(lock.requirements)


def test_nobody_may_write_and_everyone_may_read(python: Path) -> None:
    folder = python.parents[1]
    for path in [folder, *folder.rglob("*")]:
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        assert not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH), path
        assert mode & stat.S_IROTH, path
        if path.is_dir():
            assert mode & stat.S_IXOTH, path


def test_it_says_what_it_is(python: Path) -> None:
    there = inspect_local(python.parents[1])
    assert there.name == "base"
    assert there.digest == registry.lock("base", this_platform()).digest


def test_built_again_it_is_found(python: Path) -> None:
    before = python.parent.stat().st_mtime_ns
    assert build_local("base", python.parents[1]) == inspect_local(python.parents[1])
    assert python.parent.stat().st_mtime_ns == before


def test_another_template_does_not_take_its_place(python: Path) -> None:
    with pytest.raises(SandboxRefused, match="name another folder"):
        build_local("polars", python.parents[1])


def test_an_unfinished_build_is_not_used(open_place: Path, python: Path) -> None:
    half = open_place / "half"
    half.mkdir()
    with pytest.raises(SandboxRefused, match="no finished template"):
        build_local("base", half)
    assert python.exists()


@pytest.mark.parametrize(
    ("what", "by"), [(r"sha256:....", "sha256:0000"), (r" --hash=\S+", "")], ids=["other", "none"]
)
def test_a_wheel_without_its_hash_is_not_installed(
    open_place: Path, tmp_path: Path, what: str, by: str
) -> None:
    templates = Path(shutil.copytree(registry.FOLDER, tmp_path / "templates"))
    path = registry.lock_path("base", this_platform(), templates)
    path.write_text(re.sub(what, by, path.read_text()))
    with pytest.raises(SandboxError, match=r"(?i)hashes"):
        build_local("base", open_place / f"tampered-{len(by)}", templates)
    with pytest.raises(SandboxRefused, match="no finished template"):
        inspect_local(open_place / f"tampered-{len(by)}")


def test_a_place_that_others_cannot_enter_is_refused_by_name(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with pytest.raises(SandboxRefused, match=f"may not enter {home}"):
        refuse_closed_path(home / "deep" / "venv")
    with pytest.raises(SandboxRefused, match="may not enter"):
        build_local("base", home / "venv")
    assert list(home.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to try")
def test_another_user_can_read_it_and_not_change_it(python: Path) -> None:
    packages = packages_of(python.parents[1])
    reads = f"cat {packages}/numpy/__init__.py > /dev/null"
    probe = ["/bin/sh", "-c", f"{reads} && ! touch {packages}/x 2> /dev/null"]
    subprocess.run(probe, user=NOBODY, group=NOBODY, extra_groups=[], check=True)
