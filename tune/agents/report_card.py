"""The report card: every stage of a strategy, and where it stands among all that were tried."""

import math

import msgspec

from trading.ladder.rules import LadderRules
from trading.ladder.standing import Stage
from trading.ladder.trials import Trials
from tune.agents.examination import Examined
from tune.agents.stage_result import StageResult
from tune.agents.walk_forward import judge_walk

COLUMNS = ("stage", "verdict", "found")
RANKING = ("rank", "strategy", "deflated", "sharpe", "return", "verdict")


class ReportCard(msgspec.Struct, frozen=True, kw_only=True):
    """Every verdict of one strategy.

    Attributes
    ----------
    results : tuple of StageResult
        Up to the first that failed.
    trials : int
        Counted against it.
    """

    name: str
    sha256: str
    parameters: dict[str, object]
    results: tuple[StageResult, ...]
    trials: int

    @property
    def passed(self) -> bool:
        return len(self.results) == len(Stage) and all(each.passed for each in self.results)

    @property
    def deflated_sharpe(self) -> float:
        """NaN when it did not come that far."""
        return self.figure("deflated_sharpe")

    def figure(self, name: str) -> float:
        """Return a figure of the walk-forward; NaN without one."""
        last = self.results[-1]
        return last.figures.get(name, math.nan) if last.stage is Stage.WALK_FORWARD else math.nan

    def rows(self) -> list[tuple[str, str, str]]:
        """Return a table with a line for each stage, those that were not reached among them."""
        known = {each.stage: each for each in self.results}
        return [
            (stage, ("passed" if known[stage].passed else "FAILED"), known[stage].reason)
            if stage in known
            else (stage, "-", "Not reached.")
            for stage in Stage
        ]

    def plain(self) -> dict[str, object]:
        """Return all of it, for JSON."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "parameters": self.parameters,
            "passed": self.passed,
            "trials": self.trials,
            "stages": self.results,
        }


def card_of(examined: Examined, trials: Trials, rules: LadderRules) -> ReportCard:
    """Return the card: the last verdict is made here, for it depends on everything that was tried."""
    results = examined.results
    if examined.walked is not None:
        last = judge_walk(examined.walked, trials, rules)
        inputs = {**examined.inputs, **last.inputs}
        results = (*results, msgspec.structs.replace(last, inputs=inputs))
    return ReportCard(
        name=examined.candidate.name,
        sha256=examined.candidate.source.sha256,
        parameters=examined.candidate.parameters,
        results=results,
        trials=trials.tried,
    )


def ranked(cards: list[ReportCard]) -> list[ReportCard]:
    """Return the cards by their deflated Sharpe ratio, the best first; those without one last."""
    return sorted(
        cards, key=lambda card: (math.isnan(card.deflated_sharpe), -_known(card), card.name)
    )


def _known(card: ReportCard) -> float:
    return 0.0 if math.isnan(card.deflated_sharpe) else card.deflated_sharpe


def ranking_rows(cards: list[ReportCard]) -> list[tuple[str, ...]]:
    """Return the table of a ranking."""
    return [
        (
            str(rank),
            card.name,
            _text(card.deflated_sharpe, ".3f"),
            _text(card.figure("sharpe"), ".2f"),
            _text(card.figure("total_return"), ".1%"),
            "passed" if card.passed else f"FAILED at {card.results[-1].stage}",
        )
        for rank, card in enumerate(cards, 1)
    ]


def _text(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)
