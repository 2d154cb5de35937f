"""Many candidates at once, and how they are ranked."""

import math

import pytest

from tests.tune.agents.in_process import RAISES, TREND, bench, candidate
from trading.ladder.rules import LadderRules
from trading.ladder.standing import Stage
from trading.ladder.trials import trials_of
from tune.agents.examination import Examined
from tune.agents.report_card import ReportCard, card_of, ranked, ranking_rows
from tune.agents.stage_result import StageResult
from tune.agents.swarm import examine_all

CANDIDATES = [
    candidate(RAISES, "broken"),
    candidate(TREND, "five"),
    candidate(TREND.replace("LOOKBACK = 5", "LOOKBACK = 9"), "nine", days=9),
]


def cards_of(found: list[Examined]) -> list[ReportCard]:
    trials = trials_of(each.sharpe for each in found if each.sharpe is not None)
    return ranked([card_of(each, trials, LadderRules()) for each in found])


def test_candidates_are_ranked_by_the_deflated_sharpe_with_every_trial_counted() -> None:
    done: list[str] = []

    cards = cards_of(
        examine_all(CANDIDATES, bench(), on_examined=lambda count, name: done.append(name))
    )

    assert done == ["broken", "five", "nine"]
    assert [card.name for card in cards][-1] == "broken"
    assert {card.trials for card in cards} == {2}
    assert cards[0].deflated_sharpe >= cards[1].deflated_sharpe
    assert math.isnan(cards[2].deflated_sharpe)
    assert [row[0] for row in ranking_rows(cards)] == ["1", "2", "3"]
    assert ranking_rows(cards)[-1][-1] == "FAILED at smoke"


def test_processes_find_what_this_one_finds() -> None:
    alone = cards_of(examine_all(CANDIDATES, bench()))
    apart = cards_of(examine_all(CANDIDATES, bench(), processes=2))

    assert [card.name for card in apart] == [card.name for card in alone]
    assert [card.deflated_sharpe for card in apart[:2]] == [
        card.deflated_sharpe for card in alone[:2]
    ]


class Ray:
    """As much of Ray as the swarm uses, in this process."""

    def __init__(self) -> None:
        self.canceled: list[object] = []

    def put(self, value: object) -> object:
        return value

    def remote(self, **_: object) -> object:
        class Task:
            def __init__(self, call: object) -> None:
                self.call = call

            def remote(self, *given: object) -> object:
                return lambda: self.call(*given)  # type: ignore[operator]

        return Task

    def wait(self, running: list[object], num_returns: int) -> tuple[list[object], list[object]]:
        return running[-1:], running[:-1]

    def get(self, done: object) -> object:
        return done()  # type: ignore[operator]

    def cancel(self, each: object) -> None:
        self.canceled.append(each)


def test_tasks_that_end_in_another_order_come_back_in_that_of_the_candidates() -> None:
    done: list[str] = []
    found = examine_all(
        CANDIDATES, bench(), ray=Ray(), on_examined=lambda _, name: done.append(name)
    )

    assert done == ["nine", "five", "broken"]
    assert [each.candidate.name for each in found] == ["broken", "five", "nine"]


def test_tasks_that_are_not_needed_any_more_are_cancelled() -> None:
    ray = Ray()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine_all(CANDIDATES, bench(), ray=ray, on_examined=stop)
    assert len(ray.canceled) == 2


def test_card_shows_every_stage_and_those_that_were_not_reached() -> None:
    lint = StageResult(stage=Stage.LINT, passed=False, reason="Line 1.")
    card = card_of(Examined(candidate=CANDIDATES[0], results=(lint,)), trials_of([]), LadderRules())

    assert card.rows()[0] == ("lint", "FAILED", "Line 1.")
    assert [row[1] for row in card.rows()[1:]] == ["-"] * 5
    assert not card.passed
    assert card.plain()["passed"] is False
