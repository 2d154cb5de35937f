"""`trader sandbox templates`: what there is, what it holds, and how it is made."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import sandboxes
from sandboxes.limits import JOB
from sandboxes.local.packages import AS_LOCKED, BUILT
from sandboxes.local.rungs import RUNGS
from sandboxes.sandbox import RunResult
from sandboxes.templates import registry
from sandboxes.templates.lock import this_platform
from tests.cluster.sandboxed_commands import asked, commands
from tests.cluster.test_sandboxes_at_e2b import service
from tests.sandboxes.e2b.fake import Fake
from tests.sandboxes.local.home import any_backend, backend_on

__all__ = ["asked", "commands", "service"]
DIGEST = registry.lock("base", this_platform()).digest


@pytest.fixture
def open_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home for sandboxes that every user may enter."""
    place = Path(tempfile.mkdtemp(prefix="templates-"))
    place.chmod(0o755)
    monkeypatch.setenv("TRADER_CLUSTER__SANDBOX_DIR", str(place))
    yield place
    for parent, _, _ in os.walk(place):
        Path(parent).chmod(0o755)
    shutil.rmtree(place)


def test_list_names_every_template_with_its_digest(commands: Any, open_home: Path) -> None:
    ended = commands("sandbox", "templates", "list", "--json")

    assert ended.status == 0, ended.err
    found = {each["name"]: each for each in ended.json}
    assert tuple(found) == registry.names()
    assert found["base"]["digest"] == DIGEST
    assert found["base"]["here"] == AS_LOCKED
    assert DIGEST[:12] in commands("sandbox", "templates", "list").out


def test_inspect_shows_every_pinned_package(commands: Any, open_home: Path) -> None:
    ended = commands("sandbox", "templates", "inspect", "research", "--json")

    assert {"scikit-learn==1.9.1", "threadpoolctl==3.8.0"} <= set(ended.json["locked"])
    assert ended.json["memory_mib"] == 2048
    assert "OMP_NUM_THREADS=1" in commands("sandbox", "templates", "inspect", "base").out
    assert "there are: agent, base" in commands("sandbox", "templates", "inspect", "none").err


def test_template_that_is_built_is_what_code_runs_on(commands: Any, open_home: Path) -> None:
    ended = commands("sandbox", "templates", "build", "base", "--json")

    assert ended.status == 0, ended.err
    assert ended.json["digest"] == DIGEST
    again = commands("sandbox", "templates", "list", "--json")
    assert next(each for each in again.json if each["name"] == "base")["here"] == BUILT
    result = _where_numpy_is(open_home)
    assert result.stdout.strip().startswith(ended.json["folder"])
    details = result.isolation.details
    assert (details["template"], details["digest"], details["packages"]) == ("base", DIGEST, BUILT)


def _where_numpy_is(home: Path) -> RunResult:
    any_backend()  # skips with a reason where there is no rung

    async def work() -> RunResult:
        sandbox = await backend_on(RUNGS[-1], home=home).create("base", JOB)
        try:
            return await sandbox.run("import numpy; print(numpy.__file__)")
        finally:
            await sandbox.kill()

    return asyncio.run(work())


def test_deploy_builds_at_e2b_under_the_digest(commands: Any, service: Fake) -> None:
    ended = commands("sandbox", "templates", "deploy", "base", "--json")

    assert ended.status == 0, ended.err
    digest = registry.lock("base", registry.inspect("base").e2b.platform).digest
    assert ended.json == {
        "name": "base",
        "digest": digest,
        "image": f"neural-trader-base:{digest[:12]}",
    }
    assert len(service.builds) == 2


def test_deploy_without_a_key_is_refused(commands: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sandboxes.KEY, raising=False)

    ended = commands("sandbox", "templates", "deploy", "base")

    assert ended.status == 4
    assert "set E2B_API_KEY" in ended.err
