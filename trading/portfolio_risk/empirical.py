"""Value at risk and expected shortfall of a sample of losses, with the errors that sampling makes.

The value at risk is the smallest loss that at least a share `confidence` of the sample does not exceed; the
expected shortfall is the mean of the worst share 1 - `confidence`, the loss at the edge counted in part
(Rockafellar and Uryasev 2002, "Conditional value-at-risk for general loss distributions", Journal of
Banking & Finance 26). Intervals hold with 95 % probability. They are:

- of the quantile: two order statistics, whose ranks follow from the binomial distribution and from nothing
  else (David and Nagaraja 2003, "Order Statistics", section 7.1);
- of the shortfall: the delta method (Manistre and Hancock 2005, "Variance of the CTE Estimator", North
  American Actuarial Journal 9), with Student's t for the few losses in the tail in place of the normal; with
  ten of them and tails as heavy as those of daily returns it still holds the truth less often than it says;
- where losses depend on each other, as those of overlapping windows do, both count only as many observations
  as independent ones would say as much (Newey and West 1987, Econometrica 55).
"""

import math

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.estimate import Estimate
from trading.portfolio_risk.sampling_error import COVERAGE, above

_ROUNDING = 1e-9


def estimate_of(
    losses: FloatArray, method: str, confidence: float, horizon: int, dependent_bars: int = 0
) -> Estimate:
    """Return the estimate that a sample of losses makes.

    Parameters
    ----------
    losses : (observation,)
        Of the portfolio over the whole horizon, in order of time when they depend on each other.
    dependent_bars : int
        How far apart two losses may be and still depend on each other; 0 for independent draws.

    Raises
    ------
    DataError
        If fewer than one loss is expected beyond the value at risk.
    """
    require_tail(len(losses), confidence)
    value, shortfall = tail_of(losses, confidence)
    interval = quantile_interval(losses, confidence, dependent_bars)
    bounds = shortfall_interval(losses, confidence, dependent_bars)
    return Estimate(
        method, confidence, horizon, value, shortfall, interval, above(interval, bounds)
    )


def require_tail(count: int, confidence: float) -> None:
    """Check that a sample reaches beyond its value at risk.

    Raises
    ------
    DataError
        If fewer than one of `count` losses is expected there.
    """
    if count * (1.0 - confidence) < 1.0 - _ROUNDING:
        needed = math.ceil(1.0 / (1.0 - confidence) - _ROUNDING)
        raise DataError(
            f"{count} losses say nothing of the worst {1.0 - confidence:.4g} of cases: at least {needed} are needed; "
            "choose a longer history, more simulations, a lower confidence or a method with a model of the tail."
        )


def rank_of(count: int, confidence: float) -> int:
    """Return which of `count` ascending losses is the value at risk, from 0."""
    return max(math.ceil(count * confidence * (1.0 - _ROUNDING)), 1) - 1


def tail_of(losses: FloatArray, confidence: float) -> tuple[float, float]:
    """Return value at risk and expected shortfall of equally likely losses."""
    rank = rank_of(len(losses), confidence)
    ascending = np.partition(losses, rank)
    value = float(ascending[rank])
    excess = float(np.sum(ascending[rank + 1 :] - value))
    return value, value + excess / (len(losses) * (1.0 - confidence))


def quantile_interval(
    losses: FloatArray, confidence: float, dependent_bars: int = 0
) -> tuple[float, float]:
    """Return the order statistics between which the true quantile lies.

    An end is infinite where the sample is too short to bound the quantile on that side.
    """
    from scipy.stats import binom

    value, _ = tail_of(losses, confidence)
    count = len(losses)
    size = effective_size((losses > value).astype(np.float64), dependent_bars)
    share = (1.0 - COVERAGE) / 2.0
    low = int(binom.ppf(share, size, confidence))
    high = int(binom.ppf(1.0 - share, size, confidence)) + 1
    ascending = np.sort(losses)
    return (
        float(ascending[low * count // size - 1]) if low > 0 else -math.inf,
        float(ascending[-(-high * count // size) - 1]) if high <= size else math.inf,
    )


def shortfall_interval(
    losses: FloatArray, confidence: float, dependent_bars: int = 0
) -> tuple[float, float]:
    """Return the interval of the expected shortfall, infinite where the tail is one loss or less."""
    from scipy.stats import t

    value, shortfall = tail_of(losses, confidence)
    influence = value + np.maximum(losses - value, 0.0) / (1.0 - confidence)
    size = effective_size(influence, dependent_bars)
    freedom = size * (1.0 - confidence) - 1.0
    if freedom <= 0.0:
        return -math.inf, math.inf
    deviations = float(t.ppf((1.0 + COVERAGE) / 2.0, freedom))
    error = deviations * float(np.std(influence)) / math.sqrt(size)
    return shortfall - error, shortfall + error


def effective_size(values: FloatArray, dependent_bars: int) -> int:
    """Return how many independent values would know the mean as well as these do.

    The variance of the mean is that of Newey and West, with weights that fall to 0 over three times
    `dependent_bars`, so that little of the dependence is lost.
    """
    count = len(values)
    lags = min(3 * dependent_bars, count - 1)
    deviations = values - np.mean(values)
    variance = float(deviations @ deviations)
    if lags == 0 or variance == 0.0:
        return count
    total = variance
    for lag in range(1, lags + 1):
        weight = 1.0 - lag / (lags + 1)
        total += 2.0 * weight * float(deviations[lag:] @ deviations[:-lag])
    return max(min(count, int(count * variance / total)), 1)
