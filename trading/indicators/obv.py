"""On-balance volume: volume counted up on rising closes and down on falling ones.

Source: Granville (1963), "New Key to Stock Market Profits"; as TA-Lib's OBV, which counts the first volume as bought. Only
its changes have a meaning.

NaN rule: a row is NaN where its volume, its close or the close before it is NaN; nothing is counted there.
"""

import math

from trading.indicators.recursion import anchored_sum
from trading.indicators.rolling import FloatArray
from trading.indicators.shift import change


def obv(close: FloatArray, volume: FloatArray) -> FloatArray:
    """Return the running balance. Warm-up: none.

    Parameters
    ----------
    close : (time, instrument)
    volume : (time, instrument)
        Units (>= 0).

    Returns
    -------
    (time, instrument)
        Units.
    """
    xp = close.__array_namespace__()
    begins = xp.arange(close.shape[0]) == 0
    moves = xp.where(begins[:, None], 1.0 + close * 0.0, change(close))
    side = xp.where(moves > 0, 1.0, xp.where(moves < 0, -1.0, moves))
    return anchored_sum(side * volume, begins)


class Obv:
    """`obv`, one bar at a time."""

    __slots__ = ("_balance", "_close")

    def __init__(self) -> None:
        self._balance = 0.0
        self._close: float | None = None

    def update(self, close: float, volume: float) -> float:
        """Return the balance after this bar."""
        move = 1.0 + close * 0.0 if self._close is None else close - self._close
        self._close = close
        if math.isnan(move + volume):
            return math.nan
        self._balance += volume if move > 0 else -volume if move < 0 else 0.0
        return self._balance
