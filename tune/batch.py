"""A batch of points of a sweep: each is backtested over all bars, and only its equity is looked at."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
import polars as pl

from trading.backtest.engine import equity_of, market_of
from trading.backtest.settings import BacktestSettings
from trading.backtest.state import Market
from trading.errors import ConfigError
from trading.indicators.rolling import FloatArray
from trading.metrics.periods_per_year import periods_per_year
from trading.strategies.strategy import Bars
from tune.figures import COURSE_FIGURES, course_figures
from tune.grid import Grid
from tune.ledger import Ending
from tune.objective import strategy_of
from tune.prices import Quoted, trade
from tune.threads import use_one_thread

SCHEMA = {
    "point": pl.Int64,
    "ending": pl.String,
    "reason": pl.String,
    **dict.fromkeys(COURSE_FIGURES, pl.Float64),
}


class SweepPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that the numbers of a sweep depend on, besides data and code.

    Attributes
    ----------
    strategy : str
        Installed name, or `module:Class`.
    values : dict
        By parameter; the last one varies fastest. What is missing has its default.
    """

    strategy: str
    values: dict[str, tuple[Any, ...]]
    settings: BacktestSettings = BacktestSettings()

    @property
    def grid(self) -> Grid:
        """The points.

        Raises
        ------
        UsageError
            If there is none, or there are too many.
        """
        return Grid(self.values)


def evaluate(
    plan: SweepPlan, bars: Bars, points: Iterable[int], quoted: Quoted | None = None
) -> pl.DataFrame:
    """Return one row per point, columns as in `SCHEMA`; figures of a point without a result are null.

    What the points share (indicators, checked prices) is made once and let go with the batch.

    Parameters
    ----------
    quoted : Quoted or None
        What is traded, when that is not `bars`.

    Raises
    ------
    DataError
        If a price is unusable.
    """
    use_one_thread()
    own = bars.rows(0, len(bars))
    market = market_of(own) if quoted is None else market_of(quoted.bars, quoted.actions)
    periods = periods_per_year(own.ts)
    grid = plan.grid
    rows = [
        (point, *_outcome(plan, own, quoted, market, periods, grid.point(point)))
        for point in points
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _outcome(
    plan: SweepPlan,
    bars: Bars,
    quoted: Quoted | None,
    market: Market,
    periods: float,
    params: Mapping[str, object],
) -> tuple[Any, ...]:
    nothing = (None,) * len(COURSE_FIGURES)
    try:
        equity = _equity(plan, bars, quoted, market, params)
    except (ConfigError, ValueError) as error:
        return Ending.SKIPPED.value, str(error), *nothing
    except Exception as error:  # of the strategy: the point's result, not the sweep's end
        return Ending.FAILED.value, f"{type(error).__name__}: {error}", *nothing
    figures = course_figures(equity, plan.settings.initial_cash, periods)
    return Ending.COMPLETE.value, "", *figures


def _equity(
    plan: SweepPlan,
    bars: Bars,
    quoted: Quoted | None,
    market: Market,
    params: Mapping[str, object],
) -> FloatArray:
    weights = strategy_of(plan.strategy, params).targets(bars)
    if weights.shape != bars.close.shape or not np.isfinite(weights).all():
        return trade(bars, weights, plan.settings, quoted).equity  # raises, naming the place
    return equity_of(market, weights, plan.settings)
