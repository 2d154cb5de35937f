"""A strategy with the signals of its bars, for bars that are known beforehand."""

from dataclasses import dataclass, replace

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, Strategy


@dataclass(frozen=True, slots=True)
class Told:
    """Adds to the bars of the order path the rows of `source.signals` that belong to them. A `Strategy` itself.

    Row t of a signal holds what was known when bar t closed, so a window hears nothing of its future.
    """

    strategy: Strategy
    source: Bars

    @property
    def lookback(self) -> int:
        return self.strategy.lookback

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument). See `strategy.Strategy`."""
        rows = np.searchsorted(self.source.ts, bars.ts)
        signals = {name: array[rows] for name, array in self.source.signals.items()}
        return self.strategy.targets(replace(bars, signals=signals))
