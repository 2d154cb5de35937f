"""Sources that were killed too often: facts and a time in, an answer out."""

from hypothesis import given
from hypothesis import strategies as st

from sandboxes.pool.facts import SourceKilled
from sandboxes.pool.quarantine import Quarantine
from sandboxes.pool.settings import QuarantineRules

RULES = QuarantineRules(kills=3, window_s=600.0, term_s=3600.0)
BAD, OTHER = "b" * 64, "c" * 64


def after(*times_s: float, source: str = BAD) -> Quarantine:
    quarantine = Quarantine(RULES)
    for at_s in times_s:
        quarantine.note(kill(at_s, source))
    return quarantine


def kill(at_s: float, source: str = BAD) -> SourceKilled:
    return SourceKilled(at_s=at_s, source=source, owner="ann", cause="SANDBOX_TIMEOUT")


def test_the_third_kill_within_ten_minutes_counts() -> None:
    assert after(0.0, 300.0).objection(BAD, 300.0) == ""
    quarantine = after(0.0, 300.0, 600.0)
    assert quarantine.objection(BAD, 600.0) == (
        "source bbbbbbbbbbbb was killed 3 times within 600 s, last by SANDBOX_TIMEOUT; "
        "correct it, or wait 3600 s."
    )
    assert quarantine.objection(OTHER, 600.0) == ""


def test_three_kills_in_a_longer_time_do_not() -> None:
    assert after(0.0, 300.0, 601.0).objection(BAD, 601.0) == ""


def test_its_term_ends() -> None:
    quarantine = after(0.0, 1.0, 2.0)
    assert quarantine.objection(BAD, 3601.9) != ""
    assert quarantine.objection(BAD, 3602.0) == ""
    quarantine.note(kill(3700.0))
    assert quarantine.objection(BAD, 3700.0) == ""


@given(st.lists(st.tuples(st.floats(0, 500), st.sampled_from([BAD, OTHER])), max_size=60))
def test_it_is_as_if_all_facts_had_been_kept(steps: list[tuple[float, str]]) -> None:
    """Compared with the rule written out over the whole history."""
    quarantine, now_s = Quarantine(RULES), 0.0
    history: dict[str, list[float]] = {BAD: [], OTHER: []}
    until_s = {BAD: 0.0, OTHER: 0.0}
    for step_s, source in steps:
        now_s += step_s
        quarantine.note(kill(now_s, source))
        history[source].append(now_s)
        last = history[source][-3:]
        if len(last) == 3 and now_s - last[0] <= 600.0:
            until_s[source] = now_s + 3600.0
        for each in (BAD, OTHER):
            assert bool(quarantine.objection(each, now_s)) == (now_s < until_s[each])
