"""What tests one after another prove, given how much was tried."""

import math

import numpy as np
import pytest

from tests.tune.agents.in_process import Inside, bench, candidate
from trading.ladder.rules import LadderRules
from trading.ladder.trials import Trials
from trading.metrics.sharpe_inference import SharpeEstimate, deflated_sharpe
from tune.agents.causal_weights import causal_weights
from tune.agents.walk_forward import Walk, judge_walk, walk
from tune.prices import trade

ALONE = Trials(1, 0.0)


def walked(**changes: object) -> Walk:
    fields = {
        "plan": "24m/6m",
        "estimate": SharpeEstimate(0.06, 1000, -0.2, 4.0),
        "periods_per_year": 252.0,
        "total_return": 0.8,
        "folds": 8,
        "folds_won": 6,
    }
    return Walk(**{**fields, **changes})  # type: ignore[arg-type]


def test_each_test_begins_without_positions_and_pays_for_its_entries() -> None:
    made = bench()
    bars, weights = made.prices.bars, np.full((900, 2), 0.5)

    found = walk(made.prices, weights, made.settings, "12m/3m")

    whole = trade(bars.rows(365, 900), weights[365:], made.settings)
    assert found.folds == 6
    assert found.estimate.bars == 900 - 365
    assert found.total_return < float(whole.equity[-1]) / made.settings.initial_cash - 1.0


def test_walk_of_an_honest_strategy_wins_most_tests() -> None:
    made = bench()
    weights = causal_weights(Inside(candidate()), made.prices.bars)

    found = walk(made.prices, weights, made.settings, made.plan)

    assert found.folds_won > found.folds / 2


def test_verdict_is_that_of_the_deflated_sharpe_ratio() -> None:
    trials = Trials(20, 0.0004)
    found = judge_walk(walked(), trials, LadderRules())

    expected = deflated_sharpe(walked().estimate, 20, 0.0004)
    assert found.figures["deflated_sharpe"] == expected
    assert found.passed == (expected >= 0.9)
    assert found.inputs["trials"] == "20"


def test_what_is_good_alone_is_luck_among_many() -> None:
    assert judge_walk(walked(), ALONE, LadderRules()).passed
    among_many = judge_walk(walked(), Trials(500, 0.001), LadderRules())
    assert not among_many.passed
    assert "after 500 trials, which is not at least 0.9" in among_many.reason


def test_returns_that_do_not_move_prove_nothing() -> None:
    still = SharpeEstimate(math.nan, 1000, math.nan, math.nan)

    assert not judge_walk(walked(estimate=still), ALONE, LadderRules()).passed


@pytest.mark.parametrize(("least", "passed"), [("0.5", True), ("0.999", False)])
def test_bound_is_that_of_the_rules(least: str, passed: bool) -> None:
    from decimal import Decimal

    rules = LadderRules(deflated_sharpe_min=Decimal(least))
    assert judge_walk(walked(), ALONE, rules).passed is passed
