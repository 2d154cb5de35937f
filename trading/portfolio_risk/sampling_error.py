"""Intervals that hold a true value with 95 % probability."""

from collections.abc import Sequence

from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.estimate import Estimate

COVERAGE = 0.95
"""Probability that an interval holds the true value."""
DEVIATIONS = 1.959963984540054
"""Standard errors on either side of a normal estimate that hold `COVERAGE`."""


def estimate_around(
    method: str,
    confidence: float,
    horizon: int,
    values: Sequence[float] | FloatArray,
    errors: Sequence[float] | FloatArray,
) -> Estimate:
    """Return an estimate with intervals that are symmetric around it.

    Parameters
    ----------
    values, errors : of value at risk and expected shortfall
        Estimates and their standard errors, which may be infinite.
    """
    (value, shortfall), (error, shortfall_error) = map(float, values), map(float, errors)
    interval = value - DEVIATIONS * error, value + DEVIATIONS * error
    bounds = shortfall - DEVIATIONS * shortfall_error, shortfall + DEVIATIONS * shortfall_error
    return Estimate(
        method, confidence, horizon, value, shortfall, interval, above(interval, bounds)
    )


def above(interval: tuple[float, float], bounds: tuple[float, float]) -> tuple[float, float]:
    """Return the bounds of a shortfall, which lies above the value at risk, and so do they."""
    return max(bounds[0], interval[0]), max(bounds[1], interval[1])
