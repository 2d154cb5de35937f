"""A strategy of your own: written, searched for a look into the future, and only then backtested.

`Breakout` is a real one. `Peeking` is what goes wrong most often: a filter over the whole array, which knows tomorrow's
price. Its backtest is wonderful, and the checks name the bar at which it cheats.

    python -m examples.own_strategy
    trader check examples/own_strategy.py:Breakout      # the same checks on the command line
    trader backtest examples/own_strategy.py:Breakout --symbols AAPL,KO,XOM --from 2015
"""

import msgspec
import numpy as np

from actors.feeds.sources import SP500, load_prices
from trading.backtest.settings import BacktestSettings, Costs
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, Strategy, require_range
from tune.backtest import backtest
from tune.prices import bars_of
from tune.verdict.verdict import Verdict, judge

SYMBOLS = ("AAPL", "KO", "XOM")


class Breakout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold, in equal parts, every instrument that closes at its highest close of `days` bars.

    Attributes
    ----------
    days : int
        Bars of the range, the newest included (2 to 1,000).
    """

    days: int = 50

    def __post_init__(self) -> None:
        require_range(self, "days", 2, 1_000)

    @property
    def lookback(self) -> int:
        return self.days

    def targets(self, bars: Bars) -> FloatArray:
        """Return the weight of each instrument after each bar: (time, instrument)."""
        weights = np.zeros(bars.close.shape)
        for row in range(self.days - 1, len(bars)):
            window = bars.close[row - self.days + 1 : row + 1]
            weights[row] = window[-1] >= window.max(axis=0)
        return weights / bars.close.shape[1]


class Peeking(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what is below its average of five closes, two of which have not happened yet."""

    @property
    def lookback(self) -> int:
        return 5

    def targets(self, bars: Bars) -> FloatArray:
        below = np.zeros(bars.close.shape)
        for column in range(bars.close.shape[1]):
            centred = np.convolve(bars.close[:, column], np.ones(5) / 5, mode="same")
            below[4:, column] = bars.close[4:, column] < centred[4:]
        return below / bars.close.shape[1]


def examined(strategy: Strategy, bars: Bars) -> tuple[Verdict, float]:
    """Return the verdict of all checks, and the Sharpe ratio that a backtest alone would show."""
    settings = BacktestSettings(costs=Costs(half_spread_bps=1.0, slippage_bps=1.0))
    name = type(strategy).__name__
    return judge(name, strategy, bars), backtest(name, strategy, bars, settings).metrics.sharpe


def main() -> None:
    bars = bars_of(load_prices(SP500, SYMBOLS), "2018")
    for strategy in (Breakout(), Peeking()):
        verdict, sharpe = examined(strategy, bars)
        said = "passed every check" if verdict.passed else "must not be believed"
        print(f"{verdict.strategy}: Sharpe ratio {sharpe:.2f}, {said}")
        for finding in verdict.findings:
            if not finding.passed:
                print(f"  {finding.check}: {finding.text}")


if __name__ == "__main__":
    main()
