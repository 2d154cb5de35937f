"""How long the blocks of a block bootstrap should be.

Source: Politis and White (2004), "Automatic Block-Length Selection for the Dependent Bootstrap", Econometric
Reviews 23, with the correction of Patton, Politis and White (2009), Econometric Reviews 28.
"""

import math
from typing import NamedTuple

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.metrics.dispersion import moments

MIN_BARS = 8
"""With fewer, no autocorrelation can be told from noise; blocks are one bar long."""


class BlockLength(NamedTuple):
    """Bars (>= 1): the mean length for the stationary bootstrap, the length for the circular one."""

    stationary: float
    circular: float


def optimal_block_length(returns: FloatArray) -> BlockLength:
    """Return the lengths that make the error of the bootstrapped variance of the mean least.

    Parameters
    ----------
    returns : (time,)
        Finite; all equal gives 1.
    """
    count = returns.size
    if count < MIN_BARS or not moments(returns).deviation > 0:
        return BlockLength(1.0, 1.0)
    distance = returns - returns.mean()
    lags_max = math.ceil(math.sqrt(count)) + _quiet_lags(count)
    lags = min(lags_max, count - 1)
    covariance = np.array(
        [float(distance[lag:] @ distance[: count - lag]) / count for lag in range(lags + 1)]
    )
    used = min(2 * max(_last_correlated(covariance, count), 1), lags)
    lag = np.arange(1, used + 1)
    weight = np.clip(2.0 * (1.0 - lag / used), 0.0, 1.0)  # the flat-top window
    slope = 2.0 * float((weight * lag * covariance[1 : used + 1]).sum())
    spectrum = float(covariance[0] + 2.0 * (weight * covariance[1 : used + 1]).sum())
    longest = math.ceil(min(3.0 * math.sqrt(count), count / 3.0))
    stationary = _length(slope, 2.0 * spectrum**2, count, longest)
    circular = _length(slope, 4.0 / 3.0 * spectrum**2, count, longest)
    return BlockLength(stationary, circular)


def _quiet_lags(count: int) -> int:
    """How many small autocorrelations in a row end the search."""
    return max(5, int(math.log10(count)))


def _last_correlated(covariance: FloatArray, count: int) -> int:
    """Return the lag after which a whole run of autocorrelations is small."""
    bound = 2.0 * math.sqrt(math.log10(count) / count)
    small = np.abs(covariance[1:] / covariance[0]) < bound
    quiet = _quiet_lags(count)
    for lag in range(small.size - quiet + 1):
        if small[lag : lag + quiet].all():
            return lag
    return int(small.size)


def _length(slope: float, spread: float, count: int, longest: int) -> float:
    if not spread > 0:
        return 1.0
    return float(np.clip((2.0 * slope**2 / spread * count) ** (1.0 / 3.0), 1.0, longest))
