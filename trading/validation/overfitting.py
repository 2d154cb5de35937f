"""Probability of backtest overfitting, by combinatorially symmetric cross-validation (CSCV).

Source: Bailey, Borwein, Lopez de Prado and Zhu (2015), "The Probability of Backtest Overfitting", Journal of
Computational Finance 20. Time is cut into S blocks. Each way to take half of them is a training set; the
other half is its test. Overfitting is when the trial that is best in training falls to or below the
median in the test. All is deterministic.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.metrics.quotient import FLAT

BLOCKS_MAX = 20
_ELEMENTS_AT_ONCE = 1 << 19
"""Sharpe ratios that are in memory at the same time."""


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """What becomes of the best trial of each training set. Sharpe ratios are per bar.

    Attributes
    ----------
    probability : float
        Share of the combinations whose logit is 0 or below (PBO).
    logits : (combination,)
        log(w / (1 - w)) with w = rank in the test / (trials + 1); ranks rise with the Sharpe ratio, and
        equal ones (to 1e-12) share the mean of theirs.
    selected : (combination,) int64
        Column of the best trial in training; of equal ones the first.
    in_sample, out_of_sample : (combination,)
        Its Sharpe ratio in training and in the test.
    slope, intercept : float
        Least squares of `out_of_sample` on `in_sample`: how much of a better training is kept. NaN when
        all trainings are equal.
    probability_of_loss : float
        Share of the combinations in which the selected trial lost in the test.
    """

    probability: float
    logits: FloatArray
    selected: IntArray
    in_sample: FloatArray
    out_of_sample: FloatArray
    slope: float
    intercept: float
    probability_of_loss: float


def overfitting_of(returns: FloatArray, blocks: int = 16) -> Overfitting:
    """Return how likely it is that choosing the best of these trials is choosing noise.

    Parameters
    ----------
    returns : (time, trial)
        Returns per bar of all trials that were made, good or bad; finite. The oldest bars that do not
        fill a block are left out. A trial that does not move has a Sharpe ratio of 0.
    blocks : int
        S, an even number (2 to 20).

    Raises
    ------
    DataError
        If there are fewer than two trials, fewer than two bars for each block, or a return is not finite.
    UsageError
        If `blocks` is out of its range.
    """
    _require(returns, blocks)
    length = returns.shape[0] // blocks
    parts = returns[returns.shape[0] - length * blocks :]
    centre = parts.mean(axis=0)  # keeps the sums of squares exact
    parts = (parts - centre).reshape(blocks, length, -1)
    sums, squares = parts.sum(axis=1), (parts * parts).sum(axis=1)
    chosen = _halves(blocks)
    batch = max(_ELEMENTS_AT_ONCE // returns.shape[1], 1)
    bars = length * blocks // 2
    found = [
        _select(chosen[first : first + batch], sums, squares, centre, bars)
        for first in range(0, chosen.shape[0], batch)
    ]
    selected, in_sample, out_of_sample, rank = (
        np.concatenate(each) for each in zip(*found, strict=True)
    )
    share = rank / (returns.shape[1] + 1)
    logits = np.log(share / (1.0 - share))
    slope, intercept = _line(in_sample, out_of_sample)
    return Overfitting(
        probability=float((logits <= 0).mean()),
        logits=logits,
        selected=selected,
        in_sample=in_sample,
        out_of_sample=out_of_sample,
        slope=slope,
        intercept=intercept,
        probability_of_loss=float((out_of_sample < 0).mean()),
    )


def _halves(blocks: int) -> FloatArray:
    """Every choice of half of the blocks, as ones: (combination, block)."""
    picked = np.array(list(combinations(range(blocks), blocks // 2)))
    chosen = np.zeros((picked.shape[0], blocks))
    np.put_along_axis(chosen, picked, 1.0, axis=1)
    return chosen


def _select(
    chosen: FloatArray, sums: FloatArray, squares: FloatArray, centre: FloatArray, bars: int
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Best trial of each training, its ratio there and in the test, and its rank in the test."""
    train = _sharpe(chosen @ sums, chosen @ squares, centre, bars)
    rest = 1.0 - chosen
    test = _sharpe(rest @ sums, rest @ squares, centre, bars)
    selected = (train >= train.max(axis=1, keepdims=True) - FLAT).argmax(axis=1)
    line = np.arange(selected.size)
    own = test[line, selected]
    below = np.count_nonzero(test < own[:, None] - FLAT, axis=1)
    equal = np.count_nonzero(test <= own[:, None] + FLAT, axis=1) - below
    return selected, train[line, selected], own, below + (equal + 1) / 2.0


def _sharpe(sums: FloatArray, squares: FloatArray, centre: FloatArray, bars: int) -> FloatArray:
    """Sharpe ratio per bar from sums of centred returns and of their squares."""
    shift = sums / bars
    variance = np.maximum(squares - shift * sums, 0.0) / (bars - 1)
    deviation, mean = np.sqrt(variance), centre + shift
    moves = deviation > FLAT * np.abs(mean)
    ratio: FloatArray = np.divide(mean, deviation, out=np.zeros(mean.shape), where=moves)
    return ratio


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    distance = x - x.mean()
    spread = float(distance @ distance)
    if not spread > FLAT**2:
        return np.nan, np.nan
    slope = float(distance @ y) / spread
    return slope, float(y.mean() - slope * x.mean())


def _require(returns: FloatArray, blocks: int) -> None:
    if not 2 <= blocks <= BLOCKS_MAX or blocks % 2:
        raise UsageError(f"overfitting: blocks must be even, from 2 to {BLOCKS_MAX}, got {blocks}")
    if returns.ndim != 2 or returns.shape[1] < 2 or returns.shape[0] < 2 * blocks:
        raise DataError(
            f"overfitting: needs at least 2 trials and {2 * blocks} bars for {blocks} blocks, "
            f"got (bars, trials) {returns.shape}"
        )
    if not np.isfinite(returns).all():
        raise DataError("overfitting: a return is not finite; leave that trial out.")
