"""Keltner channel: an exponential average, and some average true ranges to either side.

Source: Keltner (1960), "How to Make Money in Commodities", in the form of Raschke with the exponential average of the
close and Wilder's ATR. Not in TA-Lib; average and ATR are those of TA-Lib.

NaN rule: a row is NaN where its bar or the close before it has a NaN; the averages wait.
"""

from trading.indicators.atr import Atr, atr
from trading.indicators.bands import Bands
from trading.indicators.moving_average import Ema, ema
from trading.indicators.rolling import FloatArray


def keltner(
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    period: int = 20,
    atr_period: int = 10,
    width: float = 2.0,
) -> Bands:
    """Return the channel. Warm-up: `max(period - 1, atr_period)` rows (`period - 1` for the middle).

    Parameters
    ----------
    high, low, close : (time, instrument)
    width : float
        Average true ranges from the middle to each band.
    """
    middle = ema(close, period)
    reach = width * atr(high, low, close, atr_period)
    return Bands(middle + reach, middle, middle - reach)


class Keltner:
    """`keltner`, one bar at a time."""

    __slots__ = ("_atr", "_middle", "_width")

    def __init__(self, period: int = 20, atr_period: int = 10, width: float = 2.0) -> None:
        self._middle, self._atr, self._width = Ema(period), Atr(atr_period), width

    def update(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        """Return (upper, middle, lower) after this bar."""
        middle = self._middle.update(close)
        reach = self._width * self._atr.update(high, low, close)
        return middle + reach, middle, middle - reach
