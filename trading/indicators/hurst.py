"""Hurst exponent: how the distance that a series travels grows with time.

Over a moving window the mean of `(x[t] - x[t - lag])**2` is taken for some lags; it grows like `lag ** (2 H)`, and
H is half the slope of its logarithm on that of the lag, by least squares. H is 0.5 for a random walk, less where
the series reverts, more where it trends. The differences are not freed of their mean: a drift counts as a trend.

Source: the generalised Hurst exponent for q = 2 of Di Matteo, Aste and Dacorogna (2003), "Scaling Behaviors in Differently
Developed Markets", Physica A 324; Chan (2013), "Algorithmic Trading", chapter 2. Not in TA-Lib.

NaN rule: a row is NaN where a NaN is in its window, and where some lag finds no movement.
"""

import math
from collections import deque
from functools import reduce
from operator import add

from trading.indicators.rolling import FloatArray
from trading.indicators.shift import delayed
from trading.indicators.windows import MovingMean, moving_mean, require_rows

LAGS = (1, 2, 4, 8, 16)


def hurst(values: FloatArray, window: int, lags: tuple[int, ...] = LAGS) -> FloatArray:
    """Return the exponent. Warm-up: `window - 1` rows.

    Parameters
    ----------
    values : (time, instrument)
        As a rule log prices or a spread.
    window : int
        Rows, the current one included; more than the longest lag, better ten times as many.
    lags : tuple of int
        At least two, rising (rows).

    Returns
    -------
    (time, instrument)
    """
    weights = _slope_weights(window, lags)
    xp = values.__array_namespace__()
    terms = []
    for lag, weight in zip(lags, weights, strict=True):
        step = values - delayed(values, lag)
        spread = moving_mean(step * step, window - lag)
        terms.append(weight * xp.log(xp.where(spread > 0, spread, xp.nan)))
    return reduce(add, terms)


class Hurst:
    """`hurst`, one value at a time."""

    __slots__ = ("_lags", "_spreads", "_values", "_weights")

    def __init__(self, window: int, lags: tuple[int, ...] = LAGS) -> None:
        self._weights = _slope_weights(window, lags)
        self._lags = lags
        self._spreads = [MovingMean(window - lag) for lag in lags]
        self._values = deque([math.nan] * (lags[-1] + 1), maxlen=lags[-1] + 1)

    def update(self, value: float) -> float:
        """Return the exponent after `value`."""
        self._values.append(value)
        exponent = 0.0
        for lag, weight, mean in zip(self._lags, self._weights, self._spreads, strict=True):
            step = value - self._values[-1 - lag]
            spread = mean.update(step * step)
            exponent += weight * math.log(spread) if spread > 0 else math.nan
        return exponent


def _slope_weights(window: int, lags: tuple[int, ...]) -> list[float]:
    """Half the slope on log lag is the sum of these weights times the logarithms."""
    if len(lags) < 2 or sorted(set(lags)) != list(lags):
        raise ValueError(f"lags must be at least two, rising, got {lags}")
    require_rows("the first lag", lags[0])
    require_rows("window", window, lags[-1] + 1)
    logs = [math.log(lag) for lag in lags]
    mean = sum(logs) / len(logs)
    squares = sum((each - mean) ** 2 for each in logs)
    return [(each - mean) / squares / 2.0 for each in logs]
