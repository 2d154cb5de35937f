"""Make every attack on a backend and say which of them it held."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

import msgspec
import numpy as np

from sandboxes.attacks import hostile
from sandboxes.attacks.ground import Planted, planted
from sandboxes.attacks.table import ATTACKS, Attack, script_of
from sandboxes.errors import SandboxError
from sandboxes.limits import Limits
from sandboxes.local.survivors import survivors
from sandboxes.sandbox import RunResult, Sandbox, SandboxBackend, Source

MEMORY_BYTES = 1 << 30
BOUNDS: dict[str, Any] = {
    "memory_bytes": MEMORY_BYTES,
    "memory_probe_bytes": MEMORY_BYTES * 3 // 2,
    "disk_bytes": 32 << 20,
    "forks": 20,
    "threads": 200,
    "flood_blocks": 256,
}
"""How far a payload goes when nothing stops it: no harm to the machine even then."""
LIMITS = Limits(memory_bytes=MEMORY_BYTES, call_timeout_s=0.5, cpu_s=60)
BARS = 60
GONE_WITHIN_S = 5.0
DAY_NS = 86_400_000_000_000


class AttackResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a sandbox held. `how` says by what, or what got through."""

    name: str
    what: str
    held: bool
    how: str


Report = Callable[[AttackResult], None]


def run_attacks(
    backend: SandboxBackend, report: Report = lambda _: None
) -> tuple[AttackResult, ...]:
    """Make all attacks, one after another; `report` hears of each as it is judged.

    Raises
    ------
    IsolationUnavailable
        If the backend offers nothing that could be attacked.
    """
    return asyncio.run(_run(backend, report))


async def _run(backend: SandboxBackend, report: Report) -> tuple[AttackResult, ...]:
    found: list[AttackResult] = []
    for name, what, make in _all(backend):
        with planted() as ground:
            wrong = [text for text in (await make(ground), *ground.disturbed()) if text]
        held = AttackResult(name=name, what=what, held=not wrong, how="; ".join(wrong) or "held")
        found.append(held)
        report(held)
    return tuple(found)


Make = Callable[[Planted], Awaitable[str]]


def _all(backend: SandboxBackend) -> list[tuple[str, str, Make]]:
    def by(attack: Attack) -> Make:
        return lambda ground: _attempt(backend, attack, ground)

    def loaded(check: Callable[[SandboxBackend, Planted], Awaitable[str]]) -> Make:
        return lambda ground: check(backend, ground)

    scripts = [(each.name, each.what, by(each)) for each in ATTACKS]
    return scripts + [(name, what, loaded(check)) for name, what, check in STRATEGIES]


async def _attempt(backend: SandboxBackend, attack: Attack, ground: Planted) -> str:
    """Make one attack in all its ways; return what got through."""
    wrong = []
    for way, judge in attack.ways.items():
        sandbox = await backend.create("base", LIMITS)
        try:
            result = await make_attack(sandbox, attack, ground, way)
        finally:
            await sandbox.kill()
        if text := judge(result):
            wrong.append(f"{way}: {text}" if way else text)
        wrong += [f"process {pid} lives on" for pid in await _left_by(sandbox)]
    return "; ".join(wrong)


async def _left_by(sandbox: Sandbox) -> list[int]:
    """Return processes that live on; the kernel may need a moment to take down the last ones."""
    deadline = monotonic() + GONE_WITHIN_S
    while (left := survivors(sandbox.id)) and monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return left


async def make_attack(
    sandbox: Sandbox, attack: Attack, ground: Planted, way: str = ""
) -> RunResult:
    params = json.dumps({**BOUNDS, **ground.told, "how": way}).encode()
    return await sandbox.run(script_of(attack), {"params.json": params}, timeout_s=attack.timeout_s)


# -- strategies


def source_of(name: str, text: str) -> Source:
    return Source(name=name, text=text, sha256=hashlib.sha256(text.encode()).hexdigest())


