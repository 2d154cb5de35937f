"""Backtests that are done at once: installed strategies with their defaults over the newest stored bars."""

from collections.abc import Sequence
from functools import lru_cache

from serve.desk.analysis.prices import StoredPrices
from trading.backtest.settings import BacktestSettings
from trading.errors import UsageError
from trading.strategies.registry import build_strategy
from trading.strategies.strategy import Bars
from tune.backtest import StrategyRun, backtest, yardsticks
from tune.signal_sources import SignalSources, with_signals

BARS = 1_260
"""Five years of days: what a strategy that looks back a year needs, and what takes a second at most."""
STRATEGIES_MAX = 20
SETTINGS = BacktestSettings()
METHOD = (
    f"Backtests (vector gear, default parameters and costs) over the newest {BARS:,} bars; decisions on a close are "
    "filled on the next bar."
)


@lru_cache(maxsize=64)
def market_of(stored: StoredPrices, columns: tuple[int, ...]) -> Bars:
    """Return the bars that are traded."""
    return stored.bars(columns, BARS)


@lru_cache(maxsize=64)
def tried(stored: StoredPrices, columns: tuple[int, ...], name: str) -> StrategyRun:
    """Return the run of one strategy, measured against holding equal parts.

    Raises
    ------
    UsageError, DataError, ConfigError
        Naming what the strategy cannot work with.
    """
    market = market_of(stored, columns)
    strategy = build_strategy(name, {})
    told, notes = with_signals(market, getattr(strategy, "NEEDS", ()), SignalSources())
    hold = held(stored, columns)[0].result.returns
    run = backtest(name, strategy, told, SETTINGS, market=market, benchmark=hold)
    return StrategyRun(run.strategy, run.params, run.weights, run.result, run.metrics, notes)


@lru_cache(maxsize=16)
def held(stored: StoredPrices, columns: tuple[int, ...]) -> tuple[StrategyRun, ...]:
    """Return what buy-and-hold and monthly equal weights made of the same bars."""
    return yardsticks(market_of(stored, columns), SETTINGS)


def chosen_columns(stored: StoredPrices, symbols: Sequence[str] | None) -> tuple[int, ...]:
    """Return the columns of some symbols, or of all. Raises `NotFound`."""
    return tuple(stored.columns(symbols or stored.symbols))


def require_some(names: Sequence[str], least: int) -> None:
    """Check how many strategies are asked for.

    Raises
    ------
    UsageError
        If they are too few or too many to be tried at once.
    """
    if not least <= len(names) <= STRATEGIES_MAX:
        raise UsageError(
            f"give {least} to {STRATEGIES_MAX} different strategies, not {len(names)}."
        )
