"""Hedge ratio that moves: `y = alpha + beta x`, both a random walk, followed by a Kalman filter.

Source: Chan (2013), "Algorithmic Trading", example 3.3 (dynamic linear regression), after Montana, Triantafyllopoulos and
Tsagaris (2009), "Flexible Least Squares for Temporal Data Mining and Statistical Arbitrage". Alpha and beta begin
at 0 and take some hundred rows to settle, the more the smaller `delta` is. Not in TA-Lib.

NaN rule: a row with a NaN is NaN, and the filter waits: the walk does not go on over it.
"""

import math
from dataclasses import dataclass

from trading.indicators.recursion import filtered_regression
from trading.indicators.rolling import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class HedgeRatio:
    """One regression that moves, per column.

    Attributes
    ----------
    alpha, beta : (time, instrument)
        Intercept and slope, the current row used.
    error : (time, instrument)
        `y` less its forecast, made from `x` of this row and the state of the row before.
    deviation : (time, instrument)
        Standard deviation that the filter expects of the error.
    """

    alpha: FloatArray
    beta: FloatArray
    error: FloatArray
    deviation: FloatArray


def kalman_hedge_ratio(
    y: FloatArray, x: FloatArray, delta: float = 1e-4, noise: float = 1e-3
) -> HedgeRatio:
    """Return the regression of `y` on `x` after each row. Warm-up: none, but see the module.

    Parameters
    ----------
    y, x : (time, instrument)
        Prices, or their logarithms.
    delta : float
        Freedom of alpha and beta (above 0, below 1): a step of each has the variance
        `delta / (1 - delta)`.
    noise : float
        Variance of an observation (> 0), in the squared unit of `y`.
    """
    alpha, beta, error, variance = filtered_regression(y, x, _drift(delta, noise), noise)
    return HedgeRatio(alpha, beta, error, y.__array_namespace__().sqrt(variance))


class KalmanHedgeRatio:
    """`kalman_hedge_ratio`, one pair of prices at a time."""

    __slots__ = ("_alpha", "_beta", "_drift", "_noise", "_p_aa", "_p_ab", "_p_bb", "_step")

    def __init__(self, delta: float = 1e-4, noise: float = 1e-3) -> None:
        self._drift, self._noise = _drift(delta, noise), noise
        self._alpha = self._beta = self._step = 0.0
        self._p_aa = self._p_ab = self._p_bb = 0.0

    def update(self, y: float, x: float) -> tuple[float, float, float, float]:
        """Return (alpha, beta, error, deviation) after this pair."""
        if math.isnan(x + y):
            return math.nan, math.nan, math.nan, math.nan
        p_aa, p_ab, p_bb = self._p_aa + self._step, self._p_ab, self._p_bb + self._step
        self._step = self._drift  # none before the first row
        gain_a, gain_b = p_aa + p_ab * x, p_ab + p_bb * x
        variance = gain_a + gain_b * x + self._noise
        error = y - (self._alpha + self._beta * x)
        self._alpha += gain_a * error / variance
        self._beta += gain_b * error / variance
        self._p_aa = p_aa - gain_a * gain_a / variance
        self._p_ab = p_ab - gain_a * gain_b / variance
        self._p_bb = p_bb - gain_b * gain_b / variance
        return self._alpha, self._beta, error, math.sqrt(variance)


def _drift(delta: float, noise: float) -> float:
    """Chan's Vw."""
    if not 0 < delta < 1:
        raise ValueError(f"delta must be above 0 and below 1, got {delta}")
    if not noise > 0:
        raise ValueError(f"noise must be above 0, got {noise}")
    return delta / (1.0 - delta)
