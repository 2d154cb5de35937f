"""Who goes down by the rules alone."""

import pytest

from tests.trading.ladder.story import (
    ALL_PASSED,
    NOW,
    SUBMITTED,
    killed,
    marked,
    moved,
    on_paper,
    record,
)
from trading.ladder.breach import breach
from trading.ladder.rules import LadderRules
from trading.ladder.standing import MoveCode, Standing

RULES = LadderRules()
SECOND = 10**9


def test_results_within_the_budget_change_nothing() -> None:
    assert breach(on_paper(marked(-50, fall=100)), RULES) is None


@pytest.mark.parametrize("above", [Standing.PAPER, Standing.LIVE])
def test_loss_beyond_the_budget_takes_it_off_every_rung(above: Standing) -> None:
    found = on_paper(moved(above), marked(-51))

    moving = breach(found, RULES)

    assert moving is not None
    assert moving[:2] == (Standing.CANDIDATE, MoveCode.LOSS_BUDGET)
    assert "5.10%" in moving.reason


def test_losses_of_several_runs_add_up() -> None:
    assert breach(on_paper(marked(-30), marked(-21, run="two")), RULES) is not None
    assert breach(on_paper(marked(-30), marked(21, run="two")), RULES) is None


def test_fall_beyond_the_limit_takes_it_down_even_with_a_profit() -> None:
    moving = breach(on_paper(marked(500, fall=101)), RULES)

    assert moving is not None
    assert moving.code is MoveCode.DRAWDOWN


def test_candidate_has_no_budget() -> None:
    assert breach(record(SUBMITTED, *ALL_PASSED, marked(-900)), RULES) is None


def test_kills_within_the_window_quarantine_wherever_it_stands() -> None:
    for found in (record(SUBMITTED, killed(), killed(), killed()), on_paper(*[killed()] * 3)):
        moving = breach(found, RULES)
        assert moving is not None
        assert moving[:2] == (Standing.QUARANTINED, MoveCode.SANDBOX_KILLS)


def test_kills_far_apart_do_not_quarantine() -> None:
    facts = (SUBMITTED, killed(), killed(), killed())
    near = [NOW - 601 * SECOND, NOW - 600 * SECOND, NOW - SECOND, NOW]
    far = [NOW - 700 * SECOND, NOW - 601 * SECOND, NOW - SECOND, NOW]

    assert breach(record(*facts, at=near), RULES) is not None
    assert breach(record(*facts, at=far), RULES) is None


def test_kills_before_a_release_are_settled() -> None:
    release = moved(Standing.CANDIDATE, MoveCode.RELEASED)
    before = record(SUBMITTED, killed(), killed(), killed(), release, killed(), killed())

    assert breach(before, RULES) is None


def test_closed_names_move_no_more() -> None:
    for closed in (Standing.QUARANTINED, Standing.RETIRED):
        assert breach(record(SUBMITTED, moved(closed), *[killed()] * 5), RULES) is None
