"""What Bollinger, Keltner and Donchian have in common: a channel around a middle line."""

from dataclasses import dataclass

from trading.indicators.rolling import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """Three lines in the unit of the prices.

    Attributes
    ----------
    upper, middle, lower : (time, instrument)
    """

    upper: FloatArray
    middle: FloatArray
    lower: FloatArray
