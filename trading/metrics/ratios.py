"""Return per unit of risk. For figures above a risk-free rate, pass returns less that rate.

A ratio is NaN where its risk is nothing: no losses, no drawdown, returns that are all equal.
"""

import math

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.metrics.dispersion import downside_deviation, moments
from trading.metrics.drawdown import max_drawdown
from trading.metrics.growth import annual_return, total_return
from trading.metrics.quotient import quotient


def sharpe(returns: FloatArray, periods_per_year: float) -> float:
    """Return mean / sample deviation (n - 1), times the root of `periods_per_year`.

    Sharpe (1994), "The Sharpe Ratio", Journal of Portfolio Management 21.
    """
    found = moments(returns)
    return quotient(found.mean, found.deviation) * math.sqrt(periods_per_year)


def sortino(returns: FloatArray, periods_per_year: float) -> float:
    """Return the arithmetic annual return over the annual `downside_deviation`."""
    if not returns.size:
        return math.nan
    annual = float(returns.mean()) * periods_per_year
    return quotient(annual, downside_deviation(returns, periods_per_year))


def calmar(returns: FloatArray, periods_per_year: float) -> float:
    """Return compound annual return over maximum drawdown, both over all bars.

    Young (1991), "Calmar Ratio: A Smoother Tool", takes the last 36 months; pass those for his figure.
    """
    return quotient(annual_return(returns, periods_per_year), max_drawdown(returns))


def omega(returns: FloatArray, threshold: float = 0.0) -> float:
    """Return the sum of what exceeds `threshold` over the sum of what falls short of it.

    Keating and Shadwick (2002), "A Universal Performance Measure".

    Parameters
    ----------
    threshold : float
        Return per bar.
    """
    distance = returns - threshold
    gains = float(np.maximum(distance, 0.0).sum())
    return quotient(gains, float(np.maximum(-distance, 0.0).sum()))


def recovery_factor(returns: FloatArray) -> float:
    """Return the total return over the maximum drawdown."""
    return quotient(total_return(returns), max_drawdown(returns))
