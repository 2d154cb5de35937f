"""What a search found: every trial on every fold, the best one, and what walking forward would have earned.

The first of the ranking has the best score over all folds: the parameters to go on with. Its own test figures are no
forecast, for later training slices contain earlier test slices. The honest record is `walk_forward`: in each
fold the trial with the best training figure of that fold alone, judged on the test slice that follows.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import polars as pl

from trading.errors import DataError, UsageError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.metrics.growth import wealth
from trading.metrics.periods_per_year import periods_per_year
from trading.metrics.sharpe_inference import deflated_sharpe, sharpe_estimate
from trading.validation.overfitting import overfitting_of
from tune.columns import PREFIX, param_columns
from tune.figures import COURSE_FIGURES, course_figures
from tune.ledger import Ended, Ending, Measured, Record, Suggested
from tune.objective import Objective

RETURNS = "returns.parquet"
_STITCHED = "walk_forward"
_TRIAL = "trial."


@dataclass(frozen=True, slots=True, eq=False)
class SearchOutcome:
    """The tables of a search.

    Attributes
    ----------
    trials : DataFrame
        One row per trial and fold: `trial`, `ending`, `score`, `reason`, `params` (JSON), `fold` (from 0; null
        when none was measured), `param.*`, `train.*`, `test.*`.
    returns : DataFrame
        One row per test bar: `ts` (ns UTC), `fold`, `walk_forward` and `trial.N` of every complete trial
        (simple returns).
    ranking : DataFrame
        One row per trial, the best first, without the folds.
    walk_forward : DataFrame
        One row per fold: the trial chosen in it, with its figures.
    best_params : mapping
        Of the first in the ranking.
    out_of_sample : mapping
        Figures of the returns of walking forward, see `tune.figures.COURSE_FIGURES`.
    deflated_sharpe : float
        Probability that the true Sharpe ratio of walking forward is above 0, given how many trials were
        measured and how far their Sharpe ratios lie apart; NaN with fewer than two complete trials.
    overfitting : float
        Probability that the best trial of one half of the test bars is below the median in the other half (CSCV);
        NaN with fewer than two complete trials or too few bars.
    """

    trials: pl.DataFrame
    returns: pl.DataFrame
    ranking: pl.DataFrame
    walk_forward: pl.DataFrame
    best_params: Mapping[str, object]
    out_of_sample: Mapping[str, float]
    deflated_sharpe: float
    overfitting: float


def tables_of(
    records: Sequence[Record], objective: Objective, ts: IntArray
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return `trials` and `returns` of a search that has ended.

    Parameters
    ----------
    ts : (time,) int64
        Of all bars.

    Raises
    ------
    UsageError
        If no trial was measured on all folds.
    """
    params = {each.number: each.params for each in records if isinstance(each, Suggested)}
    ended = {each.number: each for each in records if isinstance(each, Ended)}
    measured = {(each.number, each.fold): each for each in records if isinstance(each, Measured)}
    complete = [number for number in sorted(ended) if ended[number].ending is Ending.COMPLETE]
    if not complete:
        reason = next((each.reason for each in ended.values() if each.reason), "no reason given")
        raise UsageError(f"None of {len(ended)} trials could be measured; the first: {reason}")
    trials = _trials(params, ended, measured)
    chosen = dict(_chosen(trials, objective).select("fold", "trial").iter_rows())
    return trials, _returns(measured, complete, chosen, objective, ts)


def outcome_of(trials: pl.DataFrame, returns: pl.DataFrame, objective: Objective) -> SearchOutcome:
    """Return what the two tables say."""
    ranking = (
        trials.select(
            "trial", "ending", "score", "reason", "params", pl.col(f"^{re.escape(PREFIX)}.*$")
        )
        .unique("trial")
        .sort(
            pl.col("ending") != Ending.COMPLETE.value,
            pl.col("score").fill_nan(None),
            "trial",
            descending=[False, True, False],
            nulls_last=True,
        )
    )
    stitched = returns[_STITCHED].to_numpy()
    periods = periods_per_year(returns["ts"].to_numpy())
    of_trials = _of_trials(returns)
    figures = course_figures(wealth(stitched), 1.0, periods)
    return SearchOutcome(
        trials=trials,
        returns=returns,
        ranking=ranking,
        walk_forward=_chosen(trials, objective),
        best_params=msgspec.json.decode(ranking["params"][0]),
        out_of_sample=dict(zip(COURSE_FIGURES, figures, strict=True)),
        deflated_sharpe=_deflated(stitched, of_trials, trials),
        overfitting=_overfitting(of_trials),
    )


