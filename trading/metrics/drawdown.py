"""Drawdowns: how far, and for how long, an account lay below its best.

The best before the first bar is the initial capital.
"""

from dataclasses import dataclass

import numpy as np

from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.metrics.growth import wealth
from trading.metrics.quotient import FLAT


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One stay below the best.

    Attributes
    ----------
    start : int
        First row below the best.
    trough : int
        Lowest row.
    end : int or None
        Row in which the best was reached again; None while it was not.
    bars : int
        Rows below the best.
    depth : float
        Loss from the best to the trough (fraction > 0; above 1 when more than everything was lost).
    """

    start: int
    trough: int
    end: int | None
    bars: int
    depth: float


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """All drawdowns in order: first row below, row after the last, depth: (episode,) each."""

    start: IntArray
    stop: IntArray
    depth: FloatArray

    @property
    def depth_max(self) -> float:
        return float(self.depth.max()) if self.depth.size else 0.0

    @property
    def bars_of_deepest(self) -> int:
        deepest = int(self.depth.argmax()) if self.depth.size else -1
        return int(self.stop[deepest] - self.start[deepest]) if deepest >= 0 else 0

    @property
    def bars_max(self) -> int:
        return int((self.stop - self.start).max()) if self.start.size else 0


def underwater(returns: FloatArray) -> FloatArray:
    """Return how far each close lies below the best so far: (time,), fraction >= 0."""
    worth = wealth(returns)
    best = np.maximum(np.maximum.accumulate(worth), 1.0)
    with np.errstate(invalid="ignore"):
        return 1.0 - worth / best


def episodes(returns: FloatArray) -> Episodes:
    """Return all drawdowns; depths below 1e-12 are rounding noise."""
    return _episodes_of(underwater(returns))


def max_drawdown(returns: FloatArray) -> float:
    """Return the largest loss from a best (fraction >= 0). NaN without bars or with a NaN return."""
    return float(underwater(returns).max()) if returns.size else np.nan


def max_drawdown_bars(returns: FloatArray) -> int:
    """Return how many bars the deepest drawdown lasted, until the best was reached again or the end.

    From a NaN return on, nothing is known, and nothing counts.
    """
    return episodes(returns).bars_of_deepest


def longest_drawdown_bars(returns: FloatArray) -> int:
    """Return the most bars in a row below the best, deep or not."""
    return episodes(returns).bars_max


def worst_drawdowns(returns: FloatArray, count: int = 5) -> tuple[Drawdown, ...]:
    """Return the `count` deepest drawdowns, deepest first; fewer if there were fewer."""
    depth = underwater(returns)
    found = _episodes_of(depth)
    order = np.argsort(-found.depth, stable=True)[:count]
    return tuple(
        _drawdown(depth, int(found.start[row]), int(found.stop[row])) for row in order.tolist()
    )


def _episodes_of(depth: FloatArray) -> Episodes:
    below = np.zeros(depth.size + 2, dtype=np.int8)
    below[1:-1] = depth > FLAT
    edges = np.diff(below)
    start, stop = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    deepest = np.maximum.reduceat(depth, start) if start.size else np.zeros(0)
    return Episodes(start, stop, deepest)


def _drawdown(depth: FloatArray, start: int, stop: int) -> Drawdown:
    trough = start + int(depth[start:stop].argmax())
    end = stop if stop < depth.size else None
    return Drawdown(start, trough, end, stop - start, float(depth[trough]))
