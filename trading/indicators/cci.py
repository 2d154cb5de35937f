"""Commodity channel index: distance of the typical price from its mean, in mean absolute deviations.

Source: Lambert (1980), "Commodity Channel Index", Commodities; as TA-Lib's CCI: 0 where the window is flat. The mean
absolute deviation has no form that moves on in O(1), because every distance changes with the mean: a row
costs O(window), also in TA-Lib.

NaN rule: a row is NaN where a NaN is in its window.
"""

import math
from collections import deque

import numpy as np

from trading.compiled import compiled
from trading.indicators.kernel_input import columns, is_numpy
from trading.indicators.ratio import ratio, ratio_of_numbers
from trading.indicators.rolling import FloatArray
from trading.indicators.shift import delayed
from trading.indicators.typical_price import typical_price
from trading.indicators.windows import MovingDeviation, moving_mean_and_deviation

SCALE = 0.015
"""Lambert's constant: puts most values between -100 and 100."""


def cci(high: FloatArray, low: FloatArray, close: FloatArray, window: int = 14) -> FloatArray:
    """Return the index. Warm-up: `window - 1` rows.

    Parameters
    ----------
    high, low, close : (time, instrument)

    Returns
    -------
    (time, instrument)
    """
    price = typical_price(high, low, close)
    # The mean that comes with a deviation is exact for a flat window, one by way of the sum is not.
    mean, _ = moving_mean_and_deviation(price, window, ddof=0)
    if is_numpy(price):
        distance = _distances(columns(price), columns(mean), window)
    else:
        distance = distances_by_offset(price, mean, window)
    return ratio(price - mean, SCALE * distance / window, 0.0)


@compiled
def _distances(values: FloatArray, mean: FloatArray, window: int) -> FloatArray:
    rows, width = values.shape
    total = np.full((rows, width), np.nan)
    for row in range(window - 1, rows):
        for column in range(width):
            middle, distance = mean[row, column], 0.0
            for before in range(row - window + 1, row + 1):
                distance += abs(values[before, column] - middle)
            total[row, column] = distance
    return total


def distances_by_offset(values: FloatArray, mean: FloatArray, window: int) -> FloatArray:
    """Return the sum of the distances of the last `window` rows from `mean`, in any array namespace."""
    xp = values.__array_namespace__()
    total = mean * 0.0
    for offset in reversed(range(window)):
        total = total + xp.abs(delayed(values, offset) - mean)
    return total


class Cci:
    """`cci`, one bar at a time; O(window) each."""

    __slots__ = ("_moments", "_prices")

    def __init__(self, window: int = 14) -> None:
        self._moments = MovingDeviation(window, ddof=0)
        self._prices: deque[float] = deque(maxlen=window)

    def update(self, high: float, low: float, close: float) -> float:
        """Return the index after this bar."""
        price = typical_price(high, low, close)
        self._prices.append(price)
        mean, _ = self._moments.update(price)
        if math.isnan(mean):
            return math.nan
        distance = sum(abs(each - mean) for each in self._prices) / len(self._prices)
        return ratio_of_numbers(price - mean, SCALE * distance, 0.0)
