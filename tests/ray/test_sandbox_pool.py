"""Pools of sandboxes on a real Ray: shared by many, and gone with whoever held them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandboxes.errors import InvalidResult, SandboxBusy, SandboxGone, SandboxRefused, StrategyFailed
from sandboxes.limits import Limits
from sandboxes.local.backend import LocalBackend
from sandboxes.local.survivors import survivors
from sandboxes.pool.client import PooledBackend
from sandboxes.pool.pool import PoolState
from sandboxes.pool.settings import RESOURCE, PoolSettings, Quota, Warm
from sandboxes.sandbox import RunResult, Source
from sandboxes.strategy import SandboxedStrategy
from tests.sandboxes.local.home import HOME
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]
PLACES = 3
GONE_WITHIN_S = 5.0
"""Of what the kernel or Ray ends."""
NOTICED_WITHIN_S = 30.0
"""Of what ends because a client is silent for 3 s (`test_pool` tests that by a clock); far less than a script may run."""
WAIT_S = 60.0
LIMITS = Limits(memory_bytes=512 << 20, call_timeout_s=20.0)
WARM = (Warm(template="base", count=1, limits=LIMITS),)
SOURCE = "LOOKBACK = 1\ndef targets(bars, *, size=0.5):\n    return bars.close * 0 + size\n"
DRIVER = """
import asyncio, sys
from pathlib import Path
import ray
from tests.ray.test_sandbox_pool import endless, open_local, settings_in, steady
from sandboxes.pool.actor import start_pools

ray.init(
    address="local", num_cpus=2, include_dashboard=False, resources={"sandbox": 2},
    log_to_driver=False, logging_level="ERROR", namespace="own",
)
pools = start_pools(settings_in(Path(sys.argv[1]), "own"), open_local)


async def work():
    created = asyncio.Event()
    running = asyncio.create_task(endless("own", created))
    await created.wait()
    print(await asyncio.to_thread(steady, *pools.actors.values()), flush=True)
    await running


asyncio.run(work())
"""
open_local = partial(LocalBackend, HOME)
BARS = Bars.of_closes(np.arange(1, 4), (InstrumentId("S.XNAS"),), np.ones((3, 1)))


def settings_in(folder: Path, namespace: str, quota: Quota = Quota()) -> PoolSettings:  # noqa: B008
    return PoolSettings(namespace=namespace, ledger=folder, warm=WARM, quota=quota)


def wait(condition: Callable[[], Any], what: str, limit_s: float = WAIT_S) -> Any:
    deadline = time.monotonic() + limit_s
    while True:
        is_last = time.monotonic() > deadline  # before looking: a pause of ours makes nothing late
        if found := condition():
            return found
        assert not is_last, f"waited {limit_s:g} s for {what}"
        time.sleep(0.02)


def described(actor: Any) -> tuple[int, PoolState]:
    import ray

    found: tuple[int, PoolState] = ray.get(actor.describe.remote(), timeout=WAIT_S)
    return found


def pid_of(actor: Any) -> int:
    """Return the process of a pool that has a warm sandbox, which is seen from outside."""
    pid, _ = wait(lambda: (found := described(actor))[1].warm and found, "a warm sandbox")
    assert survivors(str(pid))
    return int(pid)


def steady(actor: Any) -> int:
    """Return the process of a pool when one sandbox of it is held, and the next one is made, not being made.

    A bubblewrap that loses its parent amid the making may stay for ever (`end_orphans`); that has a test of its own.
    """
    wait(lambda: described(actor)[1].held == 1, "somebody with a sandbox")
    return pid_of(actor)


def sandboxes_of(pid: int) -> set[bytes]:
    """Return the marks of all sandboxes that this process has."""
    marks: set[bytes] = set()
    for each in survivors(str(pid)):
        try:
            environment = Path(f"/proc/{each}/environ").read_bytes()
        except FileNotFoundError:
            continue  # ended meanwhile
        marks |= {line for line in environment.split(b"\0") if line.startswith(b"SANDBOX=")}
    return marks


def none_left(pid: int) -> None:
    wait(lambda: not survivors(str(pid)), "the end of all sandboxes", GONE_WITHIN_S)


def assert_ends_with_its_driver(code: str, folder: Path) -> None:
    """Run a driver that starts a Ray of its own and prints the process that has sandboxes; kill the driver."""
    outside = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    driver = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT,
        env=outside,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout is not None
    owner = int(driver.stdout.readline())
    assert survivors(str(owner))
    driver.kill()
    driver.wait()
    driver.stdout.close()
    none_left(owner)


async def endless(namespace: str, created: asyncio.Event | None = None) -> None:
    """Be a client whose script does not end; `created` tells that it has its sandbox, and asks no more for one."""
    sandbox = await PooledBackend(namespace, "ann").create("base", LIMITS)
    if created:
        created.set()
    await sandbox.run("while True: pass", timeout_s=600.0)


class Owner:
    """A process that is killed: it starts pools of its own, or is a client."""

    async def start(self, folder: Path, namespace: str, *, detached: bool = False) -> Any:
        from sandboxes.pool.actor import start_pools

        settings = settings_in(folder, namespace)
        self.pools = start_pools(settings, open_local, detached=detached)
        return tuple(self.pools.actors.values())

    async def endless(self, namespace: str) -> None:
        await endless(namespace)

    async def pid(self) -> int:
        return os.getpid()


@pytest.fixture(scope="module")
def offering(ray_session: Any) -> Iterator[Any]:
    """The session's Ray with one node that offers places: a second one, where the first does not."""
    if ray_session.cluster_resources().get(RESOURCE, 0):
        yield ray_session
        return
    context = ray_session.get_runtime_context()
    command = [
        str(Path(sys.executable).with_name("ray")),
        *("start", f"--address={context.gcs_address}", "--block", "--num-cpus=2"),
        f"--resources={json.dumps({RESOURCE: PLACES})}",
        *("--object-store-memory=80000000", "--disable-usage-stats"),
    ]
    node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait(lambda: ray_session.cluster_resources().get(RESOURCE, 0) >= PLACES, "the node")
    yield ray_session
    node.terminate()
    node.wait(WAIT_S)
    wait(lambda: not ray_session.cluster_resources().get(RESOURCE, 0), "the end of the node")


