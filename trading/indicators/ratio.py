"""Division where the divisor may be nothing."""

import math

from trading.indicators.rolling import FloatArray


def ratio(numerator: FloatArray, denominator: FloatArray, otherwise: float) -> FloatArray:
    """Return the quotient, `otherwise` where the denominator is not positive; NaN stays NaN."""
    xp = numerator.__array_namespace__()
    is_positive = denominator > 0
    quotient = numerator / xp.where(is_positive, denominator, 1.0)
    is_unknown = xp.isnan(quotient) | xp.isnan(denominator)
    known = xp.where(is_positive, quotient, otherwise)
    result: FloatArray = xp.where(is_unknown, xp.nan, known)
    return result


def ratio_of_numbers(numerator: float, denominator: float, otherwise: float) -> float:
    """`ratio` of two single numbers."""
    if math.isnan(numerator) or math.isnan(denominator):
        return math.nan
    return numerator / denominator if denominator > 0 else otherwise
