"""Every package of a template, dependencies included, with the hash of its wheel."""

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from sandboxes.errors import SandboxError, SandboxRefused

PIP_TIMEOUT_S = 600.0


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A requirements file with hashes, for one Python on one platform."""

    text: str

    @property
    def digest(self) -> str:
        """Return what names the lock, and with it what is installed: sha256 (hex) of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return `name==version` of each package."""
        lines = (line for line in self.text.splitlines() if not line.startswith("#"))
        return tuple(line.split(" ")[0] for line in lines)


def this_platform() -> str:
    """Return what a lock is made for: `cp311-linux-x86_64`."""
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    return f"cp{version}-{sys.platform}-{platform.machine()}"


def resolve(packages: Iterable[str], platform: str) -> Lock:
    """Ask pip which wheels these packages and their dependencies are, on a platform.

    Raises
    ------
    SandboxError
        If pip finds no wheels that go together, or cannot reach its index.
    SandboxRefused
        If a wheel has no hash.
    """
    options = ["--dry-run", "--ignore-installed", "--only-binary", ":all:", "--report", "-"]
    answer = run_pip("install", "--quiet", *options, *elsewhere(platform), *packages)
    lines = sorted(line_of(package) for package in json.loads(answer)["install"])
    return Lock(text="\n".join([f"# {platform}", *lines, ""]))


def elsewhere(platform: str) -> list[str]:
    """What pip must be told to look for wheels of another Python than the one that runs this."""
    if platform == this_platform():
        return []
    python, system, machine = platform.split("-", 2)
    if system != "linux":
        raise SandboxRefused(f"a lock for {platform} can only be made there")
    wheels = [f"manylinux_2_{minor}_{machine}" for minor in (28, 27, 24, 17)]
    tags = [f"--platform={tag}" for tag in (*wheels, f"manylinux2014_{machine}")]
    version = f"--python-version={python[2]}.{python[3:]}"
    return [version, "--implementation=cp", *tags, "--target=unused-by-a-dry-run"]


def line_of(package: Mapping[str, Any]) -> str:
    about = package["metadata"]
    pinned = f"{about['name'].lower()}=={about['version']}"
    sha256 = package["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
    if not sha256:
        raise SandboxRefused(
            f"the wheel of {pinned} has no hash; take it from an index that gives it"
        )
    return f"{pinned} --hash=sha256:{sha256}"


def run_pip(*arguments: str) -> str:
    """Run pip with the Python that runs this; wheels only, so that nothing of a package is executed.

    Raises
    ------
    SandboxError
        With the last line that pip said.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SandboxError(f"pip did not end within {PIP_TIMEOUT_S:.0f} s; try again") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise SandboxError(f"pip failed: {' '.join(said) or done.stderr[-500:]}")
    return done.stdout