def _of_trials(returns: pl.DataFrame) -> FloatArray:
    """Return the test returns of every complete trial: (time, trial)."""
    return returns.select(pl.col(f"^{re.escape(_TRIAL)}.*$")).to_numpy()


def _deflated(stitched: FloatArray, of_trials: FloatArray, trials: pl.DataFrame) -> float:
    measured = trials.drop_nulls("fold")["trial"].n_unique()
    ratios = np.array([sharpe_estimate(column).sharpe for column in of_trials.T])
    known = ratios[np.isfinite(ratios)]
    if known.size < 2:
        return math.nan
    return deflated_sharpe(sharpe_estimate(stitched), measured, float(known.var(ddof=1)))


def _overfitting(of_trials: FloatArray) -> float:
    try:
        return overfitting_of(of_trials).probability
    except DataError:  # too few trials or bars
        return math.nan


def _trials(
    params: Mapping[int, Mapping[str, Any]],
    ended: Mapping[int, Ended],
    measured: Mapping[tuple[int, int], Measured],
) -> pl.DataFrame:
    folds: dict[int, list[Measured | None]] = {number: [] for number in sorted(params)}
    for key in sorted(measured):
        folds[key[0]].append(measured[key])
    rows = [(number, each) for number, found in folds.items() for each in found or [None]]
    table = pl.DataFrame(
        [_row(ended[number], params[number], each) for number, each in rows],
        infer_schema_length=None,
    )
    return table.hstack(param_columns([params[number] for number, _ in rows]))


def _row(ended: Ended, params: Mapping[str, Any], measured: Measured | None) -> dict[str, Any]:
    train = {} if measured is None else measured.train
    test = {} if measured is None else measured.test
    return {
        "trial": ended.number,
        "ending": ended.ending.value,
        "score": ended.score,
        "reason": ended.reason,
        "params": msgspec.json.encode(params).decode(),
        "fold": None if measured is None else measured.fold,
        **{f"train.{name}": value for name, value in train.items()},
        **{f"test.{name}": value for name, value in test.items()},
    }


def _chosen(trials: pl.DataFrame, objective: Objective) -> pl.DataFrame:
    """Return the row of each fold whose training figure is best; the earlier trial wins a tie."""
    figure = pl.col(f"train.{objective.metric}").fill_nan(None)
    order = figure if objective.is_minimised else -figure
    return (
        trials.drop_nulls("fold")
        .sort("fold", order, "trial", nulls_last=True)
        .unique("fold", keep="first", maintain_order=True)
    )


def _returns(
    measured: Mapping[tuple[int, int], Measured],
    complete: Sequence[int],
    chosen: Mapping[int, int],
    objective: Objective,
    ts: IntArray,
) -> pl.DataFrame:
    def strung(trial_of: Mapping[int, int]) -> FloatArray:
        folds = [measured[trial_of[fold], fold].returns for fold in range(len(objective.folds))]
        return np.frombuffer(b"".join(folds))

    lengths = [fold.test_stop - fold.test_start for fold in objective.folds]
    every = {number: dict.fromkeys(chosen, number) for number in complete}
    return pl.DataFrame(
        {
            "ts": np.concatenate([ts[fold.test] for fold in objective.folds]),
            "fold": np.repeat(np.arange(len(lengths)), lengths),
            _STITCHED: strung(chosen),
            **{f"{_TRIAL}{number}": strung(trial_of) for number, trial_of in every.items()},
        }
    )
