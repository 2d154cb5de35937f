"""Recursions over time: a row follows from the row before it.

NumPy arrays go through compiled loops. Arrays of any other namespace (cupy) go through a loop over the rows
that takes all instruments at once; both do the same operations in the same order, so the numbers are the same.

NaN rule: a row with a NaN among its inputs is NaN, and the state stays as it was.
"""

import math

import numpy as np
from numpy.typing import NDArray

from trading.compiled import compiled
from trading.indicators.kernel_input import columns, is_numpy, require_same_shape
from trading.indicators.rolling import FloatArray
from trading.indicators.windows import require_rows

BoolArray = NDArray[np.bool_]


def smoothed(
    values: FloatArray, period: int, weight: float, *, skip: int = 0, kept: float = 1.0
) -> FloatArray:
    """Return `state += weight * (value - state)` over the known rows of each column.

    The first state is `(total * kept + value) / period`, where `value` is the `period`-th known
    value and `total` the sum of those before it: their mean, when `kept` is 1.

    Parameters
    ----------
    values : (time, instrument)
    period : int
        Known values that make the first state (>= 1).
    weight : float
        Share of the newest value (0 to 1).
    skip : int
        Known values that are passed over first.
    kept : float
        Share of the sum that goes into the first state.

    Returns
    -------
    (time, instrument)
        NaN before the first state.
    """
    require_rows("period", period)
    if is_numpy(values):
        return _smoothed(columns(values), period, weight, skip, kept)
    return smoothed_by_rows(values, period, weight, skip, kept)


class Smoothing:
    """`smoothed`, one value at a time."""

    __slots__ = ("_count", "_kept", "_period", "_skip", "_state", "_weight")

    def __init__(self, period: int, weight: float, *, skip: int = 0, kept: float = 1.0) -> None:
        require_rows("period", period)
        self._period, self._weight, self._skip, self._kept = period, weight, skip, kept
        self._count, self._state = 0, 0.0

    def update(self, value: float) -> float:
        """Return the state after `value`; NaN before the first."""
        if math.isnan(value):
            return math.nan
        if self._count == self._skip + self._period:
            self._state += self._weight * (value - self._state)
            return self._state
        self._count += 1
        if self._count == self._skip + self._period:
            self._state = (self._state * self._kept + value) / self._period
            return self._state
        if self._count > self._skip:
            self._state += value
        return math.nan


@compiled
def _smoothed(values: FloatArray, period: int, weight: float, skip: int, kept: float) -> FloatArray:
    rows, width = values.shape
    result = np.empty((rows, width))
    last = skip + period
    counts, states = np.zeros(width, dtype=np.int64), np.zeros(width)
    for row in range(rows):
        for column in range(width):
            value, count = values[row, column], counts[column]
            result[row, column] = np.nan
            if np.isnan(value):
                continue
            if count < last:
                count += 1
                counts[column] = count
                if count == last:
                    states[column] = (states[column] * kept + value) / period
                    result[row, column] = states[column]
                elif count > skip:
                    states[column] += value
            else:
                states[column] += weight * (value - states[column])
                result[row, column] = states[column]
    return result


def smoothed_by_rows(
    values: FloatArray, period: int, weight: float, skip: int, kept: float
) -> FloatArray:
    """`smoothed` in any array namespace."""
    xp = values.__array_namespace__()
    result: FloatArray = xp.full(values.shape, xp.nan)
    count = state = xp.zeros(values.shape[1:])
    last = skip + period
    for row in range(values.shape[0]):
        value = values[row, ...]
        is_known, was_seeded = ~xp.isnan(value), count == last
        count = xp.where(is_known & ~was_seeded, count + 1, count)
        summed = xp.where(count > skip, state + value, state)
        state_now = xp.where(count == last, (state * kept + value) / period, summed)
        state_now = xp.where(was_seeded, state + weight * (value - state), state_now)
        state = xp.where(is_known, state_now, state)
        result[row, ...] = xp.where(is_known & (count == last), state, xp.nan)
    return result


