"""Division that admits when there is nothing to divide by."""

import math

FLAT = 1e-12
"""A deviation below this fraction of the mean, or a drawdown below it, is rounding noise."""


def quotient(numerator: float, denominator: float) -> float:
    """Return `numerator / denominator`; NaN unless the denominator is positive."""
    return float(numerator) / float(denominator) if denominator > 0 else math.nan
