"""From the forecast of a log return to that of a simple return.

Source: Johnson, Kotz and Balakrishnan (1994), "Continuous Univariate Distributions", vol. 1, ch. 14: if log G is
normal with mean m and deviation s, then G has mean exp(m + s^2 / 2) and deviation mean * sqrt(exp(s^2) - 1).
"""

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN

FLAT = 1e-12
"""A log return with a smaller deviation is that of a price that does not move: no forecast."""


def simple_return_signals(mean: FloatArray, deviation: FloatArray) -> dict[str, FloatArray]:
    """Return FORECAST_RETURN and FORECAST_DEVIATION of a normal log return.

    Parameters
    ----------
    mean, deviation : (time, instrument)
        Of the log return over the whole horizon.

    Returns
    -------
    dict of name to (time, instrument)
        NaN together, where either is not known, or the deviation is not above 1e-12.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        expected = np.expm1(mean + deviation**2 / 2.0)
        spread = (expected + 1.0) * np.sqrt(np.expm1(deviation**2))
    is_known = np.isfinite(expected) & np.isfinite(spread) & (deviation > FLAT)
    return {
        FORECAST_RETURN: np.where(is_known, expected, np.nan),
        FORECAST_DEVIATION: np.where(is_known, spread, np.nan),
    }
