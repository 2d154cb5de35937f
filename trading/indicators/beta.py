"""Rolling beta: slope of one series on another over a moving window, by least squares with an intercept.

Source: Sharpe (1963), "A Simplified Model for Portfolio Analysis", Management Science 9. TA-Lib's BETA takes prices and
their returns from the other series first; this takes what it is given, as a rule returns.

NaN rule: a row is NaN where a NaN is in its window, and where `x` is flat in it.
"""

import math

from trading.indicators.ratio import ratio, ratio_of_numbers
from trading.indicators.rolling import FloatArray
from trading.indicators.windows import MovingWindow, join_comoments, moving_comoments, require_rows


def rolling_beta(y: FloatArray, x: FloatArray, window: int) -> FloatArray:
    """Return the slope of `y` on `x`. Warm-up: `window - 1` rows.

    Parameters
    ----------
    y : (time, instrument)
        Returns of the instruments.
    x : (time, instrument) or (time, 1)
        Returns of what they are compared with.
    window : int
        Rows (>= 2), the current one included.

    Returns
    -------
    (time, instrument)
    """
    squares, products = moving_comoments(x, y, window)
    return ratio(products, squares, math.nan)


class RollingBeta:
    """`rolling_beta`, one pair of values at a time."""

    __slots__ = ("_comoments",)

    def __init__(self, window: int) -> None:
        require_rows("window", window, 2)
        self._comoments = MovingWindow(window, join_comoments)

    def update(self, y: float, x: float) -> float:
        """Return the slope after this pair."""
        nothing = (x + y) * 0.0
        _, _, squares, products = self._comoments.update(x, y, nothing, nothing)
        return ratio_of_numbers(products, squares, math.nan)