def some_bars(rows: int = BARS) -> dict[str, Any]:
    """Return bars of two instruments."""
    ts = np.arange(1, rows + 1, dtype=np.int64) * DAY_NS
    close = 100.0 + np.sin(np.arange(rows))[:, None] * np.array([1.0, 2.0])
    plain = dict.fromkeys(("close", "open", "high", "low"), close)
    return {"ts": ts, **plain, "volume": np.full_like(close, 1000.0)}


async def _outcome(
    backend: SandboxBackend, text: str, calls: int = 1, **parameters: object
) -> tuple[str, Any]:
    """Return the code of the error that a strategy ends with, or nothing, and its last weights."""
    sandbox = await backend.create("base", LIMITS)
    weights: Any = None
    try:
        await sandbox.load(source_of("attack.py", text), parameters)
        for count in range(calls):
            weights = await sandbox.targets(some_bars(BARS + count))
    except SandboxError as error:
        return error.code, weights
    finally:
        await sandbox.kill()
    return "", weights


async def _honest(backend: SandboxBackend, ground: Planted) -> str:
    code, weights = await _outcome(backend, hostile.HONEST, calls=3, days=20)
    fits = weights is not None and weights.shape == (BARS + 2, 2) and weights.sum() > 0
    return "" if not code and fits else f"the honest strategy failed: {code or 'wrong weights'}"


async def _forged(backend: SandboxBackend, ground: Planted) -> str:
    code, _ = await _outcome(backend, hostile.FORGED_FRAMES)
    return "" if code == "SANDBOX_PROTOCOL_VIOLATION" else f"forged frames gave {code or 'weights'}"


BAD = (
    *("nan", "infinite", "huge", "whole number without end", "text", "nothing", "truth"),
    *(
        "list of too few",
        "more rows",
        "transposed",
        "mapping",
        "objects",
        "nested",
        "cycle",
        "64 MiB",
    ),
)
REFUSED = ("SANDBOX_INVALID_RESULT", "SANDBOX_STRATEGY_FAILED", "SANDBOX_CRASHED")


async def _bad_results(backend: SandboxBackend, ground: Planted) -> str:
    codes = {what: (await _outcome(backend, hostile.BAD_RESULTS, what=what))[0] for what in BAD}
    taken = [f"{what}: {code or 'taken'}" for what, code in codes.items() if code not in REFUSED]
    return ", ".join(taken)


async def _patched(backend: SandboxBackend, ground: Planted) -> str:
    code, _ = await _outcome(backend, hostile.PATCHED)
    return "" if code else "patched modules gave weights"


async def _spin(backend: SandboxBackend, ground: Planted) -> str:
    code, weights = await _outcome(backend, hostile.SPIN, calls=4)
    good = weights is not None and len(weights) == BARS + 2
    return "" if code == "SANDBOX_TIMEOUT" and good else f"the spin gave {code or 'weights'}"


async def _no_weights(backend: SandboxBackend, text: str, calls: int = 1) -> str:
    code, weights = await _outcome(backend, text, calls)
    if code:
        return f"it ended with {code}"
    return "it found something" if np.any(weights) else ""


async def _look_ahead(backend: SandboxBackend, ground: Planted) -> str:
    return await _no_weights(backend, hostile.LOOK_AHEAD, calls=3)


async def _at_import(backend: SandboxBackend, ground: Planted) -> str:
    return await _no_weights(
        backend, hostile.AT_IMPORT.replace("KEY_FILE", ground.told["key_file"])
    )


STRATEGIES: Sequence[tuple[str, str, Callable[[SandboxBackend, Planted], Awaitable[str]]]] = (
    ("s01_honest", "An honest strategy, which must be heard", _honest),
    ("s02_forged_frames", "Answers written past the worker", _forged),
    ("s03_bad_results", "Weights that no strategy may give", _bad_results),
    ("s04_patched", "The worker's own modules, changed under it", _patched),
    ("s05_spin", "A loop without end after three good answers", _spin),
    ("s06_look_ahead", "Newer bars, anywhere in memory", _look_ahead),
    ("s07_at_import", "An attack while the strategy is loaded", _at_import),
)
