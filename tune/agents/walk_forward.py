"""What a strategy earned in tests that follow one another, each begun without positions, and what that proves."""

import math
from typing import NamedTuple

import msgspec
import numpy as np

from trading.backtest.settings import BacktestSettings
from trading.indicators.rolling import FloatArray
from trading.ladder.rules import LadderRules
from trading.ladder.standing import Stage
from trading.ladder.trials import Trials
from trading.metrics.growth import total_return
from trading.metrics.periods_per_year import periods_per_year
from trading.metrics.sharpe_inference import (
    SharpeEstimate,
    deflated_sharpe,
    expected_max_sharpe,
    sharpe_estimate,
)
from trading.validation.splits import parse_walk_forward, walk_forward_by_calendar
from tune.agents.stage_result import StageResult
from tune.prices import Prices, trade


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """The tests of one strategy, one after the other.

    Attributes
    ----------
    estimate : SharpeEstimate
        Of all test bars.
    folds, folds_won : int
        Tests, and those that ended with a profit.
    """

    plan: str
    estimate: SharpeEstimate
    periods_per_year: float
    total_return: float
    folds: int
    folds_won: int


class _Fold(NamedTuple):
    returns: FloatArray
    total: float


def walk(prices: Prices, weights: FloatArray, settings: BacktestSettings, plan: str) -> Walk:
    """Return the tests of weights that were decided as time went by.

    Parameters
    ----------
    plan : str
        `24m/6m`: nothing before the first 24 months counts, then tests of 6 months.

    Raises
    ------
    UsageError
        If the plan is none, or the bars are too few for one test.
    """
    splits = walk_forward_by_calendar(prices.bars.ts, parse_walk_forward(plan))
    folds = [_fold(prices, weights, settings, split.test) for split in splits]
    stitched = np.concatenate([fold.returns for fold in folds])
    return Walk(
        plan=plan,
        estimate=sharpe_estimate(stitched),
        periods_per_year=periods_per_year(prices.bars.ts),
        total_return=math.prod(1.0 + fold.total for fold in folds) - 1.0,
        folds=len(folds),
        folds_won=sum(fold.total > 0 for fold in folds),
    )


def _fold(prices: Prices, weights: FloatArray, settings: BacktestSettings, rows: slice) -> _Fold:
    market = prices.quoted.rows(rows.start, rows.stop) if prices.quoted else None
    bars = prices.bars.rows(rows.start, rows.stop)
    returns = trade(bars, weights[rows], settings, market).returns
    return _Fold(returns, total_return(returns))


def judge_walk(walked: Walk, trials: Trials, rules: LadderRules) -> StageResult:
    """Return the verdict, given how much else was tried."""
    estimate = walked.estimate
    deflated = deflated_sharpe(estimate, trials.tried, trials.variance)
    root = math.sqrt(walked.periods_per_year)
    least = float(rules.deflated_sharpe_min)
    passed = bool(deflated >= least)  # NaN is no proof
    said = f"The deflated Sharpe ratio of {walked.folds} tests is {deflated:.3f} after {trials.tried} trials"
    return StageResult(
        stage=Stage.WALK_FORWARD,
        passed=passed,
        reason=f"{said}, {'' if passed else 'which is not '}at least {least:g}.",
        inputs={"plan": walked.plan, "trials": str(trials.tried)},
        figures={
            "deflated_sharpe": deflated,
            "sharpe": estimate.sharpe * root,
            "luck": expected_max_sharpe(trials.tried, trials.variance) * root,
            "total_return": walked.total_return,
            "folds": walked.folds,
            "folds_won": walked.folds_won,
        },
    )
