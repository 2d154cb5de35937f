"""What must stand beside the best of many trials: costs, neighbours, yardsticks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from trading.backtest.settings import BacktestSettings
from trading.errors import DataError, TradingError
from trading.indicators.rolling import FloatArray
from trading.metrics.summary import metrics_of
from trading.strategies.search_space import SearchSpace, Span
from trading.strategies.strategy import Bars
from trading.validation.sensitivity import CostSensitivity, cost_sensitivity, neighbourhood
from tune.backtest import returns_under_costs, weights_of, yardsticks
from tune.columns import PREFIX
from tune.figures import COURSE_FIGURES
from tune.objective import strategy_of
from tune.prices import Quoted, trade

MINIMISED = frozenset(
    {
        "volatility", "max_drawdown", "max_drawdown_bars", "longest_drawdown_bars", "kurtosis",
        "value_at_risk", "conditional_value_at_risk", "turnover", "commission", "slippage",
        "minimum_track_record_bars",
    }
)  # fmt: skip
"""Figures of which less is better."""
STRIDE = 0.1
"""How far a neighbour in a search space lies: this part of the span's width."""
NEIGHBOURS = ("neighbours", "neighbour_mean", "neighbour_worst", "robustness")


@dataclass(frozen=True, slots=True)
class Around:
    """The Sharpe ratio of one point over all bars, beside that of its neighbours.

    Attributes
    ----------
    figure : float
        Of the point itself.
    neighbours : int
    mean, worst, robustness : float
        See `trading.validation.sensitivity.Neighbourhood`.
    """

    figure: float
    neighbours: int
    mean: float
    worst: float
    robustness: float


def around(
    strategy: str,
    params: Mapping[str, Any],
    space: SearchSpace,
    bars: Bars,
    settings: BacktestSettings,
    quoted: Quoted | None = None,
) -> Around | None:
    """Return how the Sharpe ratio over all bars changes a tenth of each span away; None without a span.

    Choices have no order, so they stay as they are.

    Parameters
    ----------
    quoted : Quoted or None
        What is traded, when that is not `bars`.
    """
    spans = {name: where for name, where in space.items() if isinstance(where, Span)}
    if not spans:
        return None
    moved = [
        {**params, name: value}
        for name, where in spans.items()
        for value in _beside(where, params[name])
    ]
    tried = [dict(params), *moved]
    places = np.array([[float(point[name]) for name in spans] for point in tried])
    figures = np.array([_sharpe(strategy, point, bars, settings, quoted) for point in tried])
    found = neighbourhood(places, figures)
    return Around(
        float(figures[0]),
        int(found.neighbours[0]),
        float(found.mean[0]),
        float(found.worst[0]),
        float(found.robustness[0]),
    )


def with_neighbours(points: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Return the points of a grid with the columns `NEIGHBOURS`; null when no parameter has an order.

    Points are compared within one choice of the parameters without an order. Where less of the metric is better,
    mean and worst are those of the metric all the same, and robustness is not defined.
    """
    names = [name for name in points.columns if name.startswith(PREFIX)]
    varied = [name for name in names if points[name].n_unique() > 1]
    spans = [name for name in varied if points[name].dtype.is_numeric()]
    choices = [name for name in varied if name not in spans]
    if not spans:
        return points.with_columns(pl.lit(None, pl.Float64).alias(name) for name in NEIGHBOURS)
    groups = points.partition_by(choices) if choices else [points]
    return pl.concat(_compared(group, spans, metric) for group in groups).sort("point")


def independent_trials(returns: FloatArray, trials: int) -> float:
    """Return how many independent trials so many correlated ones are worth: r + (1 - r) trials.

    r is the mean correlation of all pairs in the sample, at least 0; without two trials that move it is
    unknown, and every trial counts. Source: Bailey and Lopez de Prado (2014), "The Deflated Sharpe Ratio",
    Journal of Portfolio Management 40, appendix on the number of independent trials.

    Parameters
    ----------
    returns : (time, trial)
        Of the trials, or of a random sample of them.
    """
    deviations = returns - returns.mean(axis=0)
    lengths = np.sqrt((deviations**2).sum(axis=0))
    moving = lengths > 0
    count = int(moving.sum())
    if count < 2:
        return float(trials)
    total = (deviations[:, moving] / lengths[moving]).sum(axis=1)
    correlation = min(max((float(total @ total) - count) / (count * (count - 1)), 0.0), 1.0)
    return correlation + (1.0 - correlation) * trials


def costs_of(
    strategy: str,
    params: Mapping[str, object],
    bars: Bars,
    settings: BacktestSettings,
    quoted: Quoted | None = None,
) -> CostSensitivity | None:
    """Return the annual return over all bars, or on quoted prices, under multiples of the costs.

    None when an account was ruined, so that a return a year is not defined.
    """
    weights = weights_of(strategy, strategy_of(strategy, params), bars)
    market, actions = (bars, None) if quoted is None else (quoted.bars, quoted.actions)
    multiples, annual = returns_under_costs(weights, market, settings, actions)
    try:
        return cost_sensitivity(multiples, annual)
    except DataError:  # a return that is not finite
        return None


def yardstick_figures(
    bars: Bars, settings: BacktestSettings, quoted: Quoted | None = None
) -> dict[str, dict[str, float]]:
    """Return the `COURSE_FIGURES` of buy-and-hold and of equal weights, by name."""
    market, actions = (bars, None) if quoted is None else (quoted.bars, quoted.actions)
    return {
        run.strategy: {name: getattr(run.metrics, name) for name in COURSE_FIGURES}
        for run in yardsticks(market, settings, actions)
    }


def _beside(where: Span, value: float) -> list[float]:
    """Return the values on both sides that lie within the span."""
    if where.is_log:
        ratio = (where.high / where.low) ** STRIDE
        wanted = [value / ratio, value * ratio]
    else:
        width = STRIDE * (where.high - where.low)
        step = where.step or (1 if where.is_whole else None)
        if step is not None:
            width = max(1, round(width / step)) * step
        wanted = [value - width, value + width]
    if where.is_whole and float(where.step or 1).is_integer():
        wanted = [round(each) for each in wanted]
    return [each for each in wanted if where.low <= each <= where.high and each != value]


def _sharpe(
    strategy: str,
    params: Mapping[str, Any],
    bars: Bars,
    settings: BacktestSettings,
    quoted: Quoted | None,
) -> float:
    try:
        weights = weights_of(strategy, strategy_of(strategy, params), bars)
        return metrics_of(trade(bars, weights, settings, quoted)).sharpe
    except TradingError:  # a neighbour that the strategy refuses, or fails at
        return float("nan")


def _compared(points: pl.DataFrame, spans: list[str], metric: str) -> pl.DataFrame:
    places = points.select(spans).cast(pl.Float64).to_numpy()
    sign = -1.0 if metric in MINIMISED else 1.0
    figures = sign * points[metric].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    found = neighbourhood(places, figures)
    columns = (
        found.neighbours.astype(np.float64),
        sign * found.mean,
        sign * found.worst,
        found.robustness,
    )
    return points.with_columns(
        pl.Series(name, column).fill_nan(None)
        for name, column in zip(NEIGHBOURS, columns, strict=True)
    )
