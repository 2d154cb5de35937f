"""A strategy whose decisions were all made in one call, for bars that are known beforehand."""

import numpy as np

from actors.feeds.sources import PriceTable
from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, Strategy


class DecidedAhead:
    """Hands out row by row what `strategy` says of all bars at once. Implements `Strategy`.

    For a causal strategy these are the decisions that it makes bar by bar (`strategy.Strategy`), at the
    cost of a look-up. One that looks ahead shows it only when it decides bar by bar.

    Raises
    ------
    UsageError
        If the strategy raises, or its weights do not have the shape of the bars.
    """

    lookback = 1

    def __init__(self, strategy: Strategy, bars: Bars) -> None:
        owner = type(strategy).__name__
        try:
            weights = np.asarray(strategy.targets(bars), dtype=float)
        except Exception as error:
            raise UsageError(f"{owner} raised {type(error).__name__}: {error}") from error
        if weights.shape != bars.close.shape:
            raise UsageError(
                f"{owner} returned weights of shape {weights.shape}, must be {bars.close.shape}."
            )
        self._ts = bars.ts
        self._weights = weights

    def targets(self, bars: Bars) -> FloatArray:
        """Return the one row of the newest bar."""
        row = int(self._ts.searchsorted(bars.ts[-1]))
        return self._weights[row : row + 1]


def bars_of(table: PriceTable) -> Bars:
    """Return the table as strategies see it live: a missing bar repeats the last close, with volume 0."""
    row = np.arange(len(table))[:, None]
    is_bar = np.isfinite(table.close)
    last = np.maximum.accumulate(np.where(is_bar, row, -1), axis=0)
    close = np.take_along_axis(table.close, np.maximum(last, 0), axis=0)
    close = np.where(last >= 0, close, np.nan)
    open_, high, low = (
        np.where(is_bar, field, close) for field in (table.open, table.high, table.low)
    )
    volume = np.where(is_bar, table.volume, 0.0)
    return Bars(table.ts, table.instrument_ids, close, open_, high, low, volume)
