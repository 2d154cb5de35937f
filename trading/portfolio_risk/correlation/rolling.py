"""Correlation over a moving window."""

from collections.abc import Sequence

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_returns
from trading.portfolio_risk.place import HOST, Array, Place

_CELLS_HOST = 2**17
"""Returns in the windows that are computed together: more do not fit into the caches of a CPU."""
_CELLS_ELSEWHERE = 2**24
"""Enough to occupy a GPU; 128 MB and some copies."""


def rolling_correlation(
    returns: FloatArray, names: Sequence[str], window: int, place: Place = HOST
) -> FloatArray:
    """Return the correlation of the last `window` returns at each bar: (time, asset, asset).

    NaN before the first whole window, and for an asset that does not move within the window.

    Parameters
    ----------
    returns : (time, asset)
    window : int
        Bars (>= 2), the current one included.
    place : Place
        Where the matrices are computed; they come back to the host.

    Raises
    ------
    DataError
        If returns are unfit, or there are fewer than `window`.
    UsageError
        If `window` is below 2.
    """
    if window < 2:
        raise UsageError(f"the window is {window} returns, must be at least 2.")
    require_returns(returns, names, rows_min=window)
    bars, assets = returns.shape
    result = np.full((bars, assets, assets), np.nan)
    there = place.array(returns)
    cells = _CELLS_HOST if place == HOST else _CELLS_ELSEWHERE
    count = max(1, cells // (window * assets))
    for first in range(0, bars - window + 1, count):
        last = min(first + count, bars - window + 1)
        found = _correlations(place, there, first, last, window)
        result[first + window - 1 : last + window - 1] = place.host(found)
    _set_diagonal(result)
    return result


def _correlations(place: Place, returns: Array, first: int, last: int, window: int) -> Array:
    """Correlation of each window that begins in one of the rows from `first` up to `last`."""
    xp = place.xp
    parts = xp.stack([returns[first + row : last + row, :] for row in range(window)], axis=1)
    centred = parts - xp.mean(parts, axis=1, keepdims=True)
    length = xp.sqrt(xp.sum(centred * centred, axis=1, keepdims=True))
    is_still = xp.all(parts == parts[:, :1, :], axis=1, keepdims=True)
    unit = centred / xp.where(is_still, xp.nan, length)
    return xp.clip(xp.matmul(unit.mT, unit), -1.0, 1.0)


def _set_diagonal(correlations: FloatArray) -> None:
    diagonal = np.einsum("tii->ti", correlations)  # a view
    diagonal[~np.isnan(diagonal)] = 1.0
