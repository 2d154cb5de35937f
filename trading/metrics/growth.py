"""How much a course of returns has earned."""

import math

import numpy as np

from trading.indicators.rolling import FloatArray


def wealth(returns: FloatArray) -> FloatArray:
    """Return what 1 has become after each bar: (time,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        worth: FloatArray = np.multiply.accumulate(1.0 + returns)
    return worth


def total_return(returns: FloatArray) -> float:
    """Return the gain over all bars (fraction; 0.5 is 50 %). NaN without bars."""
    return float(wealth(returns)[-1]) - 1.0 if returns.size else math.nan


def annual_return(returns: FloatArray, periods_per_year: float) -> float:
    """Return the compound growth per year, `(1 + total) ** (periods_per_year / bars) - 1` (CAGR).

    Returns
    -------
    float
        Fraction per year. -1 where all is lost or more; NaN without bars, and where a few bars of
        great gains make it larger than a float.
    """
    return annualised(total_return(returns), returns.size / periods_per_year)


def annualised(total: float, years: float) -> float:
    """Return the growth per year that makes `total` in so many years; see `annual_return`."""
    if total <= -1.0:
        return -1.0
    if not years > 0:
        return math.nan
    with np.errstate(over="ignore"):
        annual = float(np.expm1(np.log1p(total) / years))
    return annual if math.isfinite(annual) else math.nan
