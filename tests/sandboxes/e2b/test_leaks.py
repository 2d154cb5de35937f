"""Sandboxes that outlive the process that made them are found by their labels and ended."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from sandboxes.e2b.backend import E2BBackend
from sandboxes.errors import SandboxBusy, SandboxGone
from sandboxes.limits import Limits
from tests.sandboxes.e2b.fake import KEY, Fake

pytestmark = pytest.mark.asyncio
CLIENT = """
import asyncio, sys
from sandboxes.e2b.backend import E2BBackend
from sandboxes.e2b.connection import Connection
from sandboxes.limits import Limits

async def main():
    key, url = sys.argv[1:]
    connection = Connection(api_key=key, api_url=url, sandbox_url=url)
    backend = E2BBackend(connection, cluster="ours", run="crashed")
    await backend.prove()
    for _ in range(2):
        await backend.create("base", Limits(), {"owner": "ann"})
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def crashed_client(url: str) -> None:
    """Let a process make two sandboxes and kill it."""
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CLIENT,
        KEY,
        url,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert client.stdout is not None
    assert await client.stdout.readline() == b"ready\n"
    os.kill(client.pid, signal.SIGKILL)
    await client.wait()


async def test_after_a_crash_what_was_left_is_found_and_ended(
    fake: Fake, backend: E2BBackend
) -> None:
    await crashed_client(fake.url)
    mine = await backend.create("base", Limits())
    assert {each.labels.run for each in await backend.sandboxes()} == {"crashed", "run-1"}
    ended = await backend.reap()
    assert [each.labels.owner for each in ended] == ["ann", "ann"]
    assert list(fake.guests) == [mine.id]
    assert await backend.reap() == []


async def test_what_lives_and_what_is_not_ours_stays(fake: Fake, backend: E2BBackend) -> None:
    makers = [
        E2BBackend(fake.connection(), cluster=cluster, run=run)
        for cluster, run in (("ours", "alive"), ("ours", "dead"), ("theirs", "dead"))
    ]
    kept = []
    for maker in makers:
        await maker.prove()
        kept.append((await maker.create("base", Limits())).id)
    await backend.reap(runs_alive={"alive"})
    assert list(fake.guests) == [kept[0], kept[2]]


async def test_a_paused_one_is_found_too(fake: Fake, backend: E2BBackend) -> None:
    sandbox = await backend.create("base", Limits())
    await sandbox.pause()
    later = E2BBackend(fake.connection(), cluster="ours", run="run-2")
    assert [each.state for each in await later.reap()] == ["paused"]
    assert fake.guests == {}


async def test_a_long_list_comes_in_pages(fake: Fake, backend: E2BBackend) -> None:
    fake.page = 2
    for _ in range(5):
        await backend.create("base", Limits())
    assert len(await backend.sandboxes()) == 5


async def test_one_that_cannot_be_ended_does_not_keep_the_others(
    fake: Fake, backend: E2BBackend
) -> None:
    first = await backend.create("base", Limits())
    await backend.create("base", Limits())
    later = E2BBackend(fake.connection(), cluster="ours", run="run-2")
    fake.fail(f"DELETE /sandboxes/{first.id}", 500, times=2, headers={"Should-Retry": "false"})
    with pytest.raises(SandboxBusy, match=rf"1 leaked sandboxes live on \({first.id}\)"):
        await later.reap()
    assert list(fake.guests) == [first.id]


async def test_one_that_ended_meanwhile_is_no_failure(fake: Fake, backend: E2BBackend) -> None:
    sandbox = await backend.create("base", Limits())
    later = E2BBackend(fake.connection(), cluster="ours", run="run-2")
    fake.fail("DELETE", 404)
    assert [each.id for each in await later.reap()] == [sandbox.id]


async def test_what_a_leak_may_have_cost_is_known(fake: Fake, backend: E2BBackend) -> None:
    await backend.create("base", Limits())
    leak = (await backend.sandboxes())[0]
    assert (leak.cpu_count, leak.memory_mb) == (2, 512)
    hour = leak.usd(backend.prices, leak.started_at + timedelta(hours=1))
    assert hour == Decimal("0.1089")
    assert leak.usd(backend.prices, datetime(2020, 1, 1, tzinfo=UTC)) == 0


async def test_costs_are_told_by_owner_and_stop_with_the_sandbox(fake: Fake) -> None:
    now = 0.0
    backend = E2BBackend(fake.connection(), cluster="ours", run="run-1", clock=lambda: now)
    await backend.prove()
    first = await backend.create("base", Limits(), {"owner": "ann"})
    second = await backend.create("base", Limits(), {"owner": "bob"})
    now = 1000.0
    await first.kill()
    now = 2000.0
    await second.pause()
    now = 9000.0
    per_s = Decimal("0.00003025")
    assert backend.spent_usd() == {"": 0, "ann": 1000 * per_s, "bob": 2000 * per_s}
    assert backend.spent_usd()["bob"] == 2000 * per_s


async def test_costs_end_with_the_life_that_was_paid_for(fake: Fake) -> None:
    now = 0.0
    backend = E2BBackend(fake.connection(), cluster="ours", run="run-1", clock=lambda: now)
    await backend.prove()
    sandbox = await backend.create("base", Limits(total_timeout_s=60.0), {"owner": "ann"})
    now = 30.0
    await sandbox.set_timeout(100)
    now = 9000.0
    assert sandbox.meter.seconds == 130
    fake.vanish(sandbox.id)
    with pytest.raises(SandboxGone):
        await sandbox.run("print(1)")
    assert not sandbox.meter.running
