"""Enter far from the mean, leave near it: the rule that mean reversion and the spread strategies share."""

import numpy as np
from numpy.typing import NDArray

from trading.indicators.rolling import FloatArray

Mask = NDArray[np.bool_]


def banded_sides(
    score: FloatArray, entry: float, leave: float, bars_max: int | None = None
) -> FloatArray:
    """Return the side at each row: 1 long, -1 short, 0 flat; flat before the first row.

    Long from `score` <= -entry until it rises to -leave; short from `score` >= entry until it falls to
    `leave`. A NaN score ends the position.

    Parameters
    ----------
    score : (time, column)
    entry, leave : float
        In the unit of the score, entry > leave >= 0.
    bars_max : int or None
        See `held_sides`.
    """
    wanted = np.where(np.abs(score) >= entry, -np.sign(score), 0.0)
    return held_sides(wanted, score < -leave, score > leave, bars_max)


def held_sides(
    wanted: FloatArray, keeps_long: Mask, keeps_short: Mask, bars_max: int | None = None
) -> FloatArray:
    """Return the side at each row: the one that was wanted last, while every row since then keeps it.

    No loop over time: a side depends on the last row that wanted one and the last that did not keep it.

    Parameters
    ----------
    wanted : (time, column)
        1 long, -1 short, 0 no wish.
    keeps_long, keeps_short : (time, column) bool
        Whether a position of that side may stay.
    bars_max : int or None
        A side is given up this many bars after the last row that wanted it; None: never for that reason.
    """
    row = np.arange(wanted.shape[0])[:, None]
    entered = _row_of_last(wanted != 0, row)
    side = np.take_along_axis(wanted, np.maximum(entered, 0), axis=0)
    broken = _row_of_last(~np.where(side > 0, keeps_long, keeps_short), row)
    is_held = (entered >= 0) & (broken <= entered)
    if bars_max is not None:
        is_held &= row - entered < bars_max
    return np.where(is_held, side, 0.0)


def _row_of_last(marks: Mask, row: NDArray[np.intp]) -> NDArray[np.intp]:
    """Row of the last mark up to and including each row (-1 before the first): (time, column)."""
    last: NDArray[np.intp] = np.maximum.accumulate(np.where(marks, row, -1), axis=0)
    return last
