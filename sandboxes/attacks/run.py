"""Make every attack on a backend and say which of them it held."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, NamedTuple

import msgspec
import numpy as np

from sandboxes.attacks import hostile
from sandboxes.attacks.ground import Planted, planted
from sandboxes.attacks.observation import how_it_ended
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
LIMITS = Limits(memory_bytes=MEMORY_BYTES, call_timeout_s=10.0, cpu_s=60)
SPIN_S = 0.5
"""For an answer that never comes; those that come have `call_timeout_s`, on a busy machine too."""
BARS = 60
WORDS = 120
GONE_WITHIN_S = 5.0
DAY_NS = 86_400_000_000_000


class AttackResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a sandbox held. `how` says what was seen to stop the attack, or what got through."""

    name: str
    what: str
    held: bool
    how: str


class Judged(NamedTuple):
    """What got through, which is nothing if it held, and what was seen to stop the rest."""

    wrong: str
    how: str


Listener = Callable[[AttackResult], None]


def run_attacks(
    backend: SandboxBackend, report: Listener = lambda _: None
) -> tuple[AttackResult, ...]:
    """Make all attacks, one after another; `report` hears of each as it is judged.

    Raises
    ------
    IsolationUnavailable
        If the backend offers nothing that could be attacked.
    """
    return asyncio.run(_run(backend, report))


async def _run(backend: SandboxBackend, report: Listener) -> tuple[AttackResult, ...]:
    found: list[AttackResult] = []
    for name, what, make in _all(backend):
        with planted() as ground:
            judged = await make(ground)
            wrong = "; ".join(text for text in (judged.wrong, *ground.disturbed()) if text)
        found.append(AttackResult(name=name, what=what, held=not wrong, how=wrong or judged.how))
        report(found[-1])
    return tuple(found)


Make = Callable[[Planted], Awaitable[Judged]]


def _all(backend: SandboxBackend) -> list[tuple[str, str, Make]]:
    def by(attack: Attack) -> Make:
        return lambda ground: _attempt(backend, attack, ground)

    def loaded(check: Check) -> Make:
        return lambda ground: check(backend, ground)

    scripts = [(each.name, each.what, by(each)) for each in ATTACKS]
    return scripts + [(name, what, loaded(check)) for name, what, check in STRATEGIES]


async def _attempt(backend: SandboxBackend, attack: Attack, ground: Planted) -> Judged:
    """Make one attack in all its ways."""
    wrong, how = [], []
    for way, judge in attack.ways.items():
        sandbox = await backend.create("base", LIMITS)
        try:
            result = await make_attack(sandbox, attack, ground, way)
        finally:
            await sandbox.kill()
        name = f"{way}: " if way else ""
        how.append(name + how_it_ended(result))
        if text := judge(result):
            wrong.append(name + text)
        wrong += [f"process {pid} lives on" for pid in await _left_by(sandbox)]
    return Judged("; ".join(wrong), "; ".join(how))


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


class Outcome(NamedTuple):
    """How a strategy ended: the code and words of its error, or nothing; and its last weights."""

    code: str
    words: str
    weights: Any

    @property
    def how(self) -> str:
        return (
            f"{self.code}: {self.words}" if self.code else "it answered, with these weights alone"
        )


async def _outcome(
    backend: SandboxBackend,
    text: str,
    calls: int = 1,
    last_s: float | None = None,
    **parameters: object,
) -> Outcome:
    """Load a strategy and ask it; the last answer may take `last_s`, if given, each other what the limits say."""
    sandbox = await backend.create("base", LIMITS)
    weights: Any = None
    try:
        await sandbox.load(source_of("attack.py", text), parameters)
        for count in range(calls):
            timeout_s = last_s if count == calls - 1 else None
            weights = await sandbox.targets(some_bars(BARS + count), timeout_s)
    except SandboxError as error:
        return Outcome(error.code, str(error).partition("\n")[0][:WORDS], weights)
    finally:
        await sandbox.kill()
    return Outcome("", "", weights)


