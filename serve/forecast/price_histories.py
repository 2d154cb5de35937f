"""The bars of a symbol, from the configured source of data."""

import threading
from collections.abc import Callable

import numpy as np

from actors.feeds.sources import PriceTable, load_prices
from trading.errors import DataError, ForecastRefused
from trading.forecasting.history import History

Histories = Callable[[str], History]
"""From a symbol to its bars. Raises `ForecastRefused` for a symbol that nobody knows."""


class PriceHistories:
    """All symbols of a source, read once, at first use."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._loaded: dict[str, History] | None = None

    def __call__(self, symbol: str) -> History:
        """Return the bars of a symbol.

        Raises
        ------
        ForecastRefused
            If the source has none of that name.
        DataError
            If the source cannot be read.
        """
        if self._loaded is None:
            self.load()
        found = (self._loaded or {}).get(symbol)
        if found is None:
            raise ForecastRefused(
                "FORECAST_SYMBOL_UNKNOWN",
                f"There is no symbol {symbol!r} in {self._source}; send its closes, or ask for one of "
                f"{', '.join(sorted(self._loaded or {})[:10])} ...",
            )
        return found

    def load(self) -> None:
        """Read the source now, so that no request waits for it."""
        with self._lock:
            if self._loaded is None:
                self._loaded = histories_of(load_prices(self._source, ()))


def histories_of(table: PriceTable) -> dict[str, History]:
    """Return the bars of each symbol, those without a close left out.

    Volumes that are all 0 mean that the source has none.

    Raises
    ------
    DataError
        If two instruments have one symbol.
    """
    found: dict[str, History] = {}
    for column, instrument_id in enumerate(table.instrument_ids):
        symbol = instrument_id.rpartition(".")[0]
        if symbol in found:
            raise DataError(f"{symbol} is in the source twice; forecasts are asked for by symbol.")
        is_there = np.isfinite(table.close[:, column])
        volume = table.volume[is_there, column]
        found[symbol] = History(
            symbol=symbol,
            ts=table.ts[is_there],
            close=table.close[is_there, column],
            volume=volume if volume.any() else None,
        )
    return found
