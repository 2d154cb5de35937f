"""Today's positions on the path that prices really took between two days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_exposures


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Losses are positive (money). Positions are held: quantities stay, values follow the prices.

    Attributes
    ----------
    names : tuple of str
    days : (time,) datetime64[D]
        Of the closes (UTC); the first is where the loss is 0.
    by_position : (asset,)
        Loss from the first close to the last.
    path : (time,)
        Loss of all positions since the first close.
    worst_day_loss : float
        Largest loss from one close to the next; 0 when there is none.
    worst_day : datetime64[D]
        Day of the close that ends it; the first day when there is none.
    drawdown : float
        Largest loss from one close to a later one, not necessarily from the first.
    drawdown_start, drawdown_end : datetime64[D]
        Days of these closes; the first day when there is none.
    """

    names: tuple[str, ...]
    days: NDArray[np.datetime64]
    by_position: FloatArray
    path: FloatArray
    worst_day_loss: float
    worst_day: np.datetime64
    drawdown: float
    drawdown_start: np.datetime64
    drawdown_end: np.datetime64

    @property
    def total(self) -> float:
        """Loss from the first close to the last."""
        return float(self.path[-1])


def rows_of_window(ts: NDArray[np.int64], start: date, end: date) -> slice:
    """Return the rows of the closes from `start` to `end`, both included.

    Parameters
    ----------
    ts : (time,)
        Close of each bar (ns UTC), rising.

    Raises
    ------
    DataError
        If the prices do not reach over the whole window, or fewer than two closes lie in it.
    """
    days = ts.astype("datetime64[ns]").astype("datetime64[D]")
    first, last = np.datetime64(start), np.datetime64(end)
    if not len(days) or days[0] > first or days[-1] < last:
        found = f"reach from {days[0]} to {days[-1]}" if len(days) else "are empty"
        raise DataError(f"the prices {found}, the window needs {start} to {end}.")
    rows = slice(int(np.searchsorted(days, first)), int(np.searchsorted(days, last, side="right")))
    if rows.stop - rows.start < 2:
        raise DataError(f"there are no two closes between {start} and {end}; widen the window.")
    return rows


def returns_of_window(
    ts: NDArray[np.int64], close: FloatArray, names: Sequence[str], start: date, end: date
) -> FloatArray:
    """Return simple returns between the closes of a window.

    Returns
    -------
    (time - 1, asset)

    Raises
    ------
    DataError
        If prices do not cover the window, or one in it is missing or not positive.
    """
    prices = _prices(ts, close, names, start, end)
    returns: FloatArray = prices[1:] / prices[:-1] - 1.0
    return returns


def replay(
    ts: NDArray[np.int64],
    close: FloatArray,
    names: Sequence[str],
    exposures: FloatArray,
    window: tuple[date, date],
) -> Replay:
    """Return what today's positions would have lost, had they been held from the first close on.

    Parameters
    ----------
    ts : (time,)
        Close of each bar (ns UTC), rising.
    close : (time, asset)
    exposures : (asset,)
        Signed value of each position today (money).
    window : tuple of date
        First and last day.

    Raises
    ------
    DataError
        If prices do not cover the window, or one in it is missing or not positive.
    """
    require_exposures(exposures, names)
    prices = _prices(ts, close, names, *window)
    days = ts[rows_of_window(ts, *window)].astype("datetime64[ns]").astype("datetime64[D]")
    losses = exposures * (1.0 - prices / prices[0])
    path = losses.sum(axis=1)
    of_day = np.diff(path, prepend=path[0])
    since_best = path - np.minimum.accumulate(path)
    worst, trough = int(of_day.argmax()), int(since_best.argmax())
    return Replay(
        names=tuple(names),
        days=days,
        by_position=losses[-1],
        path=path,
        worst_day_loss=float(of_day[worst]),
        worst_day=days[worst],
        drawdown=float(since_best[trough]),
        drawdown_start=days[int(path[: trough + 1].argmin())],
        drawdown_end=days[trough],
    )


def _prices(
    ts: NDArray[np.int64], close: FloatArray, names: Sequence[str], start: date, end: date
) -> FloatArray:
    if close.shape != (len(ts), len(names)):
        raise DataError(f"closes have shape {close.shape}, must be ({len(ts)}, {len(names)}).")
    rows = rows_of_window(ts, start, end)
    prices: FloatArray = close[rows]
    bad = ~(np.isfinite(prices) & (prices > 0.0))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        day = ts[rows][row].astype("datetime64[ns]").astype("datetime64[D]")
        raise DataError(
            f"{names[column]} has no price on {day} (it is {prices[row, column]}); leave it out."
        )
    return prices
