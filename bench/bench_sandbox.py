"""Sandboxed strategies beside the same code in this process.

The strategy holds what is above its average of 20 bars. "start" makes a sandbox that is ready for code:
processes, modules, filter. "call" asks for the weights of 200 bars of one instrument; "backtest" for 30
years of days of 20 instruments at once. The probe of a rung and the copies of the interpreter, made once,
are outside every clock. The ratio of "start" is to the first row, of the others to the code in this process.

Callers of a pool each hold one sandboxed strategy and ask for the same 200 bars in a loop of their own: sandboxes in the
own process, those of a pool from one process, and those of a pool from a process for each caller. "take and load" is a
sandbox with its strategy loaded, from nothing and from a pool that keeps one ready.

The last two rows are a cluster of four ordinary strategies, from a bar to the order's way out: without and with two
strategies of agents, of which one turns to forking, memory and spinning and the other to forged answers.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

import numpy as np

from bench.measured_rows import row, with_ratios
from bench.strangers import beside_strangers, settings
from cluster.config import load_config
from cluster.ray_runtime import start_local
from sandboxes.attacks.hostile import HONEST
from sandboxes.attacks.run import source_of
from sandboxes.limits import Limits
from sandboxes.local.backend import LocalBackend
from sandboxes.local.rungs import RUNGS
from sandboxes.pool.client import PooledBackend
from sandboxes.pool.settings import PoolSettings, Warm
from sandboxes.sandbox import SandboxBackend
from sandboxes.strategy import SandboxedStrategy, arrays_of
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars

HOME = Path(tempfile.gettempdir()) / "neural-trader-sandbox-bench"
STARTS, CALLS, BACKTESTS = 10, 2_000, 20
WINDOW, YEARS_OF_DAYS, INSTRUMENTS = 200, 7_560, 20
DAY = 86_400_000_000_000
POOLED_CALLS, TAKEN, PLACES, CALLERS = 400, 15, 6, (1, 2, 4)
NAMESPACE, OWNER = "bench-pools", "bench"
UNHURRIED = Limits(call_timeout_s=10.0)
WARM = (Warm(template="base", count=1, limits=UNHURRIED),)


def walk(count: int, instruments: int) -> Bars:
    steps = np.random.default_rng(1).normal(0.0, 0.01, (count, instruments))
    names = tuple(InstrumentId(f"S{each}.XNAS") for each in range(instruments))
    ts = np.arange(1, count + 1, dtype=np.int64) * DAY
    return Bars.of_closes(ts, names, 100 * np.exp(steps.cumsum(axis=0)))


def timed(count: int, work: Callable[[], Any]) -> list[float]:
    times = []
    for _ in range(count):
        start = perf_counter_ns()
        work()
        times.append(float(perf_counter_ns() - start))
    return times


def backends() -> dict[str, LocalBackend]:
    usable = [rung for rung in RUNGS if not rung.objection()]
    return {rung.name: LocalBackend(HOME, rung.name, rungs=(rung,)) for rung in usable}


def start_once(backend: LocalBackend, template: str) -> None:
    async def start() -> None:
        sandbox = await backend.create(template, Limits())
        await sandbox.kill()

    asyncio.run(start())


def starts(found: dict[str, LocalBackend]) -> list[dict[str, object]]:
    rows = []
    for template in ("base", "polars"):
        for name, backend in found.items():
            start_once(backend, template)
            times = timed(STARTS, partial(start_once, backend, template))
            rows.append(row("start and end", f"{name}, {template}", times))
    return with_ratios(rows)


def questions(
    what: str, bars: Bars, count: int, found: dict[str, LocalBackend]
) -> list[dict[str, object]]:
    space: dict[str, Any] = {}
    exec(HONEST, space)
    rows = [row(what, "in this process", timed(count, partial(space["targets"], bars)))]
    for name in found:
        strategy = SandboxedStrategy(
            source_of("bench.py", HONEST),
            {},
            partial(found.__getitem__, name),
            Limits(call_timeout_s=5.0),
        )
        assert np.array_equal(strategy.targets(bars), space["targets"](bars))
        rows.append(row(what, name, timed(count, partial(strategy.targets, bars))))
        strategy.close()
    return with_ratios(rows)


def arrays() -> dict[str, Any]:
    return arrays_of(walk(WINDOW, 1))


async def ask(backend: SandboxBackend) -> list[tuple[float, float]]:
    """Return when each question was asked and answered (ns)."""
    times = []
    bars = arrays()
    sandbox = await backend.create("base", UNHURRIED)
    await sandbox.load(source_of("bench.py", HONEST), {})
    await sandbox.targets(bars)
    for _ in range(POOLED_CALLS):
        began = perf_counter_ns()
        await sandbox.targets(bars)
        times.append((float(began), float(perf_counter_ns())))
    await sandbox.kill()
    return times


class Caller:
    """A process of its own that asks a pool."""

    async def ask(self, owner: str) -> list[tuple[float, float]]:
        return await ask(PooledBackend(NAMESPACE, owner))


async def ask_together(backends: Sequence[SandboxBackend]) -> list[list[tuple[float, float]]]:
    return await asyncio.gather(*map(ask, backends))


def from_processes(ray: Any, count: int) -> list[list[tuple[float, float]]]:
    callers = [ray.remote(Caller).options(num_cpus=0).remote() for _ in range(count)]
    found: list[list[tuple[float, float]]] = ray.get(
        [each.ask.remote(f"{OWNER}-{number}") for number, each in enumerate(callers)]
    )
    for each in callers:
        ray.kill(each)
    return found


def told(count: int, subject: str, asked: list[list[tuple[float, float]]]) -> dict[str, object]:
    together = [pair for each in asked for pair in each]
    span_s = (max(end for _, end in together) - min(begin for begin, _ in together)) / 1e9
    note = f"{len(together) / span_s:,.0f} calls/s in all"
    what = f"call, 200 bars, {count} at once"
    return row(what, subject, [end - begin for begin, end in together], note)


def pooled(ray: Any, direct: LocalBackend) -> list[dict[str, object]]:
    found = []
    for count in CALLERS:
        owners = [f"{OWNER}-{number}" for number in range(count)]
        own = asyncio.run(ask_together([direct] * count))
        one = asyncio.run(ask_together([PooledBackend(NAMESPACE, each) for each in owners]))
        found += with_ratios(
            [
                told(count, "own process", own),
                told(count, "pool, from one process", one),
                told(count, "pool, a process each", from_processes(ray, count)),
            ]
        )
    return found


async def take(backend: SandboxBackend, pause_s: float) -> list[float]:
    """Take sandboxes one after another; in the pause a pool makes the next one ready."""
    times = []
    for _ in range(TAKEN):
        await asyncio.sleep(pause_s)
        began = perf_counter_ns()
        sandbox = await backend.create("base", UNHURRIED)
        await sandbox.load(source_of("bench.py", HONEST), {})
        times.append(float(perf_counter_ns() - began))
        await sandbox.kill()
    return times


def taken(direct: LocalBackend) -> list[dict[str, object]]:
    what = "take and load"
    fresh = row(what, "from nothing", asyncio.run(take(direct, 0.0)))
    ready = row(
        what, "pool, one kept ready", asyncio.run(take(PooledBackend(NAMESPACE, OWNER), 1.5))
    )
    return with_ratios([fresh, ready])


def shared(rung: LocalBackend, name: str) -> list[dict[str, object]]:
    """Measure on a Ray of our own: a pool, then a cluster with strangers in it."""
    with TemporaryDirectory(prefix="bench-", dir="/tmp") as place:
        folder = Path(place)
        ray = start_local(load_config(None, settings(folder, "ray", PLACES)))
        from sandboxes.pool.actor import start_pools  # Ray is protected before it is imported

        pools = start_pools(
            PoolSettings(namespace=NAMESPACE, ledger=folder / "pools", warm=WARM, wait_s=60.0),
            partial(LocalBackend, HOME, name),
        )
        try:
            ray.get([actor.isolation.remote() for actor in pools.actors.values()])
            found = [*pooled(ray, rung), *taken(rung)]
        finally:
            pools.stop()
        found += beside_strangers(ray, folder)
        ray.shutdown()
    return found


def rows() -> list[dict[str, object]]:
    rungs = backends()
    weakest = list(rungs)[-1]
    return [
        *starts(rungs),
        *questions("call, 200 bars", walk(WINDOW, 1), CALLS, rungs),
        *questions("backtest, 7,560 bars x 20", walk(YEARS_OF_DAYS, INSTRUMENTS), BACKTESTS, rungs),
        *shared(rungs[weakest], weakest),
    ]
