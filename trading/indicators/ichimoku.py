"""Ichimoku: middle lines of three windows, two of them drawn ahead as a cloud.

Source: Hosoda (1969), "Ichimoku Kinko Hyo", as told by Elliott (2007), "Ichimoku Charts". Not in TA-Lib.

A chart draws the cloud `displacement` rows ahead and the close as many rows back. Here a row holds what a chart
shows above it and what was known by then: the cloud that was computed `displacement` rows ago, and, for the close that
the chart draws back (chikou), the old close that it is compared with.

NaN rule: a row is NaN where a NaN is in the window of that line.
"""

from dataclasses import dataclass

from trading.indicators.donchian import Donchian, donchian
from trading.indicators.rolling import FloatArray
from trading.indicators.shift import Delay, delayed


@dataclass(frozen=True, slots=True, eq=False)
class IchimokuLines:
    """In the unit of the prices.

    Attributes
    ----------
    conversion, base : (time, instrument)
        Middle of the short and of the middle window (tenkan, kijun).
    leading_a, leading_b : (time, instrument)
        Edges of the cloud at this row (senkou): mean of conversion and base, and middle of the long
        window, both of `displacement` rows ago.
    past_close : (time, instrument)
        Close of `displacement` rows ago; chikou is above the price where `close > past_close`.
    """

    conversion: FloatArray
    base: FloatArray
    leading_a: FloatArray
    leading_b: FloatArray
    past_close: FloatArray


def ichimoku(
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    short: int = 9,
    middle: int = 26,
    long: int = 52,
    displacement: int = 26,
) -> IchimokuLines:
    """Return the lines.

    Warm-up: `short - 1` rows, `middle - 1`, `max(short, middle) - 1 + displacement`, `long - 1 + displacement` and
    `displacement`, in the order of the attributes.

    Parameters
    ----------
    high, low, close : (time, instrument)
    short, middle, long : int
        Windows (rows).
    displacement : int
        Rows (>= 0).
    """
    conversion = donchian(high, low, short).middle
    base = donchian(high, low, middle).middle
    leading_b = donchian(high, low, long).middle
    return IchimokuLines(
        conversion,
        base,
        delayed((conversion + base) / 2.0, displacement),
        delayed(leading_b, displacement),
        delayed(close, displacement),
    )


class Ichimoku:
    """`ichimoku`, one bar at a time."""

    __slots__ = ("_a", "_b", "_close", "_long", "_middle", "_short")

    def __init__(
        self, short: int = 9, middle: int = 26, long: int = 52, displacement: int = 26
    ) -> None:
        self._short, self._middle, self._long = Donchian(short), Donchian(middle), Donchian(long)
        self._a, self._b, self._close = (Delay(displacement) for _ in range(3))

    def update(
        self, high: float, low: float, close: float
    ) -> tuple[float, float, float, float, float]:
        """Return (conversion, base, leading a, leading b, past close) after this bar."""
        conversion = self._short.update(high, low)[1]
        base = self._middle.update(high, low)[1]
        leading_a = self._a.update((conversion + base) / 2.0)
        leading_b = self._b.update(self._long.update(high, low)[1])
        return conversion, base, leading_a, leading_b, self._close.update(close)
