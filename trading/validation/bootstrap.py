"""Rows of resampled histories: blocks of neighbouring bars keep what one bar has to do with the next.

Every function returns rows (path, time) into the original, drawn path by path.
"""

import numpy as np

from trading.compiled import compiled
from trading.errors import UsageError
from trading.indicators.periods import IntArray


def stationary_rows(
    count: int, paths: int, block_length: float, rng: np.random.Generator
) -> IntArray:
    """Draw blocks of random length: each next bar begins a new block with chance 1 / `block_length`.

    Politis and Romano (1994), "The Stationary Bootstrap", Journal of the American Statistical Association 89.

    Parameters
    ----------
    count : int
        Bars of the history, and of each path.
    block_length : float
        Mean length (bars, >= 1).
    """
    _require(count, block_length)
    return _stationary_rows(count, paths, 1.0 / block_length, rng)


def circular_rows(count: int, paths: int, block_length: int, rng: np.random.Generator) -> IntArray:
    """Draw blocks of equal length; the first bar follows the last.

    Politis and Romano (1992), "A Circular Block-Resampling Procedure for Stationary Data".

    Parameters
    ----------
    count : int
        Bars of the history, and of each path.
    block_length : int
        Bars (>= 1).
    """
    _require(count, block_length)
    starts = rng.integers(0, count, (paths, -(-count // block_length), 1))
    rows: IntArray = (starts + np.arange(block_length)) % count
    return rows.reshape(paths, -1)[:, :count]


def drawn_rows(count: int, paths: int, rng: np.random.Generator) -> IntArray:
    """Draw single rows with replacement."""
    _require(count, 1)
    return rng.integers(0, count, (paths, count))


def shuffled_rows(count: int, paths: int, rng: np.random.Generator) -> IntArray:
    """Draw orders: every row once in each path."""
    _require(count, 1)
    return rng.permuted(np.tile(np.arange(count), (paths, 1)), axis=1)


@compiled
def _stationary_rows(count: int, paths: int, chance: float, rng: np.random.Generator) -> IntArray:
    rows = np.empty((paths, count), np.int64)
    for path in range(paths):
        row = 0
        for time in range(count):
            row += 1
            if time == 0 or rng.random() < chance:
                row = int(rng.random() * count)
            if row >= count:
                row = 0
            rows[path, time] = row
    return rows


def _require(count: int, block_length: float) -> None:
    if count < 1 or not 1 <= block_length <= count:
        raise UsageError(
            f"bootstrap: needs at least one bar and blocks from 1 to {count} bars, got {block_length}"
        )
