"""Moving averages: simple, exponential, linearly weighted, double exponential.

All are those of TA-Lib (SMA, EMA, WMA, DEMA). The exponential ones begin with the simple mean of their first
`period` values, as there; Mulloy (1994), "Smoothing Data with Faster Moving Averages", for DEMA.

NaN rule: `sma` and `wma` are NaN where a NaN is in the window. `ema` and `dema` are NaN in the row of the NaN
alone and go on from the state before it.
"""

from trading.indicators.recursion import Smoothing, smoothed
from trading.indicators.rolling import FloatArray
from trading.indicators.windows import (
    MovingMean,
    MovingWindow,
    join_weighted,
    moving_mean,
    over_windows,
)


def sma(values: FloatArray, period: int) -> FloatArray:
    """Return the mean of the last `period` rows. Warm-up: `period - 1` rows.

    Parameters
    ----------
    values : (time, instrument)

    Returns
    -------
    (time, instrument)
    """
    return moving_mean(values, period)


class Sma(MovingMean):
    """`sma`, one value at a time."""

    __slots__ = ()


def ema(values: FloatArray, period: int) -> FloatArray:
    """Return the exponential average with the weight `2 / (period + 1)`. Warm-up: `period - 1` rows.

    Parameters
    ----------
    values : (time, instrument)

    Returns
    -------
    (time, instrument)
    """
    return smoothed(values, period, ema_weight(period))


class Ema(Smoothing):
    """`ema`, one value at a time."""

    __slots__ = ()

    def __init__(self, period: int, *, skip: int = 0) -> None:
        super().__init__(period, ema_weight(period), skip=skip)


def ema_weight(period: int) -> float:
    """Return the weight of the newest value in an exponential average."""
    return 2.0 / (period + 1)


def wilder(values: FloatArray, period: int) -> FloatArray:
    """Return Wilder's average: exponential with the weight `1 / period`. Warm-up: `period - 1` rows.

    Source: Wilder (1978), "New Concepts in Technical Trading Systems". RSI, ATR and ADX are made with it.
    """
    return smoothed(values, period, 1.0 / period)


class Wilder(Smoothing):
    """`wilder`, one value at a time."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, 1.0 / period)


def wma(values: FloatArray, period: int) -> FloatArray:
    """Return the mean with the weights 1 (oldest) to `period`. Warm-up: `period - 1` rows.

    Parameters
    ----------
    values : (time, instrument)

    Returns
    -------
    (time, instrument)
    """
    weighted = over_windows((values, values), period, join_weighted)[1]
    return weighted / _sum_of_weights(period)


class Wma:
    """`wma`, one value at a time."""

    __slots__ = ("_divisor", "_sums")

    def __init__(self, period: int) -> None:
        self._sums = MovingWindow(period, join_weighted)
        self._divisor = _sum_of_weights(period)

    def update(self, value: float) -> float:
        """Return the average after `value`."""
        return self._sums.update(value, value)[1] / self._divisor


def _sum_of_weights(period: int) -> float:
    return period * (period + 1) / 2.0


def dema(values: FloatArray, period: int) -> FloatArray:
    """Return `2 ema - ema of ema`, which lags less. Warm-up: `2 (period - 1)` rows.

    Parameters
    ----------
    values : (time, instrument)

    Returns
    -------
    (time, instrument)
    """
    once = ema(values, period)
    return 2.0 * once - ema(once, period)


class Dema:
    """`dema`, one value at a time."""

    __slots__ = ("_once", "_twice")

    def __init__(self, period: int) -> None:
        self._once, self._twice = Ema(period), Ema(period)

    def update(self, value: float) -> float:
        """Return the average after `value`."""
        once = self._once.update(value)
        return 2.0 * once - self._twice.update(once)
