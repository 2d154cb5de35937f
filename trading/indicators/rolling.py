"""Moving windows over the time axis, bit for bit the same on all of history and on its tail.

A running sum would carry rounding errors from the beginning of history into every row. Here each row adds
its own window, oldest first, so that its value depends on nothing else.

NaN rule: a row whose window reaches before the first row, or holds a NaN, is NaN.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_FLAT = 1e-12
"""A deviation below this fraction of the mean is rounding noise."""


def rolling_mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the last `window` rows.

    Parameters
    ----------
    values : (time, instrument)
    window : int
        Rows (>= 1), the current one included.

    Returns
    -------
    (time, instrument)
    """
    return _with_head(_window_sum(values, window) / window, values)


def rolling_std(values: FloatArray, window: int) -> FloatArray:
    """Return the sample standard deviation (n - 1) of the last `window` rows (>= 2).

    Parameters
    ----------
    values : (time, instrument)

    Returns
    -------
    (time, instrument)
    """
    if window < 2:
        raise ValueError(f"rolling_std: window must be at least 2, got {window}")
    xp = values.__array_namespace__()
    rows = values.shape[0] - window + 1
    mean = _window_sum(values, window) / window
    squares = xp.zeros(mean.shape, dtype=values.dtype)
    for offset in range(window if rows > 0 else 0):
        deviation = values[offset : offset + rows] - mean
        squares += deviation * deviation
    return _with_head(xp.sqrt(squares / (window - 1)), values)


def zscore(values: FloatArray, window: int) -> FloatArray:
    """Return how many standard deviations each row lies from the mean of its window.

    NaN also where the window is flat (deviation below 1e-12 of the mean).

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
    mean = rolling_mean(values, window)
    deviation = rolling_std(values, window)
    deviation = xp.where(deviation > _FLAT * xp.abs(mean), deviation, xp.nan)
    scores: FloatArray = (values - mean) / deviation
    return scores


def _window_sum(values: FloatArray, window: int) -> FloatArray:
    """Only the rows that have a whole window: (time - window + 1, instrument)."""
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    xp = values.__array_namespace__()
    rows = max(values.shape[0] - window + 1, 0)
    total: FloatArray = xp.zeros((rows, *values.shape[1:]), dtype=values.dtype)
    for offset in range(window if rows else 0):
        total += values[offset : offset + rows]
    return total


def _with_head(tail: FloatArray, values: FloatArray) -> FloatArray:
    """NaN rows in front, so that the result is as long as `values`."""
    xp = values.__array_namespace__()
    head = xp.full((values.shape[0] - tail.shape[0], *values.shape[1:]), xp.nan)
    joined: FloatArray = xp.concat([head, tail], axis=0)
    return joined
