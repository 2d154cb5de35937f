"""What stands between a strategy and the next rung."""

import pytest
from msgspec.structs import replace

from tests.trading.ladder.story import (
    ALL_PASSED,
    DAY_NS,
    NOW,
    SUBMITTED,
    judged,
    marked,
    moved,
    on_paper,
    record,
)
from trading.ladder.moves import demoted, move_of, promoted, require_open, retired
from trading.ladder.promotion import objections
from trading.ladder.record import AgentRecord
from trading.ladder.refusal import LadderRefused
from trading.ladder.rules import LadderRules
from trading.ladder.standing import MoveCode, Stage, Standing

RULES = LadderRules()


def against(found: AgentRecord, to: Standing, now: int = NOW) -> str:
    return "; ".join(objections(found, to, RULES, now))


def test_strategy_that_passed_every_stage_may_go_to_paper() -> None:
    assert against(record(SUBMITTED, *ALL_PASSED), Standing.PAPER) == ""


@pytest.mark.parametrize("stage", list(Stage))
def test_missing_stage_is_named(stage: Stage) -> None:
    others = [each for each in ALL_PASSED if each.stage is not stage]

    assert against(record(SUBMITTED, *others), Standing.PAPER) == f"stage {stage} is missing"


@pytest.mark.parametrize("stage", list(Stage))
def test_failed_stage_is_named_with_its_reason(stage: Stage) -> None:
    failed = judged(stage, passed=False, reason="It fell.")

    found = record(SUBMITTED, *ALL_PASSED, failed)

    assert against(found, Standing.PAPER) == f"stage {stage} failed (It fell)"


def test_verdict_of_another_source_is_missing() -> None:
    others = [replace(each, source_sha256="bb") for each in ALL_PASSED]

    assert against(record(SUBMITTED, *others), Standing.PAPER).count("is missing") == len(Stage)


@pytest.mark.parametrize("name", ["parameters", "template"])
def test_verdict_on_other_terms_does_not_count(name: str) -> None:
    terms = {**dict(judged(Stage.SMOKE).inputs), name: "other"}
    other = judged(Stage.SMOKE, inputs=tuple(terms.items()))

    found = record(SUBMITTED, *ALL_PASSED, other)

    assert against(found, Standing.PAPER) == f"stage smoke was judged with another {name}"


def test_old_verdict_does_not_count() -> None:
    found = record(SUBMITTED, *ALL_PASSED)

    assert against(found, Standing.PAPER, NOW + 30 * DAY_NS - 10**10) == ""
    assert "31 days old (up to 30 count)" in against(found, Standing.PAPER, NOW + 31 * DAY_NS)


def test_verdict_of_the_future_does_not_count() -> None:
    assert "days old" in against(record(SUBMITTED, *ALL_PASSED), Standing.PAPER, NOW - DAY_NS)


def test_no_rung_is_left_out_and_nothing_leads_out_of_retirement() -> None:
    assert "not to live" in against(record(SUBMITTED, *ALL_PASSED), Standing.LIVE)
    assert "not to paper" in against(on_paper(marked(1)), Standing.PAPER)
    gone = record(SUBMITTED, *ALL_PASSED, moved(Standing.RETIRED, MoveCode.RETIRED))
    assert "nothing goes to paper" in against(gone, Standing.PAPER)
    assert "submit it first" in against(AgentRecord(name="x"), Standing.PAPER)


def test_money_needs_days_on_paper_without_a_loss() -> None:
    assert against(on_paper(marked(3, days=20)), Standing.LIVE) == ""
    assert "19 days on paper, 20" in against(on_paper(marked(3, days=19)), Standing.LIVE)
    assert "lost 0.10 %" in against(on_paper(marked(-1)), Standing.LIVE).replace("%", " %")


def test_money_needs_a_reason_and_an_account() -> None:
    found = on_paper(marked(3))
    move = move_of(found, Standing.LIVE, "ann", " ")

    with pytest.raises(LadderRefused, match=r"it needs --reason TEXT; it needs an account"):
        promoted(found, Standing.LIVE, RULES, NOW, move)
    whole = move_of(found, Standing.LIVE, "ann", "held up", "ACC1")
    assert promoted(found, Standing.LIVE, RULES, NOW, whole) == whole
    assert (whole.code, whole.account_id, whole.actor) == (MoveCode.PROMOTED, "ACC1", "ann")


def test_release_from_quarantine_is_a_move_of_its_own_and_needs_a_reason() -> None:
    found = record(SUBMITTED, moved(Standing.QUARANTINED, MoveCode.SANDBOX_KILLS))

    with pytest.raises(LadderRefused, match="reason"):
        promoted(
            found, Standing.CANDIDATE, RULES, NOW, move_of(found, Standing.CANDIDATE, "ann", "")
        )
    assert move_of(found, Standing.CANDIDATE, "ann", "seen").code is MoveCode.RELEASED


def test_down_goes_to_any_lower_rung_and_nowhere_else() -> None:
    live = on_paper(moved(Standing.LIVE))

    assert demoted(live, Standing.PAPER, "ann", "").code is MoveCode.DEMOTED
    assert demoted(live, Standing.CANDIDATE, "ann", "").standing is Standing.CANDIDATE
    for found, to in (
        (on_paper(), Standing.PAPER),
        (on_paper(), Standing.LIVE),
        (record(SUBMITTED), Standing.CANDIDATE),
        (live, Standing.RETIRED),
    ):
        with pytest.raises(LadderRefused):
            demoted(found, to, "ann", "")


def test_retirement_happens_once() -> None:
    move = retired(on_paper(), "ann", "")

    assert move.standing is Standing.RETIRED
    with pytest.raises(LadderRefused, match="already"):
        retired(on_paper(move), "ann", "")
    with pytest.raises(LadderRefused, match="submit it first"):
        retired(AgentRecord(name="x"), "ann", "")


def test_what_trades_is_not_replaced_under_its_feet() -> None:
    other = replace(SUBMITTED, source_sha256="bb")
    require_open(on_paper(), SUBMITTED)
    require_open(record(SUBMITTED), other)

    with pytest.raises(LadderRefused, match="demote it first"):
        require_open(on_paper(), other)
    with pytest.raises(LadderRefused, match="retired"):
        require_open(record(SUBMITTED, moved(Standing.RETIRED)), SUBMITTED)
    with pytest.raises(LadderRefused, match="quarantined"):
        require_open(record(SUBMITTED, moved(Standing.QUARANTINED)), other)
