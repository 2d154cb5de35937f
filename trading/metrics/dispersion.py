"""How widely returns lie, and in which shape."""

import math
from typing import NamedTuple

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.metrics.quotient import FLAT


class Moments(NamedTuple):
    """The first four moments of returns.

    Attributes
    ----------
    mean : float
        Per bar.
    deviation : float
        Sample standard deviation (n - 1), per bar; NaN with fewer than two bars, exactly 0 where
        all returns are equal but for rounding.
    skewness : float
        m3 / m2^1.5 of the central moments; NaN where the returns are all equal.
    kurtosis : float
        m4 / m2^2 (3 for a normal distribution); NaN where the returns are all equal.
    """

    mean: float
    deviation: float
    skewness: float
    kurtosis: float


def moments(returns: FloatArray) -> Moments:
    """Return the moments of `returns`."""
    count = returns.size
    if not count:
        return Moments(math.nan, math.nan, math.nan, math.nan)
    mean = float(returns.mean())
    distance = returns - mean
    root = math.sqrt(float(distance @ distance) / count)
    if root <= FLAT * abs(mean):
        return Moments(mean, 0.0 if count > 1 else math.nan, math.nan, math.nan)
    score = distance / root
    square = score * score
    return Moments(
        mean,
        root * math.sqrt(count / (count - 1)),
        float(square @ score) / count,
        float(square @ square) / count,
    )


def volatility(returns: FloatArray, periods_per_year: float) -> float:
    """Return the sample standard deviation of the returns (n - 1) per year (fraction)."""
    return moments(returns).deviation * math.sqrt(periods_per_year)


def downside_deviation(returns: FloatArray, periods_per_year: float) -> float:
    """Return the root of the mean square of the losses, over all bars, per year (fraction).

    Gains count as 0: Sortino and Price (1994), "Performance Measurement in a Downside Risk Framework".
    """
    if not returns.size:
        return math.nan
    loss = np.minimum(returns, 0.0)
    return math.sqrt(float(loss @ loss) / returns.size * periods_per_year)
