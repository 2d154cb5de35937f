"""What is held, at what prices, and how those prices moved: the input of every risk report."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.feeds.sources import PriceTable
from trading.errors import DataError
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray

BARS_MIN = 60
HISTORY_BARS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Portfolio:
    """Positions with the history that they are measured by.

    Attributes
    ----------
    as_of : int
        Close of the bar that prices are taken from (ns UTC).
    units : (asset,)
        Signed.
    prices : (asset,)
        Of one unit, in account currency.
    cash : float
        Account currency.
    ts : (time,)
        Close of each bar of `returns` (ns UTC), the last is `as_of`.
    returns : (time, asset)
        Simple, one bar. Bars on which an asset has no price are left out.
    past_ts : (bar,)
        Close of each bar of the whole history (ns UTC).
    past_close : (bar, asset)
        Prices of the whole history; NaN where there is none.
    """

    as_of: int
    names: tuple[InstrumentId, ...]
    units: FloatArray
    prices: FloatArray
    cash: float
    ts: NDArray[np.int64]
    returns: FloatArray
    past_ts: NDArray[np.int64]
    past_close: FloatArray

    @property
    def exposures(self) -> FloatArray:
        """Signed value of each position: (asset,), account currency."""
        exposures: FloatArray = self.units * self.prices
        return exposures

    @property
    def equity(self) -> float:
        """Cash and positions."""
        return self.cash + float(self.exposures.sum())


def portfolio_of(
    units: Mapping[InstrumentId, float],
    cash: float,
    table: PriceTable,
    as_of: int | None = None,
    bars: int = HISTORY_BARS,
) -> Portfolio:
    """Return the positions at the prices of a table.

    Parameters
    ----------
    units : mapping of InstrumentId to float
        Signed; positions of 0 are left out.
    as_of : int or None
        The last bar at or before this moment (ns UTC) counts as now; None is the last of the table.
    bars : int
        Length of the history.

    Raises
    ------
    DataError
        If nothing is held, an instrument is not in the table or has no price at that time, or the common
        history is shorter than 60 bars.
    """
    held = {name: float(count) for name, count in units.items() if count}
    if not held:
        raise DataError("nothing is held; give positions with --positions FILE.")
    column = {name: i for i, name in enumerate(table.instrument_ids)}
    missing = sorted(set(held) - set(column))
    if missing:
        raise DataError(f"the prices have no {missing[0]}; choose another source with --data.")
    end = len(table) if as_of is None else int(np.searchsorted(table.ts, as_of, side="right"))
    if end == 0:
        raise DataError("the prices begin after that date; choose a later one.")
    names = tuple(sorted(held))
    close = table.close[:end, [column[name] for name in names]]
    for name, price in zip(names, close[-1], strict=True):
        if not price > 0:
            raise DataError(f"{name} has no price at that time; leave it out or choose another.")
    past_ts, past_close = table.ts[:end], close
    has_all = np.isfinite(close).all(axis=1)
    ts, close = table.ts[:end][has_all], close[has_all]
    returns = close[1:] / close[:-1] - 1.0
    if len(returns) < BARS_MIN:
        raise DataError(
            f"there are {len(returns)} common returns of {', '.join(names)}; {BARS_MIN} are needed."
        )
    return Portfolio(
        as_of=int(ts[-1]),
        names=names,
        units=np.array([held[name] for name in names]),
        prices=close[-1],
        cash=cash,
        ts=ts[1:][-bars:],
        returns=returns[-bars:],
        past_ts=past_ts,
        past_close=past_close,
    )
