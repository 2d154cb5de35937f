"""How much was held and traded. Bars whose equity is gone (<= 0) are left out of fractions of it."""

import math

import numpy as np

from trading.indicators.rolling import FloatArray


def annual_turnover(traded: FloatArray, equity: FloatArray, periods_per_year: float) -> float:
    """Return the value bought and sold per year as a multiple of the equity.

    Buying and selling both count: to replace the whole portfolio once is 2.

    Parameters
    ----------
    traded, equity : (time,)
        Account currency, per bar and at its close.
    """
    return _mean_fraction(traded, equity) * periods_per_year


def exposure(gross: FloatArray) -> float:
    """Return the share of bars that end with a position. NaN without bars.

    Parameters
    ----------
    gross : (time,)
        Absolute value of all positions.
    """
    return float(np.count_nonzero(gross > 0)) / gross.size if gross.size else math.nan


def average_gross(gross: FloatArray, equity: FloatArray) -> float:
    """Return the mean of gross positions over equity (1 is fully invested)."""
    return _mean_fraction(gross, equity)


def _mean_fraction(value: FloatArray, equity: FloatArray) -> float:
    alive = equity > 0
    count = int(np.count_nonzero(alive))
    if not count:
        return math.nan
    return float(np.divide(value, equity, out=np.zeros(value.shape), where=alive).sum()) / count
