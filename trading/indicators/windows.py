"""Moving windows in about log2(window) passes over the arrays, and the same windows one row at a time.

What is known of a window is put together from what is known of two adjacent parts of it: a sum from two sums, a
variance from two variances and the distance of their means (Chan, Golub and LeVeque 1979, "Updating
Formulae and a Pairwise Algorithm for Computing Sample Variances"). Over arrays the parts double in length;
row by row they wait on two stacks (Tangwongsan, Hirzel, Schneider and Wu 2015, "General Incremental
Sliding-Window Aggregation"). Nothing is ever subtracted again: no error grows with history, a row depends on
its own window alone, bit for bit, and a flat window has a variance of exactly 0.

NaN rule: a row whose window reaches before the first row, or holds a NaN, is NaN.
"""

import math
from collections.abc import Callable
from typing import TypeVar

from trading.indicators.rolling import FloatArray

Number = TypeVar("Number", float, FloatArray)
Parts = tuple[Number, ...]
Join = Callable[[Parts[Number], Parts[Number], int, int], Parts[Number]]
"""(older part, newer part, rows of the older, rows of the newer) -> both together."""


def require_rows(name: str, rows: object, least: int = 1) -> None:
    """Check that a number of rows is whole and not below `least`.

    Raises
    ------
    ValueError
        Naming the parameter, the bound and the value.
    """
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {rows!r}")


def join_sums(older: Parts[Number], newer: Parts[Number], _a: int, _b: int) -> Parts[Number]:
    """(sum,)."""
    return (older[0] + newer[0],)


def join_weighted(older: Parts[Number], newer: Parts[Number], a: int, _b: int) -> Parts[Number]:
    """(sum, sum with weights 1, 2, ... from the oldest on)."""
    return older[0] + newer[0], older[1] + (newer[1] + newer[0] * a)


def join_moments(older: Parts[Number], newer: Parts[Number], a: int, b: int) -> Parts[Number]:
    """(mean, sum of squared deviations)."""
    step = newer[0] - older[0]
    squares = older[1] + newer[1] + step * step * (a * b / (a + b))
    return older[0] + step * (b / (a + b)), squares


def join_comoments(older: Parts[Number], newer: Parts[Number], a: int, b: int) -> Parts[Number]:
    """(mean of x, mean of y, sum of squared deviations of x, sum of products of deviations)."""
    dx, dy, weight = newer[0] - older[0], newer[1] - older[1], a * b / (a + b)
    squares = older[2] + newer[2] + dx * dx * weight
    products = older[3] + newer[3] + dx * dy * weight
    share = b / (a + b)
    return older[0] + dx * share, older[1] + dy * share, squares, products


def join_highest(older: Parts[float], newer: Parts[float], _a: int, _b: int) -> Parts[float]:
    """Join (highest,) of single numbers; NaN wins."""
    return older if older[0] >= newer[0] or math.isnan(older[0]) else newer


def join_lowest(older: Parts[float], newer: Parts[float], _a: int, _b: int) -> Parts[float]:
    """Join (lowest,) of single numbers; NaN wins."""
    return older if older[0] <= newer[0] or math.isnan(older[0]) else newer


def over_windows(leaf: Parts[FloatArray], window: int, join: Join[FloatArray]) -> Parts[FloatArray]:
    """Return what `join` makes of the last `window` rows, for each row.

    Parameters
    ----------
    leaf : arrays of (time, instrument)
        What is known of a window of one row.
    window : int
        Rows (>= 1), the current one included.
    """
    require_rows("window", window)
    level, size = leaf, 1
    whole, covered = leaf, 0
    while True:
        if window & size:
            whole = _side_by_side(level, whole, size, covered, join) if covered else level
            covered += size
        if covered == window:
            return tuple(_with_head(part, leaf[0]) for part in whole)
        level = _side_by_side(level, level, size, size, join)
        size *= 2


def _side_by_side(
    older: Parts[FloatArray],
    newer: Parts[FloatArray],
    older_rows: int,
    newer_rows: int,
    join: Join[FloatArray],
) -> Parts[FloatArray]:
    """Row i of each array tells of the window that begins in row i."""
    rows = max(older[0].shape[0] - newer_rows, 0)
    return join(
        tuple(part[:rows, ...] for part in older),
        tuple(part[older_rows : older_rows + rows, ...] for part in newer),
        older_rows,
        newer_rows,
    )


def _with_head(tail: FloatArray, values: FloatArray) -> FloatArray:
    """NaN rows in front, so that the result is as long as `values`."""
    xp = values.__array_namespace__()
    missing = values.shape[0] - tail.shape[0]
    joined: FloatArray = xp.concat([xp.full((missing, *tail.shape[1:]), xp.nan), tail], axis=0)
    return joined


