"""An alarm when assets no longer move together as they used to.

The statistic is the root mean square, over all pairs, of how far the correlation of the last bars lies from that of the
bars before. What it is when nothing changes comes from resamples of the whole history in blocks of random length
(Politis and Romano, 1994, "The Stationary Bootstrap", Journal of the American Statistical Association 89), cut at
the same bar. The blocks keep tails and clusters of volatility, which a formula for normal returns (Jennrich,
1970) takes for a change.

Each look raises a false alarm with a chance of `level`: measured, at 5 %, 2 to 8 % for normal, Student-t, GARCH and
stochastic-volatility returns of 4 to 10 assets. Looks at neighbouring bars share most of their bars, and false alarms come
in runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.sample import standard_scores
from trading.validation.block_length import optimal_block_length
from trading.validation.bootstrap import stationary_rows

RECENT_MIN = 10
_NUMBERS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class CorrelationAlarm:
    """Whether correlation has changed.

    Attributes
    ----------
    is_raised : bool
        Whether `distance` is above `threshold`.
    distance : float
        Root mean square difference between recent and earlier correlations of pairs, 0 to 2.
    threshold : float
        What it exceeds with a chance of the level when nothing changes.
    p_value : float
        Chance of such a distance, or more, when nothing changes.
    mean_recent, mean_before : float
        Mean correlation of the pairs.
    """

    is_raised: bool
    distance: float
    threshold: float
    p_value: float
    mean_recent: float
    mean_before: float


def correlation_alarm(
    returns: FloatArray,
    names: Sequence[str],
    recent: int,
    rng: np.random.Generator,
    level: float = 0.01,
    paths: int = 999,
) -> CorrelationAlarm:
    """Compare the correlation of the last `recent` bars of returns (time, asset) with that of all before.

    Parameters
    ----------
    recent : int
        Bars (>= 10), at most half of the history.
    level : float
        Chance of a false alarm per look, at least 1 / (`paths` + 1), below 1.
    paths : int
        Resamples.

    Raises
    ------
    DataError
        If returns are unfit, there are fewer than two assets or than 2 x `recent` returns, or an asset does not move.
    UsageError
        If another argument is out of range.
    """
    rank = _require_look(recent, level, paths)
    scores = standard_scores(returns, names)
    _require_both_parts(scores, names, recent)
    products = scores.sum(axis=1) ** 2 - (scores**2).sum(axis=1)
    block_length = optimal_block_length(products).stationary
    distances = _resampled_distances(scores, recent, block_length, paths, rng)
    before, after = _correlations(scores[:-recent]), _correlations(scores[-recent:])
    distance = float(_distance(before, after))
    threshold = float(np.sort(distances)[paths - rank])
    return CorrelationAlarm(
        is_raised=distance > threshold,
        distance=distance,
        threshold=threshold,
        p_value=float(1 + (distances >= distance).sum()) / (paths + 1),
        mean_recent=_mean_of_pairs(after),
        mean_before=_mean_of_pairs(before),
    )


def _require_look(recent: int, level: float, paths: int) -> int:
    """Return which of the largest distances is the threshold, 1 for the largest."""
    if recent < RECENT_MIN:
        raise UsageError(f"recent is {recent} bars, must be at least {RECENT_MIN}.")
    rank = int(level * (paths + 1) + 1e-9) if 0.0 < level < 1.0 else 0
    if rank < 1:
        raise UsageError(
            f"the level is {level} with {paths} resamples, must be between 1 / (resamples + 1) and 1."
        )
    return rank


def _require_both_parts(scores: FloatArray, names: Sequence[str], recent: int) -> None:
    if len(names) < 2:
        raise DataError("there is one asset alone, and correlation needs two.")
    if len(scores) < 2 * recent:
        raise DataError(
            f"there are {len(scores)} returns, at least {2 * recent} are needed to compare the last {recent}; "
            "choose a longer history."
        )
    for label, part in (("last", scores[-recent:]), ("earlier", scores[:-recent])):
        still = np.flatnonzero(np.ptp(part, axis=0) == 0.0)
        if len(still):
            raise DataError(
                f"{names[still[0]]} does not move in the {label} {len(part)} bars; leave it out."
            )


def _resampled_distances(
    scores: FloatArray, recent: int, block_length: float, paths: int, rng: np.random.Generator
) -> FloatArray:
    distances = np.empty(paths)
    at_once = max(_NUMBERS_AT_ONCE // scores.size, 1)
    for start in range(0, paths, at_once):
        stop = min(start + at_once, paths)
        drawn = scores[stationary_rows(len(scores), stop - start, block_length, rng)]
        before, after = _correlations(drawn[:, :-recent]), _correlations(drawn[:, -recent:])
        distances[start:stop] = _distance(before, after)
    return distances


def _correlations(scores: FloatArray) -> FloatArray:
    """Of (..., time, asset); an asset that a resample drew standing still has no correlation with any."""
    centred = scores - scores.mean(axis=-2, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=-2, keepdims=True))
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0.0)
    correlations: FloatArray = np.swapaxes(unit, -1, -2) @ unit
    return correlations


def _distance(before: FloatArray, after: FloatArray) -> FloatArray:
    size = before.shape[-1]
    squares = ((before - after) ** 2).sum(axis=(-2, -1))
    distance: FloatArray = np.sqrt(squares / (size * (size - 1)))
    return distance


def _mean_of_pairs(correlation: FloatArray) -> float:
    size = len(correlation)
    return float((correlation.sum() - size) / (size * (size - 1)))
