"""Moving average convergence and divergence: the distance of two exponential averages.

Source: Appel (2005), "Technical Analysis: Power Tools for Active Investors"; as TA-Lib's MACD, where the fast
average begins `slow - fast` values late, so that both have their first value in the same row. TA-Lib hides the
line until the signal is there; here it shows as soon as it is known.

NaN rule: a row with a NaN close is NaN, and the averages wait.
"""

from dataclasses import dataclass

from trading.indicators.moving_average import Ema, ema, ema_weight
from trading.indicators.recursion import smoothed
from trading.indicators.rolling import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class MacdLines:
    """In the unit of the prices.

    Attributes
    ----------
    line : (time, instrument)
        Fast average less slow average.
    signal : (time, instrument)
        Exponential average of the line.
    histogram : (time, instrument)
        Line less signal.
    """

    line: FloatArray
    signal: FloatArray
    histogram: FloatArray


def macd(close: FloatArray, fast: int = 12, slow: int = 26, signal: int = 9) -> MacdLines:
    """Return line, signal and histogram. Warm-up: `slow - 1` rows, and `signal - 1` more for the signal.

    Parameters
    ----------
    close : (time, instrument)
    fast, slow, signal : int
        Periods of the averages; `fast < slow`.
    """
    _require_order(fast, slow)
    quick = smoothed(close, fast, ema_weight(fast), skip=slow - fast)
    line = quick - ema(close, slow)
    average = ema(line, signal)
    return MacdLines(line, average, line - average)


class Macd:
    """`macd`, one close at a time."""

    __slots__ = ("_fast", "_signal", "_slow")

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        _require_order(fast, slow)
        self._fast = Ema(fast, skip=slow - fast)
        self._slow, self._signal = Ema(slow), Ema(signal)

    def update(self, close: float) -> tuple[float, float, float]:
        """Return (line, signal, histogram) after `close`."""
        line = self._fast.update(close) - self._slow.update(close)
        average = self._signal.update(line)
        return line, average, line - average


def _require_order(fast: int, slow: int) -> None:
    if fast >= slow:
        raise ValueError(f"fast must be below slow, got {fast} and {slow}")