async def _honest(backend: SandboxBackend, ground: Planted) -> Judged:
    code, words, weights = await _outcome(backend, hostile.HONEST, calls=3, days=20)
    fits = weights is not None and weights.shape == (BARS + 2, 2) and weights.sum() > 0
    is_heard = not code and fits
    wrong = "" if is_heard else f"the honest strategy failed: {code or 'wrong weights'} {words}"
    return Judged(wrong, "3 answers were taken")


async def _ends(backend: SandboxBackend, text: str, codes: Sequence[str], calls: int = 1) -> Judged:
    """A strategy must end with one of these codes."""
    outcome = await _outcome(backend, text, calls)
    wrong = "" if outcome.code in codes else f"it gave {outcome.code or 'weights'}"
    return Judged(wrong, outcome.how)


async def _forged(backend: SandboxBackend, ground: Planted) -> Judged:
    return await _ends(backend, hostile.FORGED_FRAMES, ["SANDBOX_PROTOCOL_VIOLATION"])


BAD = (
    *("nan", "infinite", "huge", "whole number without end", "text", "nothing", "truth"),
    *("list of too few", "more rows", "transposed", "mapping", "objects", "nested"),
    *("cycle", "64 MiB"),
)
REFUSED = ("SANDBOX_INVALID_RESULT", "SANDBOX_STRATEGY_FAILED", "SANDBOX_CRASHED")
ENDED = (*REFUSED, "SANDBOX_PROTOCOL_VIOLATION", "SANDBOX_TIMEOUT")


async def _bad_results(backend: SandboxBackend, ground: Planted) -> Judged:
    codes = {what: (await _outcome(backend, hostile.BAD_RESULTS, what=what)).code for what in BAD}
    taken = [f"{what}: {code or 'taken'}" for what, code in codes.items() if code not in REFUSED]
    counts = Counter(codes.values())
    return Judged(", ".join(taken), "; ".join(f"{n} x {code}" for code, n in counts.items()))


async def _patched(backend: SandboxBackend, ground: Planted) -> Judged:
    return await _ends(backend, hostile.PATCHED, ENDED)


async def _spin(backend: SandboxBackend, ground: Planted) -> Judged:
    outcome = await _outcome(backend, hostile.SPIN, calls=4, last_s=SPIN_S)
    good = outcome.weights is not None and len(outcome.weights) == BARS + 2
    is_killed = outcome.code == "SANDBOX_TIMEOUT" and good
    wrong = "" if is_killed else f"the spin gave {outcome.code or 'weights'}"
    return Judged(wrong, f"after 3 answers {outcome.how}")


async def _no_weights(backend: SandboxBackend, text: str, calls: int = 1) -> Judged:
    """A strategy returns weights as soon as it has found something."""
    outcome = await _outcome(backend, text, calls)
    if outcome.code:
        return Judged(f"it ended with {outcome.code}", "")
    found = bool(np.any(outcome.weights))
    return Judged("it found something" if found else "", "it ran to its end and found nothing")


async def _look_ahead(backend: SandboxBackend, ground: Planted) -> Judged:
    return await _no_weights(backend, hostile.LOOK_AHEAD, calls=3)


async def _at_import(backend: SandboxBackend, ground: Planted) -> Judged:
    text = hostile.AT_IMPORT.replace("KEY_FILE", ground.told["key_file"])
    return await _no_weights(backend, text)


Check = Callable[[SandboxBackend, Planted], Awaitable[Judged]]
STRATEGIES: Sequence[tuple[str, str, Check]] = (
    ("s01_honest", "An honest strategy, which must be heard", _honest),
    ("s02_forged_frames", "Answers written past the worker", _forged),
    ("s03_bad_results", "Weights that no strategy may give", _bad_results),
    ("s04_patched", "The worker's own modules, changed under it", _patched),
    ("s05_spin", "A loop without end after three good answers", _spin),
    ("s06_look_ahead", "Newer bars, anywhere in memory", _look_ahead),
    ("s07_at_import", "An attack while the strategy is loaded", _at_import),
)
