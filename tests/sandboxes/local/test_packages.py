"""What code finds installed: what the lock says, or what this environment has, told apart."""

from importlib.metadata import version
from pathlib import Path

import pytest
from msgspec.structs import replace

from sandboxes.errors import SandboxRefused
from sandboxes.local import packages
from sandboxes.local.packages import AS_LOCKED, build_folder, lock_of, packages_for
from sandboxes.templates import registry
from sandboxes.templates.lock import Lock, this_platform
from tests.sandboxes.local.home import BARE

HASH = "0" * 64


def locked(monkeypatch: pytest.MonkeyPatch, *requirements: str) -> Lock:
    lines = [f"{each} --hash=sha256:{HASH}" for each in requirements]
    lock = Lock(text="\n".join(["# here", *lines, ""]))
    monkeypatch.setattr(packages, "lock_of", lambda _: lock)
    return lock


def test_versions_of_the_lock_that_are_installed_here_are_copied(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = locked(monkeypatch, f"msgpack=={version('msgpack')}")

    found = packages_for(tmp_path, BARE)

    assert (found.digest, found.origin, found.copied) == (lock.digest, AS_LOCKED, ("msgpack",))


def test_other_versions_than_those_of_the_lock_are_named_and_have_a_digest_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = locked(monkeypatch, "msgpack==0.0.1")

    found = packages_for(tmp_path, BARE)

    assert found.origin == f"copied from here: msgpack=={version('msgpack')}"
    assert found.digest != lock.digest


def test_package_that_is_missing_here_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    locked(monkeypatch, "no-such-package==1")

    with pytest.raises(SandboxRefused, match="trader sandbox templates build bare"):
        packages_for(tmp_path, BARE)


def test_template_without_a_lock_is_copied_by_its_own_words(tmp_path: Path) -> None:
    assert lock_of(BARE) is None
    assert packages_for(tmp_path, BARE).copied == ("msgpack",)


def test_build_that_was_broken_off_is_not_used(tmp_path: Path) -> None:
    base = registry.inspect("base")
    folder = build_folder(tmp_path, "base", registry.lock("base", this_platform()))
    folder.mkdir(parents=True)

    with pytest.raises(SandboxRefused, match="no finished template"):
        packages_for(tmp_path, replace(base, packages=()))
