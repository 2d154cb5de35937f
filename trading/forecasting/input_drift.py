"""Does a model still see what it was trained on: how the windows of today differ from those of the training.

Source: Yurdakul and Naranjo (2020), "Statistical properties of the population stability index", Journal of Risk
Model Validation 14. The usual reading: below 0.1 no change, above 0.25 another population.
"""

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray

_EMPTY = 0.5
"""Values that are added to every bin, so that the logarithm of an empty one exists."""
_RECENT = 3
"""Bars that a summary looks at."""


def window_summaries(close: FloatArray) -> dict[str, FloatArray]:
    """Return the numbers of each window whose distribution is watched.

    They are free of the level of prices and of volatility, as what a model computes with. And they look at the last
    bars alone: numbers of whole windows, which overlap, stay the same for months, and would always look drifted.

    Parameters
    ----------
    close : (window, bar)
        Prices (> 0), at least 4 a window, not all the same.

    Returns
    -------
    dict of name to (window,)
        All in deviations of the window's log returns.
        last_return : log return of the last bar.
        volatility : root mean square of the last 3 log returns.
        trend : sum of the last 3 log returns over the square root of 3.
    """
    returns = np.diff(np.log(close), axis=1)
    scaled = returns[:, -_RECENT:] / returns.std(axis=1, keepdims=True)
    return {
        "last_return": scaled[:, -1],
        "volatility": np.sqrt((scaled**2).mean(axis=1)),
        "trend": scaled.sum(axis=1) / np.sqrt(_RECENT),
    }


def bins_of(values: FloatArray, count: int = 10) -> tuple[FloatArray, FloatArray]:
    """Return the edges between bins that hold the same share of the values, and these shares.

    Values that are often the same make fewer bins.

    Returns
    -------
    edges : (bin - 1,)
        Rising; an edge belongs to the bin above it.
    shares : (bin,)

    Raises
    ------
    DataError
        If there are fewer values than bins, or one is no number.
    """
    if values.size < count or not np.isfinite(values).all():
        raise DataError(f"{count} bins need as many finite values; there are {values.size}.")
    edges = np.unique(np.quantile(values, np.arange(1, count) / count))
    return edges, counts_of(edges, values) / values.size


def population_stability(edges: FloatArray, shares: FloatArray, values: FloatArray) -> float:
    """Return the population stability index of values against bins of the training. See `stability_index`."""
    return stability_index(shares, counts_of(edges, values))


def stability_index(shares: FloatArray, counts: FloatArray) -> float:
    """Return the population stability index of counts per bin against shares in the training.

    The sum over the bins of (share now - share then) * log(share now / share then). Half a value is added to every
    bin, then and now, so that an empty one counts as rare and not as impossible. 0 when there is no value.
    """
    total = counts.sum()
    if total == 0:
        return 0.0
    now, then = _smoothed(counts, total), _smoothed(shares * total, total)
    return float(np.sum((now - then) * np.log(now / then)))


def counts_of(edges: FloatArray, values: FloatArray) -> FloatArray:
    """Return how many values are in each bin; an edge belongs to the bin above it."""
    places = np.searchsorted(edges, values, side="right")
    return np.bincount(places, minlength=len(edges) + 1).astype(np.float64)


def _smoothed(counts: FloatArray, total: float) -> FloatArray:
    smoothed: FloatArray = (counts + _EMPTY) / (total + _EMPTY * counts.size)
    return smoothed
