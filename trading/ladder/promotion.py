"""Whether a strategy may go up: what stands in the way, in words."""

from trading.events import AgentStageJudged
from trading.ladder.record import AgentRecord
from trading.ladder.rules import DAY_S, LadderRules
from trading.ladder.standing import Stage, Standing
from trading.values import NANOS_PER_SECOND

UP = {
    Standing.CANDIDATE: Standing.PAPER,
    Standing.PAPER: Standing.LIVE,
    Standing.QUARANTINED: Standing.CANDIDATE,
}
"""Where one goes from each place; nothing is left out."""


def objections(record: AgentRecord, to: Standing, rules: LadderRules, now: int) -> tuple[str, ...]:
    """Return why a strategy may not go to `to`; nothing when it may.

    Parameters
    ----------
    now : int
        Host time (ns UTC).
    """
    if record.submitted is None:
        return (f"there is no strategy {record.name!r}; submit it first",)
    if UP.get(record.standing) is not to:
        return (_elsewhere(record.standing, to),)
    if to is Standing.CANDIDATE:
        return ()
    found = [_objection(record, stage, rules, now) for stage in Stage]
    if to is Standing.LIVE:
        found += _objections_to_money(record, rules)
    return tuple(each for each in found if each)


def _elsewhere(standing: Standing, to: Standing) -> str:
    above = UP.get(standing)
    if above is None:
        return f"it is {standing}; from there nothing goes to {to}"
    return f"it is {standing}; from there it can go to {above}, not to {to}"


def _objection(record: AgentRecord, stage: Stage, rules: LadderRules, now: int) -> str:
    verdict = record.verdicts.get(stage)
    if verdict is None:
        return f"stage {stage} is missing"
    if not verdict.passed:
        return f"stage {stage} failed ({verdict.reason.rstrip('.')})"
    age_s = (now - verdict.ts_init) // NANOS_PER_SECOND
    if not 0 <= age_s <= rules.verdict_age_s_max:
        limit = rules.verdict_age_s_max // DAY_S
        return f"the verdict of {stage} is {age_s // DAY_S} days old (up to {limit} count)"
    return _other_terms(record, verdict)


def _other_terms(record: AgentRecord, verdict: AgentStageJudged) -> str:
    """Say when a verdict is about something else than what was submitted."""
    assert record.submitted is not None
    told = dict(verdict.inputs)
    for name in ("template", "parameters"):
        if told.get(name) != getattr(record.submitted, name):
            return f"stage {verdict.stage} was judged with another {name}"
    return ""


def _objections_to_money(record: AgentRecord, rules: LadderRules) -> list[str]:
    found = []
    if record.days < rules.paper_days_min:
        found.append(f"it has {record.days} days on paper, {rules.paper_days_min} are asked for")
    if record.loss > 0:
        found.append(f"it lost {record.loss:.2%} of its capital on paper")
    return found
