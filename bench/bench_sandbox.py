"""Sandboxed strategies beside the same code in this process.

The strategy holds what is above its average of 20 bars. "start" makes a sandbox that is ready for code:
processes, modules, filter. "call" asks for the weights of 200 bars of one instrument; "backtest" for 30
years of days of 20 instruments at once. The probe of a rung and the copies of the interpreter, made once,
are outside every clock. The ratio of "start" is to the first row, of the others to the code in this process.
"""

import asyncio
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from bench.measured_rows import row, with_ratios
from sandboxes.attacks.hostile import HONEST
from sandboxes.attacks.run import source_of
from sandboxes.limits import Limits
from sandboxes.local.backend import LocalBackend
from sandboxes.local.rungs import RUNGS
from sandboxes.strategy import SandboxedStrategy
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars

HOME = Path(tempfile.gettempdir()) / "neural-trader-sandbox-bench"
STARTS, CALLS, BACKTESTS = 10, 2_000, 20
WINDOW, YEARS_OF_DAYS, INSTRUMENTS = 200, 7_560, 20
DAY = 86_400_000_000_000


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


def rows() -> list[dict[str, object]]:
    rungs = backends()
    return [
        *starts(rungs),
        *questions("call, 200 bars", walk(WINDOW, 1), CALLS, rungs),
        *questions("backtest, 7,560 bars x 20", walk(YEARS_OF_DAYS, INSTRUMENTS), BACKTESTS, rungs),
    ]
