"""Kelly and drawdowns: how likely they are, and how much to hold so that they stay bearable."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray

_BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class LossBound:
    """What may be lost, and how likely.

    Attributes
    ----------
    depth : float
        Fraction of today's capital, between 0 and 1.
    probability : float
        That so much is ever lost, between 0 and 1.
    """

    depth: float
    probability: float

    def __post_init__(self) -> None:
        require_depth(self.depth)
        if not 0.0 < self.probability < 1.0:
            raise UsageError(f"the probability is {self.probability}, must be between 0 and 1.")


def surplus_fraction(drawdown: float, limit: float) -> float:
    """Return the part of the Kelly weights to hold so that the drawdown never exceeds `limit`.

    It is the capital above the floor, per capital: (limit - drawdown) / (1 - drawdown). That is `limit` at the best
    and 0 at the limit. Long-run growth is the best that the floor allows (Grossman and Zhou, 1993, "Optimal
    Investment Strategies for Controlling Drawdowns", Mathematical Finance 3, for logarithmic utility). When weights
    are restored at every bar the floor holds as long as the full weights lose at most everything in a bar.

    Parameters
    ----------
    drawdown : float
        Loss since the best capital so far, 0 to 1.
    limit : float
        Between 0 and 1.

    Raises
    ------
    UsageError
        If an argument is out of range.
    """
    require_depth(limit)
    if not 0.0 <= drawdown <= 1.0:
        raise UsageError(f"the drawdown is {drawdown}, must be between 0 and 1.")
    return max(limit - drawdown, 0.0) / (1.0 - drawdown) if drawdown < 1.0 else 0.0


def loss_probability(log_mean: float, log_variance: float, depth: float) -> float:
    """Return the chance of ever losing the fraction `depth` of today's capital: (1 - depth)^(2 mean / variance).

    Exact for log-normal growth that is watched at every moment; with c times the Kelly weights the exponent is
    2 / c - 1 (Thorp, 2006, "The Kelly Criterion in Blackjack, Sports Betting, and the Stock Market", section 7).

    Parameters
    ----------
    log_mean, log_variance : float
        Of the log growth per bar; without growth the loss is certain.

    Raises
    ------
    UsageError
        If `depth` is out of range or the variance negative.
    """
    require_depth(depth)
    if not log_variance >= 0.0 or math.isnan(log_mean):
        raise UsageError(
            f"needs a mean and a variance of at least 0, got {log_mean}, {log_variance}."
        )
    if log_mean <= 0.0:
        return 0.0 if log_mean == log_variance == 0.0 else 1.0
    if log_variance == 0.0:
        return 0.0
    return math.exp(2.0 * log_mean / log_variance * math.log1p(-depth))


def bounded_fraction(returns: FloatArray, bound: LossBound) -> float:
    """Return the largest part, 0 to 1, of a portfolio with which the bound holds for independent bars.

    The chance of ever losing `depth` is below `probability` if the mean of (1 + r)^-k is at most 1, where
    k = log(probability) / log(1 - depth) (Busseti, Ryu and Boyd, 2016, "Risk-Constrained Kelly Gambling", Journal
    of Investing 25). The mean is over the sample, which stands for the future.

    Parameters
    ----------
    returns : (time,)
        Simple returns of the portfolio in excess of what cash earns.

    Raises
    ------
    DataError
        If a return is not finite or there is none.
    """
    _require_series(returns)
    power = math.log(bound.probability) / math.log1p(-bound.depth)
    worst = float(returns.min())
    low, high = 0.0, 1.0 if worst > -1.0 else (1.0 - 1e-12) / -worst
    if _log_mean_power(returns * high, -power) <= 0.0:
        return high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        if _log_mean_power(returns * middle, -power) <= 0.0:
            low = middle
        else:
            high = middle
    return low


def drawdown_probability(
    returns: FloatArray,
    depth: float,
    horizon: int,
    rng: np.random.Generator,
    paths: int = 10_000,
    block_length: int = 20,
) -> float:
    """Return the chance that within `horizon` bars the capital lies `depth` or more below its best so far.

    Paths are drawn in blocks of neighbouring bars; the first bar follows the last (Politis and Romano, 1992, "A
    Circular Block-Resampling Procedure for Stationary Data"). Its standard error is sqrt(p (1 - p) / paths).

    Parameters
    ----------
    returns : (time,)
        Simple returns of the portfolio.
    block_length : int
        Bars (>= 1).

    Raises
    ------
    DataError
        If a return is not finite or there is none.
    UsageError
        If another argument is out of range.
    """
    _require_series(returns)
    require_depth(depth)
    for name, value in (("horizon", horizon), ("paths", paths), ("block_length", block_length)):
        if value < 1:
            raise UsageError(f"{name} is {value}, must be at least 1.")
    worth, best = np.ones(paths), np.ones(paths)
    is_deep = np.zeros(paths, dtype=bool)
    row = np.zeros(paths, dtype=np.int64)
    for bar in range(horizon):
        starts = bar % block_length == 0
        row = rng.integers(0, len(returns), paths) if starts else (row + 1) % len(returns)
        worth *= np.maximum(1.0 + returns[row], 0.0)
        best = np.maximum(best, worth)
        is_deep |= worth <= (1.0 - depth) * best
    return float(is_deep.mean())


def require_depth(depth: float) -> None:
    """Check the depth of a loss.

    Raises
    ------
    UsageError
        If it is not between 0 and 1.
    """
    if not 0.0 < depth < 1.0:
        raise UsageError(f"the loss is {depth}, must be between 0 and 1, such as 0.2 for 20 %.")


def _require_series(returns: FloatArray) -> None:
    if returns.ndim != 1 or not len(returns) or not np.isfinite(returns).all():
        raise DataError("needs a series of at least one return, all of them finite numbers.")


def _log_mean_power(returns: FloatArray, power: float) -> float:
    return float(logsumexp(power * np.log1p(returns))) - math.log(len(returns))
