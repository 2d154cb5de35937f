"""Distance of a value from the mean of its window, in sample standard deviations.

The same as `rolling.zscore` in far fewer passes for a long window, within rounding.

NaN rule: a row is NaN where a NaN is in its window, and where the window is flat: deviation below 1e-12 of
the mean.
"""

import math

from trading.indicators.ratio import ratio, ratio_of_numbers
from trading.indicators.rolling import FloatArray
from trading.indicators.windows import MovingDeviation, moving_mean_and_deviation

FLAT = 1e-12
"""A deviation below this fraction of the mean is rounding noise."""


def moving_zscore(values: FloatArray, window: int) -> FloatArray:
    """Return the score. Warm-up: `window - 1` rows.

    Parameters
    ----------
    values : (time, instrument)
    window : int
        Rows (>= 2), the current one included.

    Returns
    -------
    (time, instrument)
    """
    xp = values.__array_namespace__()
    mean, deviation = moving_mean_and_deviation(values, window, ddof=1)
    deviation = xp.where(deviation > FLAT * xp.abs(mean), deviation, 0.0)
    return ratio(values - mean, deviation, math.nan)


class ZScore:
    """`moving_zscore`, one value at a time."""

    __slots__ = ("_moments",)

    def __init__(self, window: int) -> None:
        self._moments = MovingDeviation(window, ddof=1)

    def update(self, value: float) -> float:
        """Return the score of `value`."""
        mean, deviation = self._moments.update(value)
        is_flat = deviation <= FLAT * abs(mean)
        return ratio_of_numbers(value - mean, 0.0 if is_flat else deviation, math.nan)