def moving_sum(values: FloatArray, window: int) -> FloatArray:
    """Return the sum of the last `window` rows (time, instrument)."""
    return over_windows((values,), window, join_sums)[0]


def moving_mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the last `window` rows (time, instrument)."""
    return moving_sum(values, window) / window


def moving_mean_and_deviation(
    values: FloatArray, window: int, ddof: int
) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of the last `window` rows, each (time, instrument).

    Parameters
    ----------
    window : int
        Rows (> `ddof`).
    ddof : int
        The sum of squares is divided by `window - ddof`: 0 for a population, 1 for a sample.
    """
    require_rows("window", window, ddof + 1)
    xp = values.__array_namespace__()
    mean, squares = over_windows((values, values * 0.0), window, join_moments)
    return mean, xp.sqrt(squares / (window - ddof))


def moving_comoments(x: FloatArray, y: FloatArray, window: int) -> tuple[FloatArray, FloatArray]:
    """Return the sums, over the last `window` rows, of dx * dx and of dx * dy (time, instrument).

    `dx` and `dy` are the distances from the means of the window. `x` may have one column beside many of `y`.
    """
    require_rows("window", window, 2)
    xp = x.__array_namespace__()
    x, y = xp.broadcast_arrays(x, y)
    nothing = (x + y) * 0.0
    _, _, squares, products = over_windows((x, y, nothing, nothing), window, join_comoments)
    return squares, products


def moving_max(values: FloatArray, window: int) -> FloatArray:
    """Return the highest of the last `window` rows (time, instrument)."""
    xp = values.__array_namespace__()
    return over_windows((values,), window, lambda a, b, *_: (xp.maximum(a[0], b[0]),))[0]


def moving_min(values: FloatArray, window: int) -> FloatArray:
    """Return the lowest of the last `window` rows (time, instrument)."""
    xp = values.__array_namespace__()
    return over_windows((values,), window, lambda a, b, *_: (xp.minimum(a[0], b[0]),))[0]


class MovingWindow:
    """One window that moves row by row: O(1) per row, counted over many.

    Parameters
    ----------
    window : int
        Rows (>= 1), the current one included.
    join : Join
        One of the `join_...` functions of this module.
    """

    __slots__ = ("_join", "_newer", "_newest", "_older", "_window")

    def __init__(self, window: int, join: Join[float]) -> None:
        require_rows("window", window)
        self._window = window
        self._join = join
        self._older: list[
            Parts[float]
        ] = []  # of the oldest rows; the last element covers all of them
        self._newer: list[Parts[float]] = []  # single rows
        self._newest: Parts[float] = ()  # covers all of `_newer`

    def update(self, *leaf: float) -> Parts[float]:
        """Take one row in; return what is known of the window, NaN before it is whole."""
        if len(self._older) + len(self._newer) == self._window:
            self._drop_oldest()
        older, newer = self._older, self._newer
        self._newest = self._join(self._newest, leaf, len(newer), 1) if newer else leaf
        newer.append(leaf)
        if len(older) + len(newer) < self._window:
            return (math.nan,) * len(leaf)
        if not older:
            return self._newest
        return self._join(older[-1], self._newest, len(older), len(newer))

    def _drop_oldest(self) -> None:
        if not self._older:
            covering = self._newer.pop()
            self._older.append(covering)
            while self._newer:
                covering = self._join(self._newer.pop(), covering, 1, len(self._older))
                self._older.append(covering)
        self._older.pop()


class MovingMean:
    """Mean of the last `window` values."""

    __slots__ = ("_sum", "_window")

    def __init__(self, window: int) -> None:
        self._window = window
        self._sum = MovingWindow(window, join_sums)

    def update(self, value: float) -> float:
        """Return the mean after `value`."""
        return self._sum.update(value)[0] / self._window


class MovingDeviation:
    """Mean and standard deviation of the last `window` values; see `moving_mean_and_deviation`."""

    __slots__ = ("_divisor", "_moments")

    def __init__(self, window: int, ddof: int) -> None:
        require_rows("window", window, ddof + 1)
        self._divisor = window - ddof
        self._moments = MovingWindow(window, join_moments)

    def update(self, value: float) -> tuple[float, float]:
        """Return (mean, deviation) after `value`."""
        mean, squares = self._moments.update(value, value * 0.0)
        return mean, math.sqrt(squares / self._divisor)


class MovingRange:
    """Highest of one series and lowest of another over the last `window` rows."""

    __slots__ = ("_highest", "_lowest")

    def __init__(self, window: int) -> None:
        self._highest = MovingWindow(window, join_highest)
        self._lowest = MovingWindow(window, join_lowest)

    def update(self, high: float, low: float) -> tuple[float, float]:
        """Return (highest high, lowest low)."""
        return self._highest.update(high)[0], self._lowest.update(low)[0]
