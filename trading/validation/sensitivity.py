"""How much a result hangs on one value of a parameter, or on the costs that were assumed."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trading.errors import DataError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """Each point of a grid beside its neighbours, one step away in one parameter.

    Neighbours that are missing from the grid, or whose figure is NaN, are left out.

    Attributes
    ----------
    neighbours : (point,) int64
        How many were found.
    mean, worst : (point,)
        Their mean and lowest figure; NaN without neighbours.
    robustness : (point,)
        `mean` over the point's own figure: 1 on a plateau, 0 where the neighbours are worth nothing, below 0
        where they lose; above 1 where they are better. NaN where the own figure is not positive.
    """

    neighbours: IntArray
    mean: FloatArray
    worst: FloatArray
    robustness: FloatArray


def neighbourhood(points: FloatArray, figures: FloatArray) -> Neighbourhood:
    """Compare the figure at each point with those around it.

    Parameters
    ----------
    points : (point, parameter)
        Values of the parameters; no point twice. A step leads to the next value that occurs in any
        point. Parameters without an order (choices) have no neighbours: compare within one choice.
    figures : (point,)
        A figure of which more is better, such as the Sharpe ratio; NaN where it is unknown.

    Raises
    ------
    DataError
        If the two do not match, a point occurs twice, or a value is not finite.
    """
    _require_grid(points, figures)
    steps, sizes = _steps(points)
    codes = _codes(steps, sizes)
    order = np.argsort(codes)
    total, count = np.zeros(figures.size), np.zeros(figures.size, np.int64)
    worst = np.full(figures.size, np.inf)
    for parameter in range(points.shape[1]):
        for step in (-1, 1):
            moved = steps.copy()
            moved[:, parameter] += step
            is_inside = (moved[:, parameter] >= 0) & (moved[:, parameter] < sizes[parameter])
            row = _rows_of(_codes(moved, sizes), codes, order)
            other = np.where(is_inside & (row >= 0), figures[row], np.nan)
            known = ~np.isnan(other)
            total += np.where(known, other, 0.0)
            count += known
            worst = np.fmin(worst, other)
    mean = np.divide(total, count, out=np.full(figures.size, np.nan), where=count > 0)
    robustness = np.divide(mean, figures, out=np.full(figures.size, np.nan), where=figures > 0)
    return Neighbourhood(count, mean, np.where(count > 0, worst, np.nan), robustness)


@dataclass(frozen=True, slots=True)
class CostRow:
    """One line of the table of costs.

    Attributes
    ----------
    multiple : float
        Of the assumed costs (1 is as assumed).
    figure : float
    change : float
        From the figure at the lowest multiple.
    """

    multiple: float
    figure: float
    change: float


@dataclass(frozen=True, slots=True)
class CostSensitivity:
    """A figure under several multiples of the assumed costs.

    Attributes
    ----------
    rows : tuple of CostRow
        By rising multiple.
    break_even : float
        Multiple at which the figure first falls to the threshold, on straight lines between the rows. NaN
        when it is not above the threshold at the lowest multiple; inf when it is above it at all.
    """

    rows: tuple[CostRow, ...]
    break_even: float


def cost_sensitivity(
    multiples: FloatArray, figures: FloatArray, threshold: float = 0.0
) -> CostSensitivity:
    """Return the table of costs, and how many times the assumed costs may be paid.

    Parameters
    ----------
    multiples : (row,)
        Of the assumed costs (>= 0), in any order, none twice.
    figures : (row,)
        A figure of which more is better, finite.
    threshold : float
        What the figure must stay above: 0 for a return, that of the benchmark to beat it.

    Raises
    ------
    DataError
        If the two do not match, are empty or not finite, or a multiple is negative or occurs twice.
    """
    _require_costs(multiples, figures)
    order = np.argsort(multiples)
    costs, found = multiples[order].tolist(), figures[order].tolist()
    rows = tuple(
        CostRow(multiple, figure, figure - found[0])
        for multiple, figure in zip(costs, found, strict=True)
    )
    return CostSensitivity(rows, _break_even(rows, threshold))


def _break_even(rows: tuple[CostRow, ...], threshold: float) -> float:
    if not rows[0].figure > threshold:
        return math.nan
    for before, row in pairwise(rows):
        if row.figure <= threshold:
            share = (before.figure - threshold) / (before.figure - row.figure)
            return before.multiple + share * (row.multiple - before.multiple)
    return math.inf


def _steps(points: FloatArray) -> tuple[IntArray, IntArray]:
    """Step number of each value among the values of its parameter, and how many there are of each."""
    columns = [np.unique(column, return_inverse=True) for column in points.T]
    steps = np.stack([numbers for _, numbers in columns], axis=1).astype(np.int64)
    return steps, np.array([values.size for values, _ in columns])


def _codes(steps: IntArray, sizes: IntArray) -> IntArray:
    """One number for each point of the grid."""
    strides = np.concatenate([[1], np.cumprod(sizes[:-1])]).astype(np.int64)
    codes: IntArray = steps @ strides
    return codes


def _rows_of(wanted: IntArray, codes: IntArray, order: IntArray) -> IntArray:
    """Return the row of each wanted code, -1 where there is none."""
    place = np.minimum(np.searchsorted(codes, wanted, sorter=order), codes.size - 1)
    row = order[place]
    return np.where(codes[row] == wanted, row, -1)


def _require_grid(points: FloatArray, figures: FloatArray) -> None:
    if points.ndim != 2 or not points.size or points.shape[0] != figures.size:
        raise DataError(
            f"sensitivity: needs points (point, parameter) and a figure for each, got {points.shape} "
            f"and {figures.shape}"
        )
    if not np.isfinite(points).all() or np.unique(points, axis=0).shape != points.shape:
        raise DataError("sensitivity: a parameter is not finite, or a point occurs twice.")


def _require_costs(multiples: FloatArray, figures: FloatArray) -> None:
    if not multiples.size or multiples.shape != figures.shape:
        raise DataError("cost sensitivity: needs one figure for each multiple of the costs.")
    if not (np.isfinite(multiples).all() and np.isfinite(figures).all()) or (multiples < 0).any():
        raise DataError("cost sensitivity: multiples from 0 and figures must be finite.")
    if np.unique(multiples).size != multiples.size:
        raise DataError("cost sensitivity: a multiple of the costs occurs twice.")
