"""Roots of many increasing functions at once, by halving."""

from collections.abc import Callable

import numpy as np

from trading.indicators.rolling import FloatArray

_HALVINGS = 54
"""From an interval of length 1 to less than the spacing of floats below 1."""


def increasing_root(
    function: Callable[[FloatArray], FloatArray],
    target: FloatArray,
    low: float = 0.0,
    high: float = 1.0,
) -> FloatArray:
    """Return where each function reaches its target between `low` and `high`.

    Parameters
    ----------
    function : callable
        Of arguments (root,), to values of the same shape; each grows with its own argument.
    target : (root,)
    """
    lows, highs = np.full(len(target), low), np.full(len(target), high)
    for _ in range(_HALVINGS):
        middles = 0.5 * (lows + highs)
        is_below = function(middles) < target
        lows, highs = np.where(is_below, middles, lows), np.where(is_below, highs, middles)
    roots: FloatArray = 0.5 * (lows + highs)
    return roots
