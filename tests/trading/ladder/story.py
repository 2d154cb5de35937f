"""A strategy on its way up the ladder, fact by fact."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from trading.events import (
    AgentEvent,
    AgentMarked,
    AgentMoved,
    AgentSandboxKilled,
    AgentStageJudged,
    AgentSubmitted,
)
from trading.ladder.record import AgentRecord
from trading.ladder.standing import MoveCode, Stage, Standing

NAME = "trend"
DAY_NS = 86_400 * 10**9
NOW = 100 * DAY_NS
TERMS = '{"days":20}'
INPUTS = (("parameters", TERMS), ("template", "base"))
SUBMITTED = AgentSubmitted(
    agent=NAME,
    number=0,
    actor="ann",
    source="LOOKBACK = 1",
    source_sha256="aa",
    template="base",
    lookback=1,
    parameters=TERMS,
)


def judged(stage: Stage, *, passed: bool = True, **fields: Any) -> AgentStageJudged:
    about = {"source_sha256": "aa", "reason": "seen", "inputs": INPUTS, **fields}
    return AgentStageJudged(agent=NAME, number=0, actor="ann", stage=stage, passed=passed, **about)


def moved(to: Standing, code: MoveCode = MoveCode.PROMOTED) -> AgentMoved:
    return AgentMoved(
        agent=NAME, number=0, actor="ann", standing=to, code=code, source_sha256="aa", reason="why"
    )


def marked(profit: int, *, days: int = 30, fall: int = 0, run: str = "one") -> AgentMarked:
    return AgentMarked(
        agent=NAME,
        number=0,
        actor="ladder",
        run=run,
        days=days,
        capital=Decimal(1000),
        profit=Decimal(profit),
        fall=Decimal(fall),
    )


def killed(sha256: str = "aa") -> AgentSandboxKilled:
    return AgentSandboxKilled(
        agent=NAME,
        number=0,
        actor="sandbox",
        source_sha256=sha256,
        code="SANDBOX_TIMEOUT",
        reason="late",
    )


ALL_PASSED = tuple(judged(stage) for stage in Stage)


def record(*facts: AgentEvent, at: Sequence[int] = ()) -> AgentRecord:
    """Fold facts, the last at `NOW`, those before a second apart, or at the moments `at`."""
    found = AgentRecord(name=NAME)
    for index, fact in enumerate(facts):
        moment = at[index] if at else NOW - (len(facts) - 1 - index) * 10**9
        found = found.after(replace(fact, number=index + 1, ts_init=moment))
    return found


def on_paper(*facts: AgentEvent) -> AgentRecord:
    return record(SUBMITTED, *ALL_PASSED, moved(Standing.PAPER), *facts)
