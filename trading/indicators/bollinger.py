"""Bollinger bands: a moving mean, and some standard deviations to either side.

Source: Bollinger (2001), "Bollinger on Bollinger Bands"; as TA-Lib's BBANDS: the deviation is that of a
population (divided by n).

NaN rule: a row is NaN where a NaN is in its window.
"""

from trading.indicators.bands import Bands
from trading.indicators.rolling import FloatArray
from trading.indicators.windows import MovingDeviation, moving_mean_and_deviation


def bollinger(close: FloatArray, window: int = 20, width: float = 2.0) -> Bands:
    """Return the bands. Warm-up: `window - 1` rows.

    Parameters
    ----------
    close : (time, instrument)
    width : float
        Standard deviations from the middle to each band.
    """
    middle, deviation = moving_mean_and_deviation(close, window, ddof=0)
    return Bands(middle + width * deviation, middle, middle - width * deviation)


class Bollinger:
    """`bollinger`, one close at a time."""

    __slots__ = ("_moments", "_width")

    def __init__(self, window: int = 20, width: float = 2.0) -> None:
        self._moments = MovingDeviation(window, ddof=0)
        self._width = width

    def update(self, close: float) -> tuple[float, float, float]:
        """Return (upper, middle, lower) after `close`."""
        middle, deviation = self._moments.update(close)
        return middle + self._width * deviation, middle, middle - self._width * deviation