@pytest.fixture
def namespace(request: Any) -> str:
    return f"pool-{request.node.name}"[:60]


@pytest.fixture
def actor(offering: Any, namespace: str, tmp_path: Path) -> Iterator[Any]:
    from sandboxes.pool.actor import find_pools, start_pools

    pools = start_pools(settings_in(tmp_path, namespace, Quota(runs=20)), open_local)
    (found,) = pools.actors.values()
    yield found
    pid, _ = described(found)
    find_pools(namespace).stop()
    none_left(pid)


def script(namespace: str, owner: str, code: str, **given: Any) -> RunResult:
    async def run() -> RunResult:
        sandbox = await PooledBackend(namespace, owner).create("base", LIMITS)
        try:
            return await sandbox.run(code, **given)
        finally:
            await sandbox.kill()

    return asyncio.run(run())


def test_without_a_node_that_offers_places_nothing_starts(
    ray_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandboxes.pool import actor

    monkeypatch.setattr(
        actor.ray, "nodes", lambda: [{"Alive": True, "NodeID": "a", "Resources": {}}]
    )
    with pytest.raises(SandboxRefused, match="--resources"):
        actor.start_pools(settings_in(tmp_path, "n"), open_local)


def test_a_script_and_a_strategy_run_as_they_do_without_a_pool(actor: Any, namespace: str) -> None:
    heard: list[tuple[str, str]] = []
    code = "print(len(open('in').read()), flush=True); open('out', 'w').write('x')"
    result = script(
        namespace, "ann", code, files={"in": b"123"}, on_output=lambda *what: heard.append(what)
    )
    assert (result.ok, result.stdout, result.files) == (True, "3\n", {"out": b"x"})
    assert "".join(text for _, text in heard) == "3\n"
    backend = PooledBackend(namespace, "bob")
    assert result.isolation.proof == backend.isolation.proof != ""
    assert {"source", "template", "runtime", "filter"} <= set(result.isolation.details)
    source = Source(name="s.py", text=SOURCE, sha256="")
    strategy = SandboxedStrategy(
        source, {"size": 0.25}, partial(PooledBackend, namespace, "bob"), LIMITS, "base"
    )
    assert (strategy.targets(BARS) == 0.25).all()
    assert described(actor)[1].holders == {"bob": 1}
    strategy.close()
    wait(lambda: not described(actor)[1].held, "its place")


def test_what_a_pool_raises_arrives_as_what_it_is(actor: Any, namespace: str) -> None:
    async def ask(text: str) -> None:
        sandbox = await PooledBackend(namespace, "ann").create("base", LIMITS)
        await sandbox.load(Source(name="s.py", text=text, sha256=""), {})
        await sandbox.targets({"ts": BARS.ts, "close": BARS.close})

    with pytest.raises(StrategyFailed) as raised:
        asyncio.run(ask("def targets(bars):\n    raise KeyError('k')\n"))
    assert raised.value.name == "KeyError"
    for _ in range(3):
        with pytest.raises(InvalidResult):
            asyncio.run(ask("def targets(bars):\n    return bars.close * 99\n"))
    with pytest.raises(SandboxRefused, match="killed 3 times"):
        asyncio.run(ask("def targets(bars):\n    return bars.close * 99\n"))
    with pytest.raises(SandboxBusy, match="20 runs"):  # noqa: PT012  some were used before
        for _ in range(20):
            script(namespace, "ann", "")
    assert script(namespace, "bob", "print(1)").ok


def test_many_callers_share_few_places(actor: Any, namespace: str) -> None:
    async def one(owner: str) -> str:
        sandbox = await PooledBackend(namespace, owner).create("base", LIMITS)
        result = await sandbox.run("print('done')")
        _, state = described(actor)
        assert state.held + state.warm <= state.places
        await sandbox.kill()
        return result.stdout

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(one(owner) for owner in "abcd" for _ in range(3)))

    assert asyncio.run(all_of_them()) == ["done\n"] * 12


