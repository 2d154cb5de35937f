"""Backends for tests: one rung each, on copies that stay between runs."""

import os
import tempfile
from pathlib import Path

import pytest

from sandboxes.local.backend import LocalBackend
from sandboxes.local.rungs import RUNGS, Rung
from sandboxes.templates.template import E2BImage, Template

HOME = Path(tempfile.gettempdir()) / f"neural-trader-sandbox-tests-{os.geteuid()}"
BARE = Template(
    name="bare",
    summary="What the worker itself needs: the fastest to start.",
    packages=("msgpack",),
    preload=(),
    env={"LANG": "C.UTF-8"},
    e2b=E2BImage(alias="none", source="none", platform="none", cpu_count=1, memory_mb=1),
)
NAMES = tuple(rung.name for rung in RUNGS)


def backend_on(*rungs: Rung, home: Path = HOME) -> LocalBackend:
    return LocalBackend(home, rungs[-1].name, rungs=rungs, templates=(BARE,))


_backends: dict[str, LocalBackend] = {}


def backend_of(name: str) -> LocalBackend:
    """Return the backend of one rung, or skip with the rung's own reason."""
    rung = next(each for each in RUNGS if each.name == name)
    if reason := rung.objection():
        pytest.skip(f"{name}: {reason}")
    return _backends.setdefault(name, backend_on(rung))


def any_backend() -> LocalBackend:
    """Return the weakest rung, which needs no package."""
    return backend_of(NAMES[-1])
