"""A fake E2B for each test, and a backend that was proved on it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from sandboxes.e2b.backend import E2BBackend
from tests.sandboxes.e2b.fake import Fake, serving

HELD = json.dumps({"secrets": False, "file": False, "network": False, "kernel": "another"})


@pytest_asyncio.fixture
async def fake(tmp_path: Path) -> AsyncIterator[Fake]:
    async with serving(tmp_path) as service:
        service.scripted["probe.py"] = (HELD, 0)
        yield service


@pytest_asyncio.fixture
async def backend(fake: Fake) -> E2BBackend:
    made = E2BBackend(fake.connection(), cluster="ours", run="run-1")
    await made.prove()
    return made