def anchored_sum(values: FloatArray, starts: BoolArray) -> FloatArray:
    """Return the sum of the known values since the last start; NaN before the first start.

    Parameters
    ----------
    values : (time, instrument)
    starts : (time,)
        True where the sum begins anew, at that row.

    Returns
    -------
    (time, instrument)
    """
    if starts.shape != values.shape[:1]:
        raise ValueError(f"starts is {starts.shape}, must be {values.shape[:1]}")
    if is_numpy(values):
        return _anchored_sum(columns(values), starts)
    return anchored_sum_by_rows(values, starts)


@compiled
def _anchored_sum(values: FloatArray, starts: BoolArray) -> FloatArray:
    rows, width = values.shape
    result = np.full((rows, width), np.nan)
    totals = np.zeros(width)
    has_begun = False
    for row in range(rows):
        if starts[row]:
            has_begun = True
            totals[:] = 0.0
        for column in range(width):
            if has_begun and not np.isnan(values[row, column]):
                totals[column] += values[row, column]
                result[row, column] = totals[column]
    return result


def anchored_sum_by_rows(values: FloatArray, starts: BoolArray) -> FloatArray:
    """`anchored_sum` in any array namespace."""
    xp = values.__array_namespace__()
    result: FloatArray = xp.full(values.shape, xp.nan)
    total = xp.full(values.shape[1:], xp.nan)  # NaN + value stays NaN until the first start
    for row in range(values.shape[0]):
        total = xp.where(starts[row], xp.zeros_like(total), total)
        is_known = ~xp.isnan(values[row, ...])
        total = xp.where(is_known, total + values[row, ...], total)
        result[row, ...] = xp.where(is_known, total, xp.nan)
    return result


