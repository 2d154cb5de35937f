"""Relative strength index: the share of gains in all changes, 0 to 100.

Source: Wilder (1978), "New Concepts in Technical Trading Systems"; as TA-Lib's RSI: 0 when nothing changed.

NaN rule: a NaN close makes its two changes unknown; these two rows are NaN, and the averages wait.
"""

import math

from trading.indicators.moving_average import Wilder, wilder
from trading.indicators.ratio import ratio, ratio_of_numbers
from trading.indicators.rolling import FloatArray
from trading.indicators.shift import change


def rsi(close: FloatArray, period: int = 14) -> FloatArray:
    """Return the index, 0 to 100. Warm-up: `period` rows.

    Parameters
    ----------
    close : (time, instrument)

    Returns
    -------
    (time, instrument)
    """
    moves = change(close)
    xp = close.__array_namespace__()
    gain = wilder(xp.where(moves < 0, 0.0, moves), period)
    loss = wilder(xp.where(moves > 0, 0.0, -moves), period)
    return 100.0 * ratio(gain, gain + loss, 0.0)


class Rsi:
    """`rsi`, one close at a time."""

    __slots__ = ("_close", "_gain", "_loss")

    def __init__(self, period: int = 14) -> None:
        self._close = math.nan
        self._gain, self._loss = Wilder(period), Wilder(period)

    def update(self, close: float) -> float:
        """Return the index after `close`."""
        move, self._close = close - self._close, close
        gain = self._gain.update(0.0 if move < 0 else move)
        loss = self._loss.update(0.0 if move > 0 else -move)
        return 100.0 * ratio_of_numbers(gain, gain + loss, 0.0)
