"""A result against a benchmark."""

import math
from typing import NamedTuple

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.metrics.dispersion import moments


class AlphaBeta(NamedTuple):
    """Regression of returns on those of a benchmark.

    Attributes
    ----------
    alpha : float
        What the benchmark does not explain (fraction per year, arithmetic).
    beta : float
        Change of the return per change of the benchmark's.
    """

    alpha: float
    beta: float


def alpha_beta(returns: FloatArray, benchmark: FloatArray, periods_per_year: float) -> AlphaBeta:
    """Return the line of least squares `return = alpha + beta * benchmark`.

    Jensen (1968), "The Performance of Mutual Funds in the Period 1945-1964", Journal of Finance 23, for
    returns above a risk-free rate; pass those for his alpha. Bars in which either is NaN are left out, since
    the first return of a price series is.

    Parameters
    ----------
    returns, benchmark : (time,)
        Simple returns of the same bars.

    Returns
    -------
    AlphaBeta
        NaN with fewer than two common bars, or a benchmark that does not move.

    Raises
    ------
    DataError
        If the two differ in length.
    """
    if returns.shape != benchmark.shape:
        raise DataError(
            f"the benchmark has {benchmark.size} returns and the result {returns.size}; "
            "give the benchmark on the bars of the result."
        )
    known = ~(np.isnan(returns) | np.isnan(benchmark))
    own, other = returns[known], benchmark[known]
    spread = moments(other)
    if not spread.deviation > 0:
        return AlphaBeta(math.nan, math.nan)
    distance = other - spread.mean
    beta = float(own @ distance) / float(distance @ distance)
    return AlphaBeta((float(own.mean()) - beta * spread.mean) * periods_per_year, beta)
