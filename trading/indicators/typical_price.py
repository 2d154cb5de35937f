"""One price for a bar."""

from typing import TypeVar

from trading.indicators.rolling import FloatArray

Number = TypeVar("Number", float, FloatArray)


def typical_price(high: Number, low: Number, close: Number) -> Number:
    """Return the mean of high, low and close."""
    return (high + low + close) / 3.0
