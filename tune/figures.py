"""The figures that a search or a sweep keeps of a backtest."""

import math

import msgspec
import numba

from trading.backtest.result import BacktestResult
from trading.indicators.rolling import FloatArray
from trading.metrics.growth import annualised
from trading.metrics.quotient import FLAT, quotient
from trading.metrics.summary import Metrics, metrics_of

FIGURES: tuple[str, ...] = Metrics.__struct_fields__
COURSE_FIGURES = ("total_return", "annual_return", "volatility", "sharpe", "max_drawdown")
"""Those that the equity alone tells."""


def figures_of(result: BacktestResult) -> dict[str, float]:
    """Return all figures of a backtest by name."""
    figures = msgspec.structs.asdict(metrics_of(result))
    return {name: float(value) for name, value in figures.items()}


def course_figures(equity: FloatArray, capital: float, periods_per_year: float) -> list[float]:
    """Return the `COURSE_FIGURES`, equal to those of `metrics_of` but for rounding, in one pass.

    Parameters
    ----------
    equity : (time,)
        At each close.
    capital : float
        Before the first bar.
    """
    mean, deviation, drawdown = _course(equity, capital)
    deviation = 0.0 if deviation <= FLAT * abs(mean) else deviation
    total = float(equity[-1]) / capital - 1.0
    root = math.sqrt(periods_per_year)
    return [
        total,
        annualised(total, equity.size / periods_per_year),
        deviation * root,
        quotient(mean, deviation) * root,
        drawdown,
    ]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _course(equity: FloatArray, capital: float) -> tuple[float, float, float]:
    """Mean and sample deviation of the returns, and the deepest fall from the best (fraction, >= 0)."""
    mean = total = drawdown = 0.0
    before = best = capital
    for row in range(equity.size):
        change = equity[row] / before - 1.0 if before > 0 else 0.0
        distance = change - mean
        mean += distance / (row + 1)
        total += distance * (change - mean)
        before = equity[row]
        best = max(best, before)
        drawdown = max(drawdown, 1.0 - before / best)
    deviation = math.sqrt(total / (equity.size - 1)) if equity.size > 1 else math.nan
    return mean, deviation, drawdown
