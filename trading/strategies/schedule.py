"""Decide at the first bar of a period, hold until the next: which rows hold which decision."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.indicators.periods import IntArray, period_starts, row_of_last
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Decisions, and the rows that hold them.

    Attributes
    ----------
    decided_at : (decision,)
        Row of each decision, rising.
    decision : (time,)
        Which one each row holds (index into `decided_at`); -1 for none.
    """

    decided_at: NDArray[np.intp]
    decision: IntArray

    def spread(self, decisions: FloatArray) -> FloatArray:
        """Return what each row holds (time, instrument) of `decisions` (decision, instrument); 0 for none."""
        nothing = np.zeros((1, decisions.shape[1]))
        held: FloatArray = np.concatenate([decisions, nothing])[self.decision]
        return held


def schedule(bars: Bars, months: int, rows_before: int, bars_held_max: int) -> Schedule:
    """Return the decisions of periods of `months` calendar months.

    Parameters
    ----------
    rows_before : int
        Rows that a decision needs before its own.
    bars_held_max : int
        Longest time for which it is held (bars). A row is held only if `rows_before + bars_held_max` rows end
        with it, so that a window of that many rows always decides alike.
    """
    starts, period, age = bars.derived(("periods", months), lambda: _periods(bars.ts, months))
    is_held = age < bars_held_max
    is_held[: rows_before + bars_held_max - 1] = False
    first = int(period[np.argmax(is_held)]) if is_held.any() else starts.size
    return Schedule(starts[first:], np.where(is_held, period - first, -1))


def _periods(ts: IntArray, months: int) -> tuple[NDArray[np.intp], IntArray, IntArray]:
    """First row of each period; for each row, its period (-1 before the first) and its age in it."""
    marks = period_starts(ts, months)
    age: IntArray = np.arange(ts.size) - row_of_last(marks)
    return np.flatnonzero(marks), np.cumsum(marks) - 1, age
