"""A search of three trials and two folds, every cell of its outcome worked out by hand."""

from math import isnan, nan

import numpy as np
import pytest

from trading.errors import UsageError
from tune.ledger import Ended, Ending, Measured, Record, Suggested
from tune.objective import Fold, Objective
from tune.outcome import outcome_of, tables_of

DAY_NS = 86_400_000_000_000
OBJECTIVE = Objective(strategy="x", folds=(Fold(0, 4, 4, 6), Fold(2, 6, 6, 8)))
TS = 10**18 + DAY_NS * np.arange(8)


def measured(number: int, fold: int, train: float, returns: list[float]) -> Measured:
    test = {"sharpe": 100.0 * train}
    return Measured(number, fold, {"sharpe": train}, test, np.array(returns).tobytes())


RECORDS: list[Record] = [
    Suggested(0, {"bars": 5, "side": "long"}),
    measured(0, 0, 3.0, [0.1, 0.0]),
    measured(0, 1, 1.0, [0.0, 0.1]),
    Ended(0, Ending.COMPLETE, 2.0),
    Suggested(1, {"bars": 6, "side": "short"}),
    measured(1, 0, 1.0, [-0.1, 0.2]),
    measured(1, 1, 4.0, [0.2, -0.1]),
    Ended(1, Ending.COMPLETE, 2.5),
    Suggested(2, {"bars": 7, "side": "long"}),
    measured(2, 0, 3.0, [0.3, 0.3]),
    Ended(2, Ending.STOPPED, 3.0),
    Suggested(3, {"bars": 8, "side": "long"}),
    Ended(3, Ending.SKIPPED, nan, "too many bars"),
]


def test_tables_hold_every_trial_and_every_fold() -> None:
    trials, returns = tables_of(RECORDS, OBJECTIVE, TS)
    assert trials["trial"].to_list() == [0, 0, 1, 1, 2, 3]
    assert trials["fold"].to_list() == [0, 1, 0, 1, 0, None]
    assert trials["train.sharpe"].to_list() == [3.0, 1.0, 1.0, 4.0, 3.0, None]
    assert trials["param.bars"].to_list() == [5, 5, 6, 6, 7, 8]
    assert trials["reason"].to_list()[-1] == "too many bars"
    assert returns.columns == ["ts", "fold", "walk_forward", "trial.0", "trial.1"]
    assert returns["ts"].to_list() == TS[4:].tolist()
    assert returns["trial.1"].to_list() == [-0.1, 0.2, 0.2, -0.1]


def test_ranking_is_by_score_complete_trials_first() -> None:
    outcome = outcome_of(*tables_of(RECORDS, OBJECTIVE, TS), OBJECTIVE)
    assert outcome.ranking["trial"].to_list() == [1, 0, 2, 3]
    assert outcome.best_params == {"bars": 6, "side": "short"}


def test_walking_forward_takes_the_best_training_of_each_fold() -> None:
    """Fold 0: trials 0 and 2 tie at 3, the earlier wins. Fold 1: trial 1. Its own return in fold 0 is not used."""
    outcome = outcome_of(*tables_of(RECORDS, OBJECTIVE, TS), OBJECTIVE)
    assert outcome.walk_forward["trial"].to_list() == [0, 1]
    assert outcome.walk_forward["test.sharpe"].to_list() == [300.0, 400.0]
    assert outcome.returns["walk_forward"].to_list() == [0.1, 0.0, 0.2, -0.1]
    assert outcome.out_of_sample["total_return"] == pytest.approx(1.1 * 1.2 * 0.9 - 1.0)
    assert outcome.out_of_sample["max_drawdown"] == pytest.approx(0.1)


def test_less_is_better_when_it_is_minimised() -> None:
    objective = Objective(strategy="x", folds=OBJECTIVE.folds, metric="sharpe", is_minimised=True)
    outcome = outcome_of(*tables_of(RECORDS, objective, TS), objective)
    assert outcome.walk_forward["trial"].to_list() == [1, 0]


def test_deflated_sharpe_counts_all_measured_trials() -> None:
    """Worked out from the formulas of Bailey and Lopez de Prado (2014)."""
    from scipy.stats import kurtosis, norm, skew

    outcome = outcome_of(*tables_of(RECORDS, OBJECTIVE, TS), OBJECTIVE)
    stitched = np.array([0.1, 0.0, 0.2, -0.1])
    ratios = [np.mean(r) / np.std(r, ddof=1) for r in ([0.1, 0, 0, 0.1], [-0.1, 0.2, 0.2, -0.1])]
    count, spread, gamma = 3, np.std(ratios, ddof=1), 0.5772156649015329
    threshold = spread * (
        (1 - gamma) * norm.ppf(1 - 1 / count) + gamma * norm.ppf(1 - 1 / (count * np.e))
    )
    ratio = stitched.mean() / stitched.std(ddof=1)
    tail = (kurtosis(stitched, fisher=False) - 1) / 4 * ratio**2
    error = np.sqrt((1 - skew(stitched) * ratio + tail) / 3)
    assert outcome.deflated_sharpe == pytest.approx(norm.cdf((ratio - threshold) / error))
    assert isnan(outcome.overfitting)  # four bars make no sixteen blocks


def test_search_without_a_complete_trial_says_why() -> None:
    records: list[Record] = [
        Suggested(0, {"bars": 8}),
        Ended(0, Ending.SKIPPED, nan, "too many bars"),
    ]
    with pytest.raises(UsageError, match=r"None of 1 trials could be measured.*too many bars"):
        tables_of(records, OBJECTIVE, TS)