def ratchet(
    upper: FloatArray, lower: FloatArray, close: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return (line, direction) of a stop that only tightens until the close breaks it.

    The upper band may only fall, and the lower only rise, until the previous close stood beyond it. The line is
    the upper band while the direction is -1 and the lower one while it is +1. The first known row is -1.

    Parameters
    ----------
    upper, lower, close : (time, instrument)
        The free bands, and what breaks them.

    Returns
    -------
    two of (time, instrument)
    """
    require_same_shape(upper, lower, close)
    if is_numpy(upper):
        return _ratchet(columns(upper), columns(lower), columns(close))
    return ratchet_by_rows(upper, lower, close)


@compiled
def _ratchet(
    upper: FloatArray, lower: FloatArray, close: FloatArray
) -> tuple[FloatArray, FloatArray]:
    rows, width = upper.shape
    line, direction = np.full((rows, width), np.nan), np.full((rows, width), np.nan)
    ceilings, floors = np.full(width, np.inf), np.full(width, -np.inf)
    closes, sides = np.zeros(width), np.full(width, -1.0)
    for row in range(rows):
        for column in range(width):
            ceiling, floor, last = upper[row, column], lower[row, column], close[row, column]
            if np.isnan(ceiling + floor + last):
                continue
            is_first = np.isinf(ceilings[column])
            if ceiling >= ceilings[column] >= closes[column]:
                ceiling = ceilings[column]
            if floor <= floors[column] <= closes[column]:
                floor = floors[column]
            if sides[column] > 0:
                sides[column] = -1.0 if last < floor else 1.0
            elif last > ceiling and not is_first:
                sides[column] = 1.0
            ceilings[column], floors[column], closes[column] = ceiling, floor, last
            direction[row, column] = sides[column]
            line[row, column] = floor if sides[column] > 0 else ceiling
    return line, direction


def ratchet_by_rows(
    upper: FloatArray, lower: FloatArray, close: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """`ratchet` in any array namespace."""
    xp = upper.__array_namespace__()
    line, direction = xp.full(upper.shape, xp.nan), xp.full(upper.shape, xp.nan)
    last_close = xp.zeros(upper.shape[1:])
    ceiling, floor, side = last_close + xp.inf, last_close - xp.inf, last_close - 1.0
    for row in range(upper.shape[0]):
        top, bottom, last = upper[row, ...], lower[row, ...], close[row, ...]
        is_known = ~xp.isnan(top + bottom + last)
        is_first = xp.isinf(ceiling)
        top = xp.where((top >= ceiling) & (ceiling >= last_close), ceiling, top)
        bottom = xp.where((bottom <= floor) & (floor <= last_close), floor, bottom)
        rises, falls = (last > top) & ~is_first, last < bottom
        goes_up = xp.where(side > 0, ~falls, rises)
        turned = xp.where(goes_up, xp.ones_like(side), -1.0)
        ceiling, floor = xp.where(is_known, top, ceiling), xp.where(is_known, bottom, floor)
        side, last_close = xp.where(is_known, turned, side), xp.where(is_known, last, last_close)
        direction[row, ...] = xp.where(is_known, side, xp.nan)
        line[row, ...] = xp.where(is_known, xp.where(side > 0, floor, ceiling), xp.nan)
    return line, direction


def filtered_regression(
    y: FloatArray, x: FloatArray, drift: float, noise: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return (alpha, beta, error, variance of the error) of `y = alpha + beta x` by a Kalman filter.

    Alpha and beta are a random walk whose steps have the variance `drift`, and begin at 0 with
    certainty. `error` and its variance are those of the forecast made before the row was seen.

    Parameters
    ----------
    y, x : (time, instrument)
    drift, noise : float
        Variances of a step of the state (without a covariance) and of an observation (> 0).

    Returns
    -------
    four of (time, instrument)
    """
    require_same_shape(y, x)
    if is_numpy(y):
        found = _filtered_regression(columns(y), columns(x), drift, noise)
    else:
        found = filtered_regression_by_rows(y, x, drift, noise)
    return found[0, ...], found[1, ...], found[2, ...], found[3, ...]


@compiled
def _filtered_regression(y: FloatArray, x: FloatArray, drift: float, noise: float) -> FloatArray:
    rows, width = y.shape
    found = np.full((4, rows, width), np.nan)
    for column in range(width):
        alpha, beta, is_first = 0.0, 0.0, True
        p_aa, p_ab, p_bb = 0.0, 0.0, 0.0
        for row in range(rows):
            factor, seen = x[row, column], y[row, column]
            if np.isnan(factor + seen):
                continue
            if not is_first:
                p_aa, p_bb = p_aa + drift, p_bb + drift
            is_first = False
            gain_a, gain_b = p_aa + p_ab * factor, p_ab + p_bb * factor
            variance = gain_a + gain_b * factor + noise
            error = seen - (alpha + beta * factor)
            alpha, beta = alpha + gain_a * error / variance, beta + gain_b * error / variance
            p_aa = p_aa - gain_a * gain_a / variance
            p_ab = p_ab - gain_a * gain_b / variance
            p_bb = p_bb - gain_b * gain_b / variance
            found[0, row, column], found[1, row, column] = alpha, beta
            found[2, row, column], found[3, row, column] = error, variance
    return found


def filtered_regression_by_rows(
    y: FloatArray, x: FloatArray, drift: float, noise: float
) -> FloatArray:
    """`filtered_regression` in any array namespace: (4, time, instrument)."""
    xp = y.__array_namespace__()
    found: FloatArray = xp.full((4, *y.shape), xp.nan)
    alpha = beta = p_aa = p_ab = p_bb = step = xp.zeros(y.shape[1:])
    for row in range(y.shape[0]):
        factor, seen = x[row, ...], y[row, ...]
        is_known = ~xp.isnan(factor + seen)
        r_aa, r_bb = p_aa + step, p_bb + step
        step = xp.where(is_known, drift, step)  # none before the first known row
        gain_a, gain_b = r_aa + p_ab * factor, p_ab + r_bb * factor
        variance = gain_a + gain_b * factor + noise
        error = seen - (alpha + beta * factor)
        alpha = xp.where(is_known, alpha + gain_a * error / variance, alpha)
        beta = xp.where(is_known, beta + gain_b * error / variance, beta)
        p_aa = xp.where(is_known, r_aa - gain_a * gain_a / variance, p_aa)
        p_ab = xp.where(is_known, p_ab - gain_a * gain_b / variance, p_ab)
        p_bb = xp.where(is_known, r_bb - gain_b * gain_b / variance, p_bb)
        for index, value in enumerate((alpha, beta, error, variance)):
            found[index, row, ...] = xp.where(is_known, value, xp.nan)
    return found
