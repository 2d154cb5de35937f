"""A pool on the machine's own sandboxes, without Ray."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandboxes.errors import (
    InvalidResult,
    IsolationUnavailable,
    SandboxBusy,
    SandboxError,
    SandboxGone,
    SandboxRefused,
    SandboxTimeout,
    StrategyFailed,
)
from sandboxes.limits import Limits
from sandboxes.local.survivors import survivors
from sandboxes.pool.desk import Ask
from sandboxes.pool.ledger import Ledger
from sandboxes.pool.pool import Pool
from sandboxes.pool.settings import PoolSettings, Quota, Warm
from sandboxes.sandbox import SandboxBackend, Source
from tests.sandboxes.local.home import any_backend

pytestmark = pytest.mark.asyncio
LIMITS = Limits(memory_bytes=512 << 20, call_timeout_s=60.0)
WAIT_S = 60.0
SILENCE_S = 600.0
"""No test takes so long: a client is silent only where the test says so."""
ONES = "LOOKBACK = 1\ndef targets(bars):\n    return [[1.0]] * len(bars)\n"
BARS: dict[str, Any] = {"ts": np.arange(3), "close": np.ones((3, 1))}


@pytest.fixture
def settings(tmp_path: Path) -> PoolSettings:
    return PoolSettings(namespace="n", ledger=tmp_path, warm=(), wait_s=WAIT_S)


@asynccontextmanager
async def pool_of(
    settings: PoolSettings,
    places: int = 2,
    clock: Callable[[], float] = lambda: 1000.0,
    open_backend: Callable[[], SandboxBackend] = any_backend,
    silence_s: float = SILENCE_S,
) -> AsyncIterator[Pool]:
    ledger = Ledger(settings.ledger / "pool.jsonl", 3600.0)
    pool = Pool(open_backend, places, settings, ledger, clock, silence_s)
    pool.start()
    try:
        yield pool
    finally:
        await pool.close()
        assert pool.state().held == pool.state().warm == 0


_numbers: Iterator[int] = iter(range(10**9))


def ask(owner: str = "ann", limits: Limits = LIMITS, client: str = "c", source: str = "") -> Ask:
    return Ask(
        ticket=f"t{next(_numbers)}",
        client=client,
        owner=owner,
        template="base",
        limits=limits,
        source=source,
    )


def source_of(text: str) -> Source:
    return Source(name="s.py", text=text, sha256="claimed")


async def eventually(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110  the condition is the kernel's or the pool's
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited {WAIT_S} s for {what}") from None


async def acquired(pool: Pool, **wanted: Any) -> str:
    wish = ask(**wanted)
    await pool.acquire(wish)
    return wish.ticket


def process_of(pool: Pool, ticket: str) -> tuple[str, int]:
    sandbox: Any = pool._leases[ticket].sandbox
    return sandbox.id, sandbox.pid


async def test_a_script_runs_and_its_result_says_how_and_what(settings: PoolSettings) -> None:
    async with pool_of(settings) as pool:
        ticket = await acquired(pool)
        heard: list[tuple[str, str]] = []
        result = await pool.run(
            ticket, "print(open('a').read())", {"a": b"x"}, None, lambda *what: heard.append(what)
        )
        assert (result.ok, result.stdout) == (True, "x\n")
        assert "".join(text for _, text in heard) == "x\n"
        assert result.isolation.proof == any_backend().isolation.proof
        code_digest = sha256(b"print(open('a').read())").hexdigest()
        assert result.isolation.details["source"] == code_digest
        assert result.isolation.details["template"] == "base"
        assert "runtime" in result.isolation.details
        await pool.end(ticket)
        with pytest.raises(SandboxGone):
            await pool.run(ticket, "", {}, None)
        assert pool.used("ann")[0] == 1
        assert pool.used("ann")[1] == pytest.approx(result.cpu_s)


async def test_a_strategy_is_asked_again_and_again_and_its_time_is_counted(
    settings: PoolSettings,
) -> None:
    spinning = "def targets(bars):\n    sum(range(30_000_000))\n    return [[0.5]] * len(bars)\n"
    async with pool_of(settings) as pool:
        ticket = await acquired(pool)
        isolation = await pool.load(ticket, source_of(spinning), {})
        assert isolation.details["source"] == sha256(spinning.encode()).hexdigest()
        for _ in range(2):
            assert (await pool.targets(ticket, BARS, None) == 0.5).all()
        await pool.end(ticket)
        assert pool.used("ann")[1] > 0.1


async def test_what_the_code_raises_ends_nothing(settings: PoolSettings) -> None:
    async with pool_of(settings) as pool:
        ticket = await acquired(pool)
        failing = "def targets(bars):\n    raise ValueError(len(bars))\n"
        await pool.load(ticket, source_of(failing), {})
        for _ in range(2):
            with pytest.raises(StrategyFailed, match="ValueError: 3"):
                await pool.targets(ticket, BARS, None)
        with pytest.raises(SandboxRefused, match="one strategy"):
            await pool.load(ticket, source_of(failing), {})
        assert pool.state().holders == {"ann": 1}


async def test_a_kill_gives_the_place_back_and_the_third_is_quarantine(
    settings: PoolSettings,
) -> None:
    bad = source_of("def targets(bars):\n    return [[99.0]] * len(bars)\n")
    now_s = [1000.0]
    async with pool_of(settings, places=1, clock=lambda: now_s[0]) as pool:
        for _ in range(3):
            ticket = await acquired(pool)
            await pool.load(ticket, bad, {})
            with pytest.raises(InvalidResult):
                await pool.targets(ticket, BARS, None)
            assert pool.state().held == 0
            now_s[0] += 100.0
        ticket = await acquired(pool)
        with pytest.raises(SandboxRefused, match="killed 3 times"):
            await pool.load(ticket, bad, {})
        await pool.load(ticket, source_of(bad.text.replace("99", "1")), {})
        assert (await pool.targets(ticket, BARS, None) == 1.0).all()
        await pool.end(ticket)
        with pytest.raises(SandboxRefused, match="killed 3 times"):
            await pool.acquire(ask(source=sha256(bad.text.encode()).hexdigest()))
    async with pool_of(settings, clock=lambda: now_s[0]) as next_life:
        assert next_life.used("ann") == (4, pytest.approx(next_life.used("ann")[1]))
        ticket = await acquired(next_life)
        with pytest.raises(SandboxRefused, match="killed 3 times"):
            await next_life.load(ticket, bad, {})


async def test_a_late_script_is_killed_and_counts(settings: PoolSettings) -> None:
    async with pool_of(settings) as pool:
        ticket = await acquired(pool)
        for _ in range(3):
            result = await pool.run(ticket, "while True: pass", {}, 0.2)
            assert result.error == SandboxTimeout.code
        with pytest.raises(SandboxRefused, match="SANDBOX_TIMEOUT"):
            await pool.run(ticket, "while True: pass", {}, 0.2)
        assert (await pool.run(ticket, "print(1)", {}, None)).stdout == "1\n"
        assert pool.used("ann")[0] == 4


async def test_no_place_in_time_is_said_in_one_sentence(settings: PoolSettings) -> None:
    hasty = PoolSettings(namespace="n", ledger=settings.ledger, warm=(), wait_s=0.2)
    async with pool_of(hasty, places=1) as pool:
        ticket = await acquired(pool, owner="bob")
        with pytest.raises(SandboxBusy, match=r"no turn within 0\.2 s: all 1 places"):
            await pool.acquire(ask())
        await pool.end(ticket)
        assert await acquired(pool)


async def test_those_who_wait_are_served_in_turns(settings: PoolSettings) -> None:
    served: list[str] = []
    async with pool_of(settings, places=1) as pool:

        async def one(owner: str) -> None:
            ticket = await acquired(pool, owner=owner)
            served.append(owner)
            await pool.end(ticket)

        first = await acquired(pool, owner="ann")
        waiting = [asyncio.create_task(one(owner)) for owner in ("ann", "ann", "ann", "bob")]
        await eventually(lambda: pool.state().waiting == 4, "the queue")
        await pool.end(first)
        await asyncio.gather(*waiting)
    assert served == ["ann", "bob", "ann", "ann"]


async def test_used_up_processor_time_ends_what_the_owner_holds(settings: PoolSettings) -> None:
    small = Quota(cpu_s=0.3)
    given = PoolSettings(namespace="n", ledger=settings.ledger, warm=(), quota=small)
    async with pool_of(given) as pool:
        ticket, other = await acquired(pool), await acquired(pool, owner="bob")
        await pool.run(ticket, "sum(range(40_000_000))", {}, None)
        with pytest.raises(SandboxBusy, match=r"0\.3 s of processor time"):
            await pool.run(ticket, "", {}, None)
        assert pool.state().holders == {"bob": 1}
        with pytest.raises(SandboxBusy, match="processor time"):
            await pool.acquire(ask())
        assert (await pool.run(other, "print(1)", {}, None)).ok


async def test_a_dead_client_loses_what_it_holds_and_waits_for(settings: PoolSettings) -> None:
    async with pool_of(settings) as pool:
        ticket, other = await acquired(pool, client="dead"), await acquired(pool, client="alive")
        await pool.load(ticket, source_of(ONES), {})
        sandbox_id, _ = process_of(pool, ticket)
        waiting = asyncio.create_task(pool.acquire(ask(client="dead")))
        await eventually(lambda: pool.state().waiting == 1, "the queue")
        for client in ("dead", "alive"):
            pool._heard_s[client] -= 2 * SILENCE_S
        pool.beat("alive")
        await eventually(lambda: waiting.done() and pool.state().held == 1, "the end")
        with pytest.raises(SandboxGone, match="nobody waits"):
            await waiting
        assert survivors(sandbox_id) == []
        with pytest.raises(SandboxGone):
            await pool.targets(ticket, BARS, None)
        await pool.load(other, source_of(ONES), {})
        assert (await pool.targets(other, BARS, None) == 1.0).all()


async def test_clients_lose_nothing_when_the_pool_itself_was_late(settings: PoolSettings) -> None:
    async with pool_of(settings) as pool:
        ticket = await acquired(pool)
        pool._swept_s -= 2 * SILENCE_S
        pool._heard_s["c"] -= 2 * SILENCE_S
        await pool._sweep()
        assert pool.state().held == 1
        pool._heard_s["c"] -= 2 * SILENCE_S
        await pool._sweep()
        assert pool.state().held == 0
        with pytest.raises(SandboxGone):
            await pool.run(ticket, "", {}, None)


async def test_warm_sandboxes_are_there_before_they_are_asked_for(settings: PoolSettings) -> None:
    warm = (Warm(template="base", count=2, limits=LIMITS),)
    given = PoolSettings(namespace="n", ledger=settings.ledger, warm=warm)
    async with pool_of(given, places=3) as pool:
        await eventually(lambda: pool.state().warm == 2, "two warm ones")
        ready = {each.sandbox.id for each in pool._shelf._ready}
        hasty = Limits(memory_bytes=LIMITS.memory_bytes, call_timeout_s=0.1)
        tickets = [await acquired(pool), await acquired(pool, limits=hasty)]
        assert {process_of(pool, ticket)[0] for ticket in tickets} == ready
        await eventually(lambda: pool.state().warm == 1, "one more, for which there is a place")
        other = await acquired(pool, limits=Limits(memory_bytes=256 << 20))
        assert (pool.state().held, pool.state().warm) == (3, 0)
        for ticket in (*tickets, other):
            await pool.end(ticket)
        await eventually(lambda: pool.state().warm == 2, "two warm ones again")


async def test_a_warm_one_that_died_is_not_handed_out(settings: PoolSettings) -> None:
    warm = (Warm(template="base", count=1, limits=LIMITS),)
    given = PoolSettings(namespace="n", ledger=settings.ledger, warm=warm)
    async with pool_of(given) as pool:
        await eventually(lambda: pool.state().warm == 1, "a warm one")
        dead: Any = pool._shelf._ready[0].sandbox
        os.kill(dead.pid, signal.SIGKILL)
        await eventually(lambda: not Path(f"/proc/{dead.pid}").exists(), "its end")
        ticket = await acquired(pool)
        await pool.load(ticket, source_of(ONES), {})
        assert (await pool.targets(ticket, BARS, None) == 1.0).all()
        await eventually(lambda: survivors(dead.id) == [], "the end of its family")


async def test_a_held_one_that_died_gives_its_place_back(settings: PoolSettings) -> None:
    async with pool_of(settings, places=1) as pool:
        ticket = await acquired(pool)
        await pool.load(ticket, source_of(ONES), {})
        os.kill(process_of(pool, ticket)[1], signal.SIGKILL)
        await eventually(lambda: pool.state().held == 0, "its place")
        assert await acquired(pool)


async def test_who_stops_waiting_takes_no_place(settings: PoolSettings) -> None:
    async with pool_of(settings, places=1) as pool:
        ticket = await acquired(pool)
        waiting = asyncio.create_task(pool.acquire(ask()))
        await eventually(lambda: pool.state().waiting == 1, "the queue")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert pool.state().waiting == 0
        await pool.end(ticket)
        assert pool.state().held == 0


async def test_without_isolation_nothing_is_handed_out_and_it_is_tried_again(
    settings: PoolSettings,
) -> None:
    tries = []

    def open_backend() -> SandboxBackend:
        tries.append(1)
        raise IsolationUnavailable({"L1": "none", "L2": "none"})

    async with pool_of(settings, open_backend=open_backend) as pool:
        for _ in range(2):
            before = len(tries)
            with pytest.raises(IsolationUnavailable, match="L2: none"):
                await pool.acquire(ask())
            assert len(tries) > before
        assert pool.state().held == 0


async def test_an_unknown_template_gives_the_place_back(settings: PoolSettings) -> None:
    async with pool_of(settings, places=1) as pool:
        wish = Ask(ticket="t", client="c", owner="ann", template="none", limits=LIMITS)
        with pytest.raises(SandboxError, match="no template 'none'"):
            await pool.acquire(wish)
        assert await acquired(pool)
