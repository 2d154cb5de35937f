"""A strategy of your own, in one file: long while a fast average of the price leads a slow one, else flat.

A strategy is a value with two members: `targets`, which turns bars into target weights, and `lookback`, the
number of bars that its last row of weights needs. Everything else follows: a backtest calls it once over all
history, live trading calls it on the newest `lookback` bars, and both get the same weights. Registered under
the entry point group `neural_trader.strategies`, it has a name on the command line.

    python -m examples.ema_cross     # a backtest of a random walk, with costs
"""

from math import ceil, log, log1p
from typing import ClassVar

import msgspec
import numpy as np

from trading.backtest.engine import run_backtest
from trading.identifiers import InstrumentId
from trading.indicators.moving_average import ema, ema_weight
from trading.indicators.rolling import FloatArray
from trading.strategies.search_space import SearchSpace, Span
from trading.strategies.strategy import Bars, require_range

FORGOTTEN = 1e-12
"""An average has forgotten how it began when the beginning weighs less than this."""
LEAD = 1e-9
"""A lead below this fraction of the price is rounding noise; there is nothing else when prices stand still."""


class EmaCross(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold every instrument whose fast exponential average is above its slow one, with weight 1.

    Several instruments want a share of the capital each: multiply the weights, as in `bench`.

    Attributes
    ----------
    fast : int
        Period of the fast average (bars, 1 to `slow` - 1); the newest close weighs 2 / (period + 1).
    slow : int
        Period of the slow average (bars, 2 to 10,000).
    """

    SEARCH: ClassVar[SearchSpace] = {"fast": Span(5, 100), "slow": Span(20, 400)}
    RISK_LEVEL: ClassVar[str] = "medium"

    fast: int = 10
    slow: int = 30

    def __post_init__(self) -> None:
        require_range(self, "slow", 2, 10_000)
        require_range(self, "fast", 1, self.slow - 1)

    @property
    def lookback(self) -> int:
        """The first `slow` bars begin the slow average; the others make it forget them."""
        return self.slow + ceil(log(FORGOTTEN) / log1p(-ema_weight(self.slow)))

    def targets(self, bars: Bars) -> FloatArray:
        """Return 1 for what leads, else 0: (time, instrument). See `strategy.Strategy`."""
        fast = bars.derived(("ema", self.fast), lambda: ema(bars.close, self.fast))
        slow = bars.derived(("ema", self.slow), lambda: ema(bars.close, self.slow))
        known = bars.derived("bars in a row", lambda: bars_in_a_row(bars.close))
        leads = (fast > slow * (1.0 + LEAD)) & (known >= self.lookback)
        return leads.astype(np.float64)


def bars_in_a_row(close: FloatArray) -> FloatArray:
    """Return how many prices there are without a gap, up to and including each row: (time, instrument)."""
    rows = np.arange(1.0, len(close) + 1.0)[:, np.newaxis]
    is_missing = np.isnan(close)
    if not is_missing.any():
        return np.broadcast_to(rows, close.shape)
    row_of_gap: FloatArray = np.maximum.accumulate(np.where(is_missing, rows, 0.0), axis=0)
    return rows - row_of_gap


def main() -> None:
    source = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(source.normal(0.0, 0.01, (2_000, 1)), axis=0))
    ts = 86_400_000_000_000 * np.arange(1, len(close) + 1)
    bars = Bars.of_closes(ts, (InstrumentId("WALK.DEMO"),), close)
    result = run_backtest(bars, EmaCross(fast=20, slow=60).targets(bars))
    print(f"{len(result.trades)} trades, {result.equity[-1]:,.0f} of {result.equity[0]:,.0f} left")


if __name__ == "__main__":
    main()
