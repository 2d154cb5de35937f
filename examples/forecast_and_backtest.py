"""A forecast and a backtest from Python: no cluster, no network, no keys, no GPU.

The prices are the 20 stocks that come with skfolio, the model is the small N-HiTS that ships with this package.

    python -m examples.forecast_and_backtest
"""

import tempfile
import time
from datetime import UTC, datetime

import numpy as np

from actors.feeds.sources import SP500, load_prices
from actors.models.forecasting import forecast_histories
from actors.models.opening import open_registry
from actors.models.session import load_session
from trading.backtest.settings import BacktestSettings, Costs
from trading.forecasting.forecast import Forecast, interval
from trading.forecasting.history import History
from trading.identifiers import symbol_of
from trading.strategies.registry import build_strategy
from trading.strategies.strategy import Bars
from tune.backtest import StrategyRun, backtest, yardsticks
from tune.prices import bars_of

SYMBOLS = ("AAPL", "KO", "XOM")
COSTS = Costs(per_unit=0.005, minimum=1.0, half_spread_bps=1.0, slippage_bps=1.0)
"""Those that `trader backtest` assumes."""


def forecasts(bars: Bars, horizon: int) -> list[Forecast]:
    """Return what the shipped model expects of every instrument, made of all bars."""
    histories = [
        History(symbol_of(name), bars.ts, bars.close[:, column])
        for column, name in enumerate(bars.instrument_ids)
    ]
    with tempfile.TemporaryDirectory() as folder:  # your own registry is a folder that stays
        session = load_session(open_registry(folder), "nhits@champion")
    return forecast_histories(session, histories, horizon, time.perf_counter_ns)


def runs(bars: Bars, name: str = "momentum") -> list[StrategyRun]:
    """Return a strategy with costs, then buy-and-hold and equal weights with the same costs."""
    settings = BacktestSettings(initial_cash=100_000.0, costs=COSTS)
    return [backtest(name, build_strategy(name, {}), bars, settings), *yardsticks(bars, settings)]


def main() -> None:
    bars = bars_of(load_prices(SP500, SYMBOLS), "2015")
    last_day = datetime.fromtimestamp(int(bars.ts[-1]) / 1e9, UTC).date()
    print(f"{len(bars):,} daily bars of {', '.join(SYMBOLS)}, the last of {last_day}\n")
    print("In 5 days, with 80 % probability:")
    for found in forecasts(bars, horizon=5):
        low, high = interval(found, 0.8)
        print(f"  {found.symbol:5} {found.last_close:8.2f} -> {low[-1]:8.2f} to {high[-1]:8.2f}")
    print("\nSince 2015, with costs:          return   Sharpe  deepest fall")
    for run in runs(bars):
        figures = run.metrics
        assert np.isfinite(figures.total_return)
        print(
            f"  {run.strategy:28}{figures.total_return:9.0%}{figures.sharpe:9.2f}{figures.max_drawdown:14.1%}"
        )
    print("\nThree stocks that are known to have survived flatter every line.")


if __name__ == "__main__":
    main()
