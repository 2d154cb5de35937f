"""What else could have happened: thousands of resampled courses of one result.

Sources: Politis and Romano (1994) for the resampling of returns, see `bootstrap`; resampling of trades after
Aronson (2006), "Evidence-Based Technical Analysis", chapter 6.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from trading.compiled import compiled
from trading.errors import DataError, UsageError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.metrics.quotient import FLAT
from trading.validation import bootstrap
from trading.validation.block_length import optimal_block_length

PATHS = 10_000
FAN_POINTS = 200
PERCENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
_ELEMENTS_AT_ONCE = 1 << 20
"""Rows that are in memory at the same time."""


class Blocks(StrEnum):
    """How returns are resampled."""

    STATIONARY = "stationary"
    CIRCULAR = "circular"


@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """Percentiles of the equity along the paths.

    Attributes
    ----------
    rows : (point,) int64
        Steps (bars or trades) after which the equity was looked at, evenly spread; the last is the end.
    percentiles : tuple of float
        From 0 to 100.
    equity : (percentile, point)
        Multiples of the initial equity.
    """

    rows: IntArray
    percentiles: tuple[float, ...]
    equity: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class MonteCarlo:
    """Figures of each path.

    Attributes
    ----------
    total_return, max_drawdown : (path,)
        Fractions.
    sharpe : (path,)
        Per year; NaN where the steps of a path are all equal.
    lowest : (path,)
        Lowest equity (multiples of the initial equity, at most 1).
    """

    total_return: FloatArray
    max_drawdown: FloatArray
    sharpe: FloatArray
    lowest: FloatArray
    fan: Fan

    @property
    def probability_of_loss(self) -> float:
        """Share of paths that end below the initial equity."""
        return float((self.total_return < -FLAT).mean())

    def probability_of_ruin(self, fraction: float) -> float:
        """Return the share of paths whose equity was ever below `fraction` of the initial equity."""
        return float((self.lowest < fraction).mean())


def resample_returns(
    returns: FloatArray,
    periods_per_year: float,
    rng: np.random.Generator,
    *,
    paths: int = PATHS,
    blocks: Blocks = Blocks.STATIONARY,
    block_length: float | None = None,
    percentiles: tuple[float, ...] = PERCENTILES,
) -> MonteCarlo:
    """Return what paths of resampled returns would have earned, reinvested.

    A path that has lost everything stays there.

    Parameters
    ----------
    returns : (time,)
        Simple returns per bar, finite.
    block_length : float or None
        Bars; None takes the optimal length of Politis and White. Rounded for circular blocks.

    Raises
    ------
    DataError
        If there are no returns, or one is not finite.
    UsageError
        If the number of paths or the block length is out of its range.
    """
    _require(returns, paths)
    count = returns.size
    if block_length is None:
        optimal = optimal_block_length(returns)
        block_length = optimal.circular if blocks is Blocks.CIRCULAR else optimal.stationary
    length = block_length

    def draw(few: int) -> IntArray:
        if blocks is Blocks.CIRCULAR:
            return bootstrap.circular_rows(count, few, round(length), rng)
        return bootstrap.stationary_rows(count, few, length, rng)

    return _play(returns, draw, paths, periods_per_year, percentiles, is_reinvested=True)


def resample_trades(
    profit: FloatArray,
    initial_cash: float,
    trades_per_year: float,
    rng: np.random.Generator,
    *,
    paths: int = PATHS,
    with_replacement: bool = True,
    percentiles: tuple[float, ...] = PERCENTILES,
) -> MonteCarlo:
    """Return what the same trades would have earned in another order, or drawn again.

    Profits are added, not compounded. Without replacement every path ends with the same equity, and
    only the way there differs. The Sharpe ratio is that of the profits, a step being a trade.

    Parameters
    ----------
    profit : (trade,)
        Account currency, finite.
    initial_cash : float
        Account currency (> 0).

    Raises
    ------
    DataError
        If there are no trades, or a profit is not finite.
    UsageError
        If the number of paths or the cash is not positive.
    """
    _require(profit, paths)
    if not initial_cash > 0:
        raise UsageError(f"Monte Carlo: the initial cash must be positive, got {initial_cash}")
    count = profit.size

    def draw(few: int) -> IntArray:
        if with_replacement:
            return bootstrap.drawn_rows(count, few, rng)
        return bootstrap.shuffled_rows(count, few, rng)

    steps = profit / initial_cash
    return _play(steps, draw, paths, trades_per_year, percentiles, is_reinvested=False)


def _play(
    steps: FloatArray,
    draw: Callable[[int], IntArray],
    paths: int,
    periods_per_year: float,
    percentiles: tuple[float, ...],
    *,
    is_reinvested: bool,
) -> MonteCarlo:
    """Walk all paths, some at a time."""
    points = min(FAN_POINTS, steps.size)
    looks = np.linspace(steps.size / points, steps.size, points).round().astype(np.int64) - 1
    figures, worth = np.empty((paths, 4)), np.empty((paths, points))
    at_once = max(_ELEMENTS_AT_ONCE // steps.size, 1)
    for first in range(0, paths, at_once):
        few = slice(first, min(first + at_once, paths))
        rows = draw(few.stop - first)
        _walk(steps, rows, is_reinvested, looks, figures[few], worth[few])
    fan = Fan(looks + 1, percentiles, np.percentile(worth, percentiles, axis=0))
    total, drawdown, ratio, lowest = figures.T.copy()
    return MonteCarlo(total, drawdown, ratio * periods_per_year**0.5, lowest, fan)


@compiled
def _walk(
    steps: FloatArray,
    rows: IntArray,
    is_reinvested: bool,
    looks: IntArray,
    figures: FloatArray,
    worth: FloatArray,
) -> None:
    """Write total return, drawdown, Sharpe ratio per step and lowest equity of each path."""
    count = rows.shape[1]
    for path in range(rows.shape[0]):
        equity, best, lowest, drawdown = 1.0, 1.0, 1.0, 0.0
        mean, squares, look = 0.0, 0.0, 0
        for time in range(count):
            step = steps[rows[path, time]]
            equity += max(equity, 0.0) * step if is_reinvested else step
            best, lowest = max(best, equity), min(lowest, equity)
            drawdown = max(drawdown, 1.0 - equity / best)
            distance = step - mean  # Welford (1962)
            mean += distance / (time + 1)
            squares += distance * (step - mean)
            if time == looks[look]:
                worth[path, look] = equity
                look = min(look + 1, looks.shape[0] - 1)
        deviation = np.sqrt(squares / (count - 1)) if count > 1 else np.nan
        figures[path, 0] = equity - 1.0
        figures[path, 1] = drawdown
        figures[path, 2] = mean / deviation if deviation > FLAT * abs(mean) else np.nan
        figures[path, 3] = lowest


def _require(steps: FloatArray, paths: int) -> None:
    if not steps.size or not np.isfinite(steps).all():
        raise DataError("Monte Carlo: needs at least one return or trade, all of them finite.")
    if paths < 1:
        raise UsageError(f"Monte Carlo: needs at least one path, got {paths}")