def test_a_cancelled_caller_leaves_nothing(actor: Any, namespace: str) -> None:
    async def cancelled() -> None:
        created = asyncio.Event()
        running = asyncio.create_task(endless(namespace, created))
        async with asyncio.timeout(WAIT_S):
            await created.wait()
        assert described(actor)[1].held == 1
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    wait(lambda: described(actor)[1].held == 0, "its place", NOTICED_WITHIN_S)


def test_nothing_lives_on_when_the_process_of_the_pool_is_killed(
    actor: Any, namespace: str
) -> None:
    """Ray starts it again: warm sandboxes are made anew, and what was used is known."""
    assert script(namespace, "ann", "").ok
    old = pid_of(actor)

    async def killed() -> None:
        created = asyncio.Event()
        running = asyncio.create_task(endless(namespace, created))
        async with asyncio.timeout(WAIT_S):
            await created.wait()
        assert await asyncio.to_thread(steady, actor) == old
        os.kill(old, signal.SIGKILL)
        with pytest.raises(SandboxGone, match="ask for another"):
            await running

    asyncio.run(killed())
    none_left(old)
    assert script(namespace, "ann", "print(1)").stdout == "1\n"
    assert pid_of(actor) != old
    import ray

    assert ray.get(actor.used.remote("ann"))[0] == 3


def test_nothing_of_a_client_lives_on_when_it_is_killed(actor: Any, namespace: str) -> None:
    import ray

    client = ray.remote(Owner).options(num_cpus=0).remote()
    pid = ray.get(client.pid.remote())
    running = client.endless.remote(namespace)
    wait(lambda: described(actor)[1].held == 1, "the script")
    os.kill(pid, signal.SIGKILL)
    wait(lambda: described(actor)[1].held == 0, "the end of what it held", NOTICED_WITHIN_S)
    pool = pid_of(actor)
    wait(lambda: len(sandboxes_of(pool)) == 1, "none but the warm one", GONE_WITHIN_S)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(running)


def test_nothing_lives_on_when_the_starter_of_the_pools_is_killed(
    offering: Any, namespace: str, tmp_path: Path
) -> None:
    """As a supervisor would start them."""
    import ray

    owner = ray.remote(Owner).options(num_cpus=0).remote()
    (started,) = ray.get(owner.start.remote(tmp_path, namespace))
    pool = pid_of(started)
    os.kill(ray.get(owner.pid.remote()), signal.SIGKILL)
    none_left(pool)


def test_detached_pools_outlive_their_starter_until_they_are_stopped(
    offering: Any, namespace: str, tmp_path: Path
) -> None:
    import ray

    from sandboxes.pool.actor import find_pools

    owner = ray.remote(Owner).options(num_cpus=0).remote()
    (started,) = ray.get(owner.start.remote(tmp_path, namespace, detached=True))
    pool = pid_of(started)
    ray.kill(owner)
    assert script(namespace, "ann", "print(1)").ok
    assert described(started)[0] == pool
    find_pools(namespace).stop()
    none_left(pool)
    assert find_pools(namespace).actors == {}


def test_nothing_lives_on_when_the_driver_is_killed(tmp_path: Path) -> None:
    assert_ends_with_its_driver(DRIVER, tmp_path)
