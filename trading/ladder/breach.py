"""When a strategy goes down by itself: it lost too much, fell too far, or had to be killed too often."""

from typing import NamedTuple

from trading.ladder.record import AgentRecord
from trading.ladder.rules import LadderRules
from trading.ladder.standing import AT_WORK, CLOSED, MoveCode, Standing
from trading.values import NANOS_PER_SECOND


class Breach(NamedTuple):
    """Where a strategy goes, and why."""

    standing: Standing
    code: MoveCode
    reason: str


def breach(record: AgentRecord, rules: LadderRules) -> Breach | None:
    """Return what the rules make of the record, or None when they are kept."""
    if record.standing in CLOSED:
        return None
    kills = _kills_at_once(record, rules)
    if kills >= rules.kills_max:
        reason = f"its sandbox was killed {kills} times within {rules.kill_window_s} s"
        return Breach(Standing.QUARANTINED, MoveCode.SANDBOX_KILLS, reason)
    if record.standing not in AT_WORK:
        return None
    if record.loss > rules.loss_budget:
        reason = f"it lost {record.loss:.2%} of its capital, its budget is {rules.loss_budget:.2%}"
        return Breach(Standing.CANDIDATE, MoveCode.LOSS_BUDGET, reason)
    if record.fall > rules.fall_max:
        reason = f"it fell by {record.fall:.2%} of its capital, {rules.fall_max:.2%} are allowed"
        return Breach(Standing.CANDIDATE, MoveCode.DRAWDOWN, reason)
    return None


def _kills_at_once(record: AgentRecord, rules: LadderRules) -> int:
    """Kills in the window that ends with the newest one; those before its last move are settled."""
    settled = record.since.ts_init if record.since else 0
    if not record.kills:
        return 0
    start = record.kills[-1] - rules.kill_window_s * NANOS_PER_SECOND
    return sum(1 for each in record.kills if each >= start and each > settled)
