"""The Johansen test of two series, for all pairs of a group at once.

Source: Johansen (1991), "Estimation and Hypothesis Testing of Cointegration Vectors in Gaussian Vector
Autoregressive Models", Econometrica 59. Model: changes explained by one lagged change (a vector
autoregression of order 2), a constant that is left free, and the lagged levels. The rank of the last term
is the number of stationary combinations: a trace above its critical value rejects rank 0, two separate walks.

Whether the rank is 1 or 2 (each series stationary by itself) is not tested: for prices without a drift that
test finds rank 2 in three of ten cases at a level of 5 %.

The critical values of the trace statistic are those of MacKinnon, Haug and Michelis (1999), "Numerical Distribution
Functions of Likelihood Ratio Tests for Cointegration", Journal of Applied Econometrics 14, for two series and
this model. They are asymptotic and hold for prices with a drift: of simulated pairs of separate walks without drift
over 252 bars, 10 % pass at the level of 5 % and 3 % at 1 %.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.indicators.rolling import FloatArray

CRITICAL_TRACE = {0.01: 19.9349, 0.05: 15.4943, 0.10: 13.4294}
"""The trace above which a pair counts as cointegrated, by significance."""

_COLLINEAR = 1e-12
"""A determinant below this fraction of the product of its diagonal is rounding noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Johansen:
    """One test per pair: the stationary combination is y - alpha - beta x. NaN where there is none.

    Attributes
    ----------
    alpha, beta : (pair,)
        Mean of y - beta x over the sample, and the ratio of the first cointegrating vector.
    deviation : (pair,)
        Standard deviation of y - beta x over the sample.
    trace : (pair,)
        Trace statistic of rank 0.
    """

    alpha: FloatArray
    beta: FloatArray
    deviation: FloatArray
    trace: FloatArray


def johansen(logs: FloatArray, y: NDArray[np.intp], x: NDArray[np.intp]) -> Johansen:
    """Test the pairs (y, x) of columns of `logs`.

    All pairs share one matrix of the products of changes, lagged changes and levels.

    Parameters
    ----------
    logs : (time, instrument)
        Log prices, finite; at least 8 rows.
    y, x : (pair,)
        Column of each leg.
    """
    count = logs.shape[0] - 2
    products = _products(logs)
    legs = np.stack([y, x], axis=1)
    change, level = _moments(products, legs, 0, 0), _moments(products, legs, 1, 1)
    cross = _moments(products, legs, 1, 0)
    combined = _inverse(level) @ cross @ _inverse(change) @ cross.swapaxes(1, 2)
    large, small = _eigenvalues(combined)
    beta = _cointegrating_ratio(combined, large)
    alpha, deviation = _spread(logs, beta, y, x)
    trace = -count * (_log_of_rest(large) + _log_of_rest(small))
    return Johansen(alpha, beta, deviation, trace)


def _products(logs: FloatArray) -> FloatArray:
    """Mean products of each row's change, level before and change before: (3, inst, 3, inst)."""
    change = logs[1:] - logs[:-1]
    blocks = [block - block.mean(axis=0) for block in (change[1:], logs[1:-1], change[:-1])]
    joint = np.concatenate(blocks, axis=1)
    columns = logs.shape[1]
    products: FloatArray = (joint.T @ joint / joint.shape[0]).reshape(3, columns, 3, columns)
    return products


def _moments(products: FloatArray, legs: NDArray[np.intp], first: int, second: int) -> FloatArray:
    """Moments of two blocks (0 changes, 1 levels) net of the lagged changes: (pair, 2, 2)."""
    lag = 2

    def of(row: int, column: int) -> FloatArray:
        part: FloatArray = products[row, legs[:, :, None], column, legs[:, None, :]]
        return part

    net: FloatArray = of(first, second) - of(first, lag) @ _inverse(of(lag, lag)) @ of(lag, second)
    return net


def _inverse(matrix: FloatArray) -> FloatArray:
    """Inverse of each symmetric (pair, 2, 2) matrix; NaN where it is not clearly positive definite."""
    a, b, d = matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 1]
    determinant = a * d - b * b
    determinant = np.where(determinant > _COLLINEAR * a * d, determinant, np.nan)
    adjugate = np.stack([np.stack([d, -b], axis=1), np.stack([-b, a], axis=1)], axis=1)
    inverse: FloatArray = adjugate / determinant[:, None, None]
    return inverse


def _eigenvalues(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both (real) eigenvalues of each (pair, 2, 2) matrix, the larger first."""
    half = (matrix[:, 0, 0] + matrix[:, 1, 1]) / 2
    determinant = matrix[:, 0, 0] * matrix[:, 1, 1] - matrix[:, 0, 1] * matrix[:, 1, 0]
    root = np.sqrt(np.maximum(half * half - determinant, 0.0))
    return half + root, half - root


def _cointegrating_ratio(matrix: FloatArray, eigenvalue: FloatArray) -> FloatArray:
    """Beta of each eigenvector (1, -beta), from the row of `matrix` that says more about it."""
    above = np.stack([matrix[:, 0, 1], eigenvalue - matrix[:, 0, 0]])
    below = np.stack([eigenvalue - matrix[:, 1, 1], matrix[:, 1, 0]])
    vector = np.where(np.square(above).sum(axis=0) > np.square(below).sum(axis=0), above, below)
    ratio: FloatArray = -vector[1] / np.where(vector[0] == 0, np.nan, vector[0])
    return ratio


def _log_of_rest(eigenvalue: FloatArray) -> FloatArray:
    """log(1 - eigenvalue): the log share of variance that the combination leaves unexplained."""
    rest: FloatArray = np.log1p(-np.where(eigenvalue < 1, eigenvalue, np.nan))
    return rest


def _spread(
    logs: FloatArray, beta: FloatArray, y: NDArray[np.intp], x: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of y - beta x over all rows: (pair,) each."""
    mean = logs.mean(axis=0)
    around = logs - mean
    products = around.T @ around / logs.shape[0]
    variance = products[y, y] - 2 * beta * products[y, x] + beta * beta * products[x, x]
    return mean[y] - beta * mean[x], np.sqrt(np.maximum(variance, 0.0))
