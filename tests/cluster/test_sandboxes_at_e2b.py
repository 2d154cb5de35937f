"""The same candidate in a sandbox at E2B, played by a fake of its service."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cluster import sandboxes
from cluster.config import load_config
from cluster.sandboxes import choice_of, open_backend, open_worker
from tests.sandboxes.e2b.conftest import HELD
from tests.sandboxes.e2b.fake import Fake, serving
from tests.tune.agents.in_process import TREND, Inside, candidate, prices


@pytest.fixture
def service(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A service in a thread of its own, found by the environment."""
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[Fake] = []

    async def serve() -> None:
        async with serving(tmp_path) as fake:
            fake.scripted["probe.py"] = (HELD, 0)
            found.append(fake)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    known = found[0].connection()
    monkeypatch.setenv(sandboxes.KEY, known.api_key)
    monkeypatch.setenv("E2B_API_URL", known.api_url)
    monkeypatch.setenv("E2B_SANDBOX_URL", known.sandbox_url)
    yield found[0]
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()
    open_backend.cache_clear()


def test_key_in_the_environment_takes_a_candidate_to_e2b(service: Fake) -> None:
    bars = prices(60).bars
    own = candidate(TREND + 'TEMPLATE = "base"\n')

    with open_worker(choice_of(load_config(None, {})), own) as worker:
        weights = worker.targets(bars)

    assert (worker.isolation.backend, worker.isolation.rung) == ("e2b", "e2b")
    assert np.array_equal(weights, Inside(own).targets(bars))
